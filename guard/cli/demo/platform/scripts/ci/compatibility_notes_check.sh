#!/bin/sh
# The compatibility notes have a section for the version that the contract announces.
set -eu
version=$(sed -n 's/.*"version": "\([^"]*\)".*/\1/p' doc/api/openapi.draft.json)
grep -q "^## $version\$" doc/COMPATIBILITY.md || { echo "no compatibility notes for $version"; exit 1; }
echo "compatibility notes found for $version"
