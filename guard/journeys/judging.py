"""One proposal's head decided for the service: by the target branch's policy, or as an error where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from guard.core.decide import ALL_RULES, branch_policy, decide
from guard.core.errors import GitError, GuardError, PolicyError
from guard.core.lineage_facts import LineageFacts
from guard.core.model import Candidate, Commit, Decision, Fact, Finding, Known, Outcome, Unknown, blocked
from guard.core.policy_branch import Branch
from guard.core.policy_text import LoadedPolicy, format_problem, parse_policy
from guard.core.rules.approvals import approved_roles
from guard.core.rules.lineage import CommitVerdict, judge_commits
from guard.journeys.asking import POLICY_PATH, read_policy
from guard.journeys.gather import Gathered, gather
from guard.journeys.sources import Range, Sources


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision with what a comment tells beside it: the range's commits where they are known, and each role's
    members as the policy names them."""

    decision: Decision
    lineage: tuple[LineageFacts, tuple[CommitVerdict, ...]] | None
    roles: Mapping[str, tuple[str, ...]]
    mentions: bool = False


def upstream_of(sources: Sources, branch: str) -> str | None:
    """The branch that the policy names as upstream; None where no policy can be used. Raises GuardError."""
    policy = read_policy(sources, _target(sources, branch), branch)
    if isinstance(policy, Unknown) or branch not in policy.value.policy.branches:
        return None
    return policy.value.policy.branches[branch].upstream


def judge(repository: str, branch: str, head: Commit, sources: Sources) -> Judged:
    """Decide on `head` for the branch. Raises GuardError where not even a candidate can be made of it."""
    target = _target(sources, branch)
    policy = read_policy(sources, target, branch)
    problem = _broken(sources, target)
    if isinstance(policy, Unknown) or branch not in policy.value.policy.branches or problem is not None:
        return Judged(_without_policy(repository, branch, head, policy, sources), None, {})
    gathered = gather(Range(repository, branch, f"refs/heads/{branch}", head), sources)
    decision = decide(gathered.question, gathered.policy, gathered.facts, now=sources.clock.now())
    mentions = isinstance(gathered.policy, Known) and gathered.policy.value.policy.comments.mention
    return Judged(decision, _lineage(gathered), _roles(gathered.policy), mentions)


def _broken(sources: Sources, target: Commit) -> PolicyError | None:
    """What is wrong with the policy that stands on the target. With one that is broken the forge is told so, and
    nothing else: the operator's bootstrap policy is for `guard promote`, which mends it."""
    try:
        text = sources.git.read(target, POLICY_PATH)
        if text is not None:
            parse_policy(text, where=POLICY_PATH)
    except PolicyError as error:
        return error
    except GuardError:
        return None
    return None


def _target(sources: Sources, branch: str) -> Commit:
    target = sources.git.resolve(f"refs/heads/{branch}")
    if target is None:
        raise GitError(
            f"there is no branch {branch} on the forge",
            fix="make it, or mend `protect` in the service's settings",
            code="branch.missing",
        )
    return target


def _lineage(gathered: Gathered) -> tuple[LineageFacts, tuple[CommitVerdict, ...]] | None:
    facts, branch = gathered.facts, branch_policy(gathered.question, gathered.policy)
    if isinstance(facts.lineage, Unknown) or isinstance(gathered.policy, Unknown):
        return None
    if not isinstance(branch, Branch):
        return None
    rule = gathered.policy.value.policy.approvals
    head = gathered.question.candidate.new
    roles = approved_roles(rule, facts.approvals, facts.members, head=head)
    return facts.lineage.value, tuple(
        judge_commits(facts.lineage.value, branch.lineage, approved=frozenset(roles))
    )


def _roles(policy: Fact[LoadedPolicy]) -> Mapping[str, tuple[str, ...]]:
    if isinstance(policy, Unknown):
        return {}
    return {name: role.members for name, role in policy.value.policy.roles.items()}


def _without_policy(
    repository: str, branch: str, head: Commit, policy: Fact[LoadedPolicy], sources: Sources
) -> Decision:
    """An error that says what is wrong with the policy: no rule can be asked without one."""
    target = _target(sources, branch)
    finding = _unusable(branch, target, policy, sources)
    candidate = Candidate(
        repository, f"refs/heads/{branch}", target, head, target, tree=sources.git.tree_of(head)
    )
    return Decision(
        candidate=candidate,
        verdicts=(blocked("policy", "Policy of the target branch", finding),),
        policy_digest="" if isinstance(policy, Unknown) else policy.value.digest,
        policy_source="" if isinstance(policy, Unknown) else policy.source,
        mode="enforce",
        decided_at=sources.clock.now(),
        required=ALL_RULES,
    )


def _unusable(branch: str, target: Commit, policy: Fact[LoadedPolicy], sources: Sources) -> Finding:
    """The first problem with its key and line, which a status has to have room for."""
    message, fix = _why_unusable(branch, target, policy, sources)
    return Finding(
        "policy.unusable",
        message,
        where=f"{branch} ({target[:10]})",
        fix=fix,
        who=("release-owner", "operator"),
        outcome=Outcome.ERROR,
    )


def _why_unusable(
    branch: str, target: Commit, policy: Fact[LoadedPolicy], sources: Sources
) -> tuple[str, str]:
    error = _broken(sources, target)
    if error is not None:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        first = format_problem(error.problems[0], where=POLICY_PATH) if error.problems else error.message
        return f"{first}{more}", error.fix
    if isinstance(policy, Known):
        return (
            f"{POLICY_PATH} does not name the branch {branch}",
            f'add [branches."{branch}"] to {POLICY_PATH} on that branch',
        )
    return policy.why, policy.fix
