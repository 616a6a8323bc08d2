"""A decision as JUnit XML, so that CI pages show each gate as a test case.

The shape is that of the published schema (tests/samples/schemas/jenkins-junit.xsd), which GitLab's reader
(https://docs.gitlab.com/ci/testing/unit_test_reports/) and Jenkins' take: one suite for each section of the board,
`failure` for what blocks, `error` for what could not be decided, `skipped` for what does not apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from guard.core.model import Decision, Outcome, Verdict
from guard.render import board
from guard.render.safe import plain


def render_junit(decision: Decision) -> str:
    """The whole document, UTF-8. A test case's name is the gate's id, so that it stays the same from run to run."""
    suites = [(section.title, section.verdicts) for section in board.sections(decision)]
    incidents = board.incidents(decision)
    if incidents is not None:
        suites.append(("Incidents", (incidents,)))
    stamp = f"{decision.decided_at:%Y-%m-%dT%H:%M:%S}"
    verdicts = [verdict for _, listed in suites for verdict in listed]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="Go/No-Go: {_word(decision)}" {_total(verdicts)} time="0">',
    ]
    for title, listed in suites:
        lines.append(f'  <testsuite name={_attribute(title)} {_counts(listed)} time="0" timestamp="{stamp}">')
        lines += [_case(title, verdict) for verdict in listed]
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _word(decision: Decision) -> str:
    return escape(board.word(decision), {'"': "&quot;"})


def _total(verdicts: Sequence[Verdict]) -> str:
    """The published schema knows no `skipped` of all suites together."""
    return _counts(verdicts).rpartition(" skipped=")[0]


def _counts(verdicts: Sequence[Verdict]) -> str:
    errors = sum(verdict.outcome is Outcome.ERROR for verdict in verdicts)
    failures = sum(not verdict.outcome.allows for verdict in verdicts) - errors
    skipped = sum(verdict.outcome is Outcome.NOT_APPLICABLE for verdict in verdicts)
    return f'tests="{len(verdicts)}" failures="{failures}" errors="{errors}" skipped="{skipped}"'


def _case(title: str, verdict: Verdict) -> str:
    head = f'    <testcase classname={_attribute(title)} name={_attribute(verdict.id)} time="0"'
    said = plain(board.line(verdict), limit=2000)
    if verdict.outcome is Outcome.NOT_APPLICABLE:
        return f"{head}>\n      <skipped>{escape(said)}</skipped>\n    </testcase>"
    if verdict.outcome.allows:
        return f"{head}>\n      <system-out>{escape(said)}</system-out>\n    </testcase>"
    kind = "error" if verdict.outcome is Outcome.ERROR else "failure"
    text = "\n".join(_reason(verdict))
    return (
        f"{head}>\n      <{kind} message={_attribute(said)} type={_attribute(verdict.outcome)}>"
        f"{escape(text)}</{kind}>\n    </testcase>"
    )


def _reason(verdict: Verdict) -> list[str]:
    lines = []
    for finding in verdict.findings:
        if finding.outcome.allows:
            continue
        lines.append(f"{plain(finding.code)}: {plain(board.said(finding), limit=2000)}")
        lines += [f"  at: {plain(finding.where)}"] if finding.where else []
        lines += [f"  fix: {plain(finding.fix)}"] if finding.fix else []
        lines += [f"  who: {', '.join(map(plain, finding.who))}"] if finding.who else []
    return lines or [plain(verdict.summary or verdict.title)]


def _attribute(text: str) -> str:
    return quoteattr(plain(text, limit=2000))
