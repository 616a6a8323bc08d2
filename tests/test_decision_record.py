"""The signed record of a decision: whoever has the public key can check it, and make the decision again."""

from __future__ import annotations

import base64
import copy
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from guard.core.canonical import canonical_bytes, digest_of, digest_of_bytes
from guard.core.decide import Inputs, decide
from guard.core.dsse import IN_TOTO, MAX_ENVELOPE, pae
from guard.core.errors import GuardError
from guard.core.evidence import Reading
from guard.core.facts import Facts
from guard.core.model import Decision, Unknown
from guard.core.replay import decide_again, pack, unpack
from guard.core.snapshot import SnapshotError
from guard.journeys.demands import Demand, unmet
from guard.journeys.records import RecordError, make_record, open_record, replay, replay_record, seal
from guard.render.decision_json import decision_document
from guard.render.decision_record import decision_statement, packed_in
from guard.render.decision_record_schema import decision_record_schema
from tests.builders import verdict
from tests.decision_world import KEYS, NOW, QUESTION, loaded, new_key, public, whole_decision, whole_facts
from tests.test_snapshot import anything

KEY = new_key()
RECORD = make_record(whole_decision(), KEY, engine="0.1.0")


def statement_in(record: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(json.loads(record)["payload"]))
    return found


def test_it_names_who_decided_what_when_and_by_what() -> None:
    record, decision = open_record(RECORD, public(KEY)), whole_decision()
    assert record.signers == (KEY.kid,)
    statement, predicate = record.statement, record.predicate
    jsonschema.validate(statement, decision_record_schema())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "gpuaas/platform", "digest": {"gitCommit": "b" * 40}}]
    assert predicate["timeVerified"] == "2026-05-01T12:00:00.000000Z"
    assert predicate["policy"]["digest"] == {"sha256": digest_of_bytes(loaded().value.text)[7:]}
    assert predicate["verificationResult"] == "FAILED"
    assert [gate["id"] for gate in predicate["gates"]] == [one.id for one in decision.verdicts]
    assert [gate["outcome"] for gate in predicate["gates"]] == [one.outcome for one in decision.verdicts]
    assert record.digest == digest_of(decision_document(decision))
    sast = next(one for one in predicate["gates"] if one["id"] == "security.vulnerabilities")["evidence"]
    assert [one["key"] for one in sast] == list(KEYS[1:4])
    assert [one["state"] for one in sast] == ["known", "absent", "unknown"]
    assert (sast[0]["digest"], sast[0]["dated"]) == ({"sha256": "2" * 64}, "2026-05-01T12:00:00.000000Z")


def test_replayed_it_is_the_same_decision() -> None:
    replayed = replay_record(open_record(RECORD, public(KEY)), engine="0.1.0")
    assert replayed.same
    assert replayed.differences == ()
    assert make_record(whole_decision(), KEY, engine="0.1.0") == RECORD


READINGS = st.fixed_dictionaries({}, optional={key: anything(Reading, {}) for key in KEYS})


