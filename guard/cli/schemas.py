"""What is generated from the code and committed under docs/: `python -m guard.cli.schemas docs` (make schemas)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from guard.cli.catalogue import catalogue_page
from guard.cli.reference import policy_reference
from guard.core.policy_schema import policy_schema_text
from guard.core.promotion_api import promotion_api_schema
from guard.core.statements import statement_schema
from guard.render.decision_json import decision_schema
from guard.render.decision_record_schema import decision_record_schema
from guard.render.drift import drift_schema
from guard.render.explain import explain_schema
from guard.render.lineage_schema import lineage_schema
from guard.render.move_statement import move_schema
from guard.render.notes import notes_schema
from guard.render.waivers_json import waivers_schema


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


GENERATORS: dict[str, Callable[[], str]] = {
    # path below docs/: what makes its text
    "schemas/policy.schema.json": policy_schema_text,
    "schemas/decision.schema.json": lambda: _json(decision_schema()),
    "schemas/decision-record.schema.json": lambda: _json(decision_record_schema()),
    "schemas/move.schema.json": lambda: _json(move_schema()),
    "schemas/explanation.schema.json": lambda: _json(explain_schema()),
    "schemas/waivers.schema.json": lambda: _json(waivers_schema()),
    "schemas/lineage.schema.json": lambda: _json(lineage_schema()),
    "schemas/drift.schema.json": lambda: _json(drift_schema()),
    "schemas/notes.schema.json": lambda: _json(notes_schema()),
    "schemas/promotion-api.schema.json": lambda: _json(promotion_api_schema()),
    "schemas/statement.schema.json": lambda: _json(statement_schema()),
    "policy-reference.md": policy_reference,
    "catalogue.md": catalogue_page,
}


def generated() -> Iterator[tuple[str, str]]:
    """Each generated file: its path below docs/, and its text."""
    return ((name, make()) for name, make in GENERATORS.items())


def main(arguments: list[str]) -> int:
    """Write every generated file below the folder that is named."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m guard.cli.schemas FOLDER\n")
        return 64
    for name, text in generated():
        file = Path(arguments[0], name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
