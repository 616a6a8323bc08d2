"""Trim GitHub's description of its REST API to the operations that the double serves.

    python -m tools.trim_github_contract api.github.com.json

`make contracts` fetches the description (npm package @octokit/openapi, MIT) and runs this.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.doubles.github.operations import EXAMPLES, OPERATIONS

TRIMMED = Path("tests/doubles/github/contract.json")
PROSE = frozenset(
    {"description", "summary", "externalDocs", "example", "examples", "x-github", "x-githubCloudOnly"}
)
NAMED = frozenset({"properties", "patternProperties"})
"""Keys whose children are names given by GitHub: a property may well be called `description`."""


def trim(whole: dict[str, Any]) -> dict[str, Any]:
    """The operations, everything that they refer to, and the examples; prose is dropped."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        method, path = operation.split(" ")
        source = whole["paths"][path]
        shared = {"parameters": source["parameters"]} if "parameters" in source else {}
        paths.setdefault(path, shared)[method.lower()] = source[method.lower()]
    plain = without_prose(paths)
    components: dict[str, Any] = {}
    todo = list(references(plain))
    while todo:
        kind, name = todo.pop()
        if name not in components.setdefault(kind, {}):
            components[kind][name] = without_prose(whole["components"][kind][name])
            todo += references(components[kind][name])
    examples = {name: {"value": whole["components"]["examples"][name]["value"]} for name in EXAMPLES}
    return {
        "openapi": whole["openapi"],
        "info": {
            "title": "GitHub's REST API, trimmed",
            "version": whole["info"]["version"],
            "license": {"name": "MIT"},
        },
        "servers": whole["servers"],
        "paths": paths_sorted(plain),
        "components": {
            **{kind: paths_sorted(found) for kind, found in sorted(components.items())},
            "examples": examples,
        },
    }


def paths_sorted(table: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(table.items()))


def without_prose(node: Any, *, names: bool = False) -> Any:
    if isinstance(node, list):
        return [without_prose(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without_prose(value, names=key in NAMED and not names)
        for key, value in node.items()
        if names or key not in PROSE or (key == "description" and _is_response(node))
    }


def _is_response(node: dict[str, Any]) -> bool:
    """OpenAPI demands a description of a response, and of nothing else that is kept here."""
    return "content" in node or set(node) <= {"description", "headers", "links"}


def references(node: Any) -> Iterator[tuple[str, str]]:
    """Each `#/components/KIND/NAME` in the node, as (KIND, NAME)."""
    if isinstance(node, list):
        for one in node:
            yield from references(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                _, _, kind, name = value.split("/")
                yield kind, name
            else:
                yield from references(value)


def main() -> None:
    whole = json.loads(Path(sys.argv[1]).read_bytes())
    TRIMMED.write_text(json.dumps(trim(whole), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
