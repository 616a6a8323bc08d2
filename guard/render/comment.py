"""The one comment on a proposal: what was decided, what to do and who can do it; everything else is folded.

Nothing in it may do anything. A forge executes lines that begin with `/`, notifies whom a comment mentions, fetches
images and renders some HTML: every word from outside is escaped where it is put in, and the whole is checked once
more, line by line, at the end. Only two kinds of line are live: the owners whom the policy lets the guard mention, and
the link to the guard's own page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from itertools import accumulate

from guard.core.model import Decision, Finding, Unknown
from guard.core.unblock import Action, grouped, plan_notes, unblock_plan
from guard.render import board
from guard.render.changes import changes_markdown, changes_title
from guard.render.lineage import lineage_markdown
from guard.render.safe import REFERENCES, code, markdown
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

MARKER = "<!-- release-guard:promotion -->"
"""What the guard finds its own comment by; it is shown to nobody."""

LIMIT = 60_000
"""Characters of a comment. GitHub takes 65,536, GitLab a million; a comment that long helps nobody."""

ACTIONS = 25
REASONS = 3
NAMES = 5

_JOINER = "\u2060"
_NAME = re.compile(r"@?[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_EVERYBODY = frozenset({"all", "everyone", "here", "channel", "team"})


class _Live(str):
    """A line of the guard's own that may do what it says: mention, or link."""

    __slots__ = ()


def decision_comment(decision: Decision, subject: Subject) -> str:
    """The whole comment. The same decision gives the same text, whenever it was made."""
    roles = subject.roles or {}
    plan = unblock_plan(decision)
    parts = [
        [MARKER, *_headline(decision), ""],
        list(_waiting(plan, roles, mentions=subject.mentions)),
        list(_plan(plan, roles)),
        list(_promote(decision)),
        list(_answers(decision, subject.answers)),
        list(_list("Since the last decision:", subject.since)),
        list(_list("The branch's protection on the forge is not what a GO relies on:", subject.warnings)),
        list(_strangers(subject.strangers)),
        list(_folded("Go/No-Go board", _board(decision))),
        list(_lineage(subject)),
        list(_changes(subject)),
        list(_closing(decision, subject)),
    ]
    return _assemble(parts, subject.url)


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


def _waiting(
    plan: Sequence[Action], roles: Mapping[str, tuple[str, ...]], *, mentions: bool
) -> Iterator[str]:
    """The owners who must act, mentioned by name; a forge notifies each once, however often the comment is edited."""
    if not mentions:
        return
    names = dict.fromkeys(name for action in plan for role in action.who for name in roles.get(role, ()))
    able = [name.removeprefix("@") for name in names if _NAME.fullmatch(name)]
    called = [f"@{name}" for name in able if name.casefold() not in _EVERYBODY]
    if called:
        yield _Live(f"Waiting for {', '.join(called)}.")
        yield ""


