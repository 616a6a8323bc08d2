"""What a decision on record was made of, kept beside the ledger so that the decision can be made again."""

from __future__ import annotations

from typing import Any

from guard import __version__
from guard.core.canonical import digest_of
from guard.core.model import Decision
from guard.core.replay import pack


def kept_with(decision: Decision) -> tuple[dict[str, object], tuple[bytes, ...]]:
    """What a decision's entry says of that, and the parts that it names; nothing where it is not known."""
    if decision.made_of is None:
        return {}, ()
    packed = pack(decision.made_of)
    return {"inputs": packed.digest, "engine": __version__}, packed.all


def recorded(decision: Decision, document: dict[str, Any]) -> tuple[dict[str, object], tuple[bytes, ...]]:
    """What every `decision.recorded` says of a decision whose document this is, and the parts that it names."""
    kept, parts = kept_with(decision)
    body = {
        "digest": digest_of(document),
        "outcome": document["outcome"],
        "allowed": decision.allowed,
        "decision": document,
        **kept,
    }
    return body, parts
