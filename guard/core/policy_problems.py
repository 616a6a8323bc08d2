"""What pydantic finds wrong with a policy, in the words and key paths of the person who wrote the file."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable
from datetime import date, time
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from guard.core.evidence import KINDS, All, AnyOf
from guard.core.policy import (
    ApprovalRule,
    BreakGlass,
    Comments,
    Gate,
    IncidentRegister,
    Incidents,
    Policy,
    Project,
    Queue,
    Role,
    Submissions,
    TechDebt,
    Waivers,
    When,
)
from guard.core.policy_branch import Branch, Exemption, Lineage
from guard.core.policy_names import BRANCH_PATTERN, GATE_PATTERN, ROLE_PATTERN, TRAILER_PATTERN
from guard.core.policy_words import PATH_PATTERN
from guard.core.toml_lines import KeyPath

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Found = tuple[KeyPath, str]
"""A problem before its line is known: the key path, and what is wrong and what was expected."""

TABLES: dict[str, type[BaseModel]] = {
    "project": Project,
    "approvals": ApprovalRule,
    "incidents": Incidents,
    "evidence": Submissions,
    "break_glass": BreakGlass,
    "comments": Comments,
    "queue": Queue,
    "waivers": Waivers,
}
COMPOSED: dict[str, type[BaseModel]] = {"all": All, "any": AnyOf}
EVIDENCE: dict[str, type[BaseModel]] = {**KINDS, **COMPOSED}

PATTERNS: dict[str, str] = {
    GATE_PATTERN: "lower-case words joined by dots, such as 'security.vulnerabilities'",
    BRANCH_PATTERN: "a branch name such as 'release/platform-control'",
    ROLE_PATTERN: "a lower-case word such as 'platform'",
    TRAILER_PATTERN: "a trailer's key such as 'Change-Id'",
    PATH_PATTERN: "a path from the root of the repository, without a slash in front",
}

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 60


def validation_problems(error: ValidationError) -> list[Found]:
    """Every problem once, with the key path as it stands in the file."""
    details = error.errors(include_url=False)
    return [found for detail in details if (found := _problem(detail)) is not None]


def _problem(detail: ErrorDetails) -> Found | None:
    path, _ = place_of(detail["loc"])
    kind, value = detail["type"], detail["input"]
    if kind == "too_short" and value:
        return None  # it is not empty: every element of it is wrong and named already
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return (*path, "kind") if isinstance(value, dict) and "kind" in value else path, _kind_message(value)
    if _is_scalar_field(detail["loc"]):
        return path, f"{_got(detail)}expected a string, a whole number, true or false"
    say = MESSAGES.get(kind)
    return path, say(detail) if say else f"{_got(detail)}{detail['msg']}"


def place_of(loc: KeyPath) -> tuple[KeyPath, type[BaseModel] | None]:
    """A place as pydantic names it → the key path in the file, and the model of the table around its last key."""
    loc = loc[:-1] if loc[-1:] == ("[key]",) else loc
    match loc:
        case ("gates", int(), "evidence", *rest):
            inner, model = _evidence_place(tuple(rest))
            return (*loc[:3], *inner), model
        case ("gates", int(), "when", _, *_):
            return loc, When
        case ("gates", int(), _, *_):
            return loc, Gate
        case ("branches", str(), "lineage", "exemptions", int(), _, *_):
            return loc, Exemption
        case ("branches", str(), "lineage", _, *_):
            return loc, Lineage
        case ("branches", str(), _, *_):
            return loc, Branch
        case ("roles", str(), _, *_):
            return loc, Role
        case ("incidents", "registers", int(), _, *_):
            return loc, IncidentRegister
        case ("waivers", "tech_debt", _, *_):
            return loc, TechDebt
        case (str(table), _, *_) if table in TABLES:
            return loc, TABLES[table]
        case _:
            return loc, Policy


def _evidence_place(loc: KeyPath) -> tuple[KeyPath, type[BaseModel] | None]:
    """Leave out the tags of the evidence union: `all.all.1.sarif.max_age` stands in the file as `all[1].max_age`."""
    path: KeyPath = ()
    model: type[BaseModel] | None = None
    while loc:
        tag, loc = str(loc[0]), loc[1:]
        model = EVIDENCE.get(tag)
        if tag in COMPOSED and loc[:1] == (tag,) and len(loc) > 1:
            path, loc = (*path, tag, loc[1]), loc[2:]
            continue
        return (*path, *(loc[:2] if loc[:1] == ("fields",) else loc)), model
    return path, model


def _is_scalar_field(loc: KeyPath) -> bool:
    """Whether this is about a value of `fields`, for which pydantic complains once for each type it could have."""
    return len(loc) > 2 and loc[-3] == "fields" and loc[-1] in {"str", "int", "bool"}


def _unknown_key(detail: ErrorDetails) -> str:
    _, model = place_of(detail["loc"])
    known = list(model.model_fields) if model else []
    return f"unknown key; {guess(str(detail['loc'][-1]), known)}expected {one_of(known, quoted=False)}"


def _missing_key(detail: ErrorDetails) -> str:
    _, model = place_of(detail["loc"])
    field = model.model_fields.get(str(detail["loc"][-1])) if model else None
    return f"missing; expected {(field.description if field else None) or 'a value'}"


def _wrong_word(detail: ErrorDetails) -> str:
    known = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
    value = detail["input"]
    hint = guess(value, known) if isinstance(value, str) else ""
    return f"{_got(detail)}{hint}expected {one_of(known)}"


def _wrong_pattern(detail: ErrorDetails) -> str:
    pattern = str(detail.get("ctx", {}).get("pattern"))
    return f"{_got(detail)}expected {PATTERNS.get(pattern, f'text that matches {pattern}')}"


def _own_words(detail: ErrorDetails) -> str:
    """What a validator of the policy's own models says: it names what was expected, and what it got."""
    return detail["msg"].removeprefix("Value error, ")