def _plan(plan: Sequence[Action], roles: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """A checklist for each group of people who can do something, in the order of the first thing to do."""
    if not plan:
        return
    yield "To unblock:"
    yield ""
    for who, actions in grouped(plan[:ACTIONS]):
        yield f"**{', '.join(_who(name, roles) for name in who) or 'Anybody'}**"
        yield ""
        for action in actions:
            yield from _action(action)
        yield ""
    if len(plan) > ACTIONS:
        yield f"And {len(plan) - ACTIONS} more, on the board below."
        yield ""
    for note in plan_notes(plan):
        yield markdown(note)
        yield ""


def _action(action: Action) -> Iterator[str]:
    reasons = _reasons(action.findings)
    yield f"- [ ] {reasons or markdown(action.text)}"
    if reasons and action.text not in {finding.message for finding in action.findings}:
        yield f"  - fix: {markdown(action.text)}{_or_comment(action)}"
    if len(action.serves) > 1:
        yield f"  - serves {len(action.serves)}: {_served(action.serves)}"


def _served(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - NAMES} more" if len(ids) > NAMES else ""
    return ", ".join(markdown(one, limit=100) for one in ids[:NAMES]) + more


def _or_comment(action: Action) -> str:
    """A sign-off can be given right here; what else people do on a forge, they do with its own buttons."""
    if action.text.startswith("guard evidence "):
        return " (in CI, with GUARD_SERVICE_URL set)"
    found = re.match(r"guard signoff ([a-z0-9.-]+)( |$)", action.text)
    return f"; or comment {code(f'/guard signoff {found[1]}')}" if found else ""


def _reasons(findings: Sequence[Finding]) -> str:
    shown = [_reason(finding) for finding in findings[:REASONS]]
    more = [f"and {len(findings) - REASONS} more like it"] if len(findings) > REASONS else []
    return "; ".join([*shown, *more])


def _reason(finding: Finding) -> str:
    where = f" ({markdown(finding.where, limit=200)})" if finding.where else ""
    return f"{code(finding.code, limit=100)} {markdown(finding.message)}{where}"


def _who(name: str, roles: Mapping[str, tuple[str, ...]]) -> str:
    members = roles.get(name, ())
    named = f" ({', '.join(markdown(one, limit=100) for one in members[:NAMES])})" if members else ""
    return f"{markdown(name)}{named}"


def _promote(decision: Decision) -> Iterator[str]:
    if decision.allowed:
        branch, head = decision.candidate.branch, decision.candidate.new
        yield f"To promote it: {code(f'guard promote --branch {branch} --to {head}')}"
        yield ""


def _answers(decision: Decision, answers: Sequence[Answer]) -> Iterator[str]:
    if not answers:
        return
    yield "What you asked:"
    yield ""
    for one in answers:
        word = {"done": "done", "refused": "not done"}.get(one.outcome, "not understood")
        yield f"- {code(one.line, limit=200)} ({markdown(one.by, limit=100)}): {word}, {markdown(one.said)}"
    yield ""
    for gate in dict.fromkeys(one.gate for one in answers if one.gate):
        yield from _folded(f"About {code_text(gate)}", explanation(decision, gate))


def code_text(gate: str) -> str:
    """A gate's id for a summary, where no markdown is rendered."""
    return re.sub(r"[^A-Za-z0-9._-]", "", gate)


def explanation(decision: Decision, gate: str) -> Iterator[str]:
    """One verdict with all its reasons, what would mend each, and who can."""
    for verdict in decision.verdicts:
        if verdict.id != gate:
            continue
        yield f"**{markdown(verdict.title)}**: {verdict.outcome.upper()}"
        yield ""
        if verdict.summary:
            yield f"- {markdown(verdict.summary)}"
        for finding in verdict.findings:
            yield f"- {_reason(finding)}"
            if finding.fix:
                yield f"  - fix: {markdown(finding.fix)}"
            if finding.who:
                yield f"  - who: {', '.join(markdown(name) for name in finding.who)}"
        return
    yield "It is not part of this decision."


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
        yield from _folded(title, lineage_markdown(facts, judged).splitlines())


def _changes(subject: Subject) -> Iterator[str]:
    if subject.changes is None:
        return
    if isinstance(subject.changes, Unknown):
        yield f"What this changes since the last promotion cannot be told: {markdown(subject.changes.why)}"
        yield ""
        return
    changes = subject.changes.value
    judged = subject.lineage[1] if subject.lineage is not None else ()
    yield from _folded(changes_title(changes), changes_markdown(changes, judged))


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _closing(decision: Decision, subject: Subject) -> Iterator[str]:
    if decision.next_change_at is not None:
        due = [one.title for one in decision.verdicts if one.next_change_at == decision.next_change_at]
        at = decision.next_change_at.astimezone(UTC)
        yield f"By itself this changes on {at:%Y-%m-%d at %H:%M} UTC: {markdown(', '.join(due[:NAMES]))}."
        yield ""
    if subject.url:
        yield _Live(f"[The whole decision]({subject.url})")
        yield ""
    if decision.policy_source:
        yield f"policy: {markdown(decision.policy_source)}"
    yield f"policy {code(decision.policy_digest[:19] or 'none')}, decision {code(subject.record[:19] or 'none')}"


def _assemble(parts: Sequence[Sequence[str]], url: str = "") -> str:
    """The parts in order. A folded one that would make it too long is left out whole, so that nothing stays half
    open; any other is cut after a line."""
    cut = _too_long(url)
    kept: list[str] = []
    room = LIMIT - len(cut) * len(parts) - len(MARKER) - sum(len(line) + 1 for line in parts[-1])
    for part in parts:
        lines = [line if isinstance(line, _Live) else _harmless(line) for line in _single_spaced(part)]
        fitting = lines if part is parts[-1] else _fitting(lines, room * 3 // 4)
        if len(fitting) < len(lines):
            fitting = [*([] if _is_folded(lines) else fitting), cut, ""]
        kept += fitting
        room -= sum(len(line) + 1 for line in fitting)
    return "\n".join(kept).rstrip()[:LIMIT] + "\n"


def _single_spaced(lines: Iterable[str]) -> Iterator[str]:
    before = "x"
    for line in lines:
        if line or before:
            yield line
        before = line


def _too_long(url: str) -> str:
    if url:
        return _Live(f"The rest of this part is too long for a comment: [see the whole decision]({url}).")
    return "The rest of this part is too long for a comment: run guard check, or guard lineage."


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    """The lines from the first that take no more than this many characters."""
    ends = accumulate(len(line) + 1 for line in lines)
    return [line for line, end in zip(lines, ends, strict=True) if end <= room]


def _is_folded(lines: Sequence[str]) -> bool:
    return any(line.startswith("<details>") for line in lines)


def _harmless(line: str) -> str:
    """The last look: what a forge could take for a command, a mention, a reference or a link is broken up with a word
    joiner."""
    line = re.sub(r"^([\s>*+\-\d.)\[\]xX|]*)/", rf"\1{_JOINER}/", line)
    line = re.sub(r"(?i)\b(www)\.", rf"\1{_JOINER}.", line)
    line = line.replace("![", f"!{_JOINER}[").replace("://", f":{_JOINER}//")
    # GitHub links `\#1` all the same, and tells issue 1 of it.
    return REFERENCES.sub(rf"\g<0>{_JOINER}", line)
