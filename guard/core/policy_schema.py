"""The JSON Schema of `guard.toml`, for editors and other programs: https://json-schema.org/draft/2020-12."""

from __future__ import annotations

import json

from guard.core.policy import Policy

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:release-guard:schema:policy:1"

Json = dict[str, object]


def policy_schema() -> Json:
    """The schema of the policy as plain data. What only several tables together show (a role that exists, a group
    without a gate) is not in it: `guard policy validate` has the last word."""
    schema = Policy.model_json_schema()
    definitions = schema.pop("$defs")
    union = definitions["Gate"]["properties"]["evidence"]["oneOf"]
    evidence: Json = {
        "title": "Evidence",
        "description": "One piece of evidence, by its kind.",
        "oneOf": union,
    }
    tidy = {name: _tidied(definition, union) for name, definition in sorted(definitions.items())}
    top = {key: _tidied(value, union) for key, value in schema.items()}
    return {
        **top,
        "$schema": DIALECT,
        "$id": ID,
        "title": "guard.toml",
        "$defs": {**tidy, "Evidence": evidence},
    }


def policy_schema_text() -> str:
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidied(node: object, union: object) -> object:
    """Name the evidence union once, leave out null, which TOML does not have, and refuse a name of no pattern."""
    if isinstance(node, list):
        return [_tidied(child, union) for child in node]
    if not isinstance(node, dict):
        return node
    if node.get("oneOf") == union:
        rest = {key: value for key, value in node.items() if key != "oneOf"}
        return {**rest, "$ref": "#/$defs/Evidence"}
    options = node.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        (option,) = (option for option in options if option != {"type": "null"})
        node = {**{k: v for k, v in node.items() if k not in {"anyOf", "default"}}, **option}
    if "patternProperties" in node:
        node = {**node, "additionalProperties": False}
    return {key: _tidied(value, union) for key, value in node.items()}
