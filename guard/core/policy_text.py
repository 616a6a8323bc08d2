"""From the bytes of a `guard.toml` to a validated policy, or to everything that is wrong with it at once."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from guard.core.errors import PolicyError, PolicyProblem
from guard.core.policy import Policy
from guard.core.policy_problems import shown_path, shown_value, validation_problems
from guard.core.policy_references import reference_problems
from guard.core.toml_lines import KeyPath, locate_keys

POLICY_PATH = "guard.toml"
MAX_BYTES = 1 << 20
MAX_DEPTH = 32
"""How deeply tables and arrays may be nested. The deepest sensible policy has about ten levels."""

LISTED = 50
"""How many problems the message lists; `PolicyError.problems` holds them all."""

VERSIONS = (1,)
"""The versions of the policy's format that this guard reads."""

FIX = "mend these lines; guard policy validate checks the file, docs/policy-reference.md explains every key"

_DEEP_KEY = re.compile(
    rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_DEPTH},}}+"""
)
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A valid policy, the digest (`sha256:…`) of the very bytes it was read from, where these stand, and they."""

    policy: Policy
    digest: str
    where: str
    text: bytes = b""


def parse_policy(text: bytes, *, where: str) -> LoadedPolicy:
    """Read a policy. `where` names the file in messages: `guard.toml`, `guard.toml at master`.

    Raises PolicyError with every problem, each as `where:line: key.path: what is wrong; expected …`.
    """
    source = _decode(text, where)
    data = _parse(source, where)
    _check_version(data, source, where)
    try:
        policy, found = Policy.model_validate(data), []
    except ValidationError as error:
        policy, found = None, validation_problems(error)
    lines = locate_keys(source)
    found += reference_problems(data, lines)
    if policy is None or found:
        raise _invalid(where, _placed(found, lines))
    return LoadedPolicy(policy, f"sha256:{hashlib.sha256(text).hexdigest()}", where, text)


def _decode(text: bytes, where: str) -> str:
    """The file's text. Refuses what is too large, is not UTF-8, or holds what no person types."""
    if len(text) > MAX_BYTES:
        raise _unreadable(where, f"{len(text)} bytes long; expected at most {MAX_BYTES}")
    if text.startswith(b"\xef\xbb\xbf"):
        raise _unreadable(where, "starts with a byte order mark; expected UTF-8 without one", line=1)
    try:
        source = text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise _unreadable(
            where, f"byte 0x{text[error.start]:02x} is not UTF-8; expected UTF-8 text", line=line
        ) from None
    if "\0" in source:
        line = source.count("\n", 0, source.index("\0")) + 1
        raise _unreadable(where, "holds a NUL character; expected text", line=line)
    return source


def _parse(source: str, where: str) -> dict[str, object]:
    """The document as plain data, no deeper than MAX_DEPTH (deeper ones can exhaust the stack of what follows)."""
    deep = _DEEP_KEY.search(source)
    if deep:
        line = source.count("\n", 0, deep.start()) + 1
        raise _unreadable(where, f"a key of more than {MAX_DEPTH} parts; expected fewer", line=line)
    try:
        data = tomllib.loads(source)
    except RecursionError:
        raise _unreadable(where, _too_deep()) from None
    except ValueError as error:  # TOMLDecodeError, or a number of more digits than Python reads
        raise _syntax_error(source, where, str(error)) from None
    if _is_deep(data):
        raise _unreadable(where, _too_deep())
    return data


def _too_deep() -> str:
    return f"tables and arrays are nested more than {MAX_DEPTH} deep; expected fewer"


def _is_deep(data: object) -> bool:
    level: list[object] = [data]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return False
    return True


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _syntax_error(source: str, where: str, said: str) -> PolicyError:
    """tomllib's own words, with its place at the front."""
    place = _PLACE.search(said)
    what = said[: place.start()] if place else said
    line = int(place["line"]) if place and place["line"] else source.count("\n") + 1
    column = f"column {place['column']}: " if place and place["column"] else ""
    return _unreadable(where, f"{column}{what}; expected TOML 1.0", line=line)


def _check_version(data: Mapping[str, object], source: str, where: str) -> None:
    """Another version's keys mean other things, so nothing else of such a file is judged."""
    version = data.get("version", VERSIONS[-1])
    if type(version) is int and version in VERSIONS:
        return
    known = " and ".join(map(str, VERSIONS))
    message = f"got {shown_value(version)}; expected {known}, the version of the policy that this guard reads"
    raise _invalid(where, (PolicyProblem("version", locate_keys(source).get(("version",), 1), message),))


def _placed(found: Iterable[tuple[KeyPath, str]], lines: Mapping[KeyPath, int]) -> tuple[PolicyProblem, ...]:
    """The problems in the order of the file, each at its key's line or that of the nearest table around it."""
    placed = {
        PolicyProblem(shown_path(path), _nearest(path, lines), message): path for path, message in found
    }
    return tuple(sorted(placed, key=lambda problem: (problem.line, problem.path, problem.message)))


def _nearest(path: KeyPath, lines: Mapping[KeyPath, int]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _unreadable(where: str, message: str, *, line: int = 0) -> PolicyError:
    return _invalid(where, (PolicyProblem("", line, message),))


def _invalid(where: str, problems: tuple[PolicyProblem, ...]) -> PolicyError:
    listed = [format_problem(problem, where=where) for problem in problems[:LISTED]]
    if len(problems) > LISTED:
        listed.append(f"{where}: and {len(problems) - LISTED} more")
    return PolicyError("\n".join(listed), fix=FIX, problems=problems)


def format_problem(problem: PolicyProblem, *, where: str) -> str:
    """`guard.toml:12: gates[3].evidence.max_age: what is wrong; expected …`."""
    place = f"{where}:{problem.line}" if problem.line else where
    return ": ".join(part for part in (place, problem.path, problem.message) if part)
