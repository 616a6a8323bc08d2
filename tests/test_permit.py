"""The permit: what it takes to be believed, and every reason for which one is refused."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.adapters.keys import SigningKey, public_jwk
from guard.core.canonical import canonical_bytes
from guard.core.permit import Permit, PermitError, parse_jwks, read, sign, verify
from guard.core.permit_check import MAX_TOKEN

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
OLD, NEW, TREE = "a" * 40, "b" * 40, "c" * 40
REF = "refs/heads/release/platform-control"


def key_of(seed: int) -> SigningKey:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return SigningKey(public_jwk(private.public_key())["kid"], private)


KEY, FOREIGN = key_of(1), key_of(2)
KEYS: dict[str, Mapping[str, object]] = {KEY.kid: public_jwk(KEY.private.public_key())}
PERMIT = Permit(
    id="Zm9vYmFyYmF6cXV4cXV1eA",
    repository="gpuaas/platform",
    ref=REF,
    old=OLD,
    new=NEW,
    tree=TREE,
    decision="sha256:" + "d" * 64,
    policy="sha256:" + "e" * 64,
    by="ann@example.com",
    issued=SECONDS,
    expires=SECONDS + 900,
)
TOKEN = sign(PERMIT, KEY)
MOVE: dict[str, Any] = {
    "now": NOW,
    "repository": "gpuaas/platform",
    "ref": REF,
    "old": OLD,
    "new": NEW,
    "tree": TREE,
}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: bytes | None = None, payload: bytes | None = None, *, key: SigningKey = KEY) -> str:
    """A token with a good signature over whatever is in it."""
    parts = TOKEN.split(".")
    head = b64(header) if header is not None else parts[0]
    body = b64(payload) if payload is not None else parts[1]
    return f"{head}.{body}.{b64(key.sign(f'{head}.{body}'.encode()))}"


def payload(**changes: object) -> bytes:
    """The good payload with members changed, or taken out where the value is None."""
    claims = json.loads(base64.urlsafe_b64decode(TOKEN.split(".")[1] + "=="))
    return canonical_bytes({k: v for k, v in {**claims, **changes}.items() if v is not None})


def header(**changes: object) -> bytes:
    good = {"alg": "EdDSA", "kid": KEY.kid, "typ": "guard-permit+jws"}
    return canonical_bytes({k: v for k, v in {**good, **changes}.items() if v is not None})


def test_a_good_permit_is_believed() -> None:
    assert verify(TOKEN, KEYS, **MOVE) == PERMIT
    assert verify(TOKEN, KEYS, **{**MOVE, "new": None, "tree": None}) == PERMIT


def test_sha256_repositories_and_names_in_any_script() -> None:
    permit = replace(
        PERMIT, old="1" * 64, new="2" * 64, tree="3" * 64, by="Анна 𝄞", ref="refs/heads/выпуск/1"
    )
    move = {**MOVE, "old": "1" * 64, "new": "2" * 64, "tree": "3" * 64, "ref": permit.ref}
    assert verify(sign(permit, KEY), KEYS, **move) == permit


def test_its_bytes_are_rfc_8785() -> None:
    for part in sign(replace(PERMIT, by='A "q" \\ é 𝄞 \u2028'), KEY).split(".")[:2]:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        assert canonical_bytes(json.loads(data)) == data


OTHER_MOVES = [
    pytest.param({"repository": "gpuaas/other"}, "permit.other-repository", id="other-repository"),
    pytest.param({"ref": REF + "2"}, "permit.other-ref", id="other-ref"),
    pytest.param({"ref": REF.upper()}, "permit.other-ref", id="ref-in-other-case"),
    pytest.param({"old": NEW}, "permit.other-old", id="target-moved-meanwhile"),
    pytest.param({"new": "f" * 40}, "permit.other-new", id="other-commit"),
    pytest.param({"new": "0" * 40}, "permit.other-new", id="deletion"),
    pytest.param({"tree": "f" * 40}, "permit.other-tree", id="other-tree"),
    pytest.param({"now": NOW + timedelta(seconds=899)}, None, id="just-in-time"),
    pytest.param({"now": NOW + timedelta(seconds=900)}, "permit.expired", id="expired-on-the-second"),
    pytest.param({"now": NOW + timedelta(days=900)}, "permit.expired", id="long-expired"),
    pytest.param({"now": NOW - timedelta(seconds=5)}, None, id="clock-5-seconds-behind"),
    pytest.param({"now": NOW - timedelta(seconds=6)}, "permit.not-yet-valid", id="clock-6-seconds-behind"),
]


@pytest.mark.parametrize(("change", "code"), OTHER_MOVES)
def test_it_is_for_one_move_and_one_time(change: dict[str, Any], code: str | None) -> None:
    assert code_of(lambda: verify(TOKEN, KEYS, **{**MOVE, **change})) == code


MALFORMED: list[Any] = [
    pytest.param("", id="empty"),
    pytest.param("a.b", id="two-parts"),
    pytest.param(TOKEN + ".x", id="four-parts"),
    pytest.param(TOKEN + "=", id="padding"),
    pytest.param(" " + TOKEN, id="space-before"),
    pytest.param(TOKEN + "\n", id="newline-after"),
    pytest.param("é" + TOKEN, id="not-ascii"),
    pytest.param("A" * (MAX_TOKEN + 1), id="too-long"),
    pytest.param(None, id="not-text"),
    pytest.param(forged(b"[]"), id="header-is-a-list"),
    pytest.param(forged(b"{"), id="header-is-broken"),
    pytest.param(forged(b"\xff"), id="header-is-not-utf8"),
    pytest.param(forged(b"[" * 2000), id="header-is-a-nest"),
    pytest.param(forged(header(alg="none")), id="alg-none"),
    pytest.param(forged(header(alg="HS256")), id="alg-hs256"),
    pytest.param(forged(header(alg="eddsa")), id="alg-in-other-case"),
    pytest.param(forged(header(typ="JWT")), id="another-typ"),
    pytest.param(forged(header(typ=None)), id="no-typ"),
    pytest.param(forged(header(crit=["x"])), id="extra-header"),
    pytest.param(
        forged(header(jwk=public_jwk(FOREIGN.private.public_key())), key=FOREIGN), id="brings-its-own-key"
    ),
    pytest.param(forged(header()[:-1] + b',"alg":"EdDSA"}'), id="duplicate-header"),
    pytest.param(forged(b" " + header()), id="space-in-header"),
    pytest.param(forged(payload=b"null"), id="payload-is-null"),
    pytest.param(forged(payload=payload(jti=None)), id="no-id"),
    pytest.param(forged(payload=payload(extra=1)), id="extra-claim"),
    pytest.param(forged(payload=payload()[:-1] + b',"old":"' + NEW.encode() + b'"}'), id="duplicate-claim"),
    pytest.param(forged(payload=json.dumps(json.loads(payload()), indent=1).encode()), id="not-canonical"),
    pytest.param(forged(payload=payload(jti="short")), id="short-id"),
    pytest.param(forged(payload=payload(jti="../../../../etc/passwd")), id="id-is-a-path"),
    pytest.param(forged(payload=payload(old="a" * 39)), id="short-commit"),
    pytest.param(forged(payload=payload(new="B" * 40)), id="upper-case-commit"),
    pytest.param(forged(payload=payload(new=12)), id="commit-is-a-number"),
    pytest.param(forged(payload=payload(ref="refs/tags/v1")), id="a-tag"),
    pytest.param(forged(payload=payload(ref="refs/heads/a\nb")), id="newline-in-ref"),
    pytest.param(forged(payload=payload(by="a\x1b[2J")), id="control-characters-in-by"),
    pytest.param(forged(payload=payload(by="x" * 201)), id="by-too-long"),
    pytest.param(forged(payload=payload(decision="md5:1")), id="another-digest"),
    pytest.param(forged(payload=payload(iat=True)), id="iat-is-true"),
    pytest.param(forged(payload=payload(iat=float(SECONDS) + 0.5)), id="iat-is-a-fraction"),
    pytest.param(forged(payload=payload(exp=str(SECONDS + 9))), id="exp-is-text"),
    pytest.param(forged(payload=payload(exp=SECONDS)), id="no-life"),
    pytest.param(forged(payload=payload(exp=SECONDS + 3601)), id="lives-over-an-hour"),
    pytest.param(forged(payload=payload(iat=2**53 - 2, exp=2**53 - 1)), id="beyond-the-calendar"),
    pytest.param(forged(payload=payload(iat=-5, exp=5)), id="before-1970"),
    pytest.param(forged(payload=b'{"exp":' + b"9" * 3000 + b"}"), id="a-huge-number"),
]


@pytest.mark.parametrize("token", MALFORMED)
def test_it_is_read_strictly(token: Any) -> None:
    assert code_of(lambda: verify(token, KEYS, **MOVE)) == "permit.malformed"


UNTRUSTED = [
    pytest.param(sign(PERMIT, FOREIGN), KEYS, "permit.unknown-key", id="foreign-key"),
    pytest.param(forged(key=FOREIGN), KEYS, "permit.signature", id="foreign-signature-under-our-kid"),
    pytest.param(forged(header(kid=7)), KEYS, "permit.unknown-key", id="kid-is-a-number"),
    pytest.param(TOKEN, {}, "permit.unknown-key", id="no-keys"),
    pytest.param(TOKEN, {KEY.kid: {"kty": "RSA"}}, "permit.keys-unreadable", id="key-of-another-type"),
    pytest.param(
        TOKEN, {KEY.kid: {**KEYS[KEY.kid], "x": "AAAA"}}, "permit.keys-unreadable", id="key-of-three-bytes"
    ),
    pytest.param(TOKEN[:-86] + "A" * 86, KEYS, "permit.signature", id="signature-of-zeros"),
    pytest.param(TOKEN.rpartition(".")[0] + ".AAAA", KEYS, "permit.signature", id="short-signature"),
    pytest.param(
        f"{TOKEN.split('.')[0]}.{b64(payload(new='f' * 40))}.{TOKEN.split('.')[2]}",
        KEYS,
        "permit.signature",
        id="another-payload",
    ),
]


@pytest.mark.parametrize(("token", "keys", "code"), UNTRUSTED)
def test_only_the_guards_own_signature_counts(token: str, keys: Any, code: str) -> None:
    assert code_of(lambda: verify(token, keys, **MOVE)) == code


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_change_to_a_token_is_refused(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(TOKEN) - 1))
    alphabet = st.characters(codec="ascii") | st.sampled_from("ABCxyz019-_.=+/")
    kind = data.draw(st.sampled_from(["replace", "insert", "delete", "cut"]))
    letter = data.draw(alphabet) if kind in {"replace", "insert"} else ""
    end = position + (kind in {"replace", "delete"})
    changed = TOKEN[:position] if kind == "cut" else TOKEN[:position] + letter + TOKEN[end:]
    if changed != TOKEN:
        assert code_of(lambda: verify(changed, KEYS, **MOVE)) is not None


@given(st.text(max_size=300) | st.binary(max_size=200).map(lambda b: f"{b64(b)}.{b64(b)}.{b64(b)}"))
@settings(max_examples=200, deadline=None)
def test_any_other_text_is_refused(text: str) -> None:
    assert code_of(lambda: verify(text, KEYS, **MOVE)) is not None


@pytest.mark.parametrize("change", [{"by": ""}, {"old": "x"}, {"expires": SECONDS + 9999}, {"by": "\ud800"}])
def test_nothing_is_signed_that_no_verifier_would_take(change: dict[str, Any]) -> None:
    assert code_of(lambda: sign(replace(PERMIT, **change), KEY)) == "permit.malformed"


def test_no_message_holds_the_token() -> None:
    for change in ({"new": "f" * 40}, {"now": NOW + timedelta(days=1)}):
        with pytest.raises(PermitError) as caught:
            verify(TOKEN, KEYS, **{**MOVE, **change})
        assert TOKEN.split(".")[2] not in str(caught.value) + caught.value.fix


def test_the_signature_is_that_of_rfc_8037() -> None:
    """Appendix A.1 to A.5: the key pair, its thumbprint, and the signature over the example's signing input."""
    d = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    private = Ed25519PrivateKey.from_private_bytes(d)
    jwk = public_jwk(private.public_key())
    assert jwk["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert jwk["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    assert b64(SigningKey(jwk["kid"], private).sign(signed)) == expected


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"keys": 1}', '{"keys": [{}]}', '{"keys": [1]}', b"\xff", "[" * 9999]
)
def test_unreadable_key_sets_are_refused(text: str | bytes) -> None:
    assert code_of(lambda: parse_jwks(text)) == "permit.keys-unreadable"


def test_reading_asks_for_no_time_and_no_move() -> None:
    assert read(TOKEN, KEYS) == PERMIT


def test_the_module_needs_the_standard_library_alone() -> None:
    code = (
        "import sys, guard.core.permit; "
        "print([m for m in ('pydantic', 'click', 'rfc8785', 'cryptography', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def code_of(call: Callable[[], object]) -> str | None:
    try:
        call()
    except PermitError as error:
        refusal = error
    else:
        return None
    assert refusal.fix
    assert str(refusal).isprintable()
    return refusal.code
