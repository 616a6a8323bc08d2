"""A decision where the target branch has no policy that could be used: an error that says what is wrong with it."""

from __future__ import annotations

from datetime import datetime

from guard.core.decide import ALL_RULES, Inputs, Question
from guard.core.errors import PolicyError
from guard.core.model import Decision, Fact, Finding, Outcome, Unknown, blocked
from guard.core.policy_text import MAX_BYTES, POLICY_PATH, LoadedPolicy, format_problem, parse_policy


def decide_without_policy(
    question: Question, policy: Fact[LoadedPolicy], standing: bytes | None, *, now: datetime
) -> Decision:
    """An error that says what is wrong: no rule can be asked without a policy. `standing` is the text that stands on
    the target (None: none does, or it could not be read)."""
    # What is larger than any policy can be says so by itself, and is not kept.
    kept = standing is None or len(standing) <= MAX_BYTES
    return Decision(
        candidate=question.candidate,
        verdicts=(blocked("policy", "Policy of the target branch", _unusable(question, policy, standing)),),
        policy_digest="" if isinstance(policy, Unknown) else policy.value.digest,
        policy_source="" if isinstance(policy, Unknown) else policy.source,
        mode="enforce",
        decided_at=now,
        required=ALL_RULES,
        made_of=Inputs(question, policy, None, now, standing) if kept else None,
    )


def broken(standing: bytes | None) -> PolicyError | None:
    """What is wrong with the policy that stands on the target; None where nothing is, or none stands there."""
    try:
        if standing is not None:
            parse_policy(standing, where=POLICY_PATH)
    except PolicyError as error:
        return error
    return None


def _unusable(question: Question, policy: Fact[LoadedPolicy], standing: bytes | None) -> Finding:
    """The first problem with its key and line, which a status has to have room for."""
    candidate = question.candidate
    message, fix = _why_unusable(candidate.branch, policy, standing)
    return Finding(
        "policy.unusable",
        message,
        where=f"{candidate.branch} ({candidate.old[:10]})",
        fix=fix,
        who=("release-owner", "operator"),
        outcome=Outcome.ERROR,
    )


def _why_unusable(branch: str, policy: Fact[LoadedPolicy], standing: bytes | None) -> tuple[str, str]:
    error = broken(standing)
    if error is not None:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        first = format_problem(error.problems[0], where=POLICY_PATH) if error.problems else error.message
        return f"{first}{more}", error.fix
    if isinstance(policy, Unknown):
        return policy.why, policy.fix
    return (
        f"{POLICY_PATH} does not name the branch {branch}",
        f'add [branches."{branch}"] to {POLICY_PATH} on that branch',
    )
