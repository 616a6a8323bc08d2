"""SSH signatures: made here, checked here, and both ways with OpenSSH's own ssh-keygen."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.adapters.ssh_keys import SigningKeyError, load_signer
from guard.core.errors import UsageError
from guard.core.sshkey import SignatureError, parse_public_key, ssh_string
from guard.core.sshsig import NAMESPACE, PrivateKey, parse, public_of, sign, verify
from tests.gitrepo import clean_environment
from tests.people import key_of, public_text, write_key

MESSAGE = b'{"type":"approval"}'
SSH_KEYGEN = shutil.which("ssh-keygen")
needs_ssh_keygen = pytest.mark.skipif(SSH_KEYGEN is None, reason="ssh-keygen is not installed")

KEYS: dict[str, Callable[[], PrivateKey]] = {
    "ed25519": lambda: key_of("ann"),
    "ecdsa-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ecdsa-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
}


@cache
def made_key(kind: str) -> PrivateKey:
    return KEYS[kind]()


def armored(*fields: bytes | str, head: bytes = b"SSHSIG\x00\x00\x00\x01") -> bytes:
    data = head + b"".join(ssh_string(field) for field in fields)
    text = base64.b64encode(data).decode()
    return f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n".encode()


def to_be_signed(message: bytes = MESSAGE, *, reserved: bytes = b"", hash_name: str = "sha512") -> bytes:
    digest = hashlib.new(hash_name, message).digest()
    return b"SSHSIG" + b"".join(ssh_string(field) for field in (NAMESPACE, reserved, hash_name, digest))


def code_of(data: bytes, message: bytes = MESSAGE) -> str:
    with pytest.raises(SignatureError) as caught:
        verify(data, message)
    return caught.value.code


@pytest.mark.parametrize("kind", KEYS)
def test_what_is_signed_here_is_verified_here(kind: str) -> None:
    key = made_key(kind)
    signature = sign(MESSAGE, key)
    assert verify(signature, MESSAGE) == public_of(key)
    assert code_of(signature, MESSAGE + b" ") == "signature.wrong"


def test_a_signature_for_another_namespace_does_not_count() -> None:
    assert code_of(sign(MESSAGE, key_of("ann"), namespace="git")) == "signature.namespace"


def test_a_signature_put_under_another_key_does_not_count() -> None:
    blob = parse(sign(MESSAGE, key_of("ann"))).blob
    assert code_of(armored(public_of(key_of("bob")).blob, NAMESPACE, "", "sha512", blob)) == "signature.wrong"


def test_reserved_bytes_and_sha256_are_read_as_the_format_says() -> None:
    key = key_of("ann")
    raw = key.sign(to_be_signed(reserved=b"later", hash_name="sha256"))
    blob = ssh_string("ssh-ed25519") + ssh_string(raw)
    data = armored(public_of(key).blob, NAMESPACE, "later", "sha256", blob)
    assert verify(data, MESSAGE) == public_of(key)


def rsa_blob(modulus: int, exponent: int = 65537) -> bytes:
    numbers = (exponent, modulus)
    return ssh_string("ssh-rsa") + b"".join(
        ssh_string(n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in numbers
    )


def test_rsa_signs_with_sha2_alone() -> None:
    key = made_key("rsa-2048")
    assert isinstance(key, rsa.RSAPrivateKey)
    blob = public_of(key).blob
    for algorithm, digest in (("rsa-sha2-256", hashes.SHA256()), ("rsa-sha2-512", hashes.SHA512())):
        raw = key.sign(to_be_signed(), padding.PKCS1v15(), digest)
        signature = ssh_string(algorithm) + ssh_string(raw)
        assert verify(armored(blob, NAMESPACE, "", "sha512", signature), MESSAGE).blob == blob
    sha1 = ssh_string("ssh-rsa") + ssh_string(b"x" * 256)
    assert code_of(armored(blob, NAMESPACE, "", "sha512", sha1)) == "signature.algorithm"


ANN = public_of(key_of("ann")).blob
GOOD = ssh_string("ssh-ed25519") + ssh_string(b"x" * 64)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", "signature.malformed", id="nothing"),
        pytest.param(b"\xff" * 10, "signature.malformed", id="not-ascii"),
        pytest.param(b"A" * 40_000, "signature.malformed", id="too-long"),
        pytest.param(b"-----BEGIN SSH SIGNATURE-----", "signature.malformed", id="armor-cut-off"),
        pytest.param(
            b"-----BEGIN SSH SIGNATURE-----\n!!\n-----END SSH SIGNATURE-----",
            "signature.malformed",
            id="no-base64",
        ),
        pytest.param(
            armored(ANN, NAMESPACE, "", "sha512", GOOD, head=b"SSHSIG\x00\x00\x00\x02"),
            "signature.malformed",
            id="version-2",
        ),
        pytest.param(
            armored(ANN, NAMESPACE, "", "sha512", GOOD, head=b"SSHSAG\x00\x00\x00\x01"),
            "signature.malformed",
            id="magic",
        ),
        pytest.param(
            armored(ANN, NAMESPACE, "", "sha512", GOOD, b"more"), "signature.malformed", id="trailing"
        ),
        pytest.param(armored(ANN, "", "", "sha512", GOOD), "signature.malformed", id="no-namespace"),
        pytest.param(armored(ANN, NAMESPACE, "", "md5", GOOD), "signature.malformed", id="md5"),
        pytest.param(armored(ANN, NAMESPACE, "", "sha512", GOOD), "signature.wrong", id="made-up"),
        pytest.param(
            armored(ANN, NAMESPACE, "", "sha512", GOOD + b"x"), "signature.malformed", id="blob-trailing"
        ),
        pytest.param(
            armored(ANN + b"x", NAMESPACE, "", "sha512", GOOD), "signature.malformed", id="key-trailing"
        ),
        pytest.param(
            armored(ssh_string("ssh-ed25519") + ssh_string(b"short"), NAMESPACE, "", "sha512", GOOD),
            "signature.key",
            id="short-key",
        ),
        pytest.param(
            armored(ssh_string("ssh-dss"), NAMESPACE, "", "sha512", GOOD), "signature.key-type", id="dsa"
        ),
        pytest.param(
            armored(rsa_blob(2**1023 + 1), NAMESPACE, "", "sha512", GOOD), "signature.weak-key", id="rsa-1024"
        ),
        pytest.param(
            armored(rsa_blob(2**2047 + 1, 4), NAMESPACE, "", "sha512", GOOD), "signature.key", id="rsa-even-e"
        ),
        pytest.param(
            armored(rsa_blob(2**2047 + 1, 2**70 + 1), NAMESPACE, "", "sha512", GOOD),
            "signature.key",
            id="rsa-huge-e",
        ),
    ],
)
def test_what_is_no_good_signature_is_refused_with_its_reason(data: bytes, code: str) -> None:
    assert code_of(data) == code


APPLICATION = b"ssh:"


def touched(flags: int) -> bytes:
    inner = hashlib.sha256(to_be_signed()).digest()
    return hashlib.sha256(APPLICATION).digest() + bytes([flags]) + b"\x00\x00\x00\x07" + inner


def security_key(kind: str, *, flags: int) -> tuple[bytes, bytes]:
    """The public blob and signature blob of a security key, made in software."""
    tail = bytes([flags]) + b"\x00\x00\x00\x07"
    if kind == "ed25519":
        name = "sk-ssh-ed25519@openssh.com"
        key = Ed25519PrivateKey.generate()
        point = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        blob = ssh_string(name) + ssh_string(point) + ssh_string(APPLICATION)
        return blob, ssh_string(name) + ssh_string(key.sign(touched(flags))) + tail
    name = "sk-ecdsa-sha2-nistp256@openssh.com"
    curve = ec.generate_private_key(ec.SECP256R1())
    point = curve.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    blob = ssh_string(name) + ssh_string("nistp256") + ssh_string(point) + ssh_string(APPLICATION)
    pair = decode_dss_signature(curve.sign(touched(flags), ec.ECDSA(hashes.SHA256())))
    raw = b"".join(ssh_string(n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in pair)
    return blob, ssh_string(name) + ssh_string(raw) + tail


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_security_key_counts_when_it_was_touched(kind: str) -> None:
    blob, signature = security_key(kind, flags=0x01)
    data = armored(blob, NAMESPACE, "", "sha512", signature)
    assert verify(data, MESSAGE).blob == blob
    assert code_of(data, b"other") == "signature.wrong"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_security_key_that_was_not_touched_does_not_count(kind: str) -> None:
    blob, signature = security_key(kind, flags=0x04)
    assert code_of(armored(blob, NAMESPACE, "", "sha512", signature)) == "signature.no-touch"


VALID = [sign(MESSAGE, key_of("ann")), armored(ANN, NAMESPACE, "", "sha512", GOOD)] + [
    armored(blob, NAMESPACE, "", "sha512", signature)
    for blob, signature in (security_key("ecdsa", flags=1), security_key("ed25519", flags=1))
]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=4),
    st.data(),
)
def test_a_damaged_signature_gives_a_typed_error_or_is_none(
    whole: bytes, edits: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Whatever the bytes inside the armor are, the answer is an error with a code, never a crash."""
    inner = bytearray(base64.b64decode(b"".join(whole.split(b"\n")[1:-2])))
    for at, value in edits:
        inner[at % len(inner)] = value
    cut = data.draw(st.integers(0, len(inner)))
    text = base64.b64encode(bytes(inner[:cut])).decode()
    spoilt = f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----".encode()
    with pytest.raises(SignatureError):
        verify(spoilt, MESSAGE + b"!")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_at_all_give_a_typed_error(data: bytes) -> None:
    with pytest.raises(SignatureError):
        verify(data, MESSAGE)
    with pytest.raises(SignatureError):
        verify(b"-----BEGIN SSH SIGNATURE-----" + data + b"-----END SSH SIGNATURE-----", MESSAGE)
    with pytest.raises(SignatureError):
        parse_public_key(data.decode("latin-1"))


