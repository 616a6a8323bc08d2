#!/bin/sh
# Makes the folders under adrs/ anew with the real tools: sh tests/samples/make-adrs.sh
# It needs adr-tools (Debian: adr-tools 3.0.0) and npm, which fetches the two generations of MADR.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export EDITOR=true VISUAL=true ADR_DATE=2026-04-20

adr init adr-tools >/dev/null
adr new "Balances come from an append-only ledger" >/dev/null
adr new "Queue in the database" >/dev/null
adr new -s 3 "Queue in a broker" >/dev/null
adr new -l "2:Amends:Amended by" "Ledger entries are signed" >/dev/null
adr generate toc >adr-tools/README.md

for version in 4.0.0 2.1.2; do
  npm pack --silent "madr@$version" >/dev/null
  tar xzf "madr-$version.tgz"
  mv package "madr-$version"
done

rm -rf "$here/adrs"
mkdir -p "$here/adrs"
cp -r adr-tools "$here/adrs/adr-tools"
cp -r madr-4.0.0/template "$here/adrs/madr-4"
rm -f "$here"/adrs/madr-4/.markdownlint.yml
cp -r madr-2.1.2/template "$here/adrs/madr-2"
# As a person fills the templates in.
sed -e 's/^status: .*/status: "accepted"/' -e 's/^date: .*/date: 2026-04-20/' -e 's/^# .*/# Queue in a broker/' \
  "$here/adrs/madr-4/adr-template.md" >"$here/adrs/madr-4/0001-queue-in-a-broker.md"
sed -e 's/^status: .*/status: superseded by [ADR-0001](0001-queue-in-a-broker.md)/' -e 's/^date: .*/date: 2026-04-19/' \
  "$here/adrs/madr-4/adr-template.md" >"$here/adrs/madr-4/0002-queue-in-the-database.md"
sed -e 's/^\* Status: .*/* Status: accepted/' -e 's/^\* Date: .*/* Date: 2026-04-20/' \
  "$here/adrs/madr-2/template.md" >"$here/adrs/madr-2/0001-queue-in-a-broker.md"
