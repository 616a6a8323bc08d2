"""How a JUnit test case ended, and whether a suite counts what its test cases show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from guard.adapters.evidence.untrusted import Unreadable, shown

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SKIPPED = {
    "skipped": "was skipped",
    "skip": "was skipped",
    "ignored": "was skipped",
    "pending": "was skipped",
    "disabled": "was disabled",
}
BAD = SKIPPED | {
    "failure": "failed",
    "error": "ended in an error",
    "aborted": "was aborted",
    "rerun": "failed before it passed",
    "rerunfailure": "failed before it passed",
    "rerunerror": "failed before it passed",
    "flakyfailure": "failed before it passed",
    "flakyerror": "failed before it passed",
}
"""Elements inside a test case that say it did not simply pass (JUnit, the reruns of Surefire and pytest, gtest); an
expected failure is `skipped` in pytest's. Letters in other cases count."""

SILENT = frozenset(
    {
        "properties", "property", "system-out", "system-err", "output", "stdout", "stderr", "log", "attachments",
        "attachment", "description", "comment", "comments", "traits", "categories", "category", "labels", "label",
        "tags", "tag", "links", "link", "parameters", "arguments", "annotations", "metadata", "requirements",
        "requirement", "environment", "performance", "time",
    }
)  # fmt: skip
"""Elements inside a test case that say nothing of how it ended. Any other one is of a writer that is not known here,
and a test that it says something of did not simply pass."""

WITHIN = frozenset(
    {"steps", "step", "test-steps", "test-step", "testcase", "test-case", "subtests", "subtest"}
)
"""Elements inside a test case that have endings of their own."""

WORDS = ("status", "result", "outcome")
GOOD_WORDS = frozenset({"", "run", "completed", "passed", "pass", "success", "ok"})
"""What these attributes of some dialects say of a test that ran and passed."""

YES, NO = frozenset({"", "1", "true", "yes", "y"}), frozenset({"", "0", "false", "no", "n"})
FLAGS = {
    "executed": YES,
    "success": YES,
    "passed": YES,
    "failed": NO,
    "skipped": NO,
    "ignored": NO,
    "disabled": NO,
}
"""What the attributes that are yes or no say of a test that ran and passed."""

FAILURES = (("failures", "errors"), ("failed", "aborted"))
OMITTED = (("skipped", "disabled"), ("ignored",))
"""A suite's counters of tests that failed, and of those that did not run; the writers use one row or the other."""

MANY = 10**9
"""What a counter counts that is no number: more than any report shows."""


def tag_of(element: Element) -> str:
    """The element's name without its namespace; a comment's or instruction's is not one."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def ended(case: Element) -> str:
    """How a test case ended, as words behind its name; "" where it passed."""
    todo = [case]
    while todo:
        element = todo.pop()
        if why := _in_words(_attributes(element)):
            return why
        for child in element:
            tag = tag_of(child).casefold()
            if tag in BAD:
                return BAD[tag]
            if tag in WITHIN:
                todo.append(child)
            elif tag and tag not in SILENT:
                return f"has the element {shown(tag, limit=40)!r}, which is not known here"
    return ""


def _attributes(element: Element) -> dict[str, str]:
    return {name.rpartition("}")[2].casefold(): text.strip().casefold() for name, text in element.items()}


def _in_words(attributes: Mapping[str, str], *, flags: Mapping[str, frozenset[str]] = FLAGS) -> str:
    for name in WORDS:
        if attributes.get(name, "") not in GOOD_WORDS:
            return f"has the {name} {shown(attributes[name], limit=40)!r}"
    for name, good in flags.items():
        if attributes.get(name, "") not in good:
            return f"has {name}={shown(attributes[name], limit=40)!r}"
    return ""


def demand_sum(root: Element, what: str) -> None:
    """Raise Unreadable where a suite counts more failures than its tests show, or fewer green tests than it shows.

    The first has a failure that is no test's, such as a suite that did not even start; of the second, tests that did
    not run are among those that look green. A suite's own failure is one, too.
    """
    sums: dict[Element, tuple[int, int, int]] = {}
    for suite in reversed(_outside_in(root)):
        if tag_of(suite) == "testcase":
            sums[suite] = _shown_by(suite)
            continue
        below = [sums[child] for child in suite if child in sums]
        failed, omitted, green = (sum(column) for column in zip(*below, strict=True)) if below else (0, 0, 0)
        sums[suite] = failed, omitted, green
        attributes = _attributes(suite)
        name = shown(suite.get("name", "") or "without a name", limit=80)
        if _own_failure(suite, attributes) or _counted(attributes, FAILURES) > failed:
            raise Unreadable(f"{what}: its suite {name} failed beside its tests, or did not even start")
        if _counts_fewer(attributes, omitted=omitted, green=green):
            raise Unreadable(
                f"{what}: its suite {name} counts tests that did not run, and does not say which",
                fix="let the tool write into the report which tests were skipped",
            )


def _outside_in(root: Element) -> list[Element]:
    """Suites and test cases, each before what is in it; without recursion, which a hostile depth would end."""
    order, todo = [], [root]
    while todo:
        element = todo.pop()
        order.append(element)
        if tag_of(element) != "testcase":
            todo += [child for child in element if tag_of(child) in {"testsuites", "testsuite", "testcase"}]
    return order


def _shown_by(case: Element) -> tuple[int, int, int]:
    """How many failures and omissions a test case shows, and whether it looks green (1) or not (0)."""
    tags = [tag_of(child).casefold() for child in case]
    omitted = int(any(tag in SKIPPED for tag in tags))
    failed = sum(tag in BAD and tag not in SKIPPED for tag in tags)
    if not (omitted or failed or not ended(case)):
        return 1, 1, 0  # in an attribute or a word that may mean either
    return failed, omitted, int(not (omitted or failed))


def _own_failure(suite: Element, attributes: Mapping[str, str]) -> bool:
    """Its `failed`, `skipped`, `ignored` and `disabled` are counters; the other words are those of a test."""
    flags = {"executed": YES, "success": YES, "passed": YES}
    numbers = {name: "" if text.isdecimal() else text for name, text in attributes.items()}
    return any(tag_of(child).casefold() in BAD for child in suite) or bool(_in_words(numbers, flags=flags))


def _counts_fewer(attributes: Mapping[str, str], *, omitted: int, green: int) -> bool:
    """Whether it counts more tests that did not run than are marked so, and fewer green ones than look so. Writers that
    leave skipped tests out of the report count them in `tests` all the same; others do not count them there, and mark
    them."""
    if not attributes.get("tests") or _counted(attributes, OMITTED) <= omitted:
        return False
    return green > _number(attributes["tests"]) - _counted(attributes, FAILURES) - _counted(
        attributes, OMITTED
    )


def _counted(attributes: Mapping[str, str], rows: tuple[tuple[str, ...], ...]) -> int:
    return max(sum(_number(attributes.get(name, "")) for name in row) for row in rows)


def _number(text: str) -> int:
    if not text:
        return 0
    digits = re.fullmatch(r"\+?([0-9]{1,9})(?:\.0*)?", text)
    return int(digits[1]) if digits else MANY
