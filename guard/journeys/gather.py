"""Gather everything that one decision needs, and only what its rules ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from guard.core.decide import Question, branch_policy, decide, required_rules
from guard.core.errors import GuardError, PolicyError
from guard.core.evidence import Reading, leaves
from guard.core.facts import (
    NOT_GATHERED,
    ApprovalFacts,
    CandidateFacts,
    ConditionFacts,
    Facts,
    HoldMark,
    Incident,
    Proposal,
    WaiverFacts,
)
from guard.core.lineage_facts import LineageFacts
from guard.core.model import Candidate, Commit, Decision, Fact, Known, Unknown
from guard.core.policy import ApprovalRule, Policy
from guard.core.policy_branch import Branch, Lineage
from guard.core.policy_text import POLICY_PATH, LoadedPolicy, parse_policy
from guard.core.rules.guarding import guarding_paths
from guard.journeys.asking import candidate_of, policy_upstream, read_policy, resolve, upstream_head
from guard.journeys.emergencies import read_emergency
from guard.journeys.hands import approval_facts
from guard.journeys.sources import Members, Range, Sources

NOT_ASKED = Unknown("not gathered, because the question was narrowed")


@dataclass(frozen=True, slots=True)
class Gathered:
    """A question with everything that is needed to answer it."""

    question: Question
    policy: Fact[LoadedPolicy]
    facts: Facts


def gather_and_decide(asked: Range, sources: Sources, *, at: datetime | None = None) -> Decision:
    """Gather what the rules need, and judge it, as of now or of a later moment `at`: what is so now is taken to be
    so then, and only time has passed. Raises as `gather` does."""
    gathered = gather(asked, sources)
    now = sources.clock.now()
    return decide(gathered.question, gathered.policy, gathered.facts, now=max(at, now) if at else now)


def gather(asked: Range, sources: Sources) -> Gathered:
    """Read the policy of the target branch and gather what its rules need.

    Raises UsageError for a ref that does not exist; everything else that fails is among the facts.
    """
    target = resolve(sources.git, asked.target, "--target")
    policy = read_policy(sources, target, asked.branch)
    upstream_name = asked.upstream or policy_upstream(policy, asked.branch)
    question = Question(
        candidate=candidate_of(asked, sources.git, target, upstream_name, policy),
        upstream_name=upstream_name,
        only=asked.only,
    )
    facts = _facts(question, policy, sources, details=asked.details)
    rules = branch_policy(question, policy)
    usable = policy.value.policy if isinstance(policy, Known) else None
    if isinstance(rules, Branch) and usable and not asked.only:
        emergency = read_emergency(
            question, usable, rules.lineage, sources.git, sources.read_asks, sources.clock
        )
        holds = sources.read_holds(asked.branch) if sources.read_holds else None
        members = facts.members or _lifters(usable, holds, sources)
        facts = replace(facts, emergency=emergency, holds=holds, members=members)
    return Gathered(question, policy, facts)


def _facts(
    question: Question, policy: Fact[LoadedPolicy], sources: Sources, *, details: bool = True
) -> Facts:
    table = branch_policy(question, policy)
    changed = _changed(question.candidate, sources)
    guarding = _guarding(changed, table)
    asked = frozenset(question.only or required_rules(table, guarding))
    people = bool(asked & {"approvals", "readiness"}) or _adaptable(table)
    usable = policy.value.policy if isinstance(policy, Known) and isinstance(table, Branch) else None
    needs_proposals = people or "candidate" in asked
    proposals = sources.forge.proposals(question.candidate.branch) if needs_proposals else NOT_ASKED
    members = _members(usable, sources) if usable and (people or "incidents" in asked) else {}
    lineage = _lineage(question, table, sources, details=details) if "lineage" in asked else NOT_ASKED
    return Facts(
        candidate=CandidateFacts(
            descends=_descends(question.candidate, sources),
            proposals=proposals,
            policy_harm=_policy_harm(question.candidate, sources),
        ),
        lineage=lineage,
        approvals=_approvals(question.candidate, proposals, lineage, usable, sources)
        if people
        else NOT_ASKED,
        incidents=_incidents(usable, members, sources, question.candidate.upstream)
        if usable and "incidents" in asked
        else NOT_ASKED,
        members=members,
        readings=_readings(question.candidate, usable, members, sources)
        if usable and "readiness" in asked
        else {},
        queue=sources.read_queue(usable.queue, question.candidate)
        if usable and usable.queue and "readiness" in asked
        else NOT_GATHERED,
        conditions=_conditions(question.candidate, usable, changed, sources)
        if usable and "readiness" in asked
        else ConditionFacts(),
        guarding=guarding,
        waivers=_waivers(question.candidate, usable, sources)
        if usable and asked & {"readiness", "incidents"}
        else WaiverFacts(),
    )


def _changed(candidate: Candidate, sources: Sources) -> Fact[tuple[str, ...]]:
    """Every path that the promotion changes."""
    try:
        paths = sources.git.changed(candidate.old, candidate.new)
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    return Known(paths, "git", sources.clock.now())


def _guarding(changed: Fact[tuple[str, ...]], table: Branch | Unknown) -> Fact[tuple[str, ...]]:
    """The changed paths that the guard rests on."""
    if isinstance(changed, Unknown):
        return changed
    promote = table.promote if isinstance(table, Branch) else None
    return replace(changed, value=guarding_paths(changed.value, promote=promote))


def _adaptable(table: Branch | Unknown) -> bool:
    """Whether an approval could let a commit pass, so that approvals matter to lineage too."""
    if not isinstance(table, Branch):
        return False
    rules = table.lineage
    return bool(rules.adaptations or rules.alterations or rules.exemptions)


def _descends(candidate: Candidate, sources: Sources) -> Fact[bool]:
    """Unknown, too, where the branch does not stand where the ledger expects it: what was promoted may be gone, and
    nobody agreed to what stands there now."""
    try:
        expected = sources.expected_head(candidate.ref)
        if expected not in {None, candidate.old}:
            return _moved(candidate, str(expected))
        value = sources.git.descends(candidate.new, candidate.old)
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    return Known(value, "git", sources.clock.now())


def _moved(candidate: Candidate, expected: str) -> Unknown:
    return Unknown(
        f"{candidate.branch} stands at {candidate.old[:10]}, and the ledger expects it at {expected[:10]}:"
        " it was moved without a permit",
        fix=f"put it back to {expected}, or two owners look at it and it is accepted for a reason:"
        f" guard adopt --branch {candidate.branch} --force --because TEXT",
        who=("operator", "release-owner"),
    )


def _policy_harm(candidate: Candidate, sources: Sources) -> Fact[str]:
    """What the move would break about the policy that stands on the branch; a file it leaves alone is not judged."""
    try:
        before, after = (sources.git.read(commit, POLICY_PATH) for commit in (candidate.old, candidate.new))
        harm = "" if before == after else _harm(after, candidate)
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    return Known(harm, "git", sources.clock.now())


def _harm(text: bytes | None, candidate: Candidate) -> str:
    new = candidate.new[:10]
    if text is None:
        return f"{new} removes {POLICY_PATH}"
    try:
        policy = parse_policy(text, where=f"{POLICY_PATH} at {new}").policy
    except PolicyError as error:
        return f"{POLICY_PATH} at {new} cannot be used: {error.brief}"
    if candidate.branch in policy.branches:
        return ""
    return f"{POLICY_PATH} at {new} does not name {candidate.branch} any more"


def _lineage(
    question: Question, table: Branch | Unknown, sources: Sources, *, details: bool
) -> Fact[LineageFacts]:
    candidate = question.candidate
    rules = table.lineage if isinstance(table, Branch) else Lineage()
    try:
        facts = sources.git.lineage(
            candidate.upstream,
            candidate.old,
            candidate.new,
            upstream_name=question.upstream_name,
            trailers=rules.trailers,
            details=details,
        )
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    return Known(facts, "git", sources.clock.now())


def _members(policy: Policy, sources: Sources) -> Members:
    return {
        name: sources.members(role.members, inherited=role.inherited) for name, role in policy.roles.items()
    }


def _lifters(policy: Policy, holds: Fact[tuple[HoldMark, ...]] | None, sources: Sources) -> Members:
    """Where no other rule asks who holds which role, it is asked for once somebody said that a hold may end."""
    if isinstance(holds, Known) and any(mark.lifts and not mark.ends for mark in holds.value):
        return _members(policy, sources)
    return {}


def _approvals(
    candidate: Candidate,
    proposals: Fact[tuple[Proposal, ...]],
    lineage: Fact[LineageFacts],
    policy: Policy | None,
    sources: Sources,
) -> Fact[ApprovalFacts]:
    """The approvals of the proposals whose head is the candidate, and everyone who had a hand in it."""
    if isinstance(proposals, Unknown):
        return proposals
    mine = tuple(proposal for proposal in proposals.value if proposal.head == candidate.new)
    rule = policy.approvals if policy else ApprovalRule()
    try:
        facts = approval_facts(
            candidate, mine, rule, git=sources.git, forge=sources.forge, origins=_origins(lineage)
        )
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    if isinstance(facts, Unknown):
        return facts
    return Known(facts, proposals.source, sources.clock.now())


def _origins(lineage: Fact[LineageFacts]) -> frozenset[Commit]:
    """The upstream commits that the candidate's are linked to."""
    if isinstance(lineage, Unknown):
        return frozenset()
    links = (link for commit in lineage.value.commits for link in commit.links)
    return frozenset(origin for link in links for origin in (link.origin, *link.origins))


