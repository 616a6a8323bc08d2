"""Builders of facts and decisions with sensible defaults, so that a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime

from guard.core.model import Candidate, Commit, Decision, Finding, Outcome, Verdict

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
OLD, NEW, UPSTREAM = Commit("a" * 40), Commit("b" * 40), Commit("c" * 40)


def candidate(*, branch: str = "release/platform-control", old: Commit = OLD, new: Commit = NEW) -> Candidate:
    return Candidate("gpuaas/platform", f"refs/heads/{branch}", old, new, UPSTREAM, tree="d" * 40)


def finding(code: str = "test.reason", *, outcome: Outcome = Outcome.FAIL, **fields: object) -> Finding:
    return Finding(code, str(fields.pop("message", f"{code} is so")), outcome=outcome, **fields)  # type: ignore[arg-type]


def verdict(id: str = "lineage", outcome: Outcome = Outcome.PASS, **fields: object) -> Verdict:
    findings = fields.pop("findings", () if outcome.allows else (finding(f"{id}.reason", outcome=outcome),))
    title = str(fields.pop("title", id.capitalize()))
    return Verdict(id, title, outcome, findings=findings, **fields)  # type: ignore[arg-type]


def decision(*verdicts: Verdict, **fields: object) -> Decision:
    given = {
        "candidate": candidate(),
        "policy_digest": "sha256:" + "1" * 64,
        "policy_source": "guard.toml at release/platform-control",
        "mode": "enforce",
        "decided_at": NOW,
        **fields,
    }
    return Decision(verdicts=verdicts, **given)  # type: ignore[arg-type]
