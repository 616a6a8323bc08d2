#!/bin/sh
# Nothing that the released contract has is gone from this one, unless the compatibility notes say BREAKING:.
set -eu
released=$(git show "${RELEASED:-origin/release/platform-control}:doc/api/openapi.draft.json")
export released
exec "${PYTHON:-python3}" - <<'PY'
import json, os, pathlib, sys
before, now = json.loads(os.environ["released"]), json.load(open("doc/api/openapi.draft.json", encoding="utf-8"))
gone = sorted(f"{verb} {path}" for path, item in before["paths"].items() for verb in item if verb not in now["paths"].get(path, {}))
if gone and "BREAKING:" not in pathlib.Path("doc/COMPATIBILITY.md").read_text(encoding="utf-8"):
    sys.exit("gone from the contract, and not announced: " + ", ".join(gone))
print(f"{len(gone)} breaking changes")
PY