def ssh_keygen(*args: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["ssh-keygen", *map(str, args)],
        input=stdin,
        capture_output=True,
        env=clean_environment(),
        check=False,
    )


@needs_ssh_keygen
@pytest.mark.parametrize("kind", KEYS)
def test_ssh_keygen_verifies_what_is_signed_here(kind: str, tmp_path: Path) -> None:
    key = made_key(kind)
    (tmp_path / "signers").write_text(f"ann@example.com {public_text(public_of(key))}\n")
    (tmp_path / "sig").write_bytes(sign(MESSAGE, key))
    asked = ("-f", tmp_path / "signers", "-I", "ann@example.com", "-n", NAMESPACE, "-s", tmp_path / "sig")
    done = ssh_keygen("-Y", "verify", *asked, stdin=MESSAGE)
    assert done.returncode == 0, done.stderr


@needs_ssh_keygen
@pytest.mark.parametrize("kind", KEYS)
def test_what_ssh_keygen_signs_is_verified_here(kind: str, tmp_path: Path) -> None:
    key = made_key(kind)
    file = write_key(tmp_path / "id", key)
    done = ssh_keygen("-Y", "sign", "-n", NAMESPACE, "-f", file, stdin=MESSAGE)
    assert done.returncode == 0, done.stderr
    assert verify(done.stdout, MESSAGE) == public_of(key)


