#!/bin/sh
# The release notes have a section for the version that the contract announces.
set -eu
version=$(sed -n 's/.*"version": "\([^"]*\)".*/\1/p' doc/api/openapi.draft.json)
grep -q "^## $version\$" doc/RELEASE_NOTES.md || { echo "no release notes for $version"; exit 1; }
echo "release notes found for $version"
