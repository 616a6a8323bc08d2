"""A decision made again from what it was made of: its inputs written down, read back, and judged once more.

What is written down has two halves: the *inputs document*, which is small and names everything else by digest, and the
*parts* that it names: the policy's text and the facts. Whoever knows the digest of the document can check all of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from guard.core.canonical import canonical_bytes, digest_of_bytes
from guard.core.decide import Inputs, Question, decide
from guard.core.errors import PolicyError
from guard.core.facts import Facts
from guard.core.model import Decision, Fact, Known, Unknown
from guard.core.no_policy import decide_without_policy
from guard.core.policy_text import LoadedPolicy, parse_policy
from guard.core.snapshot import SnapshotError, check_version, facts_document, facts_of, read_as, written

VERSION = 1
MOST = 64 * 1024 * 1024
"""Bytes of one part that are read."""


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy by the digest of its bytes, and where these stood."""

    digest: str
    where: str


@dataclass(frozen=True, slots=True)
class Named:
    """A decision's inputs, the large ones by digest (`sha256:…`; "" for none)."""

    question: Question
    now: datetime
    policy: Fact[PolicyFile]
    standing: str
    facts: str


@dataclass(frozen=True, slots=True)
class Packed:
    """Inputs in bytes: the inputs document (canonical JSON), and what it names, by digest."""

    document: bytes
    parts: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """What names the inputs as a whole."""
        return digest_of_bytes(self.document)

    @property
    def all(self) -> tuple[bytes, ...]:
        return (self.document, *self.parts.values())


def pack(inputs: Inputs) -> Packed:
    """The inputs in bytes; the same for the same inputs."""
    parts: dict[str, bytes] = {}

    def named(data: bytes | None) -> str:
        if data is None:
            return ""
        parts[digest_of_bytes(data)] = data
        return digest_of_bytes(data)

    policy: Fact[PolicyFile]
    if isinstance(inputs.policy, Unknown):
        policy = inputs.policy
    else:
        loaded = inputs.policy.value
        policy = Known(
            PolicyFile(named(loaded.text), loaded.where), inputs.policy.source, inputs.policy.observed_at
        )
    facts = None if inputs.facts is None else canonical_bytes(facts_document(inputs.facts))
    names = Named(inputs.question, inputs.now, policy, named(inputs.standing), named(facts))
    return Packed(canonical_bytes({"version": VERSION, "inputs": written(names)}), parts)


def names_in(document: bytes) -> Named:
    """What an inputs document says. Raises SnapshotError."""
    table = parsed(document, what="inputs document")
    check_version(table, VERSION, {"inputs"}, what="inputs document")
    names: Named = read_as(table["inputs"], Named, "inputs")  # type: ignore[index]  # it was checked just now
    return names


def digests_in(document: bytes) -> tuple[str, ...]:
    """The parts that an inputs document names, of whichever version. Raises SnapshotError."""
    table: Any = parsed(document, what="inputs document")
    try:
        inputs = table["inputs"]
        policy = inputs["policy"].get("value", {}).get("digest", "")
        found = (policy, inputs["standing"], inputs["facts"])
    except (KeyError, TypeError, AttributeError):
        raise SnapshotError("it is no inputs document") from None
    return tuple(str(digest) for digest in found if digest)


def unpack(document: bytes, part: Callable[[str], bytes | None]) -> Inputs:
    """The inputs that a document names; `part` gives the bytes behind a digest, None where it does not have them.

    Raises SnapshotError: `snapshot.part-missing`, `snapshot.part-changed` where they are not what was named, and for
    what this version cannot read.
    """

    def found(digest: str, what: str) -> bytes:
        data = part(digest)
        if data is None:
            raise SnapshotError(
                f"the {what} {digest} is not there", fix="take it from a backup", code="snapshot.part-missing"
            )
        if digest_of_bytes(data) != digest:
            raise SnapshotError(f"the {what} is not what was recorded", code="snapshot.part-changed")
        return data

    names = names_in(document)
    policy: Fact[LoadedPolicy]
    if isinstance(names.policy, Unknown):
        policy = names.policy
    else:
        policy = _policy(found(names.policy.value.digest, "policy"), names.policy)
    standing = found(names.standing, "text of the policy that stood there") if names.standing else None
    facts: Facts | None = None
    if names.facts:
        facts = facts_of(parsed(found(names.facts, "facts"), what="document of facts"))
    return Inputs(names.question, policy, facts, names.now, standing)


def _policy(text: bytes, named: Known[PolicyFile]) -> Known[LoadedPolicy]:
    try:
        loaded = parse_policy(text, where=named.value.where)
    except PolicyError as error:
        raise SnapshotError(
            f"this version cannot use the policy that was used: {error.brief}",
            fix="use the version of release-guard that decided",
            code="snapshot.policy",
        ) from None
    return Known(loaded, named.source, named.observed_at)


def parsed(data: bytes, *, what: str) -> object:
    """JSON from outside, each key once. Raises SnapshotError."""
    if len(data) > MOST:
        raise SnapshotError(f"the {what} has {len(data)} bytes; at most {MOST} are read")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except RecursionError:
        raise SnapshotError(f"the {what} is nested too deeply") from None
    except ValueError as error:
        raise SnapshotError(f"the {what} is not JSON: {str(error)[:100]}") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key is there twice")
    return table


def decide_again(inputs: Inputs) -> Decision:
    """The decision that these inputs make, by this version's rules. Raises SnapshotError `snapshot.undecidable` for
    facts that no reader gathers, such as those of a forged record."""
    try:
        if inputs.facts is None:
            return decide_without_policy(inputs.question, inputs.policy, inputs.standing, now=inputs.now)
        return decide(inputs.question, inputs.policy, inputs.facts, now=inputs.now)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise SnapshotError(
            f"no rule can judge these facts: {str(error)[:100]}", code="snapshot.undecidable"
        ) from None
