"""DSSE envelopes: the specification's own vector, and everything that is not what a known key has signed."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.core.dsse import (
    IN_TOTO,
    MAX_SIGNATURES,
    DsseError,
    Envelope,
    PublicKey,
    Signature,
    pae,
    parse_envelope,
    public_key_of,
    sealed,
    verified,
)

PAYLOAD = b'{"_type": "https://in-toto.io/Statement/v1"}'


@dataclass(frozen=True)
class Ed25519:
    kid: str
    key: Ed25519PrivateKey

    def sign(self, data: bytes, /) -> bytes:
        return self.key.sign(data)


@dataclass(frozen=True)
class P256:
    kid: str
    key: ec.EllipticCurvePrivateKey

    def sign(self, data: bytes, /) -> bytes:
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))


ANN = Ed25519("ann", Ed25519PrivateKey.generate())
BOB = Ed25519("bob", Ed25519PrivateKey.generate())
EVE = P256("eve", ec.generate_private_key(ec.SECP256R1()))
KEYS: dict[str, PublicKey] = {"ann": ANN.key.public_key(), "bob": BOB.key.public_key()}


def pem(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A good envelope by Ann, after the change."""
    table = json.loads(sealed(IN_TOTO, PAYLOAD, [ANN]))
    change(table)
    return json.dumps(table).encode()


def test_the_specification_s_own_vector() -> None:
    # https://github.com/secure-systems-lab/dsse/blob/master/implementation/ecdsa.py
    key = ec.EllipticCurvePublicNumbers(
        46950820868899156662930047687818585632848591499744589407958293238635476079160,
        5640078356564379163099075877009565129882514886557779369047442380624545832820,
        ec.SECP256R1(),
    ).public_key()
    kind = "http://example.com/HelloWorld"
    assert pae(kind, b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    envelope = parse_envelope(
        b'{"payload": "aGVsbG8gd29ybGQ=", "payloadType": "http://example.com/HelloWorld", "signatures": [{"sig":'
        b' "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}'
    )
    assert envelope.payload == b"hello world"
    assert verified(envelope, {"vector": key}, payload_type=kind) == ("vector",)


@pytest.mark.parametrize("signer", [pytest.param(ANN, id="ed25519"), pytest.param(EVE, id="p-256")])
def test_what_is_sealed_is_verified(signer: Ed25519 | P256) -> None:
    envelope = parse_envelope(sealed(IN_TOTO, PAYLOAD, [signer]))
    assert (envelope.payload_type, envelope.payload) == (IN_TOTO, PAYLOAD)
    assert envelope.signatures[0].keyid == signer.kid
    assert verified(envelope, {"it": public_key_of(pem(signer.key))}) == ("it",)


def test_of_several_signatures_the_known_keys_count_each_once() -> None:
    envelope = parse_envelope(sealed(IN_TOTO, PAYLOAD, [EVE, BOB, ANN, ANN]))
    assert verified(envelope, KEYS) == ("ann", "bob")


def test_a_keyid_proves_nothing_and_a_wrong_one_harms_nothing() -> None:
    by_eve = parse_envelope(sealed(IN_TOTO, PAYLOAD, [replace(EVE, kid="ann")]))
    with pytest.raises(DsseError) as refused:
        verified(by_eve, KEYS)
    assert refused.value.code == "dsse.unsigned"
    by_ann = parse_envelope(sealed(IN_TOTO, PAYLOAD, [replace(ANN, kid="somebody else")]))
    assert verified(by_ann, KEYS) == ("ann",)


def test_url_safe_base64_is_read_too() -> None:
    payload = bytes(range(256))
    table = json.loads(sealed(IN_TOTO, payload, [ANN]))
    table["payload"] = base64.urlsafe_b64encode(payload).decode()
    table["signatures"][0]["sig"] = table["signatures"][0]["sig"].replace("+", "-").replace("/", "_")
    assert verified(parse_envelope(json.dumps(table).encode()), KEYS) == ("ann",)


def test_unknown_fields_are_passed_over() -> None:
    data = changed(lambda table: table.update(extra=1) or table["signatures"][0].update(cert="x"))
    assert verified(parse_envelope(data), KEYS) == ("ann",)


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        pytest.param(Envelope(IN_TOTO, PAYLOAD, ()), "dsse.unsigned", id="no-signature"),
        pytest.param(Envelope(IN_TOTO, PAYLOAD, (Signature("ann", b"x" * 64),)), "dsse.unsigned", id="garbage"),
        pytest.param(Envelope(IN_TOTO, PAYLOAD, (Signature("ann", b""),)), "dsse.unsigned", id="empty"),
        pytest.param(
            parse_envelope(changed(lambda t: t.update(payload=base64.b64encode(PAYLOAD + b" ").decode()))),
            "dsse.unsigned",
            id="another-payload",
        ),
        pytest.param(
            parse_envelope(changed(lambda t: t.update(payloadType="application/json"))),
            "dsse.payload-type",
            id="another-type",
        ),
        pytest.param(
            parse_envelope(sealed("application/json", PAYLOAD, [ANN])), "dsse.payload-type", id="signed-as-another-type"
        ),
    ],
)  # fmt: skip
def test_what_no_known_key_signed_is_not_verified(envelope: Envelope, code: str) -> None:
    with pytest.raises(DsseError) as refused:
        verified(envelope, {**KEYS, "eve": EVE.key.public_key()})
    assert refused.value.code == code


