"""The local forge: the contract that every forge keeps, and what is its own (records, refs without a statement)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from guard.adapters.local import LocalForge
from guard.core.allowed_signers import parse_allowed_signers
from guard.core.canonical import digest_of_bytes
from guard.core.claims import (
    ApprovalGiven,
    ApprovalWithdrawn,
    EvidenceSubmitted,
    IncidentClosed,
    IncidentOpened,
    SignedOff,
)
from guard.core.errors import Refused
from guard.core.facts import Proposal
from guard.core.model import Commit, Known, Unknown
from guard.core.statements import proposal_ref
from guard.journeys.statements import Sent
from tests.forge_contract import LABELS, ForgeContract, known
from tests.local_world import TARGET, LocalWorld
from tests.people import signer_line

ANN, BOB, CI = "ann@example.com", "bob@example.com", "ci@example.com"


@pytest.fixture
def world(tmp_path: Path) -> LocalWorld:
    return LocalWorld(tmp_path)


class LocalHarness:
    """The contract's states, made with signed statements."""

    def __init__(self, world: LocalWorld) -> None:
        self.world = world
        self.commits = 0

    @property
    def forge(self) -> LocalForge:
        return self.world.forge

    def person(self, name: str) -> str:
        return f"{name}@example.com"

    def branch_head(self, branch: str) -> Commit:
        return Commit(self.world.bare.rev(f"refs/heads/{branch}"))

    def commit(self) -> Commit:
        self.commits += 1
        return self.world.commit(f"change {self.commits}")

    def propose(self, id: str, head: Commit, *, by: str, title: str = "A release") -> Proposal:
        self.world.propose(id, head, by=self.person(by), title=title)
        return Proposal(id, TARGET, head, title, self.person(by))

    def close(self, proposal: Proposal, *, by: str) -> None:
        self.world.close(proposal.id, by=self.person(by))

    def approve(self, proposal: Proposal, *, by: str) -> None:
        self.world.say(self.person(by), ApprovalGiven(proposal.target, proposal.head))

    def withdraw(self, proposal: Proposal, *, by: str) -> None:
        self.world.say(self.person(by), ApprovalWithdrawn(proposal.target, proposal.head))

    def group(self, name: str, *people: str) -> None:
        self.world.groups[f"@{name}"] = tuple(map(self.person, people))

    def open_incident(self, id: str, label: str, title: str, *, by: str) -> None:
        self.world.say(self.person(by), IncidentOpened(id, label, title))

    def close_incident(self, id: str, *, by: str) -> None:
        self.world.say(self.person(by), IncidentClosed(id, ""))

    def break_down(self) -> None:
        self.world.broken = True
        (self.world.bare.path / "HEAD").unlink()


class TestLocalForge(ForgeContract):
    @pytest.fixture
    def harness(self, world: LocalWorld) -> LocalHarness:
        return LocalHarness(world)


def test_a_proposal_ref_that_nobody_signed_for_has_no_known_proposer(world: LocalWorld) -> None:
    """Whoever manages the server can set a ref; the guard then asks who proposed it."""
    head = world.commit("by hand")
    world.bare.git("update-ref", proposal_ref(TARGET, "r1"), head)
    (found,) = known(world.forge.proposals(TARGET))
    assert (found.id, found.head, found.proposer) == ("r1", head, None)


def test_a_proposal_ref_moved_behind_the_guard_has_no_known_proposer(world: LocalWorld) -> None:
    world.propose("r1", world.commit("one"), by=ANN)
    moved = world.commit("two")
    world.bare.git("update-ref", proposal_ref(TARGET, "r1"), moved)
    (found,) = known(world.forge.proposals(TARGET))
    assert (found.head, found.proposer) == (moved, None)


def test_an_open_proposal_cannot_be_taken_over(world: LocalWorld) -> None:
    head = world.commit("one")
    world.propose("r1", head, by=ANN)
    attempts: tuple[Callable[[], Sent], ...] = (
        lambda: world.propose("r1", head, by=BOB),
        lambda: world.propose("r1", world.commit("two"), by=BOB),
        lambda: world.close("r1", by=BOB),
    )
    for attempt in attempts:
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.code == "proposal.other-proposer"
    world.close("r1", by=ANN)
    world.propose("r1", head, by=BOB)
    assert [one.proposer for one in known(world.forge.proposals(TARGET))] == [BOB]


