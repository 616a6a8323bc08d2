"""The Go/No-Go board for a terminal, in the layout of the release readiness page, and what would unblock it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime

from guard.core.model import Decision
from guard.core.unblock import Action, grouped, plan_notes, unblock_plan
from guard.render import board
from guard.render.safe import plain

WIDTH = 80
STATUS_COLUMN = 52
DETAIL_LINES = 24
REASONS = 5
_COLOURS = {True: "\x1b[32m", False: "\x1b[31m"}


def render_text(decision: Decision, *, colour: bool = False) -> str:
    """The whole board; at most 80 columns but for words that cannot be broken, such as commands and names."""
    lines = [
        f"GO/NO-GO decision: {_decision_word(decision, colour=colour)}",
        *_subject(decision),
        "",
        *_sections(decision, colour=colour),
        *_incidents(decision, colour=colour),
        *_waivers(decision),
        *_closing(decision, colour=colour),
    ]
    plan = unblock_plan(decision)
    if plan:
        lines += ["", "What blocks it, and what would unblock it:", *_plan(plan)]
    return "\n".join(lines) + "\n"


def _decision_word(decision: Decision, *, colour: bool) -> str:
    return _paint(board.word(decision), good=decision.clear, colour=colour)


def _paint(text: str, *, good: bool, colour: bool) -> str:
    return f"{_COLOURS[good]}{text}\x1b[0m" if colour else text


def _subject(decision: Decision) -> Iterator[str]:
    candidate = decision.candidate
    yield f"{plain(candidate.branch)}  {candidate.old[:10]} → {candidate.new[:10]}"
    if decision.policy_source:
        yield from _wrap(f"policy: {plain(decision.policy_source)}", indent="", hang="  ")
    if decision.mode == "observe":
        yield "mode: observe (this decision is shown and recorded, and blocks nothing)"


def _sections(decision: Decision, *, colour: bool) -> Iterator[str]:
    for section in board.sections(decision):
        dots = "." * max(3, STATUS_COLUMN - len(section.title) - 1)
        status = _paint(section.outcome.upper(), good=section.outcome.allows, colour=colour)
        yield f"{section.title} {dots} {status}"
        for verdict in section.verdicts:
            sign = _paint(board.mark(verdict.outcome), good=verdict.outcome.allows, colour=colour)
            first, *rest = _wrap(plain(board.line(verdict)), indent="    ", hang="    ")
            yield f"  {sign} {first.strip()}"
            yield from rest


def _incidents(decision: Decision, *, colour: bool) -> Iterator[str]:
    verdict = board.incidents(decision)
    if verdict is not None:
        text = plain(board.incident_line(verdict))
        first, *rest = _wrap(f"{verdict.title}: {text}", indent="", hang="  ")
        yield (
            _paint(first, good=verdict.outcome.allows, colour=colour) if not verdict.outcome.allows else first
        )
        yield from rest


def _waivers(decision: Decision) -> Iterator[str]:
    lines = board.waiver_lines(decision)
    if lines:
        yield "Waivers:"
        for line in lines:
            yield from _wrap(plain(line, limit=3000), indent="  - ", hang="    ")


def _closing(decision: Decision, *, colour: bool) -> Iterator[str]:
    if decision.clear and decision.next_change_at:
        yield f"(stands until {_moment(decision.next_change_at)}, when evidence expires)"
    if decision.partial:
        state = "nothing of it blocks" if decision.clear else "it blocks"
        asked = f"PARTIAL: only {', '.join(decision.partial)} asked; {state}. This is no decision."
        yield from _wrap(asked, indent="", hang="  ")
    else:
        yield f"DECISION: {_decision_word(decision, colour=colour)}"


def _plan(plan: tuple[Action, ...]) -> Iterator[str]:
    """Who can do something, and below it what, numbered in the order in which it is worth doing."""
    number = 0
    for who, actions in grouped(plan):
        yield from _wrap(f"{', '.join(map(plain, who)) or 'anybody'}:", indent="", hang="  ")
        for action in actions:
            number += 1
            yield from _action(number, action)
    for note in plan_notes(plan):
        yield from _wrap(note, indent="", hang="")


def _action(number: int, action: Action) -> Iterator[str]:
    yield from _wrap(plain(action.text), indent=f"{number:>3}. ", hang="     ")
    for finding in action.findings[:REASONS]:
        where = f" ({plain(finding.where)})" if finding.where else ""
        if finding.message != action.text:
            reason = f"because {plain(finding.message)}{where}"
            yield from _wrap(reason, indent="     ", hang="       ")
        yield from (f"     | {plain(row, limit=200)}" for row in finding.detail.splitlines()[:DETAIL_LINES])
        yield from _wrap(plain(finding.id or finding.code), indent="     [", hang="     ", end="]")
    if len(action.findings) > REASONS:
        yield f"     and {len(action.findings) - REASONS} more for the same reason"
    served = ", ".join(map(plain, action.serves))
    count = f" {len(action.serves)}" if len(action.serves) > 1 else ""
    yield from _wrap(f"serves{count}: {served}", indent="     ", hang="       ")


def _wrap(text: str, *, indent: str, hang: str, end: str = "") -> list[str]:
    return textwrap.wrap(
        text + end,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [indent]


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
