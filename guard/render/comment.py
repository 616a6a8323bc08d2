"""The one comment on a proposal: what was decided, what to do and who can do it; everything else is folded.

Nothing in it may do anything. A forge executes lines that begin with `/`, notifies whom a comment mentions, fetches
images and renders some HTML: every word from outside is escaped where it is put in, and the whole is checked once
more, line by line, at the end. Only two kinds of line are live: the owners whom the policy lets the guard mention, and
the link to the guard's own page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC

from guard.core.explain import explain
from guard.core.model import Decision, Unknown
from guard.core.unblock import unblock_plan
from guard.render import board
from guard.render.changes import changes_markdown, changes_title
from guard.render.comment_lines import LIMIT, MARKER, Live, assemble, folded
from guard.render.comment_plan import NAMES, checklist, waiting
from guard.render.explain import explain_markdown
from guard.render.lineage import lineage_markdown
from guard.render.safe import code, markdown
from guard.render.status import UNDECIDED, decision_status
from guard.render.subject import Answer, Subject

__all__ = [
    "LIMIT",
    "MARKER",
    "Answer",
    "Subject",
    "decision_comment",
    "is_ours",
    "superseded_comment",
    "undecided_comment",
]


def decision_comment(decision: Decision, subject: Subject) -> str:
    """The whole comment. The same decision gives the same text, whenever it was made."""
    roles = subject.roles or {}
    plan = unblock_plan(decision)
    parts = [
        [MARKER, *_headline(decision), ""],
        list(waiting(plan, roles, mentions=subject.mentions)),
        list(checklist(plan, roles)),
        list(_promote(decision)),
        list(_answers(decision, subject)),
        list(_list("Since the last decision:", subject.since)),
        list(_list("The branch's protection on the forge is not what a GO relies on:", subject.warnings)),
        list(_strangers(subject.strangers)),
        list(folded("Go/No-Go board", _board(decision))),
        list(_lineage(subject)),
        list(_changes(subject)),
        list(_closing(decision, subject)),
    ]
    return assemble(parts, subject.url)


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
    return assemble([lines])


def superseded_comment(branch: str) -> str:
    """For a proposal that is not open into the branch any more."""
    return assemble(
        [[MARKER, f"This is no open proposal into {code(branch)} any more: there is nothing to decide."]]
    )


def is_ours(body: str) -> bool:
    """Whether a comment is the guard's, as far as its text can tell; its author must be the guard as well."""
    return body.lstrip().startswith(MARKER)


def _headline(decision: Decision) -> Iterator[str]:
    """The words of the status, so that the two never disagree, and what they are about."""
    candidate = decision.candidate
    word, _, reason = decision_status(decision).description.partition(": ")
    about = f"{code(candidate.branch)}: {code(candidate.old[:10])} → {code(candidate.new[:10])}"
    yield f"{_word(word)}: {markdown(reason)}"
    yield ""
    yield about
    opened = board.emergency(decision)
    if opened is not None:
        yield ""
        yield f"⚠ **{markdown(opened.summary)}**"
        yield ""
        yield "What it brings blocks the next promotion until it is on upstream."
    if decision.mode == "observe":
        yield ""
        yield "The policy only observes: this decision blocks nothing."


def _word(word: str) -> str:
    return f"**NO-GO**, {word}" if word == UNDECIDED else f"**{word}**"


def _promote(decision: Decision) -> Iterator[str]:
    if decision.allowed:
        branch, head = decision.candidate.branch, decision.candidate.new
        yield f"To promote it: {code(f'guard promote --branch {branch} --to {head}')}"
        yield ""


def _answers(decision: Decision, subject: Subject) -> Iterator[str]:
    if not subject.answers:
        return
    yield "What you asked:"
    yield ""
    for one in subject.answers:
        word = {"done": "done", "refused": "not done"}.get(one.outcome, "not understood")
        yield f"- {code(one.line, limit=200)} ({markdown(one.by, limit=100)}): {word}, {markdown(one.said)}"
    yield ""
    for gate in dict.fromkeys(one.gate for one in subject.answers if one.gate):
        found = subject.explained.get(gate) or explain(gate, decision, None, {})
        lines = explain_markdown(found) if found else ["It is not part of this decision."]
        yield from folded(f"About {code_text(gate)}", lines)


def code_text(gate: str) -> str:
    """A gate's id for a summary, where no markdown is rendered."""
    return re.sub(r"[^A-Za-z0-9._-]", "", gate)


def _list(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield title
        yield ""
        yield from (f"- {markdown(item)}" for item in items)
        yield ""


def _strangers(names: Sequence[str]) -> Iterator[str]:
    if names:
        shown = ", ".join(markdown(name, limit=100) for name in names[:NAMES])
        yield f"A status under the guard's name was posted on this commit by {shown}; the guard's own replaced it."
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
    waivers = board.waiver_lines(decision)
    if waivers:
        yield ""
        yield "**Waivers**"
        yield ""
        yield from (f"- {markdown(line, limit=3000)}" for line in waivers)


def _lineage(subject: Subject) -> Iterator[str]:
    if subject.lineage is not None and subject.lineage[1]:
        facts, judged = subject.lineage
        title = f"Lineage: {len(judged)} commit{'s' if len(judged) > 1 else ''}"
        yield from folded(title, lineage_markdown(facts, judged).splitlines())


def _changes(subject: Subject) -> Iterator[str]:
    if subject.changes is None:
        return
    if isinstance(subject.changes, Unknown):
        yield f"What this changes since the last promotion cannot be told: {markdown(subject.changes.why)}"
        yield ""
        return
    changes = subject.changes.value
    judged = subject.lineage[1] if subject.lineage is not None else ()
    yield from folded(changes_title(changes), changes_markdown(changes, judged))


def _closing(decision: Decision, subject: Subject) -> Iterator[str]:
    if decision.next_change_at is not None:
        due = [one.title for one in decision.verdicts if one.next_change_at == decision.next_change_at]
        at = decision.next_change_at.astimezone(UTC)
        yield f"By itself this changes on {at:%Y-%m-%d at %H:%M} UTC: {markdown(', '.join(due[:NAMES]))}."
        yield ""
    if subject.url:
        yield Live(f"[The whole decision]({subject.url})")
        yield ""
    if decision.policy_source:
        yield f"policy: {markdown(decision.policy_source)}"
    yield f"policy {code(decision.policy_digest[:19] or 'none')}, decision {code(subject.record[:19] or 'none')}"