def test_without_keys_nothing_is_verified() -> None:
    with pytest.raises(DsseError, match="no key at all"):
        verified(parse_envelope(sealed(IN_TOTO, PAYLOAD, [ANN])), {})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="an-array"),
        pytest.param(b"\xff", id="not-utf-8"),
        pytest.param(b"[" * 200_000, id="deep"),
        pytest.param(b"1" * 10_000, id="a-long-number"),
        pytest.param(
            changed(lambda t: None).replace(b'"payload":', b'"payload": "", "payload":'), id="the-same-key-twice"
        ),
        pytest.param(changed(lambda t: t.pop("payload")), id="no-payload"),
        pytest.param(changed(lambda t: t.pop("payloadType")), id="no-type"),
        pytest.param(changed(lambda t: t.update(payloadType="\ud800")), id="a-type-that-is-no-text"),
        pytest.param(changed(lambda t: t.pop("signatures")), id="no-signatures"),
        pytest.param(changed(lambda t: t.update(signatures=[])), id="an-empty-list"),
        pytest.param(changed(lambda t: t.update(signatures=[{}])), id="a-signature-without-sig"),
        pytest.param(changed(lambda t: t.update(signatures=["x"])), id="a-signature-that-is-text"),
        pytest.param(changed(lambda t: t["signatures"][0].update(sig="")), id="an-empty-signature"),
        pytest.param(changed(lambda t: t["signatures"][0].update(keyid=1)), id="a-keyid-that-is-a-number"),
        pytest.param(changed(lambda t: t.update(signatures=t["signatures"] * (MAX_SIGNATURES + 1))), id="too-many"),
        pytest.param(changed(lambda t: t.update(payload="aGk")), id="no-padding"),
        pytest.param(changed(lambda t: t.update(payload="aGk=\n")), id="a-line-break"),
        pytest.param(changed(lambda t: t.update(payload="é")), id="not-base64"),
    ],
)  # fmt: skip
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(DsseError) as refused:
        parse_envelope(data)
    assert refused.value.code == "dsse.malformed"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", id="broken"),
        pytest.param(pem(rsa.generate_private_key(65537, 2048)), id="rsa"),
        pytest.param(pem(ec.generate_private_key(ec.SECP384R1())), id="p-384"),
    ],
)
def test_other_keys_are_refused(text: bytes) -> None:
    with pytest.raises(DsseError) as refused:
        public_key_of(text)
    assert refused.value.code == "dsse.key"


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_an_envelope_or_a_typed_error(data: bytes) -> None:
    with contextlib.suppress(DsseError):
        assert isinstance(parse_envelope(data), Envelope)


VALUES: st.SearchStrategy[object] = (
    st.none() | st.integers() | st.text(max_size=8) | st.just([{"sig": "AAAA"}])
)


@given(st.dictionaries(st.sampled_from(["payload", "payloadType", "signatures", "keyid", "sig"]), VALUES))
@settings(max_examples=200, deadline=None)
def test_anything_like_an_envelope_is_never_verified(table: Mapping[str, object]) -> None:
    with pytest.raises(DsseError):
        verified(parse_envelope(json.dumps(table).encode()), KEYS)
