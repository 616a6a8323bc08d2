"""What every Forge must do, whichever it is: a suite that each adapter runs with a harness of its own.

An adapter's test module subclasses `ForgeContract` and gives the fixture `harness`. The harness arranges things in
the way of its forge (signed statements, GitLab's or GitHub's API behind a double) and says nothing about answers.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import pytest

from guard.core.facts import Approval, Proposal
from guard.core.model import Commit, Fact, Known, Unknown
from guard.ports import Forge

T = TypeVar("T")

TARGET = "release/platform-control"
LABELS = ("SEV-1", "SEV-2")


class ForgeHarness(Protocol):
    """How a forge is brought into a state. People are `ann`, `bob` and `cid`; `person` gives their forge names."""

    @property
    def forge(self) -> Forge: ...
    def person(self, name: str) -> str: ...
    def branch_head(self, branch: str) -> Commit:
        """Where the branch really stands."""
        ...

    def commit(self) -> Commit:
        """A new commit that the forge knows."""
        ...

    def propose(self, id: str, head: Commit, *, by: str, title: str = "A release") -> Proposal:
        """Open a proposal into TARGET, or give an open one a new head; as the forge should show it. `id` is a wish:
        a forge that numbers its proposals says its own."""
        ...

    def close(self, proposal: Proposal, *, by: str) -> None: ...
    def approve(self, proposal: Proposal, *, by: str) -> None:
        """Approve the proposal's head."""
        ...

    def withdraw(self, proposal: Proposal, *, by: str) -> None: ...
    def group(self, name: str, *people: str) -> None:
        """The group `@name` has exactly these members from now on."""
        ...

    def open_incident(self, id: str, label: str, title: str, *, by: str) -> None: ...
    def close_incident(self, id: str, *, by: str) -> None: ...
    def break_down(self) -> None:
        """From now on the forge cannot be read."""
        ...


def known(fact: Fact[T]) -> T:
    """The value, which the forge must have been able to read."""
    assert isinstance(fact, Known), fact
    assert fact.observed_at.tzinfo is not None
    assert fact.source
    return fact.value


def who(approvals: tuple[Approval, ...]) -> list[str]:
    return sorted(approval.actor for approval in approvals)


