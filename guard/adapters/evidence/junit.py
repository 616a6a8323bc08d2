"""Evidence kind `junit`: a test report in which every named test is there and passed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received, exit_problems
from guard.adapters.evidence.untrusted import Unreadable, bounded, countable, shown
from guard.core.evidence import Observation, Reading
from guard.core.model import Finding, Known, Outcome
from guard.core.report_kinds import Junit

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

BAD = {
    "failure": "failed",
    "error": "ended in an error",
    "skipped": "was skipped",
    "skip": "was skipped",
    "ignored": "was skipped",
    "pending": "was skipped",
    "disabled": "was disabled",
    "aborted": "was aborted",
    "rerun": "failed before it passed",
    "rerunFailure": "failed before it passed",
    "rerunError": "failed before it passed",
    "flakyFailure": "failed before it passed",
    "flakyError": "failed before it passed",
}
"""Elements inside a test case that say it did not simply pass (JUnit, the reruns of Surefire and pytest, gtest); an
expected failure is `skipped` in pytest's. Letters in other cases count, and words of other writers do."""

_BAD = {tag.casefold(): what for tag, what in BAD.items()}

ID = re.compile(r"[A-Za-z]+[-_][0-9]+")
"""A name such as `AT-052`, which is looked for as a word of its own in any case of letters, with `-` or `_`: not in
`AT-0521`, nor in `XAT-052`."""

GOOD_WORDS = frozenset({"", "run", "completed", "passed", "pass", "success", "ok"})
"""What the attributes `status` and `result` of some dialects say of a test that ran and passed."""

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
    if _tag(root) not in {"testsuites", "testsuite"}:
        raise Unreadable(f"{what} is not JUnit XML: its outermost element is {shown(_tag(root), limit=60)}")
    _demand_sum(root, what)
    return tuple(_cases(root))


def _demand_sum(root: Element, what: str) -> None:
    """Raise Unreadable where a suite counts more failures and errors than its tests show: something failed that has no
    test of its own, such as a suite that did not even start. A suite's own failure is one."""
    shown_below: dict[Element, int] = {}
    order, todo = [], [root]
    while todo:
        element = todo.pop()
        order.append(element)
        todo += [child for child in element if _tag(child) in {"testsuites", "testsuite", "testcase"}]
    for suite in reversed(order):
        own = sum(_tag(child).casefold() in _BAD for child in suite)
        shown_below[suite] = own + sum(shown_below.get(child, 0) for child in suite)
        if _tag(suite) == "testcase":
            continue
        counted = _counter(suite.get("failures", "")) + _counter(suite.get("errors", ""))
        if own or counted > shown_below[suite]:
            name = shown(suite.get("name", "") or "without a name", limit=80)
            raise Unreadable(f"{what}: its suite {name} failed beside its tests, or did not even start")


def _counter(text: str) -> int:
    """A suite's count; what is none counts nothing, and one beyond all sense very much."""
    digits = text.strip()
    return int(digits[:9]) if digits.isascii() and digits.isdecimal() else 0


def _cases(root: Element) -> Iterator[Case]:
    """In the order of the report, however deep; without recursion, which a hostile depth would end."""
    todo: list[tuple[Element, tuple[str, ...]]] = [(root, ())]
    while todo:
        element, suites = todo.pop()
        if _tag(element) == "testcase":
            yield _case(element, suites)
            continue
        name = element.get("name", "")
        inner = (
            (*suites[-MAX_SUITES:], name) if name and _tag(element) in {"testsuite", "testsuites"} else suites
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


def _tag(element: Element) -> str:
    """The element's name without its namespace; a comment's or instruction's is not one."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _case(element: Element, suites: tuple[str, ...]) -> Case:
    name, group = element.get("name", "").strip(), element.get("classname", "").strip()
    properties = [child for holder in element if _tag(holder) == "properties" for child in holder]
    values = [child.get("value") or (child.text or "").strip() for child in properties]
    names = [value for value in values if value]
    names += [name, f"{group}.{name}"] if group else [name]
    return Case(tuple(names), _ended(element), suites)


def _ended(element: Element) -> str:
    for child in element:
        if _tag(child).casefold() in _BAD:
            return _BAD[_tag(child).casefold()]
    if element.get("executed", "").casefold() == "false":
        return "was not executed"
    for attribute in ("status", "result"):
        word = element.get(attribute, "")
        if word.casefold() not in GOOD_WORDS:
            return f"has the {attribute} {shown(word, limit=40)!r}"
    return ""