BOUNDED = (Phase.explicit, Phase.reuse, Phase.generate)
"""Shrinking facts takes minutes, and what was found is told anyway."""


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck), phases=BOUNDED)
@given(anything(Facts, {}), READINGS)
def test_whatever_the_facts_were_the_replay_is_the_identity(
    facts: Facts, readings: dict[str, Reading]
) -> None:
    decision = decide(QUESTION, loaded(), replace(facts, readings=readings), now=NOW)
    record = open_record(make_record(decision, KEY, engine="0.1.0"), public(KEY))
    assert replay_record(record, engine="0.1.0").same
    assert record.inputs is not None
    again = unpack(record.inputs.document, record.inputs.parts.get)
    assert (again, decide_again(again)) == (decision.made_of, decision)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in JSON data that holds a value without parts."""
    if isinstance(value, dict | list) and value:
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))
    else:
        yield path


def sampled(paths: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """All of them in a whole run; else one of each kind, whatever its number in a list."""
    if os.environ.get("GUARD_TEST_LONG"):
        return paths
    return list(
        {tuple("" if isinstance(key, int) else key for key in path): path for path in paths}.values()
    )[::3]


def changed(value: Any) -> Any:
    if isinstance(value, str):
        return value + "x"
    return (
        {True: False, False: True, None: "x"}.get(value, 1)
        if value is None or isinstance(value, bool)
        else [value, 1]
    )


def at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        data = data[key]
    return data


def refused(data: bytes, *, keys: Any = ...) -> str:
    with pytest.raises(RecordError) as caught:
        open_record(data, public(KEY) if keys is ... else keys)
    assert caught.value.exit_status == 1
    return caught.value.code


def test_each_field_changed_breaks_the_signature() -> None:
    statement, envelope = statement_in(RECORD), json.loads(RECORD)
    fields = list(places(statement))
    assert len(fields) > 300
    for path in sampled(fields):
        worse = copy.deepcopy(statement)
        at(worse, path)[path[-1]] = changed(at(worse, path)[path[-1]])
        data = json.dumps({**envelope, "payload": base64.b64encode(canonical_bytes(worse)).decode()})
        assert refused(data.encode()) == "record.unsigned", path


DERIVED = [
    path for path in places(statement_in(RECORD))
    # What cannot be checked without the signature: the version that decided, and what is nowhere else.
    if path[-1] != "release-guard"
    and path[:3] != ("predicate", "decision", "document")
    and path != ("predicate", "ledger")
]  # fmt: skip


def test_a_forger_who_is_signed_by_nobody_cannot_even_keep_it_consistent() -> None:
    """Whatever can be worked out from something else in a record has to fit it, also where no key is asked."""
    statement, envelope = statement_in(RECORD), json.loads(RECORD)
    for path in sampled(DERIVED):
        worse = copy.deepcopy(statement)
        at(worse, path)[path[-1]] = changed(at(worse, path)[path[-1]])
        data = json.dumps({**envelope, "payload": base64.b64encode(canonical_bytes(worse)).decode()})
        assert refused(data.encode(), keys=None).startswith("record."), path


def rebuilt(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A record with another decision document in it, otherwise as the guard would write it."""
    record = open_record(RECORD, None)
    document = json.loads(json.dumps(record.document))
    change(document)
    facts = unpack(record.inputs.document, record.inputs.parts.get).facts if record.inputs else None
    return seal(decision_statement(document, engine="0.0.9", facts=facts, inputs=record.inputs), KEY)


def _go(document: dict[str, Any]) -> None:
    document.update(allowed=True, decision="GO", outcome="pass")


def _passes(document: dict[str, Any]) -> None:
    document["verdicts"][4].update(outcome="pass", findings=[])


def _words(document: dict[str, Any]) -> None:
    document["verdicts"][4]["findings"][0]["message"] = "is fine"


@pytest.mark.parametrize(
    ("change", "where", "same_outcome"),
    [
        pytest.param(
            _go, [("decision", "decision"), ("decision", "outcome"), ("decision", "allowed")], False, id="said-go"
        ),
        pytest.param(
            _passes,
            [("security.vulnerabilities", "outcome"), ("security.vulnerabilities: sarif.result", "finding")],
            True, id="a-gate-passed",
        ),
        pytest.param(_words, [("security.vulnerabilities: sarif.result", "message")], True, id="other-words"),
        pytest.param(lambda d: d["verdicts"].pop(0), [("candidate", "verdict")], True, id="a-rule-was-not-asked"),
        pytest.param(
            lambda d: d["verdicts"].append({**d["verdicts"][0], "id": "x"}), [("x", "verdict")], True, id="a-gate-more"
        ),
        pytest.param(lambda d: d["verdicts"].reverse(), [("decision", "order of verdicts")], True, id="another-order"),
        pytest.param(lambda d: d["unblock"].clear(), [("decision", "unblock")], True, id="another-plan"),
    ],
)  # fmt: skip
def test_a_replay_says_where_it_differs(
    change: Any, where: list[tuple[str, str]], same_outcome: bool
) -> None:
    replayed = replay_record(open_record(rebuilt(change), public(KEY)), engine="0.1.0")
    assert not replayed.same
    assert [(one.where, one.what) for one in replayed.differences][: len(where)] == where
    assert replayed.same_outcome is same_outcome
    assert (replayed.engine, replayed.engine_again) == ("0.0.9", "0.1.0")


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("until", "now", "demand", "said"),
    [
        pytest.param(NOW + HOUR, NOW, Demand(go=True, ref="release/platform-control"), "", id="holds"),
        pytest.param(
            None, NOW + 1000 * HOUR, Demand(go=True, commit="B" * 40), "", id="time-changes-nothing"
        ),
        pytest.param(NOW + HOUR, NOW + HOUR, Demand(go=True), "it held until", id="over"),
        pytest.param(NOW + HOUR, NOW - HOUR, Demand(go=True), "which is to come", id="not-yet"),
        pytest.param(NOW + HOUR, NOW + HOUR, Demand(), "", id="over-and-nobody-minds"),
        pytest.param(None, NOW, Demand(repository="gpuaas/other"), "not about gpuaas/other", id="repository"),
        pytest.param(None, NOW, Demand(commit="a" * 40), f"not about {'a' * 40}", id="commit"),
        pytest.param(None, NOW, Demand(ref="master"), "not about refs/heads/master", id="branch"),
    ],
)
def test_what_somebody_demands_of_it(until: Any, now: Any, demand: Demand, said: str) -> None:
    go = Decision(
        QUESTION.candidate, (verdict(next_change_at=until),), "sha256:" + "1" * 64, "guard.toml", "enforce", NOW,
        made_of=whole_decision().made_of,
    )  # fmt: skip
    record = open_record(make_record(go, KEY, engine="1"), public(KEY))
    found = unmet(record, demand, now=now)
    assert len(found) == (1 if said else 0)
    assert said in "".join(found)