def _expected(what: str) -> Callable[[ErrorDetails], str]:
    return lambda detail: f"{_got(detail)}expected {what.format(**detail.get('ctx', {}))}"


MESSAGES: dict[str, Callable[[ErrorDetails], str]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing_key,
    "literal_error": _wrong_word,
    "string_pattern_mismatch": _wrong_pattern,
    "value_error": _own_words,
    "string_type": _expected("a string"),
    "string_too_short": _expected("some text"),
    "string_too_long": _expected("at most {max_length} characters"),
    "too_short": _expected("at least one entry"),
    "tuple_type": _expected("an array"),
    "dict_type": _expected("a table"),
    "model_type": _expected("a table"),
    "int_type": _expected("a whole number"),
    "int_from_float": _expected("a whole number"),
    "bool_type": _expected("true or false"),
    "greater_than_equal": _expected("at least {ge}"),
    "less_than_equal": _expected("at most {le}"),
}
"""What is said for each type of error; https://docs.pydantic.dev/latest/errors/validation_errors/."""


def _kind_message(value: object) -> str:
    """What is wrong with an evidence table that is none, has no kind, or one that nobody knows."""
    if not isinstance(value, dict):
        return f'got {shown_value(value)}; expected a table such as {{ kind = "document", path = "…" }}'
    if "kind" not in value:
        return f"no kind; expected kind = {one_of(KINDS)}, or a table of all = […] or any = […]"
    kind = value["kind"]
    hint = guess(kind, KINDS) if isinstance(kind, str) else ""
    return f"got {shown_value(kind)}; {hint}expected {one_of(KINDS)}"


def _got(detail: ErrorDetails) -> str:
    return f"got {shown_value(detail['input'])}; "


def guess(word: str, known: Iterable[str]) -> str:
    """`did you mean 'require'? ` when a known word is near, else nothing."""
    near = difflib.get_close_matches(word[:100].lower(), list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def one_of(words: Iterable[str], *, quoted: bool = True) -> str:
    """`'a', 'b' or 'c'`."""
    listed = [repr(word) if quoted else word for word in words]
    return " or ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


def shown_value(value: object) -> str:
    """A value as a person would name it, on one line and never long; nothing in it can steer a terminal."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "an array" if value else "an empty array"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date | time):
        return f"the date or time {value}"
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return "a huge number"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def shown_path(path: KeyPath) -> str:
    """`branches."release/platform-control".upstream`, `gates[3].evidence.all[1].max_age`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{_shown_key(part)}"
    return text.removeprefix(".")


def _shown_key(key: str) -> str:
    if _BARE.fullmatch(key) and len(key) <= 100:
        return key
    return json.dumps(key[:100], ensure_ascii=not key.isprintable())
