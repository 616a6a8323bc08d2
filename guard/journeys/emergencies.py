"""What break-glass rests on: who asked for it, and what it brought to the branch before, judged against upstream."""

from __future__ import annotations

from collections.abc import Callable

from guard.core.decide import Question
from guard.core.errors import GuardError
from guard.core.facts import BreakGlassAsk, Debt, EmergencyFacts
from guard.core.lineage_facts import LineageFacts
from guard.core.model import Candidate, Commit, Fact, Known, Unknown
from guard.core.policy import Policy
from guard.core.policy_branch import Lineage
from guard.core.rules.breakglass import opened_commits
from guard.ports import Clock, Git

Asks = Callable[[str], Fact[tuple[BreakGlassAsk, ...]]]


def read_emergency(
    question: Question, policy: Policy, lineage: Lineage, git: Git, read_asks: Asks | None, clock: Clock
) -> EmergencyFacts | None:
    """None where nobody can be asked and the policy knows no break-glass: a clone has no ledger."""
    if read_asks is None:
        if policy.break_glass is None:
            return None
        nobody = Unknown("who asked for break-glass stands in the ledger, which is on the server side")
        return EmergencyFacts(nobody, nobody)
    asks = read_asks(question.candidate.branch)
    return EmergencyFacts(
        asks, asks if isinstance(asks, Unknown) else _debts(asks.value, question, lineage, git, clock)
    )


def _debts(
    asks: tuple[BreakGlassAsk, ...], question: Question, lineage: Lineage, git: Git, clock: Clock
) -> Fact[tuple[Debt, ...]]:
    """The heads that break-glass was opened for and that the branch has now. What they brought is whatever upstream
    and they have not in common: where it was once proved to be on upstream, it is so again."""
    found = []
    try:
        for head, people in opened_commits(asks, target=question.candidate.branch):
            if git.resolve(head) is not None and git.descends(question.candidate.old, head):
                facts = _lineage(question.candidate, head, question, lineage, git, clock)
                found.append(Debt(head, people, facts))
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    return Known(tuple(found), "ledger", clock.now())


def _lineage(
    candidate: Candidate, head: Commit, question: Question, lineage: Lineage, git: Git, clock: Clock
) -> Fact[LineageFacts]:
    try:
        base = git.merge_base(candidate.upstream, head)
        if base is None:
            return Unknown("it has no history in common with upstream")
        facts = git.lineage(
            candidate.upstream,
            base,
            head,
            upstream_name=question.upstream_name,
            trailers=lineage.trailers,
            details=False,
        )
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    return Known(facts, "git", clock.now())
