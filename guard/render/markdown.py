"""A decision as markdown that both forges render well, with every word from outside escaped."""

from __future__ import annotations

from collections.abc import Iterator

from guard.core.model import Decision
from guard.core.unblock import plan_notes, unblock_plan
from guard.render import board
from guard.render.safe import code, markdown


def render_markdown(decision: Decision) -> str:
    """The decision in one line, the unblock plan as a list, and the board, folded."""
    candidate = decision.candidate
    lines = [
        f"**{board.word(decision)}** for {code(candidate.branch)}: "
        f"{code(candidate.old[:10])} → {code(candidate.new[:10])}",
        "",
    ]
    if decision.partial:
        lines += [f"Only {', '.join(decision.partial)} was asked: this is no decision.", ""]
    if decision.mode == "observe":
        lines += ["The policy only observes: this decision blocks nothing.", ""]
    plan = unblock_plan(decision)
    if plan:
        lines += ["To unblock:", ""]
        for action in plan:
            who = f" ({', '.join(markdown(name) for name in action.who)})" if action.who else ""
            also = f", serves {', '.join(markdown(one) for one in action.serves)}"
            lines.append(f"- {markdown(action.text)}{who}{also}")
        lines += ["", *(markdown(note) for note in plan_notes(plan))]
        lines.append("")
    lines += ["<details><summary>Go/No-Go board</summary>", "", *_board(decision), "", "</details>"]
    return "\n".join(lines) + "\n"


def _board(decision: Decision) -> Iterator[str]:
    for section in board.sections(decision):
        yield f"**{markdown(section.title)}**: {section.outcome.upper()}"
        yield ""
        for verdict in section.verdicts:
            yield f"- {board.mark(verdict.outcome)} {markdown(board.line(verdict))}"
        yield ""
    incidents = board.incidents(decision)
    if incidents is not None:
        yield f"{markdown(incidents.title)}: {markdown(board.incident_line(incidents))}"
        yield ""
    waivers = board.waiver_lines(decision)
    if waivers:
        yield "**Waivers**"
        yield ""
        yield from (f"- {markdown(line, limit=3000)}" for line in waivers)
        yield ""
    yield f"policy {code(decision.policy_digest[:19] or 'none')}"