@needs_ssh_keygen
def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    file = write_key(tmp_path / "id", key_of("ann"))
    assert public_of(key_of("ann")).fingerprint in ssh_keygen("-l", "-f", file).stdout.decode()


# Which key signs


def config(**values: str) -> Callable[[str], str | None]:
    return lambda name: values.get(name.replace(".", "_"))


@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8])
def test_a_private_key_file_signs_without_ssh_keygen(
    form: PrivateFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    file = tmp_path / "id"
    file.write_bytes(key_of("ann").private_bytes(Encoding.PEM, form, NoEncryption()))
    signer = load_signer(str(file), environment={}, config=config())
    assert verify(signer.sign(MESSAGE), MESSAGE) == public_of(key_of("ann"))


def test_the_option_goes_before_the_variable_and_the_variable_before_git(tmp_path: Path) -> None:
    files = {name: str(write_key(tmp_path / name, key_of(name))) for name in ("ann", "bob", "cid")}
    env, git = {"GUARD_SSH_KEY": files["bob"]}, config(user_signingkey=files["cid"])

    def signer_of(key: str | None, environment: dict[str, str]) -> str:
        return verify(
            load_signer(key, environment=environment, config=git).sign(MESSAGE), MESSAGE
        ).fingerprint

    expected = [public_of(key_of(name)).fingerprint for name in ("ann", "bob", "cid")]
    assert [signer_of(files["ann"], env), signer_of(None, env), signer_of(None, {})] == expected


@pytest.mark.parametrize(
    ("git", "reason"),
    [
        pytest.param({}, UsageError, id="no-key-anywhere"),
        pytest.param({"user_signingkey": "0xDEADBEEF"}, UsageError, id="a-gpg-key"),
        pytest.param({"user_signingkey": "missing", "gpg_format": "ssh"}, SigningKeyError, id="no-such-file"),
        pytest.param({"user_signingkey": "key::ssh-ed25519 AAAA"}, SigningKeyError, id="literal-and-no-key"),
    ],
)
def test_no_usable_key_is_said_so(git: dict[str, str], reason: type[Exception]) -> None:
    with pytest.raises(reason):
        load_signer(None, environment={}, config=config(**git))


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\xff\xfe\x00", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"]
)
def test_a_file_that_is_no_key_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "id").write_bytes(content)
    with pytest.raises(SigningKeyError):
        load_signer(str(tmp_path / "id"), environment={}, config=config())


def encrypted_pem(tmp_path: Path) -> str:
    file = tmp_path / "locked"
    key = made_key("ecdsa-256")
    lock = BestAvailableEncryption(b"secret")
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    return str(file)


def test_an_encrypted_key_needs_ssh_keygen_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = encrypted_pem(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SigningKeyError) as caught:
        load_signer(file, environment={}, config=config())
    assert caught.value.code == "key.needs-ssh-keygen"


@needs_ssh_keygen
def test_an_encrypted_key_signs_through_ssh_keygen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    askpass = tmp_path / "askpass"
    askpass.write_text("#!/bin/sh\necho secret\n")
    askpass.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(askpass))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    file = write_key(tmp_path / "id", key_of("ann"))
    assert ssh_keygen("-p", "-P", "", "-N", "secret", "-f", file).returncode == 0
    signer = load_signer(str(file), environment={}, config=config())
    assert verify(signer.sign(MESSAGE), MESSAGE) == public_of(key_of("ann"))


@needs_ssh_keygen
def test_a_public_key_alone_signs_through_the_agent_and_says_when_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    public = write_key(tmp_path / "id", key_of("ann")).with_name("id.pub")
    (tmp_path / "id").unlink()
    signer = load_signer(str(public), environment={}, config=config())
    with pytest.raises(SigningKeyError, match="did not sign"):
        signer.sign(MESSAGE)
