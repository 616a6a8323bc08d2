"""Who stands behind a text: sign-offs for exactly these bytes and signed commits, on real git with real signatures."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from guard.adapters.evidence.operator import NO_OPERATOR, Operator
from guard.adapters.git import GitRepo
from guard.core.commit_signature import signed_by, split_signature
from guard.core.facts import SignOff
from guard.core.model import Commit, Known, Unknown
from tests.builders import NOW
from tests.evidence_fakes import asks, codes, people, read, seen, sources
from tests.gitrepo import Repo
from tests.people import KeySigner, allowed, key_of, signer_line, write_key

PATH = "doc/security/Threat_Model.md"
TEXT = "---\nstatus: reviewed\nreviewed: 2026-04-24\n---\n# Threat model\n\nForged webhooks, replayed webhooks.\n"
SPEC = asks(kind="document", path=PATH, status=["reviewed"], max_age="90d", role="security")
GATE = "security.threat-model"
SUE, EVE = "sue@example.com", "eve@example.com"

needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="git signs with ssh-keygen")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.init(tmp_path / "r")


def operator(*names: str) -> Operator:
    return replace(NO_OPERATOR, signers=Known(allowed(names), "test", NOW))


def commit(
    repo: Repo, tmp_path: Path, text: str, *, by: str | None = None, message: str = "change"
) -> Commit:
    """A commit that writes the document, signed by that person's key as git signs."""
    if by is None:
        return Commit(repo.commit(message, {PATH: text}))
    key = write_key(tmp_path / "keys" / by, key_of(by))
    signing = {"gpg.format": "ssh", "user.signingkey": str(key), "commit.gpgsign": "true"}
    values = {f"GIT_CONFIG_VALUE_{n}": value for n, value in enumerate(signing.values())}
    keys = {f"GIT_CONFIG_KEY_{n}": name for n, name in enumerate(signing)}
    return Commit(repo.commit(message, {PATH: text}, GIT_CONFIG_COUNT=str(len(signing)), **keys, **values))


def problems(repo: Repo, upstream: Commit, *signed: SignOff, **fields: object) -> set[str]:
    with GitRepo(repo.path) as git:
        given = sources(git=git, upstream=upstream, signed=signed, **fields)
        return codes(read(SPEC, given, gate=GATE))


def signoff(at: Commit | None, *, actor: str = SUE, gate: str = GATE) -> SignOff:
    return SignOff(gate, actor, NOW - timedelta(days=1), at, digest="sha256:" + "5" * 64)


def test_a_sign_off_counts_for_exactly_the_bytes_that_it_saw(repo: Repo, tmp_path: Path) -> None:
    first = commit(repo, tmp_path, TEXT)
    second = Commit(repo.commit("elsewhere", {"other.md": "x"}))
    third = commit(repo, tmp_path, TEXT + "And one more.\n")
    assert problems(repo, second, signoff(first)) == set()
    assert problems(repo, third, signoff(first)) == {"document.unsigned"}
    assert problems(repo, third, signoff(first), signoff(third)) == set()
    assert problems(repo, second, signoff(third)) == {"document.unsigned"}


@pytest.mark.parametrize(
    "signed",
    [
        pytest.param((), id="nobody"),
        pytest.param((signoff(None),), id="for-no-commit"),
        pytest.param((signoff(Commit("e" * 40)),), id="for-a-commit-that-is-not-here"),
    ],
)
def test_what_is_no_sign_off_of_this_text(repo: Repo, tmp_path: Path, signed: Iterable[SignOff]) -> None:
    assert problems(repo, commit(repo, tmp_path, TEXT), *signed) == {"document.unsigned"}


def test_a_sign_off_by_another_or_for_another_gate_does_not_count(repo: Repo, tmp_path: Path) -> None:
    head = commit(repo, tmp_path, TEXT)
    assert problems(repo, head, signoff(head, actor=EVE)) == {"document.unsigned"}
    assert problems(repo, head, signoff(head, gate="security.pen-test")) == {"document.unsigned"}
    assert problems(repo, head, signoff(head), members={"security": people(EVE)}) == {"document.unsigned"}


@needs_ssh_keygen
def test_a_signed_commit_stands_behind_what_it_was_the_last_to_touch(repo: Repo, tmp_path: Path) -> None:
    signed = commit(repo, tmp_path, TEXT, by=SUE)
    elsewhere = Commit(repo.commit("elsewhere", {"other.md": "x"}))
    touched = commit(repo, tmp_path, TEXT + "By whoever.\n")
    back = commit(repo, tmp_path, TEXT)
    knows = {"operator": operator(SUE, EVE)}
    assert problems(repo, signed, **knows) == set()
    assert problems(repo, elsewhere, **knows) == set()
    assert problems(repo, touched, **knows) == {"document.unsigned"}
    assert problems(repo, back, **knows) == {"document.unsigned"}, (
        "the same bytes, brought back by somebody else"
    )


