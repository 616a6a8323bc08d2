"""An explanation of a gate or rule: the same rows as text for a terminal and as markdown for a comment, and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from guard.core.explain import Explanation, Piece
from guard.core.model import Finding
from guard.core.unblock import Action
from guard.render import board
from guard.render.decision_json import (
    ACTION_SCHEMA,
    action_document,
    timestamp,
    verdict_document,
    verdict_schema,
)
from guard.render.safe import markdown, plain
from guard.render.schema import closed

VERSION = 1
SHOWN = 20
"""How many pieces, findings and actions are shown each; JSON has them all."""
WIDTH = 80
NO_PART = "NOT ASKED"

Row = tuple[int, str]
"""How deep it stands, and its text, which may hold words from outside."""


def explain_text(explanation: Explanation) -> str:
    """At most 80 columns, but for words that cannot be broken."""
    lines = [f"{explanation.id}: {_outcome(explanation)}", plain(explanation.title)]
    for depth, text in _rows(explanation):
        indent = "  " * depth
        lines += textwrap.wrap(
            plain(text, limit=2000),
            WIDTH,
            initial_indent=f"{indent}- " if depth else "",
            subsequent_indent=f"{indent}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines) + "\n"


def explain_markdown(explanation: Explanation) -> Iterator[str]:
    """Lines of a list, every word from outside escaped."""
    yield f"**{markdown(explanation.title)}**: {_outcome(explanation)}"
    yield ""
    for depth, text in _rows(explanation):
        yield f"{'  ' * depth}- {markdown(text)}"


def _outcome(explanation: Explanation) -> str:
    return explanation.verdict.outcome.upper() if explanation.verdict else NO_PART


def _rows(explanation: Explanation) -> Iterator[Row]:
    yield 0, f"What it means: {explanation.meaning}"
    yield 0, f"Where it comes from: {explanation.origin}"
    yield 0, f"When: {explanation.condition}"
    if explanation.pieces:
        yield 0, "Its evidence:"
        for piece in explanation.pieces[:SHOWN]:
            yield from _piece(piece)
        yield from _more(len(explanation.pieces))
    yield from _standing(explanation)
    yield 0, "What would change it:"
    for action in explanation.actions[:SHOWN]:
        yield from _action(action)
    yield from _more(len(explanation.actions))
    yield 1, _by_itself(explanation)
    yield 1, f"who can waive it: {explanation.waiver}"


def _piece(piece: Piece) -> Iterator[Row]:
    age = f", at most {piece.limit} old" if piece.limit else ""
    about = f" ({'; '.join(piece.about)})" if piece.about else ""
    yield 1, f"{piece.key}: {piece.kind}{about}{age}"
    if piece.state != "read":
        yield 2, f"{'not there' if piece.state == 'absent' else piece.state}: {piece.said}"
        return
    dated = f", of {_moment(piece.dated)}" if piece.dated else ""
    yield 2, f"read from {piece.source}{dated}{f': {piece.said}' if piece.said else ''}"
    if piece.digest:
        yield 2, piece.digest


def _standing(explanation: Explanation) -> Iterator[Row]:
    verdict = explanation.verdict
    if verdict is None:
        yield 0, "It is not part of this decision."
        return
    yield (
        0,
        f"Why it is {verdict.outcome.upper()}: {verdict.summary or ('' if verdict.findings else verdict.title)}",
    )
    for finding in verdict.findings[:SHOWN]:
        yield from _finding(finding)
    yield from _more(len(verdict.findings))


def _finding(finding: Finding) -> Iterator[Row]:
    where = f" ({finding.where})" if finding.where else ""
    yield 1, f"{finding.code} {board.said(finding)}{where}"
    if finding.id:
        yield 2, f"for a waiver: {finding.id}"


def _action(action: Action) -> Iterator[Row]:
    yield 1, f"fix: {action.text}"
    if action.who:
        yield 1, f"who: {', '.join(action.who)}"
    if len(action.serves) > 1:
        yield 2, f"serves {len(action.serves)}: {', '.join(action.serves)}"


def _by_itself(explanation: Explanation) -> str:
    at = explanation.verdict.next_change_at if explanation.verdict else None
    return f"by itself it changes on {_moment(at)}" if at else "by itself it does not change"


def _more(count: int) -> Iterator[Row]:
    if count > SHOWN:
        yield 1, f"and {count - SHOWN} more"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def explain_document(explanation: Explanation) -> dict[str, Any]:
    """The document described by docs/schemas/explanation.schema.json."""
    return {
        "version": VERSION,
        "id": explanation.id,
        "title": explanation.title,
        "group": explanation.group or None,
        "meaning": explanation.meaning,
        "origin": explanation.origin,
        "condition": explanation.condition,
        "evidence": [
            {
                "key": piece.key,
                "kind": piece.kind,
                "about": list(piece.about),
                "max_age": piece.limit or None,
                "state": piece.state,
                "said": piece.said,
                "source": piece.source or None,
                "digest": piece.digest or None,
                "dated": timestamp(piece.dated) if piece.dated else None,
            }
            for piece in explanation.pieces
        ],
        "verdict": verdict_document(explanation.verdict) if explanation.verdict else None,
        "actions": [action_document(action) for action in explanation.actions],
        "waiver": explanation.waiver,
    }


def explain_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `explain_document`."""
    word, maybe = {"type": "string"}, {"type": ["string", "null"]}
    piece = {
        "key": word, "kind": word, "about": {"type": "array", "items": word}, "max_age": maybe,
        "state": {"enum": ["read", "absent", "unknown", "rule"]}, "said": word, "source": maybe, "digest": maybe,
        "dated": maybe,
    }  # fmt: skip
    document = {
        "version": {"const": VERSION}, "id": word, "title": word, "group": maybe, "meaning": word, "origin": word,
        "condition": word, "evidence": {"type": "array", "items": closed(**piece)},
        "verdict": {"anyOf": [{"type": "null"}, verdict_schema()]},
        "actions": {"type": "array", "items": ACTION_SCHEMA}, "waiver": word,
    }  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:release-guard:schema:explanation:1",
        "title": "Release Guard: what a gate or rule means and why it stands where it stands",
        **closed(**document),
    }
