"""The shape of the move: `new` descends from `old` and is exactly the head of one open proposal.

Source: docs/architecture.md, "what a promotion is"; no policy can switch this rule off.
"""

from __future__ import annotations

from guard.core.facts import CandidateFacts, Proposal
from guard.core.forge_words import Forge, catch_up, propose
from guard.core.model import Candidate, Fact, Finding, Known, Outcome, Unknown, Verdict, blocked, undecided

ID = "candidate"
TITLE = "Candidate"
DRAFT = "candidate.draft"
"""Proposals that are drafts: they are judged in full, and never promoted."""


def judge_candidate(
    candidate: Candidate, facts: CandidateFacts, *, forks: bool = False, forge: Forge | None = "local"
) -> Verdict:
    """Pass when there is something to promote, it only adds to the branch, and one open proposal stands for it,
    which comes from a fork only where the policy admits `forks`. `forge` is where one proposes, None where no policy
    tells."""
    if candidate.new == candidate.old:
        nothing = Finding(
            "candidate.nothing",
            f"{candidate.branch} is at {candidate.new[:10]} already: there is nothing to promote",
            fix="name a commit that is not on the branch yet",
            who=("release-owner",),
        )
        return blocked(ID, TITLE, nothing)
    findings = (
        *_descent(candidate, facts.descends, forge=forge),
        *_proposal(candidate, facts.proposals, forks=forks, forge=forge),
        *_policy(facts.policy_harm),
    )
    if findings:
        return blocked(ID, TITLE, *findings)
    return Verdict(ID, TITLE, Outcome.PASS, summary=_summary(candidate, facts))


def _summary(candidate: Candidate, facts: CandidateFacts) -> str:
    heads = _of_candidate(candidate, facts.proposals.value) if isinstance(facts.proposals, Known) else ()
    named = ", ".join(f"proposal {proposal.id}" for proposal in heads)
    return f"{candidate.new[:10]} descends from {candidate.old[:10]} and is the head of {named}"


def _descent(candidate: Candidate, descends: Fact[bool], *, forge: Forge | None) -> tuple[Finding, ...]:
    if isinstance(descends, Unknown):
        return undecided(ID, TITLE, descends, code="candidate.unknown").findings
    if descends.value:
        return ()
    new, old = candidate.new[:10], candidate.old[:10]
    message = f"{new} does not contain {candidate.branch} at {old}: the move would drop commits"
    finding = Finding(
        "candidate.not-descendant",
        message,
        fix=catch_up(forge, candidate.branch),
        who=("author",),
    )
    return (finding,)


def _proposal(
    candidate: Candidate, proposals: Fact[tuple[Proposal, ...]], *, forks: bool, forge: Forge | None
) -> tuple[Finding, ...]:
    if isinstance(proposals, Unknown):
        return undecided(ID, TITLE, proposals, code="candidate.proposals-unknown").findings
    mine = _of_candidate(candidate, proposals.value)
    if not mine:
        return (_no_proposal(candidate, proposals.value, forge=forge),)
    findings = [_from_fork(proposal) for proposal in mine if proposal.from_fork and not forks]
    findings += [_draft(proposal) for proposal in mine if proposal.draft]
    if len(mine) > 1:
        named = ", ".join(sorted(proposal.id for proposal in mine))
        findings.append(
            Finding(
                "candidate.two-proposals",
                f"{len(mine)} open proposals have the head {candidate.new[:10]}: {named}; whose approvals count?",
                fix="close all but one",
                who=("author", "release-owner"),
            )
        )
    return tuple(findings)


def _policy(harm: Fact[str]) -> tuple[Finding, ...]:
    """A branch whose policy is gone or invalid answers every later question with NO-GO: said before, not after."""
    if isinstance(harm, Unknown):
        return undecided(ID, TITLE, harm, code="candidate.policy-unknown").findings
    if not harm.value:
        return ()
    finding = Finding(
        "candidate.policy-lost",
        f"{harm.value}: after the move nothing could be promoted any more",
        fix="put a valid guard.toml back into the proposal (guard policy check says what is wrong with one);"
        " to stop guarding a branch, the operator removes the server's hooks",
        who=("author", "release-owner"),
    )
    return (finding,)


def _of_candidate(candidate: Candidate, proposals: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    return tuple(one for one in proposals if one.head == candidate.new and one.target == candidate.branch)


def _no_proposal(candidate: Candidate, proposals: tuple[Proposal, ...], *, forge: Forge | None) -> Finding:
    others = sorted(f"{one.id} at {one.head[:10]}" for one in proposals if one.target == candidate.branch)
    elsewhere = f"; open are {', '.join(others[:3])}" if others else ""
    return Finding(
        "candidate.no-proposal",
        f"{candidate.new[:10]} is not the head of any open proposal into {candidate.branch}{elsewhere}",
        fix=propose(forge, candidate.branch, candidate.new),
        who=("author",),
        outcome=Outcome.MISSING,
    )


def _draft(proposal: Proposal) -> Finding:
    return Finding(
        DRAFT,
        f"proposal {proposal.id} is a draft: what is decided here is a preview",
        where=proposal.url,
        fix="mark it as ready",
        who=("author",),
        outcome=Outcome.PENDING,
    )


def _from_fork(proposal: Proposal) -> Finding:
    return Finding(
        "candidate.fork",
        f"proposal {proposal.id} comes from a fork, where nobody here controls who moves its branch",
        where=proposal.url,
        fix="push the branch to this repository and propose it from here (the policy can admit forks: forks = true)",
        who=("author",),
    )
