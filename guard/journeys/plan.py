"""The plan of a promotion, made before anything is done: which commit, which commits with it, GO or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from guard.core.errors import GuardError, PolicyError, Refused, UsageError
from guard.core.facts import Proposal
from guard.core.model import Commit, Decision, Unknown
from guard.core.policy_branch import Branch
from guard.journeys.asking import read_policy
from guard.journeys.gather import gather_and_decide
from guard.journeys.sources import Range, Sources

Commits = tuple[tuple[Commit, str], ...]
"""Commits with their subjects, oldest first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a promotion would do: bring the branch from `decision.candidate.old` to `.new`, by these rules."""

    decision: Decision
    rules: Branch
    commits: Commits


def make_plan(
    sources: Sources,
    repository: str,
    *,
    branch: str,
    rules: Branch,
    new: Commit,
    commits: Callable[[Commit, Commit], Commits],
) -> Plan:
    """Gather, decide, and list what would move; `rules` are those of `branch_rules`."""
    decision = gather_and_decide(Range(repository, branch, f"refs/heads/{branch}", new), sources)
    return Plan(decision, rules, commits(decision.candidate.old, decision.candidate.new))


def branch_rules(sources: Sources, branch: str) -> Branch:
    """The policy's table for the branch, read at the branch. Raises Refused without such a branch or table, and
    PolicyError without a usable policy."""
    policy = read_policy(sources, branch_head(sources, branch), branch)
    if isinstance(policy, Unknown):
        raise PolicyError(policy.why, fix=policy.fix)
    rules = policy.value.policy.branches.get(branch)
    if rules is None:
        raise Refused(
            f"the policy does not name {branch}; it names {', '.join(policy.value.policy.branches)}",
            fix="name one of these with --branch",
            code="promotion.not-protected",
        )
    return rules


def branch_head(sources: Sources, branch: str) -> Commit:
    """Where the branch stands on the server. Raises Refused where there is no such branch."""
    head = sources.git.resolve(f"refs/heads/{branch}")
    if head is None:
        raise Refused(
            f"there is no branch {branch} on the server", fix="check --branch", code="promotion.no-branch"
        )
    return head


def proposed_head(sources: Sources, branch: str) -> Commit | None:
    """The head of the one open proposal into the branch that it does not contain yet; None where there is none.

    Raises UsageError where there are several, GuardError where the forge cannot tell.
    """
    proposals = sources.forge.proposals(branch)
    if isinstance(proposals, Unknown):
        raise GuardError(f"the proposals into {branch} could not be read: {proposals.why}", fix=proposals.fix)
    target = branch_head(sources, branch)
    waiting = [proposal for proposal in proposals.value if not sources.git.descends(target, proposal.head)]
    if len({proposal.head for proposal in waiting}) > 1:
        raise UsageError(
            f"there is more than one open proposal into {branch}: {'; '.join(map(_named, waiting))}",
            fix="say which with --to COMMIT",
            code="promotion.several-proposals",
        )
    return waiting[0].head if waiting else None


def _named(proposal: Proposal) -> str:
    return f"{proposal.id} ({proposal.head[:10]})"
