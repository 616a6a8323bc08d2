"""The ledger for outsiders: statements that they check with a public key and none of the guard's own code."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from guard.cli.main import status_of
from guard.core.decide import decide
from guard.journeys.reconcile import record_move
from guard.render.decision_record_schema import decision_record_schema
from guard.render.move_statement import move_schema
from tests.builders import NEW, OLD
from tests.decision_world import NOW, QUESTION, loaded, whole_decision, whole_facts
from tests.test_audit_replay import put
from tests.test_checkpoints import NAME, Home

REF = "refs/heads/release/platform-control"


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Home:
    """A ledger with a baseline, two decisions, a promotion and a move without a permit."""
    made = Home(tmp_path / "guard", capsys)
    ledger = made.ledger
    ledger.append(
        "baseline.adopted", {"ref": REF, "head": OLD, "by": "ann", "because": "", "instead_of": None}, at=NOW
    )
    put(ledger, whole_decision(), proposal="7")
    entry = put(ledger, decide(QUESTION, loaded(), whole_facts(), now=NOW.replace(hour=13)), promotion="p")
    ledger.append("promotion.requested", {"promotion": "p", "by": "bob"}, at=NOW, once="promotion:p")
    issued = {
        "permit": "x", "promotion": "p", "issued": "2026-05-01T12:00:00Z", "expires": "2026-05-01T12:15:00Z",
        "decision": entry.body["digest"], "policy": loaded().value.digest,
    }  # fmt: skip
    ledger.append("permit.issued", issued, at=NOW, once="permit.issued:x")
    record_move(ledger, REF, old=OLD, new=NEW, permit="x", now=NOW)
    record_move(ledger, REF, old=NEW, new="e" * 40, permit=None, now=NOW)
    record_move(ledger, REF, old="e" * 40, new="0" * 40, permit=None, now=NOW)
    return made


def outsiders_keys(jwks: Path) -> dict[str, Ed25519PublicKey]:
    """RFC 8037, read anew."""
    return {
        one["kid"]: Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(one["x"] + "=="))
        for one in json.loads(jwks.read_text())["keys"]
    }


def covered(envelope: Mapping[str, Any]) -> bytes:
    """What a DSSE signature is over, as the specification words it: each length before its bytes."""
    kind, body = envelope["payloadType"].encode(), base64.standard_b64decode(envelope["payload"])
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(body)).encode(), body])


def outsiders_verify(line: str, keys: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    envelope = json.loads(line)
    assert envelope.keys() == {"payload", "payloadType", "signatures"}
    (signature,) = envelope["signatures"]
    keys[signature["keyid"]].verify(base64.standard_b64decode(signature["sig"]), covered(envelope))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    statement: dict[str, Any] = json.loads(base64.standard_b64decode(envelope["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    return statement


SCHEMAS = {
    "urn:release-guard:predicate:decision:v1": decision_record_schema(),
    "urn:release-guard:predicate:move:v1": move_schema(),
}


def test_every_line_is_a_statement_that_anybody_can_verify(home: Home) -> None:
    keys = outsiders_keys(home.path / "jwks.json")
    lines = home.audit("export", "--format", "in-toto").splitlines()
    statements = [outsiders_verify(line, keys) for line in lines]
    for statement in statements:
        jsonschema.validate(statement, SCHEMAS[statement["predicateType"]])
    told = [
        (one["predicate"].get("kind", "decision"), one["subject"][0]["digest"]["gitCommit"][0])
        for one in statements
    ]
    assert told == [
        ("baseline", "a"), ("decision", "b"), ("decision", "b"), ("promotion", "b"), ("move", "e"), ("move", "e"),
    ]  # fmt: skip
    decided, promoted = statements[2]["predicate"], statements[3]["predicate"]
    assert promoted["permit"]["decision"] == decided["decision"]["digest"]
    assert promoted["permit"]["policy"] == decided["policy"]["digest"]
    assert (promoted["by"], promoted["old"], promoted["new"]) == ("bob", OLD, NEW)
    assert decided["inputs"]["document"] is None
    entries = {entry.seq: entry.hash for entry in home.ledger.entries()}
    assert all(
        entries[one["predicate"]["ledger"]["seq"]] == one["predicate"]["ledger"]["hash"] for one in statements
    )
    assert {one["predicate"]["verifier"]["id"] for one in statements} == {f"urn:release-guard:guard:{NAME}"}


def test_the_guard_s_own_command_checks_a_bundle(home: Home, tmp_path: Path) -> None:
    bundle, jwks = tmp_path / "b.jsonl", str(home.path / "jwks.json")

    def verify(*more: str) -> tuple[int, str, str]:
        home.capsys.readouterr()
        status = status_of(["decision", "verify-bundle", str(bundle), *more])
        return (status, *home.capsys.readouterr())

    home.audit("export", "--format", "in-toto", "--with-inputs", "--out", str(bundle))
    status, out, _ = verify("--jwks", jwks)
    assert (status, out.splitlines()[-1]) == (0, "6 statements hold")
    assert [line.split()[1] for line in out.splitlines()[:-1]] == [
        "baseline", "NO-GO", "NO-GO", "promotion", "move", "move",
    ]  # fmt: skip
    told = [json.loads(line) for line in verify("--jwks", jwks, "--format", "json")[1].splitlines()]
    assert told[3]["commit"] == NEW
    assert verify()[0] == 64
    lines = bundle.read_bytes().splitlines(keepends=True)
    for spoilt, code in (
        (b"{}\n", "record.malformed"),
        (lines[3].replace(b'"sig":"', b'"sig":"AAAA'), "record.unsigned"),
        (lines[1].replace(b'"sig":"', b'"sig":"AAAA'), "record.unsigned"),
        (b"\xff\n", "record.malformed"),
    ):
        bundle.write_bytes(lines[0] + spoilt)
        status, _, err = verify("--jwks", jwks)
        assert (status, err.split(":")[0]) == (1, code)
        assert "line 2" in err


def test_openssl_says_so_too(home: Home, tmp_path: Path) -> None:
    envelope = json.loads(home.audit("export", "--format", "in-toto").splitlines()[0])
    (signature,) = envelope["signatures"]
    private = home.path / "keys" / f"{signature['keyid']}.pem"
    public, message, sig = (tmp_path / name for name in ("public.pem", "message", "sig"))
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    sig.write_bytes(base64.b64decode(signature["sig"]))
    for data, status in ((covered(envelope), 0), (covered(envelope) + b" ", 1)):
        message.write_bytes(data)
        command = (
            f"openssl pkeyutl -verify -pubin -inkey {public} -rawin -in {message} -sigfile {sig}".split()
        )
        assert subprocess.run(command, capture_output=True, check=False).returncode == status


def test_another_key_or_another_word_does_not_verify(home: Home) -> None:
    keys, other = outsiders_keys(home.path / "jwks.json"), Home(home.path.parent / "other", home.capsys)
    line = home.audit("export", "--format", "in-toto").splitlines()[3]
    envelope = json.loads(line)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["by"] = "eve"
    forged = {**envelope, "payload": base64.b64encode(json.dumps(statement).encode()).decode()}
    with pytest.raises(InvalidSignature):
        outsiders_verify(json.dumps(forged), keys)
    (theirs,) = list(outsiders_keys(other.path / "jwks.json").values())[:1]
    with pytest.raises(InvalidSignature):
        outsiders_verify(line, dict.fromkeys(keys, theirs))


def test_it_is_the_same_each_time_and_whole_where_that_is_asked(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "all.intoto.jsonl"
    plain = home.audit("export", "--format", "in-toto")
    assert home.audit("export", "--format", "in-toto") == plain
    home.audit("export", "--format", "in-toto", "--with-inputs", "--out", str(out))
    keys = outsiders_keys(home.path / "jwks.json")
    whole = [outsiders_verify(line, keys)["predicate"] for line in out.read_text().splitlines()]
    assert [bool(one["inputs"]["document"]) for one in whole if "inputs" in one] == [True, True]
    assert "usage.format" in home.audit("export", "--with-inputs", status=64)
