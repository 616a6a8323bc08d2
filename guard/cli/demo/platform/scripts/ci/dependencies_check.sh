#!/bin/sh
# The platform needs nothing but Python itself, so that there is no dependency with a known vulnerability.
set -eu
exec "${PYTHON:-python3}" - <<'PY'
import ast, pathlib, sys
own, found = {"platform_control"}, set()
for file in sorted(pathlib.Path("platform_control").glob("*.py")):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        found |= {name.partition(".")[0] for name in names}
foreign = found - own - set(sys.stdlib_module_names)
if foreign:
    sys.exit("needs to be scanned: " + ", ".join(sorted(foreign)))
print(f"{len(found)} modules used, all of them Python's own")
PY
