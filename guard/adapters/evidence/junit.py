"""Evidence kind `junit`: a test report in which every named test is there and passed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from guard.adapters.evidence.junit_endings import demand_sum, ended, tag_of
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received, exit_problems
from guard.adapters.evidence.untrusted import Unreadable, bounded, countable, shown
from guard.core.evidence import Observation, Reading
from guard.core.model import Finding, Known, Outcome
from guard.core.report_kinds import Junit

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ID = re.compile(r"[A-Za-z]+[-_][0-9]+")
"""A name such as `AT-052`, which is looked for as a word of its own in any case of letters, with `-` or `_`: not in
`AT-0521`, nor in `XAT-052`."""

MAX_SUITES = 20
"""How many suites around a test are looked at for its name."""

NAMED = 5
"""How many cases are named of one pattern; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test case: all it may be known by, how it ended ("" is passed), and the names of the suites around it."""

    names: tuple[str, ...]
    ended: str
    suites: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.ended


def read_junit(received: Received, spec: Junit, sources: EvidenceSources) -> Reading:
    """Passes when every test that the policy names (globs allowed) is in the report and none of them did not pass."""
    envelope = received.envelope
    cases = parse_junit(received.needed_report("JUnit report"), f"the JUnit report of {spec.source}")
    problems = tuple(
        finding for pattern in spec.tests for finding in _problems(spec, pattern, cases, received.again)
    )
    observation = Observation(
        summary=_summary(spec),
        problems=problems + exit_problems(received, explained=any(not case.passed for case in cases)),
        subject=envelope.subject,
        dated=envelope.received_at,
        digest=envelope.digest,
    )
    return Known(observation, received.source, sources.now)


def _summary(spec: Junit) -> str:
    """`AT-052, AT-053 green`; a glob is shown by the words in it."""
    if len(spec.tests) > NAMED:
        return f"{len(spec.tests)} named tests green"
    words = (
        re.sub(r"\[([^]])[^]]*\]", r"\1", pattern).replace("*", " ").replace("?", " ")
        for pattern in spec.tests
    )
    return f"{', '.join(' '.join(word.split()) or 'all' for word in words)} green"


def _problems(spec: Junit, pattern: str, cases: tuple[Case, ...], again: str) -> Iterator[Finding]:
    found = _named(pattern, cases)
    if not found:
        message = f"{spec.source}: the test {pattern} is not in the report"
        fix = f"write or select the test {pattern}, run it, then: {again}"
        yield Finding("junit.absent", message, fix=fix, who=("author", "ci"), outcome=Outcome.MISSING)
    bad = sorted({f"{shown(case.names[-1])} {case.ended}" for case in found if not case.passed})
    if bad:
        more = f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        message = f"{spec.source}: {pattern} is not green: {'; '.join(bad[:NAMED])}{more}"
        fix = f"mend {pattern} so that it runs and passes, then: {again}"
        yield Finding("junit.not-passed", message, fix=fix, who=("author", "ci"))


def _named(pattern: str, cases: tuple[Case, ...]) -> list[Case]:
    word = None
    if ID.fullmatch(pattern):
        letters, digits = re.split("[-_]", pattern)
        word = re.compile(rf"(?<![a-z0-9]){letters}[-_]{digits}(?![a-z0-9])", re.IGNORECASE)
    return [
        case
        for case in cases
        if any(name == pattern or fnmatchcase(name, pattern) for name in case.names)
        or (word and any(word.search(name) for name in (*case.names, *case.suites)))
    ]


def parse_junit(data: bytes, what: str) -> tuple[Case, ...]:
    """Every test case of a JUnit report, at any depth. Raises Unreadable for what is none, and for any DTD."""
    root = _parse_xml(countable(bounded(data, what), what, b"<"), what)
    if tag_of(root) not in {"testsuites", "testsuite"}:
        raise Unreadable(f"{what} is not JUnit XML: its outermost element is {shown(tag_of(root), limit=60)}")
    demand_sum(root, what)
    return tuple(_cases(root))


def _cases(root: Element) -> Iterator[Case]:
    """In the order of the report, however deep; without recursion, which a hostile depth would end."""
    todo: list[tuple[Element, tuple[str, ...]]] = [(root, ())]
    while todo:
        element, suites = todo.pop()
        if tag_of(element) == "testcase":
            yield _case(element, suites)
            continue
        name = element.get("name", "")
        inner = (
            (*suites[-MAX_SUITES:], name)
            if name and tag_of(element) in {"testsuite", "testsuites"}
            else suites
        )
        todo += [(child, inner) for child in reversed(element)]


def _parse_xml(data: bytes, what: str) -> Element:
    try:
        from defusedxml.ElementTree import fromstring  # the service's extra has it, the base install does not
    except ImportError:
        raise Unreadable(
            f"{what} cannot be read here: the package defusedxml is not installed",
            fix="pip install 'release-guard[service]'",
        ) from None
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (
        SyntaxError,
        ValueError,
        LookupError,
    ) as error:  # ParseError is a SyntaxError, DTDForbidden a ValueError
        reason = shown(str(error)) or type(error).__name__
        raise Unreadable(f"{what} is not well-formed, harmless XML: {reason}") from None
    return root


def _case(element: Element, suites: tuple[str, ...]) -> Case:
    name, group = element.get("name", "").strip(), element.get("classname", "").strip()
    properties = [child for holder in element if tag_of(holder) == "properties" for child in holder]
    values = [child.get("value") or (child.text or "").strip() for child in properties]
    names = [value for value in values if value]
    names += [name, f"{group}.{name}"] if group else [name]
    return Case(tuple(names), ended(element), suites)
