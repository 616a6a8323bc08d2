"""The form of every field that a statement can have: what is accepted, and the same said in JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from guard.core.policy_names import BranchName

MAX_TEXT = 500
MAX_NOTE = 2000
MAX_SAID = 2000
MAX_WORDS = 1000
"""Words of a command; the whole statement is bounded besides."""

JsonSchema: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one field: `check` gives the value as the dataclass holds it, or raises ValueError saying what was
    expected; `schema` says about the same in JSON Schema."""

    check: Callable[[object], object]
    schema: JsonSchema


def matching(pattern: str, expected: str) -> Form:
    compiled = re.compile(pattern)

    def check(value: object) -> object:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError(f"expected {expected}")
        return value

    return Form(check, {"type": "string", "pattern": f"^(?:{pattern})$", "description": expected})


def text(limit: int, *, empty: bool = True) -> Form:
    def check(value: object) -> object:
        if not isinstance(value, str) or len(value) > limit or not (value or empty):
            raise ValueError(f"expected {'at most' if empty else '1 to'} {limit} characters of text")
        return printable(value)

    return Form(check, {"type": "string", "minLength": 0 if empty else 1, "maxLength": limit})


def printable(text: str) -> str:
    """The same text. Raises ValueError where it holds a control, format (right-to-left marks) or other invisible
    character, which could make it read as something else."""
    if not text.isprintable():
        raise ValueError("expected one line without control or invisible characters")
    return text


def typed(form: Any) -> Form:
    adapter: TypeAdapter[str] = TypeAdapter(form)

    def check(value: object) -> object:
        try:
            return printable(adapter.validate_python(value, strict=True))
        except ValidationError as error:
            raise ValueError(error.errors(include_url=False)[0]["msg"]) from None

    return Form(check, adapter.json_schema())


def optional(inner: Form) -> Form:
    schema = {"anyOf": [inner.schema, {"type": "null"}]}
    return Form(lambda value: None if value is None else inner.check(value), schema)


def _check_exit_code(value: object) -> object:
    if type(value) is not int or not 0 <= value <= 255:
        raise ValueError("expected a whole number from 0 to 255")
    return value


def _check_command(value: object) -> object:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_WORDS:
        raise ValueError(f"expected a list of at most {MAX_WORDS} words")
    if not all(isinstance(word, str) and "\x00" not in word for word in value):
        raise ValueError("expected words of text")
    return tuple(value)


any_id = matching(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "an id of letters, digits, '.', '_' and '-', at most 100"
)


def _check_proposal_id(value: object) -> object:
    """An id that can end a ref's name (git-check-ref-format)."""
    any_id.check(value)
    if not isinstance(value, str) or ".." in value or value.endswith((".", ".lock")):
        raise ValueError("expected an id without '..' that does not end in '.' or '.lock'")
    return value


words = {"type": "array", "maxItems": MAX_WORDS, "items": {"type": "string"}}
command = Form(_check_command, words)
exit_code = Form(_check_exit_code, {"type": "integer", "minimum": 0, "maximum": 255})
proposal_id = Form(_check_proposal_id, any_id.schema)
branch_name = typed(BranchName)
commit = matching(r"[0-9a-f]{40}|[0-9a-f]{64}", "a full commit name of 40 or 64 lower-case hex digits")
waiver = matching(r"sha256:[0-9a-f]{64}", "sha256: and 64 hex digits, as guard waive list shows it")
finding = matching(
    r"[a-z0-9][a-z0-9.-]{0,99}:[0-9a-f]{16}", "a finding's id such as sarif.result:0123456789abcdef"
)


def _check_expiry(value: object) -> object:
    expected = "expected a time like 2026-05-01T12:00:00Z"
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value, re.ASCII):
        raise ValueError(expected)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(expected) from None
    return value


expiry = Form(_check_expiry, {"type": "string", "format": "date-time", "description": "UTC, with Z"})
policy = matching(r"sha256:[0-9a-f]{64}", "sha256: and 64 hex digits")
digest = matching(r"(sha256:[0-9a-f]{64})?", 'sha256: and 64 hex digits, or ""')
name = text(200, empty=False)
principal = text(200, empty=False)
repository_name = text(200, empty=False)
nonce = matching(r"[0-9a-f]{32,64}", "32 to 64 hex digits")
