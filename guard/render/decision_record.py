"""The decision record: one decision as an in-toto Statement v1, for somebody who has nothing but a public key.

After SLSA's Verification Summary Attestation (https://slsa.dev/spec/v1.1/verification_summary): who decided, when, on
what commit, by which policy, and with what result; beyond it every gate with its evidence, the decision document, and
what the decision was made of, so that it can be made again.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from guard.core.canonical import canonical_bytes, digest_of, digest_of_bytes
from guard.core.evidence import Absent, Reading
from guard.core.facts import Facts
from guard.core.model import Fact, Unknown
from guard.core.replay import Packed, names_in
from guard.core.snapshot import written
from guard.render.decision_json import timestamp

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:release-guard:predicate:decision:v1"
MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def decision_statement(
    document: Mapping[str, Any],
    *,
    engine: str,
    facts: Facts | None = None,
    inputs: Packed | None = None,
    inputs_digest: str = "",
    ledger: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The statement about a decision document, made by the release-guard of the version `engine`.

    `facts` are those that it was made of, where they are known; `inputs` puts into it all that is needed to make the
    decision again, `inputs_digest` only names that; `ledger` is where it is on record: `seq`, `hash`, `at`.
    """
    statement = frame(document, engine=engine, ledger=ledger)
    predicate = statement["predicate"]
    for gate, verdict in zip(predicate["gates"], document["verdicts"], strict=True):
        gate["evidence"] = evidence_of(verdict, facts)
    predicate["inputs"] = carried(inputs) if inputs else named(inputs_digest)
    return statement


def frame(document: Mapping[str, Any], *, engine: str, ledger: Mapping[str, Any] | None) -> dict[str, Any]:
    """What of the statement follows from the decision document alone: all but the evidence and the inputs."""
    candidate, policy = document["candidate"], document["policy"]
    repository = str(candidate["repository"])
    predicate = {
        "verifier": verifier_of(repository, engine),
        "timeVerified": document["decided_at"],
        "validUntil": document["next_change_at"],
        "resourceUri": resource_of(repository, str(candidate["ref"])),
        "policy": {"name": policy["source"], "digest": hashed(policy["digest"])}
        if policy["digest"]
        else None,
        "verificationResult": "PASSED" if document["allowed"] is True else "FAILED",
        "said": document["decision"],
        "outcome": document["outcome"],
        "gates": [
            {
                "id": one["id"],
                "group": one["group"],
                "title": one["title"],
                "outcome": one["outcome"],
                "validUntil": one["next_change_at"],
            }
            for one in document["verdicts"]
        ],
        "decision": {"digest": hashed(digest_of(document)), "document": document},
        "ledger": ledger,
    }
    subject = {"name": repository, "digest": {"gitCommit": candidate["new"]}}
    return {
        "_type": STATEMENT,
        "subject": [subject],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }


def verifier_of(repository: str, engine: str) -> dict[str, Any]:
    """The guard of a repository, and the version of release-guard that it is."""
    return {"id": f"urn:release-guard:guard:{quote(repository)}", "version": {"release-guard": engine}}


def resource_of(repository: str, ref: str) -> str:
    """The branch that it is about, as a URI."""
    return f"urn:release-guard:ref:{quote(repository)}:{quote(ref)}"


def evidence_of(verdict: Mapping[str, Any], facts: Facts | None) -> list[dict[str, Any]]:
    """What a verdict rests on: each piece with its key, source, digests and dates.

    `digest` is that of the bytes that were read (a report, a document, a sign-off), null for what is no file;
    `recorded` that of the canonical JSON of what was understood of them, as the facts hold it.
    """
    found = [_piece(key, reading) for key, reading in _readings(verdict["id"], facts)]
    told = {piece["digest"]["sha256"] for piece in found if piece["digest"]}
    more = (digest for digest in map(hashed_or_none, verdict["evidence"]) if digest)
    rest = [{**_NOTHING, "key": verdict["id"], "digest": one} for one in more if one["sha256"] not in told]
    return found + rest


def _readings(verdict: str, facts: Facts | None) -> Iterator[tuple[str, Reading | Fact[Any]]]:
    """A gate's readings by their keys, or the fact that a rule judges."""
    if facts is None:
        return
    judged: dict[str, Fact[Any] | None] = {
        "candidate": facts.candidate.proposals,
        "lineage": facts.lineage,
        "approvals": facts.approvals,
        "incidents": facts.incidents,
        "queue": facts.queue,
        "hold": facts.holds,
    }
    fact = judged.get(verdict)
    if fact is not None:
        yield verdict, fact
    for key, reading in sorted(facts.readings.items()):
        if key.partition("/")[0] == verdict:
            yield key, reading


_NOTHING: dict[str, Any] = {
    "state": "known", "source": None, "digest": None, "recorded": None, "dated": None, "observedAt": None,
}  # fmt: skip


def _piece(key: str, reading: Reading | Fact[Any]) -> dict[str, Any]:
    recorded = hashed(digest_of(written(reading)))
    if isinstance(reading, Unknown | Absent):
        state = "unknown" if isinstance(reading, Unknown) else "absent"
        return {**_NOTHING, "key": key, "state": state, "recorded": recorded}
    dated, digest = getattr(reading.value, "dated", None), getattr(reading.value, "digest", "")
    return {
        "key": key,
        "state": "known",
        "source": reading.source,
        "digest": hashed_or_none(digest),
        "recorded": recorded,
        "dated": timestamp(dated) if dated else None,
        "observedAt": timestamp(reading.observed_at),
    }


def named(digest: str) -> dict[str, Any] | None:
    """Inputs that are elsewhere, by the digest of their document."""
    return {"digest": hashed(digest), "document": None} if digest else None


def carried(inputs: Packed) -> dict[str, Any]:
    """Inputs with everything that they name."""
    names = names_in(inputs.document)
    policy = "" if isinstance(names.policy, Unknown) else names.policy.value.digest
    facts = inputs.parts.get(names.facts)
    return {
        "digest": hashed(inputs.digest),
        "document": json.loads(inputs.document),
        "policy": _text(inputs.parts.get(policy)),
        "standing": _text(inputs.parts.get(names.standing)),
        "facts": None if facts is None else json.loads(facts),
    }


def packed_in(table: Mapping[str, Any]) -> Packed:
    """The inputs in what `carried` made. Raises KeyError, TypeError, ValueError or CanonicalError where it did not."""
    texts = (_bytes(table["policy"]), _bytes(table["standing"]))
    facts = None if table["facts"] is None else canonical_bytes(table["facts"])
    parts = {digest_of_bytes(data): data for data in (*texts, facts) if data is not None}
    return Packed(canonical_bytes(table["document"]), parts)


def _text(data: bytes | None) -> Any:
    """Bytes as text where they are UTF-8, else in base64."""
    if data is None:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"bytes": base64.b64encode(data).decode("ascii")}


def _bytes(value: Any) -> bytes | None:
    if value is None or isinstance(value, str):
        return None if value is None else value.encode("utf-8")
    return base64.b64decode(value["bytes"], validate=True)


def hashed_or_none(digest: object) -> dict[str, str] | None:
    """in-toto's digest set of `sha256:…`; None for anything else."""
    return hashed(digest) if isinstance(digest, str) and _SHA256.fullmatch(digest) else None


def hashed(digest: str) -> dict[str, str]:
    """in-toto's digest set of `sha256:…`. Raises ValueError for anything else."""
    if not _SHA256.fullmatch(digest):
        raise ValueError(f"{digest[:80]!r} is no SHA-256 digest")
    return {"sha256": digest.removeprefix("sha256:")}
