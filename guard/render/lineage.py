"""Lineage as people read it: one row for each commit, worst first, for a terminal and as markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guard.core.lineage_facts import LineageFacts
from guard.core.model import Outcome
from guard.core.rules.lineage import CommitVerdict, summarize
from guard.render.safe import code, markdown, plain

DETAIL_LINES = 40


def lineage_text(facts: LineageFacts, judged: Sequence[CommitVerdict], *, colour: bool = False) -> str:
    """A line for each commit; what blocks has its reason, its fix and the difference below it."""
    lines = [
        f"{facts.target[:10]} → {facts.head[:10]}, against {plain(facts.upstream_name)} {facts.upstream[:10]}"
    ]
    for one in worst_first(judged):
        sign = "✓" if one.outcome.allows else "✗"
        if colour:
            sign = f"\x1b[{32 if one.outcome.allows else 31}m{sign}\x1b[0m"
        link = f"  [{one.via} {one.upstream_commit[:10]}]" if one.via and one.upstream_commit else ""
        lines.append(f"{sign} {one.standing:<17} {one.commit[:10]} {plain(one.subject, limit=100)}{link}")
        lines += _reasons(one)
    return "\n".join([*lines, summarize(facts, judged)]) + "\n"


def lineage_markdown(facts: LineageFacts, judged: Sequence[CommitVerdict]) -> str:
    """A table, worst first, and how commits differ from what they were picked from, folded."""
    lines = [markdown(summarize(facts, judged)), ""]
    if judged:
        lines += ["| | commit | verdict | upstream | why |", "|---|---|---|---|---|"]
    for one in worst_first(judged):
        sign = "✓" if one.outcome.allows else "✗"
        upstream = code(one.upstream_commit[:10]) if one.upstream_commit else ""
        commit = f"{code(one.commit[:10])} {markdown(one.subject, limit=100)}"
        why = markdown("; fix: ".join(filter(None, (one.why, None if one.outcome.allows else one.fix))))
        lines.append(f"| {sign} | {commit} | {one.standing} | {upstream} | {why} |")
    for one in worst_first(judged):
        if one.detail:
            summary = f"<details><summary>{one.commit[:10]}: the difference</summary>"
            lines += ["", summary, "", *_indented(one.detail), "", "</details>"]
    return "\n".join(lines) + "\n"


def worst_first(judged: Sequence[CommitVerdict]) -> list[CommitVerdict]:
    """What blocks before what passes, else in the order of the range."""
    return sorted(judged, key=lambda one: -one.outcome.badness)


def _reasons(one: CommitVerdict) -> Iterator[str]:
    if one.outcome is Outcome.PASS:
        return
    yield f"    {plain(one.why, limit=1000)}"
    if one.fix:
        yield f"    fix: {plain(one.fix, limit=1000)}"
    rows = one.detail.splitlines()
    yield from (f"    | {plain(row, limit=200)}" for row in rows[:DETAIL_LINES])
    if len(rows) > DETAIL_LINES:
        yield f"    | … {len(rows) - DETAIL_LINES} more lines"


def _indented(detail: str) -> Iterator[str]:
    # An indented block cannot be closed from inside, as a fence could.
    return (f"    {plain(row, limit=500)}" for row in detail.splitlines())
