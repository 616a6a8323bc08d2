"""What the server takes of a push: statements and proposals, each refusal with its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guard.core.canonical import digest_of_bytes
from guard.core.claims import (
    ApprovalGiven,
    ApprovalWithdrawn,
    Claim,
    EvidenceSubmitted,
    HoldPlaced,
    IncidentOpened,
    ProposalClosed,
    ProposalOpened,
    SignedOff,
)
from guard.core.errors import LedgerError
from guard.core.model import Commit
from guard.core.statements import (
    STATEMENT_REFS,
    Statement,
    encode_statement,
    name_of,
    proposal_ref,
)
from guard.ports import Ledger
from tests.local_world import REPOSITORY, TARGET, ZERO, BrokenLedger, LocalWorld, Update
from tests.people import KeySigner

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HEAD = Commit("a" * 40)
ANN, BOB = "ann@example.com", "bob@example.com"
REPORT = b"<testsuites/>"


@pytest.fixture
def world(tmp_path: Path) -> LocalWorld:
    return LocalWorld(tmp_path)


class Bundle:
    """One statement's tree, to be spoilt in some way."""

    def __init__(
        self, world: LocalWorld, claim: Claim | None = None, *, by: str = ANN, **envelope: object
    ) -> None:
        self.world = world
        made = Statement(
            str(envelope.get("repository", REPOSITORY)),
            by,
            envelope.get("at", world.clock.now()),  # type: ignore[arg-type]
            "1" * 32,
            claim or ApprovalGiven(TARGET, HEAD),
        )
        self.data = encode_statement(made)
        self.files: dict[str, bytes] = {
            "statement.json": self.data, "statement.json.sig": KeySigner(by).sign(self.data)
        }  # fmt: skip

    @property
    def ref(self) -> str:
        return f"{STATEMENT_REFS}{name_of(self.data)}"

    def update(self, *, ref: str | None = None, old: str = ZERO) -> Update:
        return Update(ref or self.ref, old, self.world.store(self.files))


def codes(world: LocalWorld, *updates: Update) -> list[str]:
    return [problem.code for problem in world.receive(*updates)]


def entries(world: LocalWorld) -> list[str]:
    return [entry.kind for entry in world.ledger.entries()]


def test_a_statement_goes_on_record_with_the_key_and_the_time_of_receipt(world: LocalWorld) -> None:
    bundle = Bundle(world)
    assert codes(world, bundle.update()) == []
    (entry,) = world.ledger.entries()
    assert (entry.kind, entry.once) == ("statement.approval", f"statement:{digest_of_bytes(bundle.data)}")
    assert entry.body["digest"] == digest_of_bytes(bundle.data)
    assert str(entry.body["key"]).startswith("SHA256:")
    assert entry.body["statement"] == json.loads(bundle.data)


def test_receiving_it_again_records_it_once(world: LocalWorld) -> None:
    update = Bundle(world).update()
    assert codes(world, update) + codes(world, update) == []
    assert entries(world) == ["statement.approval"]


def test_what_cannot_be_recorded_is_not_taken(world: LocalWorld) -> None:
    ledger: Ledger = BrokenLedger()  # type: ignore[assignment]
    with pytest.raises(LedgerError):
        world.receive(Bundle(world).update(), ledger=ledger)