def _incidents(
    policy: Policy, members: Members, sources: Sources, upstream: Commit
) -> Fact[tuple[Incident, ...]]:
    """The open incidents of every source that the policy names; not known where one of them is not."""
    table = policy.incidents
    found = [sources.read_incidents(register, table.labels, upstream) for register in table.registers]
    if table.tracker:
        closers = _union(table.close, members, sources)
        found.insert(0, sources.forge.incidents(table.labels, closers=closers))
    known = [fact for fact in found if isinstance(fact, Known)]
    incidents = tuple(incident for fact in known for incident in fact.value)
    lost = [fact for fact in found if isinstance(fact, Unknown)]
    if lost:
        besides = f" (open besides: {', '.join(one.id for one in incidents[:5])})" if incidents else ""
        return replace(lost[0], why="; ".join(fact.why for fact in lost) + besides)
    return Known(incidents, " and ".join(fact.source for fact in known), sources.clock.now())


def open_incidents(sources: Sources, branch: str) -> Fact[tuple[Incident, ...]]:
    """The incidents that stop promotions of the branch, by the sources, labels and closers of its policy."""
    policy = read_policy(sources, resolve(sources.git, branch, "--target"), branch)
    if isinstance(policy, Unknown):
        return policy
    table = policy.value.policy
    upstream = upstream_head(sources.git, policy_upstream(policy, branch), by_policy=True)
    return _incidents(table, _members(table, sources), sources, upstream)


