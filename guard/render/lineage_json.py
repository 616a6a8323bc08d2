"""Lineage as JSON: the stable form that `guard lineage --format json` prints (`guard.render.lineage_schema`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guard.core.lineage_facts import LineageFacts
from guard.core.rules.lineage import CommitVerdict, NoPolicy, count, judge_commits

if TYPE_CHECKING:
    from guard.core.policy_branch import Lineage


def lineage_report(
    facts: LineageFacts, policy: Lineage | NoPolicy, *, approved: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The report as plain JSON values. `approved` are the roles whose approval the head has."""
    judged = judge_commits(facts, policy, approved=approved)
    return {
        "upstream": facts.upstream_name,
        "target": facts.target,
        "head": facts.head,
        "allowed": all(one.outcome.allows for one in judged),
        "counts": count(facts, judged),
        "commits": [commit_row(one) for one in judged],
    }


def commit_row(one: CommitVerdict) -> dict[str, Any]:
    """One verdict as a row of the report."""
    return {
        "commit": one.commit,
        "subject": one.subject,
        "verdict": one.standing.value,
        "via": one.via,
        "upstream_commit": one.upstream_commit,
        "why": one.why,
        "fix": one.fix,
    }
