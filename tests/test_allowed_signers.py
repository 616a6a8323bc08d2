"""The allowed_signers file: what its lines allow, and that OpenSSH reads them the same way."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.core.allowed_signers import (
    AllowedSignersError,
    SignerError,
    match_list,
    parse_allowed_signers,
)
from guard.core.sshsig import public_of, sign
from tests.gitrepo import clean_environment
from tests.people import key_of, public_text

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
KEY = public_text(public_of(key_of("ann")))
OTHER = public_text(public_of(key_of("bob")))
ANN = "ann@example.com"
CERT = "ssh-ed25519-cert-v01@openssh.com AAAA"

LINES = [
    # id, the file's text, whether ann's key is ann@example.com on 2026-05-01, the code when it is not
    ("plain", f"{ANN} {KEY}", ""),
    ("comment-and-blank-lines", f"# people\n\n  \t\n{ANN} {KEY} ann's laptop", ""),
    ("windows-line-ends", f"{ANN} {KEY}\r\n", ""),
    ("tabs", f"{ANN}\t{KEY}", ""),
    ("several-names", f"bob@example.com,{ANN} {KEY}", ""),
    ("quoted-names", f'"{ANN},bob@example.com" {KEY}', ""),
    ("pattern", f"*@example.com {KEY}", ""),
    ("question-marks", f"???@example.com {KEY}", ""),
    ("pattern-with-exception", f"*@example.com,!ann@* {KEY}", "signer.unknown"),
    ("exception-alone", f"!bob@example.com {KEY}", "signer.unknown"),
    ("case-matters", f"Ann@example.com {KEY}", "signer.unknown"),
    ("another-name", f"bob@example.com {KEY}", "signer.unknown"),
    ("another-key", f"{ANN} {OTHER}", "signer.other-key"),
    ("second-key-fits", f"{ANN} {OTHER}\n{ANN} {KEY}", ""),
    ("namespace", f'{ANN} namespaces="release-guard" {KEY}', ""),
    ("namespace-among-others", f'{ANN} namespaces="git,release-*" {KEY}', ""),
    ("other-namespace", f'{ANN} namespaces="git" {KEY}', "signer.namespace"),
    ("option-in-capitals", f'{ANN} Namespaces="git" {KEY}', "signer.namespace"),
    ("valid-now", f'{ANN} valid-after="20260101Z",valid-before="20270101120000Z" {KEY}', ""),
    ("not-yet", f'{ANN} valid-after="202606010000Z" {KEY}', "signer.not-yet-valid"),
    ("expired", f'{ANN} valid-before="20260401Z" {KEY}', "signer.expired"),
    ("authority", f"{ANN} cert-authority {KEY}", "signer.unknown"),
    ("empty", "", "signer.unknown"),
]


@pytest.mark.parametrize(("text", "code"), [pytest.param(*rest, id=name) for name, *rest in LINES])
def test_who_is_believed(text: str, code: str) -> None:
    signers = parse_allowed_signers(text.encode())
    if not code:
        assert signers.find(ANN, public_of(key_of("ann")), now=NOW).key == public_of(key_of("ann"))
        return
    with pytest.raises(SignerError) as caught:
        signers.find(ANN, public_of(key_of("ann")), now=NOW)
    assert caught.value.code == code


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.parametrize(("text", "code"), [pytest.param(*rest, id=name) for name, *rest in LINES])
def test_openssh_believes_the_same(text: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "signers").write_text(text + "\n")
    (tmp_path / "sig").write_bytes(sign(b"x", key_of("ann")))
    command = ["ssh-keygen", "-Y", "verify", "-n", "release-guard", "-I", ANN, "-s", str(tmp_path / "sig")]
    command += ["-f", str(tmp_path / "signers"), "-O", "verify-time=20260501120000Z"]
    done = subprocess.run(command, input=b"x", capture_output=True, env=clean_environment(), check=False)
    assert (done.returncode == 0) == (not code), done.stderr


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param("ann@example.com", "no key", id="name-alone"),
        pytest.param(f'"ann@example.com {KEY}', "quote", id="quote-does-not-end"),
        pytest.param(f"ann@example.com, {KEY}", "names", id="empty-name"),
        pytest.param(f"ann@example.com,! {KEY}", "names", id="empty-exception"),
        pytest.param("ann@example.com ssh-ed25519", "expected a public key", id="no-base64"),
        pytest.param("ann@example.com ssh-ed25519 !!!", "base64", id="bad-base64"),
        pytest.param("ann@example.com ssh-ed25519 AAAA", "ends too early", id="short-blob"),
        pytest.param(f"ann@example.com ssh-rsa {KEY.split()[1]}", "says ssh-rsa", id="other-type-inside"),
        pytest.param(f"ann@example.com no-touch {KEY}", "not known", id="unknown-option"),
        pytest.param(f'ann@example.com namespaces="" {KEY}', "needs a value", id="empty-namespaces"),
        pytest.param(f"ann@example.com namespaces {KEY}", "needs a value", id="no-namespaces"),
        pytest.param(f'ann@example.com valid-after="soon" {KEY}', "no time", id="no-time"),
        pytest.param(f'ann@example.com valid-after="20261340" {KEY}', "no time", id="month-13"),
        pytest.param(
            f'ann@example.com valid-after="20270101",valid-before="20260101" {KEY}',
            "not before",
            id="upside-down",
        ),
        pytest.param(
            f'ann@example.com valid-after="20260101",valid-after="20260101" {KEY}', "twice", id="twice"
        ),
        pytest.param(f"ann@exam\x1b[2Kple.com {KEY}", "control", id="escape-sequence"),
        pytest.param(f"ann\u202e@example.com {KEY}", "invisible", id="right-to-left"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_nobody_is_trusted(line: str, why: str) -> None:
    with pytest.raises(AllowedSignersError, match=why) as caught:
        parse_allowed_signers(f"# first\nbob@example.com {OTHER}\n{line}\n".encode())
    assert "line 3" in caught.value.message


def test_bytes_that_are_no_utf8_are_named_by_line() -> None:
    with pytest.raises(AllowedSignersError, match="line 2"):
        parse_allowed_signers(b"# ok\n\xff\xfe\n")


@pytest.mark.parametrize(
    "line", [f"*@example.com cert-authority {KEY}", f"{ANN} {CERT}", f"{ANN} ssh-dss AAAAB3NzaC1kc3M="]
)
def test_what_is_not_supported_is_ignored_with_its_reason_and_never_trusted(line: str) -> None:
    signers = parse_allowed_signers(f"{line}\nbob@example.com {OTHER}\n".encode())
    assert [number for number, why in signers.ignored if why] == [1]
    with pytest.raises(SignerError) as caught:
        signers.find(ANN, public_of(key_of("ann")), now=NOW)
    assert "line 1 is ignored" in caught.value.fix


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet='ab@*!?,"= \n#\\ssh-ed25519', max_size=120).map(str.encode))
def test_any_file_gives_signers_or_a_typed_error(data: bytes) -> None:
    with contextlib.suppress(AllowedSignersError):
        parse_allowed_signers(data)


@pytest.mark.parametrize(
    ("text", "patterns", "fits"),
    [
        ("a", "a", True), ("a", "b,a", True), ("abc", "a*c", True), ("abc", "a?c", True), ("ac", "a?c", False),
        ("abc", "*", True), ("", "*", True), ("", "?", False), ("abc", "*,!a*", False), ("abc", "!a*,*", False),
        ("a*c", "a*c", True), ("aaab", "*a*b", True), ("aaac", "*a*b", False), ("a", "", False),
    ],
)  # fmt: skip
def test_patterns(text: str, patterns: str, *, fits: bool) -> None:
    assert match_list(text, patterns) is fits


def test_a_hostile_pattern_takes_no_time() -> None:
    assert not match_list("a" * 200, "*a" * 60 + "b")
