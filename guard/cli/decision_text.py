"""What the commands about decision records print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.journeys.records import Record, Replayed


def record_json(record: Record) -> dict[str, Any]:
    """A verified record, for `--format json`."""
    candidate, predicate = record.document["candidate"], record.predicate
    return {
        "verified": True,
        "signers": list(record.signers),
        "decision": record.document["decision"],
        "allowed": record.allowed,
        "outcome": record.document["outcome"],
        "candidate": candidate,
        "decided_at": predicate["timeVerified"],
        "valid_until": predicate["validUntil"],
        "policy": record.document["policy"],
        "digest": record.digest,
        "engine": record.engine,
        "gates": predicate["gates"],
        "ledger": predicate["ledger"],
        "carries_inputs": record.inputs is not None,
    }


def record_text(record: Record) -> str:
    """A verified record: who, what, when, line by line."""
    document, predicate = record.document, record.predicate
    candidate, policy = document["candidate"], document["policy"]
    open_gates = [
        one for one in document["verdicts"] if one["outcome"] not in {"pass", "not-applicable", "waived"}
    ]
    place = predicate["ledger"]
    lines = [
        f"signed by {', '.join(record.signers)}",
        f"decision:   {document['decision']} ({document['mode']})",
        f"repository: {candidate['repository']}",
        f"move:       {candidate['ref']} from {candidate['old']} to {candidate['new']}",
        f"decided at: {predicate['timeVerified']} by release-guard {record.engine}",
        f"holds till: {predicate['validUntil'] or 'something else than time changes'}",
        f"policy:     {policy['digest'] or 'none'} {policy['source'] or ''}".rstrip(),
        f"gates:      {len(document['verdicts'])} judged, {len(open_gates)} of them block",
        *(f"  {one['outcome']}: {one['id']}" for one in open_gates),
        f"digest:     {record.digest}",
        f"ledger:     entry {place['seq']}, {place['hash']}" if place else "ledger:     not on record",
        "inputs:     carried: guard decision replay makes it again"
        if record.inputs
        else "inputs:     not carried",
    ]
    return "\n".join(plain(str(line)) for line in lines)


def replayed_json(replayed: Replayed) -> dict[str, Any]:
    """What came of a replay, for `--format json`."""
    return {
        "same": replayed.same,
        "same_outcome": replayed.same_outcome,
        "recorded": {"digest": replayed.recorded, "decision": replayed.said, "engine": replayed.engine},
        "again": {"digest": replayed.again, "decision": replayed.said_again, "engine": replayed.engine_again},
        "differences": [
            {"where": one.where, "what": one.what, "recorded": one.recorded, "again": one.again}
            for one in replayed.differences
        ],
    }


def replayed_text(replayed: Replayed) -> str:
    """What came of a replay, line by line."""
    if replayed.same:
        return f"the same decision: {plain(replayed.said)}\ndigest: {replayed.again}"
    lines = [
        f"another decision: {replayed.said} was recorded, {replayed.said_again} is made of it now"
        if not replayed.same_outcome
        else f"the same outcome, {replayed.said}, but not the same decision:",
    ]
    if replayed.engine != replayed.engine_again:
        lines.append(
            f"release-guard {replayed.engine} decided it and this is {replayed.engine_again},"
            " which may judge by other rules"
        )
    lines += [f"  {one.where}: {one.what}: {one.recorded} → {one.again}" for one in replayed.differences]
    lines.append(f"digest: {replayed.recorded} → {replayed.again}")
    return "\n".join(plain(line, limit=1000) for line in lines)
