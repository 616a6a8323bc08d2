"""The decision engine: facts, a policy and the moment in; one decision with every verdict out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from guard.core.facts import Facts
from guard.core.forge_words import Forge
from guard.core.model import Candidate, Decision, Fact, Finding, Outcome, Unknown, Verdict, blocked, undecided
from guard.core.policy import Policy
from guard.core.policy_branch import Branch
from guard.core.policy_names import RULES
from guard.core.policy_text import LoadedPolicy
from guard.core.rules.approvals import approval_deeds, approved_roles, judge_approvals
from guard.core.rules.breakglass import judge_emergency
from guard.core.rules.candidate import judge_candidate
from guard.core.rules.holds import judge_holds
from guard.core.rules.incidents import judge_incidents
from guard.core.rules.lineage import judge_lineage
from guard.core.rules.queue import judge_queue
from guard.core.rules.readiness import judge_readiness
from guard.core.rules.waivers import NOTHING_WAIVED, Waiving, judge_waivers, uses

ALL_RULES = ("candidate", *RULES)
"""What a decision is made of: the shape of the move, which no policy can switch off, and the policy's rules."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the candidate, the upstream's name, and the rules it was narrowed to (none: all of them)."""

    candidate: Candidate
    upstream_name: str
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a decision is made of. `facts` is None where no rule was asked, because no policy could be used;
    `standing` is the text that stood on the target in a policy's place then (None: there was none)."""

    question: Question
    policy: Fact[LoadedPolicy]
    facts: Facts | None
    now: datetime
    standing: bytes | None = None


def decide(question: Question, policy: Fact[LoadedPolicy], facts: Facts, *, now: datetime) -> Decision:
    """Judge the candidate by the target branch's policy.

    Without a usable policy, or for a branch that the policy does not name, only a question narrowed to lineage
    can be answered (it needs no policy); everything else is an error, never a pass.
    """
    branch = branch_policy(question, policy)
    required = required_rules(branch, facts.guarding)
    asked = question.only or required
    verdicts: list[Verdict] = []
    if isinstance(branch, Unknown):
        if asked != ("lineage",):
            verdicts.append(
                undecided("policy", "Policy of the target branch", branch, code="policy.unusable")
            )
        branch = Branch(upstream=question.upstream_name)
        asked = tuple(rule for rule in asked if rule in {"candidate", "lineage"})
    usable = policy.value.policy if not isinstance(policy, Unknown) else None
    waiving = (
        judge_waivers(usable, facts.waivers, facts.members, candidate=question.candidate, now=now)
        if usable
        else NOTHING_WAIVED
    )
    verdicts += _judge(asked, question, usable, branch, facts, now=now, waiving=waiving)
    if usable and not question.only:
        verdicts += judge_holds(facts.holds, usable.approvals.roles, facts.members)
    verdicts = judge_emergency(
        verdicts,
        usable.break_glass if usable and not question.only else None,
        branch.lineage,
        None if question.only else facts.emergency,
        facts.members,
        candidate=question.candidate,
        now=now,
    )
    return Decision(
        candidate=question.candidate,
        verdicts=tuple(verdicts),
        policy_digest="" if isinstance(policy, Unknown) else policy.value.digest,
        policy_source="" if isinstance(policy, Unknown) else policy.source,
        mode=usable.mode if usable else "enforce",
        decided_at=now,
        partial=question.only,
        required=required,
        waivers=uses(waiving, verdicts),
        made_of=Inputs(question, policy, facts, now),
    )


def required_rules(branch: Branch | Unknown, guarding: Fact[tuple[str, ...]]) -> tuple[str, ...]:
    """The rules that a promotion must satisfy: the policy's, and approvals wherever what the guard rests on changes,
    or may change."""
    if isinstance(branch, Unknown):
        return ALL_RULES
    guards = isinstance(guarding, Unknown) or bool(guarding.value)
    wanted = {"candidate", *branch.require, *(("approvals",) if guards else ())}
    return tuple(rule for rule in ALL_RULES if rule in wanted)


def branch_policy(question: Question, policy: Fact[LoadedPolicy]) -> Branch | Unknown:
    """The policy's table for the candidate's branch, or why there is none to go by."""
    if isinstance(policy, Unknown):
        return policy
    name = question.candidate.branch
    branch = policy.value.policy.branches.get(name)
    if branch is None:
        return Unknown(
            f"the policy {policy.source} does not name the branch {name}",
            fix=f'add [branches."{name}"] to guard.toml on that branch, or ask about a branch it names',
            who=("release-owner",),
        )
    return branch


def _judge(
    asked: tuple[str, ...],
    question: Question,
    policy: Policy | None,
    branch: Branch,
    facts: Facts,
    *,
    now: datetime,
    waiving: Waiving,
) -> list[Verdict]:
    candidate = question.candidate
    forge: Forge | None = policy.project.forge if policy else None
    approvals = _approvals(policy, facts, candidate)
    verdicts: list[Verdict] = []
    for rule in ALL_RULES:
        if rule not in asked:
            continue
        if rule == "candidate":
            verdicts.append(judge_candidate(candidate, facts.candidate, forks=branch.forks, forge=forge))
        elif rule == "lineage":
            verdicts.append(_lineage(policy, branch, facts, candidate))
        elif rule == "approvals":
            verdicts.append(approvals)
        elif rule == "readiness" and policy:
            verdicts += judge_readiness(
                policy.gates,
                facts.readings,
                approvals=approvals,
                candidate=candidate,
                now=now,
                conditions=facts.conditions,
                environments=branch.environments,
                waiving=waiving,
            )
            if policy.queue is not None:
                verdicts.append(judge_queue(policy.queue, facts.queue))
        elif rule == "incidents" and policy:
            labels = policy.incidents.labels
            home = policy.project.forge
            verdicts.append(judge_incidents(labels, facts.incidents, waiving=waiving, forge=home))
    return verdicts


def _lineage(policy: Policy | None, branch: Branch, facts: Facts, candidate: Candidate) -> Verdict:
    if policy is None:
        return judge_lineage(facts.lineage, branch.lineage, approved=frozenset(), deeds={})
    rule, head = policy.approvals, candidate.new
    roles = approved_roles(rule, facts.approvals, facts.members, head=head)
    deeds = approval_deeds(rule, facts.approvals, facts.members, head=head, forge=policy.project.forge)
    return judge_lineage(facts.lineage, branch.lineage, approved=roles, deeds=deeds)


def _approvals(policy: Policy | None, facts: Facts, candidate: Candidate) -> Verdict:
    if policy is None:
        finding = Finding(
            "approvals.no-policy", "no policy says whose approval is needed", outcome=Outcome.ERROR
        )
        return blocked("approvals", "Approvals", finding)
    # What is not known to leave the guard alone may change it.
    known = facts.guarding
    guarding = ("it is not known whether guard.toml",) if isinstance(known, Unknown) else known.value
    return judge_approvals(
        policy.approvals,
        facts.approvals,
        facts.members,
        head=candidate.new,
        guarding=guarding,
        forge=policy.project.forge,
    )