class ForgeContract:
    """The tests. A subclass gives the fixture `harness`."""

    @pytest.fixture
    def harness(self) -> ForgeHarness:
        raise NotImplementedError

    def people(self, harness: ForgeHarness, *names: str) -> Fact[frozenset[str]]:
        now = harness.forge.members(())
        assert isinstance(now, Known)
        return Known(frozenset(map(harness.person, names)), "roles", now.observed_at)

    def test_a_branch_stands_where_it_stands(self, harness: ForgeHarness) -> None:
        assert known(harness.forge.head(TARGET)) == harness.branch_head(TARGET)

    def test_a_branch_that_is_not_there_is_known_not_to_be(self, harness: ForgeHarness) -> None:
        assert known(harness.forge.head("release/never")) is None
        assert known(harness.forge.head(TARGET.upper())) is None

    def test_no_proposal_is_known_to_be_none(self, harness: ForgeHarness) -> None:
        assert known(harness.forge.proposals(TARGET)) == ()

    def test_an_open_proposal_names_its_head_title_and_proposer(self, harness: ForgeHarness) -> None:
        head = harness.commit()
        harness.propose("r1", head, by="ann", title="Release 1.2 <b>")
        (found,) = known(harness.forge.proposals(TARGET))
        assert (found.target, found.head, found.title) == (TARGET, head, "Release 1.2 <b>")
        assert found.proposer == harness.person("ann")

    def test_two_proposals_are_two(self, harness: ForgeHarness) -> None:
        first, second = harness.commit(), harness.commit()
        harness.propose("r1", first, by="ann")
        harness.propose("r2", second, by="bob")
        assert {one.head for one in known(harness.forge.proposals(TARGET))} == {first, second}

    def test_a_proposal_into_another_branch_is_not_into_this_one(self, harness: ForgeHarness) -> None:
        harness.propose("r1", harness.commit(), by="ann")
        assert known(harness.forge.proposals("release")) == ()

    def test_a_new_head_replaces_the_old_one(self, harness: ForgeHarness) -> None:
        first, second = harness.commit(), harness.commit()
        harness.propose("r1", first, by="ann")
        harness.propose("r1", second, by="ann")
        assert [one.head for one in known(harness.forge.proposals(TARGET))] == [second]

    def test_a_closed_proposal_is_gone(self, harness: ForgeHarness) -> None:
        harness.close(harness.propose("r1", harness.commit(), by="ann"), by="ann")
        assert known(harness.forge.proposals(TARGET)) == ()

    def test_a_proposal_starts_without_approvals(self, harness: ForgeHarness) -> None:
        proposal = harness.propose("r1", harness.commit(), by="ann")
        assert known(harness.forge.approvals(proposal)) == ()

    def test_approvals_name_their_person_and_commit(self, harness: ForgeHarness) -> None:
        proposal = harness.propose("r1", harness.commit(), by="ann")
        harness.approve(proposal, by="bob")
        harness.approve(proposal, by="cid")
        approvals = known(harness.forge.approvals(proposal))
        assert who(approvals) == sorted(map(harness.person, ("bob", "cid")))
        assert {approval.commit for approval in approvals} == {proposal.head}
        assert all(approval.at.tzinfo is not None for approval in approvals)

    def test_approving_twice_counts_once(self, harness: ForgeHarness) -> None:
        proposal = harness.propose("r1", harness.commit(), by="ann")
        harness.approve(proposal, by="bob")
        harness.approve(proposal, by="bob")
        assert who(known(harness.forge.approvals(proposal))) == [harness.person("bob")]

    def test_a_withdrawn_approval_does_not_stand_until_it_is_given_again(self, harness: ForgeHarness) -> None:
        proposal = harness.propose("r1", harness.commit(), by="ann")
        harness.approve(proposal, by="bob")
        harness.withdraw(proposal, by="bob")
        assert known(harness.forge.approvals(proposal)) == ()
        harness.approve(proposal, by="bob")
        assert who(known(harness.forge.approvals(proposal))) == [harness.person("bob")]

    def test_nobody_withdraws_for_somebody_else(self, harness: ForgeHarness) -> None:
        proposal = harness.propose("r1", harness.commit(), by="ann")
        harness.approve(proposal, by="bob")
        harness.approve(proposal, by="cid")
        harness.withdraw(proposal, by="cid")
        assert who(known(harness.forge.approvals(proposal))) == [harness.person("bob")]

    def test_an_approval_of_an_older_head_is_not_one_of_the_new_head(self, harness: ForgeHarness) -> None:
        harness.approve(harness.propose("r1", harness.commit(), by="ann"), by="bob")
        moved = harness.propose("r1", harness.commit(), by="ann")
        assert not [one for one in known(harness.forge.approvals(moved)) if one.commit == moved.head]

    def test_a_name_is_itself_and_a_group_its_members(self, harness: ForgeHarness) -> None:
        harness.group("owners", "ann", "bob")
        names = ("@owners", harness.person("cid"), harness.person("ann"))
        expected = frozenset(map(harness.person, ("ann", "bob", "cid")))
        assert known(harness.forge.members(names)) == expected
        assert known(harness.forge.members(())) == frozenset()

    def test_who_leaves_a_group_is_not_in_it_any_more(self, harness: ForgeHarness) -> None:
        harness.group("owners", "ann", "bob")
        harness.group("owners", "ann")
        assert known(harness.forge.members(("@owners",))) == {harness.person("ann")}

    def test_a_group_that_nobody_knows_is_unknown_and_named(self, harness: ForgeHarness) -> None:
        harness.group("owners", "ann")
        answer = harness.forge.members(("@owners", "@nobody-knows"))
        assert isinstance(answer, Unknown)
        assert "@nobody-knows" in answer.why

    def test_open_incidents_with_the_labels_are_listed(self, harness: ForgeHarness) -> None:
        harness.open_incident("INC-1", "SEV-1", "Balances are wrong", by="ann")
        harness.open_incident("INC-2", "SEV-2", "Slow", by="bob")
        harness.open_incident("INC-3", "SEV-3", "A typo", by="bob")
        found = known(harness.forge.incidents(LABELS, closers=self.people(harness, "ann")))
        assert [(one.label, one.title) for one in sorted(found, key=lambda one: one.label)] == [
            ("SEV-1", "Balances are wrong"), ("SEV-2", "Slow"),
        ]  # fmt: skip

    def test_no_incident_is_known_to_be_none(self, harness: ForgeHarness) -> None:
        assert known(harness.forge.incidents(LABELS, closers=self.people(harness))) == ()

    def test_closed_by_somebody_who_may_it_is_gone(self, harness: ForgeHarness) -> None:
        harness.open_incident("INC-1", "SEV-1", "Down", by="ann")
        harness.close_incident("INC-1", by="bob")
        assert known(harness.forge.incidents(LABELS, closers=self.people(harness, "bob"))) == ()

    @pytest.mark.parametrize("unknown", [False, True], ids=["not-a-closer", "closers-unknown"])
    def test_closed_by_somebody_who_may_not_it_stays_open(
        self, harness: ForgeHarness, *, unknown: bool
    ) -> None:
        harness.open_incident("INC-1", "SEV-1", "Down", by="ann")
        harness.close_incident("INC-1", by="bob")
        closers = Unknown("HTTP 502") if unknown else self.people(harness, "ann", "cid")
        assert len(known(harness.forge.incidents(LABELS, closers=closers))) == 1

    def test_opened_again_it_is_open(self, harness: ForgeHarness) -> None:
        harness.open_incident("INC-1", "SEV-1", "Down", by="ann")
        harness.close_incident("INC-1", by="bob")
        harness.open_incident("INC-1", "SEV-1", "Down again", by="ann")
        assert len(known(harness.forge.incidents(LABELS, closers=self.people(harness, "bob")))) == 1

    def test_a_forge_that_cannot_be_read_knows_nothing(self, harness: ForgeHarness) -> None:
        proposal = harness.propose("r1", harness.commit(), by="ann")
        harness.approve(proposal, by="bob")
        closers = self.people(harness, "ann")
        harness.break_down()
        forge = harness.forge
        for answer in (
            forge.head(TARGET), forge.proposals(TARGET), forge.approvals(proposal),
            forge.incidents(LABELS, closers=closers),
        ):  # fmt: skip
            assert isinstance(answer, Unknown)
            assert answer.why
