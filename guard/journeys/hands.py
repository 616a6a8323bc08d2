"""Who approved a change, who objects to it, and whose hands were in it, as the forge's accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress

from guard.core.errors import GuardError
from guard.core.facts import Approval, ApprovalFacts, Authorship, Hand, Objection, Proposal
from guard.core.model import Candidate, Commit, Unknown
from guard.core.policy import ApprovalRule
from guard.ports import Forge, Git

NAMED = 5
"""How many addresses of nobody are named."""


def approval_facts(
    candidate: Candidate,
    mine: tuple[Proposal, ...],
    rule: ApprovalRule,
    *,
    git: Git,
    forge: Forge,
    origins: frozenset[Commit] = frozenset(),
) -> ApprovalFacts | Unknown:
    """All that the approval rule judges about the proposals `mine`, whose head is the candidate.

    Whose the addresses are is only asked where somebody approved. Raises GitError.
    """
    approvals: list[Approval] = []
    objections: list[Objection] = []
    for proposal in mine:
        given, objected = forge.approvals(proposal), forge.objections(proposal)
        if isinstance(given, Unknown):
            return given
        if isinstance(objected, Unknown):
            return objected
        approvals += given.value
        objections += objected.value
    nameless = [proposal.id for proposal in mine if proposal.proposer is None]
    if nameless:
        return Unknown(
            f"nobody knows who opened proposal {', '.join(nameless)}, so nobody can be told not to approve it",
            fix="open it anew, as somebody who is known (without a forge: guard propose)",
            who=("author",),
        )
    written = git.authorship(candidate.old, candidate.new, origins=origins)
    people = _People(rule)
    people.add("proposer", (proposal.proposer for proposal in mine if proposal.proposer))
    for hand in written.hands:
        people.add(hand.kind, (hand.address,))
    for proposal in mine if approvals else ():
        _ask(proposal, written, people, forge)
    kept = _kept(approvals, candidate, git)
    return ApprovalFacts(tuple(approvals), people.names, tuple(objections), people.unsure, kept)


class _People:
    """The names of each kind of authorship, and why some may be missing."""

    def __init__(self, rule: ApprovalRule) -> None:
        self.rule = rule
        self.owners = {address.strip().lower(): name for address, name in rule.addresses.items()}
        self._names: dict[str, set[str]] = defaultdict(set)
        self.unsure: dict[str, Unknown] = {}

    @property
    def names(self) -> Mapping[str, frozenset[str]]:
        return {kind: frozenset(self._names[kind]) for kind in self.rule.not_by}

    def add(self, kind: str, names: Iterable[str]) -> None:
        self._names[kind] |= {name.lower() for name in names if name}

    def asked(self, hands: Iterable[Hand]) -> tuple[Hand, ...]:
        """The hands of which the forge has to tell whose they are; the policy's own word is taken first."""
        for hand in hands:
            self.add(hand.kind, (self.owners.get(hand.address, ""),))
        return tuple(hand for hand in hands if hand.address not in self.owners)


def _ask(proposal: Proposal, written: Authorship, people: _People, forge: Forge) -> None:
    asked = people.asked(written.hands)
    accounts = forge.accounts(proposal, asked)
    if isinstance(accounts, Unknown):
        people.unsure |= {hand.kind: accounts for hand in asked}
    else:
        _note_accounts(asked, accounts.value, people)
    if "pusher" in people.rule.not_by:
        pushers = forge.pushers(proposal, written.commits)
        if isinstance(pushers, Unknown):
            people.unsure["pusher"] = pushers
        else:
            people.add("pusher", pushers.value)


def _note_accounts(asked: tuple[Hand, ...], accounts: Mapping[Hand, frozenset[str]], people: _People) -> None:
    untold: dict[str, list[str]] = defaultdict(list)
    for hand in asked:
        if hand in accounts:
            people.add(hand.kind, accounts[hand])
        else:
            untold[hand.kind].append(hand.address)
    people.unsure |= {kind: _untold(kind, addresses) for kind, addresses in untold.items()}


def _untold(kind: str, addresses: list[str]) -> Unknown:
    more = f" and {len(addresses) - NAMED} more" if len(addresses) > NAMED else ""
    return Unknown(
        f"the forge does not tell whose account {', '.join(addresses[:NAMED])}{more} belongs to, the {kind} of this"
        " change, so nobody can be told not to approve it",
        fix="they make the address public in their profile there; or the policy names whose it is:"
        ' [approvals] addresses = {"ADDRESS" = "USER"}, "" for nobody\'s',
        who=("author", "release-owner"),
    )


def _kept(approvals: Iterable[Approval], candidate: Candidate, git: Git) -> Mapping[Commit, str]:
    """What git cannot tell keeps nothing."""
    found = {}
    for commit in sorted({approval.commit for approval in approvals} - {candidate.new}):
        with suppress(GuardError):
            found[commit] = git.kept(commit, candidate.new, target=candidate.old)
    return {commit: what for commit, what in found.items() if what}
