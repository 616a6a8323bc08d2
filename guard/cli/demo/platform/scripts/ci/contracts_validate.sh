#!/bin/sh
# Every path of the API contract has an operation, every operation a described answer.
set -eu
exec "${PYTHON:-python3}" - doc/api/openapi.draft.json <<'PY'
import json, sys
contract = json.load(open(sys.argv[1], encoding="utf-8"))
assert contract["openapi"].startswith("3."), "not an OpenAPI 3 document"
operations = 0
for path, item in contract["paths"].items():
    assert path.startswith("/"), f"{path} does not start with /"
    for verb, operation in item.items():
        assert operation["responses"], f"{verb} {path} has no answer"
        for status, answer in operation["responses"].items():
            assert answer.get("description"), f"{verb} {path} {status} has no description"
        operations += 1
assert operations, "the contract has no operation"
print(f"contract valid: {operations} operations")
PY
