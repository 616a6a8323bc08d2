#!/bin/sh
# Makes the reports about API contracts in this folder anew with the real tools, which it installs below $TOOLS:
#     TOOLS=/tmp/scanners sh tests/samples/make-contracts.sh
# oasdiff is a Go program, and made only where there is a `go`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tools=${TOOLS:?the folder to install the tools into}
mkdir -p "$tools/node"
[ -d "$tools/node/node_modules" ] || (cd "$tools/node" && npm init -y > /dev/null && npm install --no-fund --no-audit --silent \
  @stoplight/spectral-cli@6 @redocly/cli@2 openapi-diff@0.24 @asyncapi/cli@4)
[ -x "$tools/bin/oasdiff" ] || ! command -v go > /dev/null || GOBIN=$tools/bin go install github.com/oasdiff/oasdiff@v1.37.0
bin=$tools/node/node_modules/.bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
say() { echo "+ $*" >&2; "$@" || echo "  exit code $?" >&2; }

cat > clean.yaml <<'YAML'
openapi: 3.0.3
info:
  {title: Bookings, version: 1.0.0, description: Books, license: {name: MIT, url: https://a.example}, contact: {name: A, email: a@a.example}}
servers: [{url: https://api.gpuaas.test}]
tags: [{name: b, description: Bookings}]
paths:
  /bookings:
    get:
      operationId: listBookings
      summary: List
      description: Lists the bookings
      tags: [b]
      security: []
      responses:
        '200': {description: OK, content: {application/json: {schema: {type: string}}}}
        '400': {description: Bad}
YAML
sed 's/title: Bookings, //; s/operationId: listBookings/operationId: "list bookings"/' clean.yaml > risky.yaml
sed 's#/bookings:#/reservations:#' clean.yaml > broken.yaml
echo 'a: 1' > unknown.yaml
echo 'extends: ["spectral:oas", "spectral:asyncapi"]' > .spectral.yaml
for name in clean risky unknown; do
  say "$bin/spectral" lint $name.yaml -q -f json > "$here/spectral-$name.json"
done
echo "+ spectral lint 'none/*.yaml' -f json" >&2
"$bin/spectral" lint 'none/*.yaml' -f json > "$here/spectral-nothing.txt" 2>&1 || echo "  exit code $?" >&2
for name in clean risky; do
  say "$bin/redocly" lint $name.yaml --format=json > "$here/redocly-$name.json" 2> /dev/null
done
for name in clean broken; do
  say "$bin/openapi-diff" clean.yaml $name.yaml > "$here/openapi-diff-$name.txt"
  [ ! -x "$tools/bin/oasdiff" ] || say "$tools/bin/oasdiff" breaking clean.yaml $name.yaml -f json > "$here/oasdiff-$name.json"
done

cat > events.yaml <<'YAML'
asyncapi: 3.1.0
info: {title: Events, version: 1.0.0, description: d, license: {name: MIT}, contact: {name: A, email: a@a.example}}
channels:
  booked: {address: bookings.booked, messages: {booked: {payload: {type: object}}}}
operations:
  onBooked: {action: receive, channel: {$ref: '#/channels/booked'}}
YAML
cp events.yaml events-clean.yaml
sed 's/title: Events, //' events.yaml > events-risky.yaml
sed 's/bookings.booked/bookings.made/' events.yaml > events-broken.yaml
export CI=true ASYNCAPI_METRICS=false
for name in clean risky; do
  say "$bin/asyncapi" validate events-$name.yaml --diagnostics-format=json --save-output="$here/asyncapi-$name.json" > /dev/null
done
for name in clean broken; do
  say "$bin/asyncapi" diff events.yaml events-$name.yaml -f json > "$here/asyncapi-diff-$name.json" 2> /dev/null
done
sed -i "s|$work/||g" "$here"/spectral-*