def test_a_no_go_is_no_go() -> None:
    assert unmet(open_record(RECORD, None), Demand(go=True), now=NOW) == ("it says NO-GO",)


def test_a_record_without_its_inputs_verifies_and_cannot_be_replayed() -> None:
    decision = whole_decision()
    assert decision.made_of is not None
    statement = decision_statement(
        decision_document(decision), engine="0.1.0", inputs_digest=pack(decision.made_of).digest
    )
    jsonschema.validate(statement, decision_record_schema())
    record = open_record(seal(statement, KEY), public(KEY))
    with pytest.raises(RecordError) as caught:
        replay_record(record, engine="0.1.0")
    assert (caught.value.code, caught.value.exit_status) == ("record.no-inputs", 2)


def test_a_decision_without_a_policy_is_replayed_too() -> None:
    for policy in (Unknown("it carries no guard.toml"), loaded()):
        decision = decide(QUESTION, policy, whole_facts(), now=NOW)
        assert replay_record(
            open_record(make_record(decision, KEY, engine="1"), public(KEY)), engine="1"
        ).same


OTHER = new_key()
ENVELOPE = json.loads(RECORD)


def enveloped(payload: bytes, *, kind: str = IN_TOTO) -> bytes:
    signature = base64.b64encode(KEY.sign(pae(kind, payload))).decode()
    return json.dumps(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind,
            "signatures": [{"keyid": "", "sig": signature}],
        }
    ).encode()


def _with(**changes: Any) -> bytes:
    return json.dumps({**ENVELOPE, **changes}).encode()


_V1 = b'{"_type":"https://in-toto.io/Statement/v1","predicateType":"%b"}'
CHECKPOINT = "application/vnd.release-guard.checkpoint+json"
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", "malformed", id="empty"),
        pytest.param(b"\xff\xfe{}", "malformed", id="not-utf8"),
        pytest.param(DEEP, "malformed", id="deep-envelope"),
        pytest.param(b" " * (MAX_ENVELOPE + 1), "malformed", id="huge"),
        pytest.param(b"[]", "malformed", id="no-object"),
        pytest.param(_with(signatures=[]), "malformed", id="no-signature"),
        pytest.param(_with(signatures=[{"sig": "A" * 88}] * 2), "unsigned", id="two-bad-signatures"),
        pytest.param(_with(payloadType="application/json"), "other-kind", id="another-payload-type"),
        pytest.param(_with(payload="{}"), "malformed", id="no-base64"),
        pytest.param(enveloped(DEEP), "malformed", id="deep-statement"),
        pytest.param(enveloped(b"\xff"), "malformed", id="statement-not-utf8"),
        pytest.param(enveloped(b"[]"), "other-kind", id="statement-no-object"),
        pytest.param(enveloped(b'{"_type":1,"_type":1}'), "malformed", id="a-key-twice"),
        pytest.param(enveloped(b'{"_type":"https://in-toto.io/Statement/v0.1"}'), "other-kind", id="old-statement"),
        pytest.param(enveloped(_V1 % b"https://slsa.dev/verification_summary/v1"), "other-kind", id="a-vsa"),
        pytest.param(enveloped(_V1 % b"urn:release-guard:predicate:decision:v1"), "malformed", id="no-predicate"),
        pytest.param(make_record(whole_decision(), OTHER, engine="1"), "unsigned", id="unknown-key"),
        pytest.param(enveloped(b"{}", kind=CHECKPOINT), "other-kind", id="a-checkpoint"),
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused(data: bytes, code: str) -> None:
    assert refused(data) == f"record.{code}"