@needs_ssh_keygen
def test_whose_signature_counts(repo: Repo, tmp_path: Path) -> None:
    by_eve = commit(repo, tmp_path, TEXT, by=EVE)
    assert problems(repo, by_eve, operator=operator(SUE, EVE)) == {"document.unsigned"}
    assert problems(repo, by_eve, operator=operator(SUE)) == {"document.unsigned"}
    both = {"members": {"security": people(SUE, EVE)}, "operator": operator(EVE)}
    assert problems(repo, by_eve, **both) == set()
    unknown = {"operator": NO_OPERATOR, "members": {"security": people(SUE, EVE)}}
    assert problems(repo, by_eve, **unknown) == {"document.unsigned"}
    with GitRepo(repo.path) as git:
        found = seen(read(SPEC, sources(git=git, upstream=by_eve), gate=GATE))
    assert (
        "signed commits were not looked at: the operator's settings are not here" in found.problems[0].message
    )


@needs_ssh_keygen
def test_a_commit_changed_after_signing_is_nobody_s(repo: Repo, tmp_path: Path) -> None:
    commit(repo, tmp_path, TEXT, by=SUE)
    signed = repo.git("cat-file", "commit", "HEAD").encode() + b"\n"
    assert signed_by(signed, frozenset({SUE}), allowed([SUE]), now=NOW) == SUE
    for forged in (
        signed.replace(b"dev@example.com> 17", b"sue@example.com> 17"),
        signed + b"more\n",
        signed.replace(b"tree ", b"tree f", 1),
    ):
        assert signed_by(forged, frozenset({SUE}), allowed([SUE]), now=NOW) is None
    name = repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=signed + b"more\n")
    assert problems(repo, Commit(name), operator=operator(SUE)) == {"document.unsigned"}


def test_a_signature_for_something_else_is_none() -> None:
    bare = b"tree " + b"a" * 40 + b"\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n\nwords\n"

    def signed(namespace: str, header: bytes = b"gpgsig") -> bytes:
        lines = KeySigner(SUE, namespace=namespace).sign(bare).rstrip(b"\n").split(b"\n")
        head, _, body = bare.partition(b"\n\n")
        return head + b"\n" + header + b" " + b"\n ".join(lines) + b"\n\n" + body

    def by(commit: bytes, **fields: bool) -> str | None:
        return signed_by(commit, frozenset({SUE}), allowed([SUE]), now=NOW, **fields)

    assert by(signed("git")) == SUE
    assert by(signed("release-guard")) is None
    assert by(signed("git", b"gpgsig-sha256")) is None
    assert by(signed("git", b"gpgsig-sha256"), sha256=True) == SUE
    twice = signed("git").replace(b"\n\nwords", b"\ngpgsig x\n\nwords")
    assert by(twice) is None
    assert by(bare) is None
    assert split_signature(signed("git")).signed == bare
    assert by(bare.replace(b"\n\n", b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n\n", 1)) is None


def test_a_key_that_may_not_sign_for_git_or_not_now_does_not_count() -> None:
    from guard.core.allowed_signers import parse_allowed_signers

    bare = b"tree " + b"a" * 40 + b"\n\nwords\n"
    lines = KeySigner(SUE, namespace="git").sign(bare).rstrip(b"\n").split(b"\n")
    made = b"tree " + b"a" * 40 + b"\ngpgsig " + b"\n ".join(lines) + b"\n\nwords\n"
    for options, who in (("", SUE), ('namespaces="release-guard"', None), ('valid-before="20260101"', None)):
        signers = parse_allowed_signers(f"{signer_line(SUE, options)}\n".encode())
        assert signed_by(made, frozenset({SUE}), signers, now=NOW) == who


def test_unknown_people_make_it_unknown(repo: Repo, tmp_path: Path) -> None:
    head = commit(repo, tmp_path, TEXT)
    with GitRepo(repo.path) as git:
        found = read(
            SPEC, sources(git=git, upstream=head, members={"security": Unknown("HTTP 502")}), gate=GATE
        )
    assert found == Unknown("HTTP 502")


def test_sixty_records_and_forty_runbooks_take_few_processes(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "Balances that are stored drift away from what was really billed to the customer."
    adrs = {
        f"architecture/adrs/{n:04}-x.md": f"# {n}. X\n\n## Status\n\nAccepted\n\n{words}\n"
        for n in range(1, 61)
    }
    runbooks = {f"doc/runbooks/{n}.md": f"# {n}\n\nReviewed: 2026-04-24\n\n{words}\n" for n in range(40)}
    head = Commit(repo.commit("all", {**adrs, **runbooks}))
    wrapped = tmp_path / "bin"
    wrapped.mkdir()
    (wrapped / "git").write_text(f'#!/bin/sh\necho x >>{tmp_path}/count\nexec {shutil.which("git")} "$@"\n')
    (wrapped / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapped}:/usr/bin:/bin")
    records = asks(kind="adrs", path="architecture/adrs", role="platform")
    inventory = asks(kind="inventory", path="doc/runbooks", minimum=40, max_age="90d")
    signed = (signoff(head, actor="pam@example.com", gate="architecture.adrs"),)
    with GitRepo(repo.path) as git:
        given = sources(git=git, upstream=head, signed=signed)
        assert codes(read(records, given, gate="architecture.adrs")) == set()
        assert codes(read(inventory, given, gate="reliability.runbooks")) == set()
    assert len((tmp_path / "count").read_text().splitlines()) <= 6
