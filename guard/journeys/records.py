"""The signed decision record: made, opened by whoever has a public key, and the decision in it made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guard.core.canonical import CanonicalError, canonical_bytes, digest_of
from guard.core.differences import Difference, differences
from guard.core.dsse import IN_TOTO, DsseError, PublicKey, Signer, parse_envelope, sealed, verified
from guard.core.errors import GuardError
from guard.core.facts import Facts
from guard.core.model import Decision
from guard.core.replay import Packed, decide_again, pack, parsed, unpack
from guard.core.snapshot import SnapshotError
from guard.render.decision_json import VERSION as DOCUMENT_VERSION
from guard.render.decision_json import decision_document
from guard.render.decision_record import (
    PREDICATE,
    STATEMENT,
    carried,
    decision_statement,
    evidence_of,
    frame,
    hashed,
    packed_in,
)


class RecordError(GuardError):
    """What was given is no decision record, or none that these keys have signed. `code` says which and is stable."""

    code = "record.malformed"
    exit_status = 1

    def __init__(
        self, message: str, *, fix: str = "", code: str | None = None, exit_status: int | None = None
    ) -> None:
        super().__init__(message, fix=fix, code=code)
        if exit_status is not None:
            self.exit_status = exit_status


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was read. `signers` are the names of the keys that signed it, () where none were asked for;
    `claimed` the ids that its signatures bear, which prove nothing; `inputs` is None where it does not carry them."""

    signers: tuple[str, ...]
    claimed: tuple[str, ...]
    statement: Mapping[str, Any]
    inputs: Packed | None

    @property
    def predicate(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.statement["predicate"]
        return found

    @property
    def document(self) -> Mapping[str, Any]:
        """The decision document."""
        found: Mapping[str, Any] = self.predicate["decision"]["document"]
        return found

    @property
    def digest(self) -> str:
        """The decision's digest, `sha256:…`."""
        return f"sha256:{self.predicate['decision']['digest']['sha256']}"

    @property
    def engine(self) -> str:
        """The version of release-guard that decided."""
        return str(self.predicate["verifier"]["version"]["release-guard"])

    @property
    def allowed(self) -> bool:
        return self.document["allowed"] is True


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision made again: its digest then and now, each difference, and the versions of release-guard that decided
    it then and now."""

    recorded: str
    again: str
    said: str
    said_again: str
    differences: tuple[Difference, ...]
    engine: str
    engine_again: str

    @property
    def same(self) -> bool:
        return self.recorded == self.again

    @property
    def same_outcome(self) -> bool:
        """Whether it comes to the same, in whatever words."""
        return self.said == self.said_again


def make_record(decision: Decision, signer: Signer, *, engine: str) -> bytes:
    """A signed record of the decision with everything that is needed to make it again, as canonical JSON."""
    if decision.made_of is None:
        raise RecordError("what this decision was made of is not known", code="record.no-inputs")
    statement = decision_statement(
        decision_document(decision),
        engine=engine,
        facts=decision.made_of.facts,
        inputs=pack(decision.made_of),
    )
    return seal(statement, signer)


def seal(statement: Mapping[str, Any], signer: Signer) -> bytes:
    """A statement in its signed envelope."""
    return sealed(IN_TOTO, canonical_bytes(statement), [signer])


def open_record(data: bytes, keys: Mapping[str, PublicKey] | None) -> Record:
    """The record in these bytes, signed by one of `keys` and at one with itself. None: whoever signed it.

    Raises RecordError: `record.malformed`, `record.unsigned`, `record.other-kind` for another payload or predicate, and
    `record.inconsistent` where what it says at one place does not follow from what it says at another.
    """
    try:
        envelope = parse_envelope(data)
        signers = () if keys is None else verified(envelope, keys)
    except DsseError as error:
        raise _not_sealed(error, data) from None
    if envelope.payload_type != IN_TOTO:
        raise RecordError(
            f"its payload is a {envelope.payload_type[:100]}, not an in-toto statement",
            code="record.other-kind",
        )
    claimed = tuple(one.keyid for one in envelope.signatures)
    try:
        statement = parsed(envelope.payload, what="statement")
    except SnapshotError as error:
        raise RecordError(error.message) from None
    return Record(signers, claimed, *_checked(statement))


def _not_sealed(error: DsseError, data: bytes) -> RecordError:
    if error.code == "dsse.payload-type":
        return RecordError(error.message, code="record.other-kind")
    if error.code != "dsse.unsigned":
        return RecordError(error.message, fix="name a file that guard check --record wrote")
    ids = ", ".join(one.keyid[:60] or "no id" for one in parse_envelope(data).signatures)
    return RecordError(
        f"{error.message}; it says itself that it is by {ids}",
        fix="verify it with the keys of the guard that made it, those that were replaced among them: --jwks FILE",
        code="record.unsigned",
    )


def _checked(statement: object) -> tuple[Mapping[str, Any], Packed | None]:
    """The statement and its inputs. Raises RecordError."""
    if not isinstance(statement, dict) or statement.get("_type") != STATEMENT:
        raise RecordError(f"it is no in-toto statement of the type {STATEMENT}", code="record.other-kind")
    if statement.get("predicateType") != PREDICATE:
        said = str(statement.get("predicateType"))[:100]
        raise RecordError(
            f"it says something else than a decision of this version: {said!r}, not {PREDICATE!r}",
            fix="use the version of release-guard that wrote it",
            code="record.other-kind",
        )
    try:
        return statement, _consistent(statement)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, CanonicalError) as error:
        raise RecordError(f"it is not the statement of a decision: {str(error)[:100]}") from None


def _consistent(statement: Mapping[str, Any]) -> Packed | None:
    """Everything that follows from something else in it is said as it follows; its inputs."""
    predicate = statement["predicate"]
    document = predicate["decision"]["document"]
    if document["version"] != DOCUMENT_VERSION:
        raise RecordError(
            f"its decision is of version {str(document['version'])[:20]}, and this guard reads {DOCUMENT_VERSION}",
            fix="use the version of release-guard that wrote it",
            code="record.version",
        )
    _ledger_place(predicate["ledger"])
    engine = predicate["verifier"]["version"]["release-guard"]
    if not isinstance(engine, str):
        raise TypeError("the version of release-guard is no text")
    expected = frame(document, engine=engine, ledger=predicate["ledger"])
    rest = {name: value for name, value in predicate.items() if name != "inputs"}
    gates = [{name: said for name, said in one.items() if name != "evidence"} for one in predicate["gates"]]
    for name, value in {**statement, "predicate": {**rest, "gates": gates}}.items():
        if value != expected.get(name):
            raise _inconsistent(name, value, expected.get(name))
    inputs = _inputs(predicate["inputs"])
    _check_evidence(predicate["gates"], document, inputs)
    return inputs


def _inconsistent(name: str, said: Any, expected: Any) -> RecordError:
    places = [name]
    while isinstance(said, dict) and isinstance(expected, dict):
        odd = [key for key in dict.fromkeys((*said, *expected)) if said.get(key) != expected.get(key)]
        if not odd:
            break
        places.append(str(odd[0])[:60])
        said, expected = said.get(odd[0]), expected.get(odd[0])
    where = ".".join(places)
    return RecordError(
        f"it is not at one with itself: {where} is not what follows from the decision in it",
        fix="take the record from where it was written",
        code="record.inconsistent",
    )


def _ledger_place(place: Any) -> None:
    if place is not None and not (
        isinstance(place, dict)
        and place.keys() == {"seq", "hash", "at"}
        and type(place["seq"]) is int
        and isinstance(place["hash"], str)
        and isinstance(place["at"], str)
    ):
        raise TypeError("its place in the ledger is not one")


def _inputs(table: Any) -> Packed | None:
    """The inputs that it carries, their digests checked; None where it only names them, or not even that."""
    if table is None:
        return None
    hashed(f"sha256:{table['digest']['sha256']}")
    if table["document"] is None:
        return None
    if table.keys() != {"digest", "document", "policy", "standing", "facts"}:
        raise KeyError("its inputs have other members than they should")
    packed = packed_in(table)
    if hashed(packed.digest) != table["digest"] or not _is_exact(packed, table):
        raise _inconsistent("predicate.inputs", None, None)
    return packed


def _is_exact(packed: Packed, table: Mapping[str, Any]) -> bool:
    """Whether it carries what its inputs document names and nothing else; another version's cannot be read."""
    try:
        return carried(packed) == table
    except SnapshotError:
        return True


def _check_evidence(gates: Any, document: Mapping[str, Any], inputs: Packed | None) -> None:
    """That the evidence said of each gate is what the carried facts hold, where this version can read them."""
    for gate in gates:
        if not isinstance(gate["evidence"], list) or not all(
            isinstance(one, dict) for one in gate["evidence"]
        ):
            raise TypeError("the evidence of a gate is no list")
    facts = _facts(inputs)
    if facts is None:
        return
    for gate, verdict in zip(gates, document["verdicts"], strict=True):
        if gate["evidence"] != evidence_of(verdict, facts):
            raise _inconsistent(f"predicate.gates.{str(gate['id'])[:100]}.evidence", None, None)


def _facts(inputs: Packed | None) -> Facts | None:
    try:
        return unpack(inputs.document, inputs.parts.get).facts if inputs else None
    except SnapshotError as error:
        # Another version's facts cannot be read here, and prove nothing else either.
        if error.code in {"snapshot.part-missing", "snapshot.part-changed"}:
            raise RecordError(
                f"its inputs do not add up: {error.message}", code="record.inconsistent"
            ) from None
        return None


def replay_record(record: Record, *, engine: str) -> Replayed:
    """The decision in the record made again, by this release-guard, whose version is `engine`.

    Raises RecordError `record.no-inputs`, and SnapshotError where this version cannot read what it was made of.
    """
    if record.inputs is None:
        raise RecordError(
            "it does not carry what the decision was made of",
            fix="have the operator write a whole one: guard decision record ID",
            code="record.no-inputs",
            exit_status=2,
        )
    return replay(record.document, record.inputs, then=record.engine, engine=engine)


def replay(document: Mapping[str, Any], inputs: Packed, *, then: str, engine: str) -> Replayed:
    """A recorded decision made again from its inputs. Raises SnapshotError, RecordError."""
    try:
        again = decision_document(decide_again(unpack(inputs.document, inputs.parts.get)))
    except SnapshotError as error:
        if then == engine or error.code.startswith("snapshot.part-"):
            raise
        raise SnapshotError(
            f"{error.message} (release-guard {then} decided it, and this is {engine})",
            fix=f"replay it with release-guard {then}",
            code=error.code,
        ) from None
    try:
        found = differences(document, again)
        said = str(document["decision"])
        recorded = digest_of(document)
    except (KeyError, TypeError, ValueError, AttributeError, CanonicalError) as error:
        raise RecordError(f"it is not the document of a decision: {str(error)[:100]}") from None
    return Replayed(recorded, digest_of(again), said, str(again["decision"]), found, then, engine)