def _union(roles: tuple[str, ...], members: Members, sources: Sources) -> Fact[frozenset[str]]:
    people: frozenset[str] = frozenset()
    for role in roles:
        fact = members.get(role, Unknown(f"the policy has no role {role}"))
        if isinstance(fact, Unknown):
            return fact
        people |= fact.value
    return Known(people, "roles", sources.clock.now())


def _waivers(candidate: Candidate, policy: Policy, sources: Sources) -> WaiverFacts:
    """The waivers of the branch, asked for even where the policy lets nobody waive, so that it can be said; and the
    tech debt register where the policy names one."""
    table = policy.waivers.tech_debt if policy.waivers else None
    entries = sources.read_debts(table, candidate.upstream) if table else NOT_GATHERED
    return WaiverFacts(sources.read_waivers(candidate.branch), entries)


def _conditions(
    candidate: Candidate, policy: Policy, changed: Fact[tuple[str, ...]], sources: Sources
) -> ConditionFacts:
    """What the conditions of the policy's gates are decided from, and nothing where no gate asks for it."""
    asked = [(gate.id, gate.when) for gate in policy.gates if gate.when]
    entries = {gate: sources.read_register(when, candidate) for gate, when in asked if when.register_open}
    return ConditionFacts(changed if any(when.changed for _, when in asked) else NOT_GATHERED, entries)


def _readings(
    candidate: Candidate, policy: Policy, members: Members, sources: Sources
) -> Mapping[str, Reading]:
    submitters = sources.members(policy.evidence.submitters)
    return {
        key: sources.read_evidence(gate.id, leaf, candidate, members, submitters)
        for gate in policy.gates
        for key, leaf in leaves(gate.evidence, prefix=gate.id)
        if leaf.kind != "approvals"
    }