def spoilt(world: LocalWorld, how: str) -> Update:
    """One good statement, made bad in one way."""
    bundle = Bundle(world)
    if how == "other-person":
        bundle.files["statement.json.sig"] = KeySigner(BOB).sign(bundle.data)
    if how == "other-namespace":
        bundle.files["statement.json.sig"] = KeySigner(ANN, namespace="git").sign(bundle.data)
    if how == "no-signature":
        del bundle.files["statement.json.sig"]
    if how == "spoilt-signature":
        bundle.files["statement.json.sig"] = b"-----BEGIN SSH SIGNATURE-----"
    if how == "other-words":
        bundle.files["statement.json"] = bundle.data.replace(b"a" * 40, b"b" * 40)
    if how == "extra-file":
        bundle.files["README"] = b""
    if how == "large-signature":
        bundle.files["statement.json.sig"] = b"x" * 40_000
    if how == "unasked-report":
        bundle.files["report"] = REPORT
    return bundle.update()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("other-person", "signer.other-key"),
        ("other-namespace", "signature.namespace"),
        ("no-signature", "statement.malformed"),
        ("spoilt-signature", "signature.malformed"),
        ("other-words", "statement.other-digest"),
        ("extra-file", "statement.malformed"),
        ("large-signature", "statement.too-large"),
        ("unasked-report", "statement.other-report"),
    ],
)
def test_a_spoilt_statement_is_refused_and_nothing_recorded(how: str, code: str, world: LocalWorld) -> None:
    assert codes(world, spoilt(world, how)) == [code]
    assert entries(world) == []


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        pytest.param({"by": "eve@example.com"}, "signer.unknown", id="a-stranger"),
        pytest.param({"repository": "gpuaas/other"}, "statement.other-repository", id="other-repository"),
        pytest.param({"at": NOW - timedelta(days=2)}, "statement.old", id="kept-back"),
        pytest.param({"at": NOW + timedelta(hours=8)}, "statement.future", id="from-the-future"),
    ],
)
def test_who_says_it_where_and_when_matters(
    envelope: Mapping[str, object], code: str, world: LocalWorld
) -> None:
    assert codes(world, Bundle(world, **envelope).update()) == [code]  # type: ignore[arg-type]


def test_the_ref_is_named_after_the_statement(world: LocalWorld) -> None:
    update = Bundle(world).update(ref=f"{STATEMENT_REFS}{'0' * 64}")
    assert codes(world, update) == ["statement.other-digest"]


def test_a_statement_on_record_is_neither_changed_nor_deleted(world: LocalWorld) -> None:
    bundle = Bundle(world)
    tree = bundle.update().new
    for update in (Update(bundle.ref, tree, ZERO), Update(bundle.ref, tree, spoilt(world, "").new)):
        assert codes(world, update) == ["statement.append-only"]


@pytest.mark.parametrize(
    "ref",
    [
        "refs/guard/jwks", "refs/guard", f"{STATEMENT_REFS}x", f"{STATEMENT_REFS}{'A' * 64}",
        f"{STATEMENT_REFS}{'0' * 64}/x", "refs/Guard/statements/x", "refs/proposals",
    ],
)  # fmt: skip
def test_other_refs_of_the_guard_take_no_push(ref: str, world: LocalWorld) -> None:
    assert codes(world, Update(ref, ZERO, world.first)) == ["refs.guard"]


@pytest.mark.parametrize("kind", ["commit", "blob", "missing", "huge-tree"])
def test_what_is_no_statement_tree_is_refused(kind: str, world: LocalWorld) -> None:
    blob = world.bare.git("hash-object", "-w", "--stdin", stdin=b"{}")
    rows = "".join(f"100644 blob {blob}\tfile-{number}\n" for number in range(100))
    names = {
        "commit": world.first, "blob": blob, "missing": "f" * 40,
        "huge-tree": world.bare.git("mktree", stdin=rows.encode()),
    }  # fmt: skip
    assert codes(world, Update(f"{STATEMENT_REFS}{'0' * 64}", ZERO, names[kind])) == ["statement.malformed"]


@pytest.mark.parametrize("mode", ["100755", "120000", "160000", "040000"])
def test_only_regular_files_are_taken(mode: str, world: LocalWorld) -> None:
    bundle = Bundle(world)
    signature = world.bare.git("hash-object", "-w", "--stdin", stdin=bundle.files["statement.json.sig"])
    kinds = {"160000": ("commit", world.first), "040000": ("tree", world.bare.git("mktree", stdin=b""))}
    plain = world.bare.git("hash-object", "-w", "--stdin", stdin=bundle.data)
    kind, name = kinds.get(mode, ("blob", plain))
    rows = f"{mode} {kind} {name}\tstatement.json\n100644 blob {signature}\tstatement.json.sig\n"
    assert codes(world, Update(bundle.ref, ZERO, world.bare.git("mktree", stdin=rows.encode()))) == [
        "statement.malformed"
    ]


def test_one_bad_statement_keeps_the_whole_push_off_the_record(world: LocalWorld) -> None:
    good, bad = Bundle(world, SignedOff("a.b", None, "")), Bundle(world, by="eve@example.com")
    assert codes(world, good.update(), bad.update()) == ["signer.unknown"]
    assert entries(world) == []


