"""Attestations: what the operator's key signed about this very commit, and everything that only looks like it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.adapters.evidence.operator import NO_OPERATOR, Operator
from guard.core.dsse import IN_TOTO, sealed
from guard.core.evidence import Reading
from guard.core.model import Commit, Known, Outcome, Unknown
from guard.core.policy import Gate
from guard.core.rules.readiness import judge_readiness
from tests.builders import NEW, NOW, OLD, candidate, verdict
from tests.evidence_fakes import asks, codes, read, seen, sources, submission

TYPE = "https://slsa.dev/provenance/v1"
STATEMENT: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "platform", "digest": {"gitCommit": NEW}}],
    "predicateType": TYPE,
    "predicate": {"builder": {"id": "ci"}, "tests.passed": True, "count": 1},
}
SPEC = {"kind": "attestation", "source": "provenance", "predicate_type": TYPE, "key": "ci"}


@dataclass(frozen=True)
class Key:
    private: Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    kid: str = "ci"

    def sign(self, data: bytes, /) -> bytes:
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(data)
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))

    @property
    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


CI, EVE = Key(Ed25519PrivateKey.generate()), Key(Ed25519PrivateKey.generate())
P256 = Key(ec.generate_private_key(ec.SECP256R1()))
ANYTHING = (
    st.none()
    | st.text(max_size=5)
    | st.lists(st.none() | st.dictionaries(st.just("digest"), st.text(max_size=3)))
)


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    folder = tmp_path_factory.mktemp("keys")
    for name, pem in {"ci": CI.pem, "p256": P256.pem, "broken": b"no key"}.items():
        (folder / f"{name}.pem").write_bytes(pem)
    files = {name: folder / f"{name}.pem" for name in ("ci", "p256", "broken", "gone")}
    return replace(NO_OPERATOR, keys=files)


def reading(operator: Operator, report: bytes, *, exit_code: int = 0, **spec: Any) -> Reading:
    envelope = submission(report, source="provenance", tool="cosign", exit_code=exit_code)
    given = sources(envelope, reports={envelope.id: report}, operator=operator)
    return read(asks(**{**SPEC, **spec}), given)


def signed(*keys: Key, payload_type: str = IN_TOTO, **change: Any) -> bytes:
    return sealed(payload_type, json.dumps({**STATEMENT, **change}).encode(), keys or (CI,))


def subject(**digest: str) -> list[dict[str, object]]:
    return [{"name": "x", "digest": digest}]


@pytest.mark.parametrize(
    ("report", "spec"),
    [
        pytest.param(signed(), {}, id="ed25519"),
        pytest.param(signed(P256), {"key": "p256"}, id="ecdsa"),
        pytest.param(signed(EVE, CI), {}, id="another-signature-beside-it"),
        pytest.param(signed(), {"fields": {"builder.id": "ci", "tests.passed": True, "count": 1}}, id="fields"),
        pytest.param(signed(subject=subject(sha1=NEW)), {}, id="sha1"),
        pytest.param(signed(subject=subject(sha1=NEW, sha256="e" * 64)), {}, id="a-tarball-s-sha256-beside-it"),
        pytest.param(signed(subject=[*subject(sha256="e" * 64), *subject(gitCommit=NEW)]), {}, id="among-artifacts"),
    ],
)  # fmt: skip
def test_what_counts(operator: Operator, report: bytes, spec: dict[str, Any]) -> None:
    found = reading(operator, report, **spec)
    assert codes(found) == set()
    assert seen(found).subject == NEW
    assert seen(found).digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("report", "spec", "code"),
    [
        pytest.param(signed(predicateType="https://slsa.dev/x"), {}, "attestation.type", id="another-type"),
        pytest.param(signed(), {"fields": {"builder.id": "me"}}, "attestation.field", id="another-value"),
        pytest.param(signed(), {"fields": {"count": True}}, "attestation.field", id="one-is-not-true"),
        pytest.param(signed(), {"fields": {"builder.name": "ci"}}, "attestation.field", id="no-such-field"),
        pytest.param(signed(predicate=None), {"fields": {"a": 1}}, "attestation.field", id="no-predicate"),
    ],
)  # fmt: skip
def test_what_the_statement_has_to_say(
    operator: Operator, report: bytes, spec: dict[str, Any], code: str
) -> None:
    assert codes(reading(operator, report, **spec)) == {code}


def test_a_tool_that_broke_off_proves_nothing(operator: Operator) -> None:
    assert codes(reading(operator, signed(), exit_code=1)) == {"evidence.exit-code"}


@pytest.mark.parametrize(
    ("report", "spec", "why"),
    [
        pytest.param(signed(EVE), {}, "no signature of it is by ci", id="somebody-else-s-key"),
        pytest.param(signed(P256), {}, "no signature of it is by ci", id="another-of-the-operator-s-keys"),
        pytest.param(signed(payload_type="application/json"), {}, "application/json", id="another-payload-type"),
        pytest.param(signed().replace(b'"sig":', b'"sig":"","sig":'), {}, "is there twice", id="a-key-twice"),
        pytest.param(json.dumps(STATEMENT).encode(), {}, "no payloadType", id="not-signed"),
        pytest.param(b"", {}, "not JSON", id="nothing"),
        pytest.param(signed(_type="https://in-toto.io/Statement/v0.1"), {}, "statement of version 1", id="version-0.1"),
        pytest.param(signed(subject=[]), {}, "does not name a commit", id="no-subject"),
        pytest.param(signed(subject=subject(sha256="e" * 64)), {}, "does not name a commit", id="only-an-artifact"),
        pytest.param(signed(subject="x"), {}, "not an array", id="subject-is-text"),
        pytest.param(signed(subject=["x"]), {}, "not an object", id="a-subject-is-text"),
        pytest.param(signed(subject=subject(sha1=OLD, gitCommit=NEW)), {}, "two different commits", id="two-commits"),
        pytest.param(signed(predicate="x"), {"fields": {"a": 1}}, "not an object", id="predicate-is-text"),
        pytest.param(
            sealed(IN_TOTO, b'{"_type": "a", "_type": "b"}', [CI]), {}, "'_type' is there twice", id="signed-key-twice"
        ),
        pytest.param(signed(), {"key": "other"}, "no key other", id="no-such-key"),
        pytest.param(signed(), {"key": "gone"}, "cannot be used: No such file", id="no-key-file"),
        pytest.param(signed(), {"key": "broken"}, "not a PEM public key", id="broken-key-file"),
    ],
)  # fmt: skip
def test_what_cannot_be_believed_is_unknown(
    operator: Operator, report: bytes, spec: dict[str, Any], why: str
) -> None:
    found = reading(operator, report, **spec)
    assert isinstance(found, Unknown), found
    assert why in found.why


def test_in_a_clone_no_key_is_known() -> None:
    found = reading(NO_OPERATOR, signed())
    assert isinstance(found, Unknown)
    assert "only the server side knows" in found.why


def test_a_statement_about_another_commit_is_missing(operator: Operator) -> None:
    found = reading(operator, signed(subject=subject(gitCommit=OLD)))
    gate = Gate(id="a.b", group="security", title="Built by CI", evidence=asks(**SPEC))
    given: dict[str, Any] = {"approvals": verdict("approvals"), "candidate": candidate(), "now": NOW}
    judged, *_ = judge_readiness([gate], {"a.b": found}, **given)
    assert judged.outcome == Outcome.MISSING
    assert [finding.code for finding in judged.findings] == ["evidence.other-commit"]


def test_of_a_sha_256_repository_the_sha256_is_the_commit(operator: Operator) -> None:
    new = Commit("9" * 64)
    report = signed(subject=subject(sha256=new))
    envelope = submission(report, source="provenance", subject=new)
    given = sources(envelope, reports={envelope.id: report}, operator=operator, candidate=candidate(new=new))
    assert seen(read(asks(**SPEC), given)).subject == new


@given(st.dictionaries(st.sampled_from([*STATEMENT, "digest"]), ANYTHING))
@settings(max_examples=150, deadline=None)
def test_any_signed_statement_gives_a_reading(operator: Operator, change: dict[str, Any]) -> None:
    found = reading(operator, signed(**change))
    assert isinstance(found, (Known, Unknown))
    if isinstance(found, Known) and not found.value.problems:
        assert found.value.subject == NEW


def test_the_settings_name_the_key_files(tmp_path: Path) -> None:
    from guard.settings import load_home

    (tmp_path / "settings.toml").write_text(
        'repository = "r"\ngit_dir = "/r.git"\n[attestation_keys]\nci = "ci.pem"\nabs = "/etc/ci.pem"\n'
    )
    assert load_home(tmp_path).attestation_keys == {"ci": tmp_path / "ci.pem", "abs": Path("/etc/ci.pem")}