@settings(deadline=None, max_examples=60, phases=BOUNDED)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
), st.sampled_from(sorted({path[:3] for path in places(statement_in(RECORD))}, key=str)))  # fmt: skip
def test_nothing_but_a_typed_error_comes_out(value: Any, path: tuple[Any, ...]) -> None:
    worse = copy.deepcopy(statement_in(RECORD))
    at(worse, path)[path[-1]] = value
    try:
        record = open_record(enveloped(json.dumps(worse).encode()), public(KEY))
        replay_record(record, engine="0.1.0")
    except GuardError:
        pass


def test_signed_by_two_it_verifies_by_either_and_names_those_that_are_known() -> None:
    statement, both = statement_in(RECORD), public(KEY, OTHER)
    covered = pae(IN_TOTO, canonical_bytes(statement))
    signatures = [
        {"keyid": one.kid, "sig": base64.b64encode(one.sign(covered)).decode()} for one in (OTHER, KEY)
    ]
    data = _with(signatures=signatures)
    assert open_record(data, public(KEY)).signers == (KEY.kid,)
    assert open_record(data, both).signers == (KEY.kid, OTHER.kid)
    # An id that is somebody else's proves nothing.
    assert refused(_with(signatures=[{**signatures[0], "keyid": KEY.kid}])) == "record.unsigned"


def _facts_of_version(version: Any) -> Callable[[dict[str, Any]], None]:
    return lambda table: table["facts"].update(version=version)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(_facts_of_version(0), "snapshot.version", id="older-facts"),
        pytest.param(_facts_of_version(99), "snapshot.version", id="newer-facts"),
        pytest.param(lambda t: t["facts"]["facts"].update(more=1), "snapshot.malformed", id="a-fact-nobody-knows"),
        pytest.param(lambda t: t["facts"]["facts"].pop("holds"), "snapshot.malformed", id="a-fact-less"),
        pytest.param(lambda t: t["document"].update(version=2), "snapshot.version", id="newer-inputs"),
        pytest.param(lambda t: t.update(policy="version = 9\n"), "snapshot.policy", id="a-policy-of-another-version"),
    ],
)  # fmt: skip
def test_what_another_version_wrote_verifies_and_is_not_replayed_half_understood(
    spoil: Any, code: str
) -> None:
    statement = statement_in(RECORD)
    table = statement["predicate"]["inputs"]
    spoil(table)
    names = table["document"]["inputs"]
    names["facts"] = digest_of(table["facts"])
    names["policy"]["value"]["digest"] = digest_of_bytes(table["policy"].encode())
    table["digest"] = {"sha256": digest_of(table["document"])[7:]}
    record = open_record(seal(statement, KEY), public(KEY))
    with pytest.raises(SnapshotError) as caught:
        replay_record(record, engine="0.1.0")
    assert caught.value.code == code
    assert caught.value.exit_status == 2
    with pytest.raises(SnapshotError) as later:
        replay_record(record, engine="0.2.0")
    assert (later.value.code, later.value.fix) == (code, "replay it with release-guard 0.1.0")


def test_an_input_that_is_not_what_was_named_is_found() -> None:
    record = open_record(RECORD, None)
    assert record.inputs is not None
    for name in ("policy", "facts"):
        table = copy.deepcopy(record.predicate["inputs"])
        table[name] = table[name] + "\n" if name == "policy" else {**table[name], "version": 2}
        with pytest.raises(SnapshotError) as caught:
            replay(record.document, packed_in(table), then="1", engine="1")
        assert caught.value.code == "snapshot.part-missing"
    parts = {digest: data + b" " for digest, data in record.inputs.parts.items()}
    with pytest.raises(SnapshotError) as changed_part:
        unpack(record.inputs.document, parts.get)
    assert changed_part.value.code == "snapshot.part-changed"


def test_inputs_are_the_same_bytes_for_the_same_inputs() -> None:
    one, other = whole_decision().made_of, whole_decision().made_of
    assert isinstance(one, Inputs)
    assert isinstance(other, Inputs)
    assert pack(one) == pack(other)
    assert pack(replace(one, now=NOW.replace(hour=13))).digest != pack(other).digest
    assert set(pack(one).parts) == set(pack(replace(one, now=NOW.replace(hour=13))).parts)