def test_one_key_is_one_person_whatever_names_it_signs_with(world: LocalWorld) -> None:
    lines = [signer_line(name) for name in (ANN, BOB)]
    lines += [signer_line(name).replace(name, "*@example.com") for name in (ANN, BOB)]
    world.signers = parse_allowed_signers("\n".join(lines).encode())
    head = world.commit("one")
    world.propose("r1", head, by=ANN)
    for name in (BOB, "cid@example.com", ANN):
        world.say(name, ApprovalGiven(TARGET, head), key=BOB if name != ANN else ANN)
    (proposal,) = known(world.forge.proposals(TARGET))
    assert [one.actor for one in known(world.forge.approvals(proposal))] == [BOB, ANN]
    world.say("ci@example.com", ApprovalGiven(TARGET, head), key=ANN)
    assert [one.actor for one in known(world.forge.approvals(proposal))] == [BOB, ANN]
    world.say(BOB, ApprovalWithdrawn(TARGET, head))
    assert [one.actor for one in known(world.forge.approvals(proposal))] == ["cid@example.com", ANN]


def test_a_milder_label_does_not_hide_an_incident(world: LocalWorld) -> None:
    world.say(ANN, IncidentOpened("INC-1", "SEV-1", "Down"))
    world.say(BOB, IncidentOpened("INC-1", "SEV-4", "It is nothing"))
    assert [one.label for one in known(world.forge.incidents(LABELS, closers=Unknown("?")))] == ["SEV-1"]


def test_a_label_in_another_case_hides_nothing(world: LocalWorld) -> None:
    world.say(ANN, IncidentOpened("INC-1", "sev-1", "Down"))
    assert [one.id for one in known(world.forge.incidents(LABELS, closers=Unknown("?")))] == ["INC-1"]


def test_groups_do_not_nest(world: LocalWorld) -> None:
    world.groups |= {"@all": ("@some", ANN), "@some": (BOB,)}
    answer = world.forge.members(("@all",))
    assert isinstance(answer, Unknown)
    assert "@some" in answer.why


def test_signoffs_are_those_of_the_gate_in_order(world: LocalWorld) -> None:
    commit = world.commit("one")
    first = world.say(ANN, SignedOff("security.threat-model", None, "looked at it"))
    world.say(BOB, SignedOff("reliability.restore-drill", None, ""))
    world.say(BOB, SignedOff("security.threat-model", commit, ""))
    found = known(world.forge.signoffs("security.threat-model"))
    assert [(one.actor, one.commit, one.note) for one in found] == [
        (ANN, None, "looked at it"),
        (BOB, commit, ""),
    ]
    assert found[0].digest == f"sha256:{first.name}"
    assert found[0].at > first.statement.at  # the server's time of receipt counts, not the signer's clock
    assert known(world.forge.signoffs("security.pen-test")) == ()


REPORT = b'{"version": "2.1.0"}'


def envelope(commit: Commit, report: bytes | None = REPORT) -> EvidenceSubmitted:
    digest = digest_of_bytes(report) if report is not None else ""
    return EvidenceSubmitted("sast", commit, "", "bandit", "1.8.0", 1, ("bandit", "-r", "."), digest)


def test_a_submission_and_its_report_come_back_as_they_were_sent(world: LocalWorld) -> None:
    sent = world.say(CI, envelope(world.first), report=REPORT)
    (found,) = known(world.forge.submissions("sast"))
    assert (found.id, found.subject, found.submitter) == (f"sha256:{sent.name}", world.first, CI)
    assert (found.tool, found.tool_version, found.exit_code) == ("bandit", "1.8.0", 1)
    assert found.command == ("bandit", "-r", ".")
    assert known(world.forge.report(found)) == REPORT
    assert known(world.forge.submissions("dast")) == ()


def test_an_empty_report_is_a_report(world: LocalWorld) -> None:
    world.say(CI, envelope(world.first, b""), report=b"")
    (found,) = known(world.forge.submissions("sast"))
    assert known(world.forge.report(found)) == b""


def test_a_report_that_is_gone_or_was_swapped_is_unknown(world: LocalWorld) -> None:
    sent = world.say(CI, envelope(world.first), report=REPORT)
    (found,) = known(world.forge.submissions("sast"))
    swapped = world.store({"statement.json": b"{}", "statement.json.sig": b"", "report": b"all is well"})
    world.bare.git("update-ref", sent.ref, swapped)
    assert isinstance(world.forge.report(found), Unknown)
    world.bare.git("update-ref", "-d", sent.ref)
    assert isinstance(world.forge.report(found), Unknown)
    assert isinstance(world.forge.report(replace(found, digest="")), Unknown)
    assert isinstance(world.forge.submissions("sast"), Known)


def test_records_that_cannot_be_read_are_unknown(world: LocalWorld) -> None:
    world.say(CI, envelope(world.first), report=REPORT)
    (found,) = known(world.forge.submissions("sast"))
    world.broken = True
    assert isinstance(world.forge.signoffs("security.threat-model"), Unknown)
    assert isinstance(world.forge.submissions("sast"), Unknown)
    shutil.rmtree(world.bare.path / "objects")
    assert isinstance(world.forge.report(found), Unknown)