def test_evidence_without_its_report_is_refused(world: LocalWorld) -> None:
    claim = EvidenceSubmitted("sast", HEAD, "", "t", "1", 0, (), digest_of_bytes(REPORT))
    bundle = Bundle(world, claim)
    assert codes(world, bundle.update()) == ["statement.other-report"]
    bundle.files["report"] = REPORT + b" "
    assert codes(world, bundle.update()) == ["statement.other-report"]
    bundle.files["report"] = REPORT
    assert codes(world, bundle.update()) == []


# Proposals


def test_a_proposal_ref_moves_only_with_its_statement(world: LocalWorld) -> None:
    ref = proposal_ref(TARGET, "r1")
    for update in (Update(ref, ZERO, world.first), Update(ref, world.first, ZERO)):
        assert codes(world, update) == ["proposal.unsigned"]


@pytest.mark.parametrize(
    ("claim_head", "ref_head", "code"),
    [
        pytest.param("first", "second", "proposal.other-head", id="another-head"),
        pytest.param("first", None, "proposal.other-head", id="statement-without-the-ref"),
        pytest.param("tree", "tree", "proposal.no-commit", id="no-commit"),
    ],
)
def test_the_ref_is_exactly_what_the_statement_says(
    claim_head: str, ref_head: str | None, code: str, world: LocalWorld
) -> None:
    heads = {"first": world.first, "second": world.commit("two"), "tree": world.bare.git("mktree", stdin=b"")}
    bundle = Bundle(world, ProposalOpened(TARGET, "r1", Commit(heads[claim_head]), "t"))
    updates = [bundle.update()]
    if ref_head:
        updates.append(Update(proposal_ref(TARGET, "r1"), ZERO, heads[ref_head]))
    assert codes(world, *updates) == [code]
    assert entries(world) == []


def test_closing_needs_the_deletion_and_the_deletion_the_closing(world: LocalWorld) -> None:
    world.propose("r1", world.first, by=ANN)
    ref, closing = proposal_ref(TARGET, "r1"), Bundle(world, ProposalClosed(TARGET, "r1")).update()
    assert codes(world, closing) == ["proposal.other-head"]
    assert codes(world, Update(ref, world.first, ZERO)) == ["proposal.unsigned"]
    assert codes(world, closing, Update(ref, world.first, ZERO)) == []


def test_two_statements_about_one_proposal_are_one_too_many(world: LocalWorld) -> None:
    bundles = [
        Bundle(world, ProposalOpened(TARGET, "r1", world.first, title)).update() for title in ("one", "two")
    ]
    update = Update(proposal_ref(TARGET, "r1"), ZERO, world.first)
    assert codes(world, *bundles, update) == ["proposal.twice"]


def ran(commit: str, exit_code: int) -> EvidenceSubmitted:
    return EvidenceSubmitted("check", Commit(commit), "junit", "pytest", "9", exit_code, ("pytest",), "")


@pytest.mark.parametrize(
    ("claim", "revoked"),
    [
        pytest.param(IncidentOpened("INC-1", "SEV-1", "Down"), True, id="incident"),
        pytest.param(ApprovalWithdrawn(TARGET, HEAD), True, id="approval-withdrawn"),
        pytest.param(ApprovalWithdrawn(TARGET, Commit("b" * 40)), False, id="approval-of-another-commit"),
        pytest.param(ApprovalWithdrawn("release/other", HEAD), False, id="approval-for-another-branch"),
        pytest.param(HoldPlaced(TARGET, "the freeze"), True, id="hold"),
        pytest.param(SignedOff("security.threat-model", None, ""), False, id="sign-off"),
        pytest.param(ran(HEAD, 1), True, id="a-tool-that-failed"),
        pytest.param(ran(HEAD, 0), False, id="a-tool-that-did-not"),
        pytest.param(ran("b" * 40, 1), False, id="a-tool-that-failed-on-another-commit"),
    ],
)
def test_what_ends_a_go_takes_the_permit_under_way_back(
    world: LocalWorld, claim: Claim, *, revoked: bool
) -> None:
    move = {"ref": f"refs/heads/{TARGET}", "old": "c" * 40, "new": HEAD}
    for permit in ("open", "spent"):
        world.ledger.append("permit.issued", {"permit": permit, **move}, at=world.clock.now())
    world.ledger.append("permit.spent", {"permit": "spent"}, at=world.clock.now(), once="permit.spent:spent")
    world.say(ANN, claim)
    assert [one.body["permit"] for one in world.ledger.entries("permit.revoked")] == ["open"] * revoked
