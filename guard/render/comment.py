"""The one comment on a proposal: what was decided, what to do and who can do it; everything else is folded.

Nothing in it may do anything. A forge executes lines that begin with `/`, notifies whom a comment mentions, fetches
images and renders some HTML: every word from outside is escaped where it is put in, and the whole is checked once
more, line by line, at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from guard.core.facts import LineageFacts
from guard.core.model import Decision, Finding
from guard.core.rules.lineage import CommitVerdict
from guard.core.unblock import Action, unblock_plan
from guard.render import board
from guard.render.lineage import lineage_markdown
from guard.render.safe import code, markdown

MARKER = "<!-- release-guard:promotion -->"
"""What the guard finds its own comment by; it is shown to nobody."""

LIMIT = 60_000
"""Characters of a comment. GitHub takes 65,536, GitLab a million; a comment that long helps nobody."""

ACTIONS = 25
REASONS = 3

_JOINER = "\u2060"
_TOO_LONG = "The rest of this part is too long for a comment: run guard check, or guard lineage."


@dataclass(frozen=True, slots=True)
class Subject:
    """What a comment tells beside the decision.

    `record` is the digest of the decision on record; `lineage` the commits of the range, where they are known;
    `roles` the members of each role, as the policy names them; `warnings` what is wrong with the protection.
    """

    record: str
    lineage: tuple[LineageFacts, Sequence[CommitVerdict]] | None = None
    roles: Mapping[str, tuple[str, ...]] | None = None
    warnings: tuple[str, ...] = ()


def decision_comment(decision: Decision, subject: Subject) -> str:
    """The whole comment. The same decision gives the same text, whenever it was made."""
    parts = [
        [MARKER, *_headline(decision), ""],
        list(_plan(unblock_plan(decision), subject.roles or {})),
        list(_warnings(subject.warnings)),
        list(_folded("Go/No-Go board", _board(decision))),
        list(_lineage(subject.lineage)),
        list(_digests(decision, subject.record)),
    ]
    return _assemble(parts)


def undecided_comment(candidate: tuple[str, str], why: str, fix: str) -> str:
    """For when it could not even be decided; `candidate` is the branch and the commit."""
    branch, commit = candidate
    lines = [
        MARKER,
        f"**NO-GO** for {code(branch)} at {code(commit[:10])}: could not decide",
        "",
        f"- {markdown(why)}",
        *([f"  - fix: {markdown(fix)}"] if fix else []),
        "",
        "The guard goes on trying. What it said here before does not hold any more.",
    ]
    return _assemble([lines])


def superseded_comment(branch: str) -> str:
    """For a proposal that is not open into the branch any more."""
    return _assemble(
        [[MARKER, f"This is no open proposal into {code(branch)} any more: there is nothing to decide."]]
    )


def is_ours(body: str) -> bool:
    """Whether a comment is the guard's, as far as its text can tell; its author must be the guard as well."""
    return body.lstrip().startswith(MARKER)


def _headline(decision: Decision) -> Iterator[str]:
    candidate = decision.candidate
    yield (
        f"**{board.word(decision)}** for {code(candidate.branch)}: "
        f"{code(candidate.old[:10])} → {code(candidate.new[:10])}"
    )
    if decision.mode == "observe":
        yield ""
        yield "The policy only observes: this decision blocks nothing."


def _plan(plan: Sequence[Action], roles: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    if not plan:
        return
    yield "To unblock:"
    yield ""
    for number, action in enumerate(plan[:ACTIONS], 1):
        reasons = _reasons(action.findings)
        yield f"{number}. {reasons or markdown(action.text)}"
        if reasons and action.text not in {finding.message for finding in action.findings}:
            yield f"   - fix: {markdown(action.text)}"
        if action.who:
            yield f"   - who: {', '.join(_who(name, roles) for name in action.who)}"
    if len(plan) > ACTIONS:
        yield f"{ACTIONS + 1}. and {len(plan) - ACTIONS} more, on the board below"
    yield ""


def _reasons(findings: Sequence[Finding]) -> str:
    shown = [_reason(finding) for finding in findings[:REASONS]]
    more = [f"and {len(findings) - REASONS} more like it"] if len(findings) > REASONS else []
    return "; ".join([*shown, *more])


def _reason(finding: Finding) -> str:
    where = f" ({markdown(finding.where, limit=200)})" if finding.where else ""
    return f"{code(finding.code, limit=100)} {markdown(finding.message)}{where}"


def _who(name: str, roles: Mapping[str, tuple[str, ...]]) -> str:
    members = roles.get(name, ())
    named = f" ({', '.join(markdown(one, limit=100) for one in members[:5])})" if members else ""
    return f"{markdown(name)}{named}"


def _warnings(warnings: Sequence[str]) -> Iterator[str]:
    if warnings:
        yield "The branch's protection on the forge is not what a GO relies on:"
        yield ""
        yield from (f"- {markdown(warning)}" for warning in warnings)
        yield ""


def _board(decision: Decision) -> Iterator[str]:
    for section in board.sections(decision):
        yield f"**{markdown(section.title)}**: {section.outcome.upper()}"
        yield ""
        yield from (f"- {board.mark(one.outcome)} {markdown(board.line(one))}" for one in section.verdicts)
        yield ""
    incidents = board.incidents(decision)
    if incidents is not None:
        yield f"{markdown(incidents.title)}: {markdown(board.incident_line(incidents))}"


def _lineage(lineage: tuple[LineageFacts, Sequence[CommitVerdict]] | None) -> Iterator[str]:
    if lineage is not None and lineage[1]:
        facts, judged = lineage
        title = f"Lineage: {len(judged)} commit{'s' if len(judged) > 1 else ''}"
        yield from _folded(title, lineage_markdown(facts, judged).splitlines())


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _digests(decision: Decision, record: str) -> Iterator[str]:
    if decision.policy_source:
        yield f"policy: {markdown(decision.policy_source)}"
    yield f"policy {code(decision.policy_digest[:19] or 'none')}, decision {code(record[:19] or 'none')}"


def _assemble(parts: Sequence[Sequence[str]]) -> str:
    """The parts in order. A folded one that would make it too long is left out whole, so that nothing stays half
    open; any other is cut after a line."""
    kept: list[str] = []
    room = LIMIT - len(_TOO_LONG) * len(parts)
    for part in parts:
        lines = [_harmless(line) for line in part]
        fitting = _fitting(lines, room if part is parts[-1] else room * 3 // 4)
        if len(fitting) < len(lines):
            fitting = [*([] if _is_folded(lines) else fitting), _TOO_LONG, ""]
        kept += fitting
        room -= sum(len(line) + 1 for line in fitting)
    return "\n".join(kept).rstrip() + "\n"


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    """The lines from the first that take no more than this many characters."""
    ends = accumulate(len(line) + 1 for line in lines)
    return [line for line, end in zip(lines, ends, strict=True) if end <= room]


def _is_folded(lines: Sequence[str]) -> bool:
    return any(line.startswith("<details>") for line in lines)


def _harmless(line: str) -> str:
    """The last look: what a forge could take for a command, a mention, a reference or a link is broken up with a word
    joiner."""
    line = re.sub(r"^([\s>*+-]*)/", rf"\1{_JOINER}/", line)
    line = re.sub(r"(?i)\b(www)\.", rf"\1{_JOINER}.", line)
    # GitHub links `\#1` all the same, and tells issue 1 of it.
    return re.sub(r"([@#])(?=\w)", rf"\1{_JOINER}", line)
