#!/bin/sh
# Both contracts are valid, and the subjects of the events are exactly those that the code emits.
# With a file's name, it writes there what it found, as JSON.
set -eu
exec "${PYTHON:-python3}" - "${1:-}" <<'PY'
import json, pathlib, re, sys


def openapi():
    contract = json.load(open("doc/api/openapi.draft.json", encoding="utf-8"))
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


def asyncapi():
    contract = json.load(open("doc/api/asyncapi.draft.json", encoding="utf-8"))
    assert contract["asyncapi"].startswith("3."), "not an AsyncAPI 3 document"
    assert contract["components"]["envelope"]["required"] == ["id", "subject", "body"], "another envelope"
    code = "".join(file.read_text(encoding="utf-8") for file in sorted(pathlib.Path("platform_control").glob("*.py")))
    emitted = set(re.findall(r'write\(\w+, "([^"]+)"', code))
    assert emitted == set(contract["channels"]), f"the code emits {sorted(emitted)}"


said = {}
for name, check in (("openapi", openapi), ("asyncapi", asyncapi)):
    try:
        check()
        said[name] = {"valid": True}
    except (AssertionError, KeyError, ValueError, OSError) as error:
        said[name] = {"valid": False, "why": str(error)}
        print(f"{name}: {error}")
if sys.argv[1]:
    pathlib.Path(sys.argv[1]).write_text(json.dumps(said), encoding="utf-8")
print("contracts: " + ", ".join(f"{name} {'valid' if it['valid'] else 'not valid'}" for name, it in said.items()))
sys.exit(0 if sys.argv[1] or all(it["valid"] for it in said.values()) else 1)
PY
