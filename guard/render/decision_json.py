"""A decision as a JSON document: what `--format json` prints and what the ledger records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from guard.core.model import Decision, Finding, Verdict, WaiverUse
from guard.core.unblock import Action, plan_notes, unblock_plan
from guard.render import board
from guard.render.schema import closed

VERSION = 1


def decision_document(decision: Decision) -> dict[str, Any]:
    """The document described by docs/schemas/decision.schema.json; its RFC 8785 digest names the decision. A byte
    that is no UTF-8 (of a path, say) is in it as `\\udcNN`, because JSON has no other word for it."""
    document: dict[str, Any] = _utf8(_document(decision))
    return document


def _utf8(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _utf8(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_utf8(one) for one in value]
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def _document(decision: Decision) -> dict[str, Any]:
    candidate = decision.candidate
    plan = unblock_plan(decision)
    return {
        "version": VERSION,
        "decision": board.word(decision),
        "allowed": decision.allowed,
        "outcome": decision.outcome,
        "mode": decision.mode,
        "partial": list(decision.partial),
        "required": list(decision.required),
        "candidate": {
            "repository": candidate.repository,
            "ref": candidate.ref,
            "old": candidate.old,
            "new": candidate.new,
            "tree": candidate.tree,
            "upstream": candidate.upstream,
        },
        "policy": {"digest": decision.policy_digest or None, "source": decision.policy_source or None},
        "decided_at": timestamp(decision.decided_at),
        "next_change_at": timestamp(decision.next_change_at) if decision.next_change_at else None,
        "verdicts": [verdict_document(verdict) for verdict in decision.verdicts],
        "waivers": [_waiver(use) for use in decision.waivers],
        "unblock": [action_document(action) for action in plan],
        "unblock_notes": list(plan_notes(plan)),
    }


def action_document(action: Action) -> dict[str, Any]:
    """One action of the plan. `step` is 1 for the commits and their proposal, 2 for what is about the commit."""
    return {
        "text": action.text,
        "command": action.command or None,
        "link": action.link or None,
        "step": int(action.step),
        "who": list(action.who),
        "serves": list(action.serves),
        "codes": list(action.codes),
        "moves_head": action.moves_head,
        "uncertain": action.is_uncertain,
    }


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """One verdict with its findings."""
    return {
        "id": verdict.id,
        "group": verdict.group or None,
        "title": verdict.title,
        "outcome": verdict.outcome,
        "summary": verdict.summary,
        "findings": [_finding(finding) for finding in verdict.findings],
        "evidence": list(verdict.evidence),
        "next_change_at": timestamp(verdict.next_change_at) if verdict.next_change_at else None,
    }


def _waiver(use: WaiverUse) -> dict[str, Any]:
    return {
        "id": use.id,
        "gate": use.gate,
        "finding": use.finding,
        "state": use.state,
        "why": list(use.why),
        "reason": use.reason,
        "entry": use.entry or None,
        "requester": use.requester or None,
        "approvers": list(use.approvers),
        "expires_at": timestamp(use.expires_at),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "outcome": finding.outcome,
        "message": finding.message,
        "where": finding.where or None,
        "fix": finding.fix or None,
        "who": list(finding.who),
        "detail": finding.detail or None,
        "id": finding.id or None,
        "ways": [{"among": way.among, "number": way.number, "of": way.of} for way in finding.ways],
    }


_STRINGS = {"type": "array", "items": {"type": "string"}}
_MAYBE = {"type": ["string", "null"]}
_OUTCOMES = {
    "enum": ["pass", "not-applicable", "waived", "pending", "stale", "missing", "fail", "error"],
}


def verdict_schema() -> dict[str, Any]:
    """One verdict with its findings."""
    finding = closed(
        code={"type": "string"},
        outcome=_OUTCOMES,
        message={"type": "string"},
        where=_MAYBE,
        fix=_MAYBE,
        who=_STRINGS,
        detail=_MAYBE,
        id=_MAYBE,
        ways={
            "type": "array",
            "items": closed(among={"type": "string"}, number={"type": "integer"}, of={"type": "integer"}),
        },
    )
    return closed(
        id={"type": "string"},
        group=_MAYBE,
        title={"type": "string"},
        outcome=_OUTCOMES,
        summary={"type": "string"},
        findings={"type": "array", "items": finding},
        evidence=_STRINGS,
        next_change_at=_MAYBE,
    )


ACTION_SCHEMA = closed(
    text={"type": "string"},
    command=_MAYBE,
    link=_MAYBE,
    step={"enum": [1, 2]},
    who=_STRINGS,
    serves=_STRINGS,
    codes=_STRINGS,
    moves_head={"type": "boolean"},
    uncertain={"type": "boolean"},
)
"""One action of the plan."""


def decision_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `decision_document`."""
    name = {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"}
    verdict = verdict_schema()
    waiver = closed(
        id={"type": "string"},
        gate={"type": "string"},
        finding={"type": "string"},
        state={"enum": ["used", "unneeded", "refused"]},
        why=_STRINGS,
        reason={"type": "string"},
        entry=_MAYBE,
        requester=_MAYBE,
        approvers=_STRINGS,
        expires_at={"type": "string", "format": "date-time"},
    )
    document = closed(
        version={"const": VERSION},
        decision={
            "type": "string",
            "pattern": "^(GO( \\([0-9]+ waivers?\\)| \\(break-glass\\))?|NO-GO|PARTIAL)$",
        },
        allowed={"type": "boolean"},
        outcome=_OUTCOMES,
        mode={"enum": ["enforce", "observe"]},
        partial=_STRINGS,
        required=_STRINGS,
        candidate=closed(
            repository={"type": "string"},
            ref={"type": "string"},
            old=name,
            new=name,
            tree={"type": "string"},
            upstream=name,
        ),
        policy=closed(digest=_MAYBE, source=_MAYBE),
        decided_at={"type": "string", "format": "date-time"},
        next_change_at=_MAYBE,
        verdicts={"type": "array", "items": verdict},
        waivers={"type": "array", "items": waiver},
        unblock={
            "type": "array",
            "items": ACTION_SCHEMA,
        },
        unblock_notes=_STRINGS,
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:release-guard:schema:decision:1",
        "title": "Release Guard: a decision",
        **document,
    }
