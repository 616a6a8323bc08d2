#!/bin/sh
# Every check that is a required gate, one after the other: what a forge's pipeline would run.
set -eu
cd "$(dirname "$0")/../.."
for check in contracts_validate contracts_breaking_change dast_scan dependencies_check secrets_scan \
  release_notes_check compatibility_notes_check; do
  sh "scripts/ci/$check.sh" >/dev/null || { echo "$check failed"; exit 1; }
done
echo "7 checks green"
