"""One proposal's head decided for the service: by the target branch's policy, or as an error where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from guard.core.decide import Question, branch_policy, decide
from guard.core.errors import GitError, GuardError
from guard.core.explain import Explanation, explain
from guard.core.lineage_facts import LineageFacts
from guard.core.model import Candidate, Commit, Decision, Fact, Known, Unknown
from guard.core.no_policy import broken, decide_without_policy
from guard.core.policy_branch import Branch
from guard.core.policy_text import POLICY_PATH, LoadedPolicy
from guard.core.rules.approvals import approved_roles
from guard.core.rules.lineage import CommitVerdict, judge_commits
from guard.journeys.asking import read_policy
from guard.journeys.gather import Gathered, gather
from guard.journeys.sources import Range, Sources


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision with what a comment tells beside it: the range's commits where they are known, and each role's
    members as the policy names them; `gathered` is what it was decided on."""

    decision: Decision
    lineage: tuple[LineageFacts, tuple[CommitVerdict, ...]] | None
    roles: Mapping[str, tuple[str, ...]]
    mentions: bool = False
    gathered: Gathered | None = None

    def explained(self, names: Iterable[str]) -> dict[str, Explanation]:
        """What each of these gates and rules means and why it stands where it stands; of one nobody knows nothing."""
        if self.gathered is None:
            policy, readings = None, {}
        else:
            known = self.gathered.policy
            policy = known.value.policy if isinstance(known, Known) else None
            readings = dict(self.gathered.facts.readings)
        found = {name: explain(name, self.decision, policy, readings) for name in names}
        return {name: one for name, one in found.items() if one is not None}


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
    standing = _standing(sources, target)
    if (
        isinstance(policy, Unknown)
        or branch not in policy.value.policy.branches
        or broken(standing) is not None
    ):
        ref, tree = f"refs/heads/{branch}", sources.git.tree_of(head)
        question = Question(Candidate(repository, ref, target, head, target, tree=tree), "")
        return Judged(decide_without_policy(question, policy, standing, now=sources.clock.now()), None, {})
    gathered = gather(Range(repository, branch, f"refs/heads/{branch}", head), sources)
    decision = decide(gathered.question, gathered.policy, gathered.facts, now=sources.clock.now())
    mentions = isinstance(gathered.policy, Known) and gathered.policy.value.policy.comments.mention
    return Judged(decision, _lineage(gathered), _roles(gathered.policy), mentions, gathered)


def _standing(sources: Sources, target: Commit) -> bytes | None:
    """The text of the policy that stands on the target; None where none does, or it cannot be read. With one that is
    broken the forge is told so, and nothing else: the operator's bootstrap policy is for `guard promote`, which mends
    it."""
    try:
        return sources.git.read(target, POLICY_PATH)
    except GuardError:
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
