"""The waivers that were asked for, as `guard waive list --format json` prints them."""

from __future__ import annotations

from typing import Any

from guard.core.facts import Waiver
from guard.render.decision_json import timestamp
from guard.render.schema import closed


def waiver_document(waiver: Waiver) -> dict[str, Any]:
    """One element of the list described by docs/schemas/waivers.schema.json."""
    return {
        "id": waiver.id,
        "target": waiver.target,
        "gate": waiver.gate,
        "finding": waiver.finding,
        "commit": waiver.commit,
        "reason": waiver.reason,
        "entry": waiver.entry or None,
        "requester": waiver.requester,
        "requested_at": timestamp(waiver.requested_at),
        "expires_at": timestamp(waiver.expires_at),
        "approvals": [{"by": one.actor, "at": timestamp(one.at)} for one in waiver.consents],
    }


def waivers_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a list of `waiver_document`."""
    word, moment = {"type": "string"}, {"type": "string", "format": "date-time"}
    waiver = {
        "id": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}, "target": word, "gate": word, "finding": word,
        "commit": {"type": ["string", "null"], "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"}, "reason": word,
        "entry": {"type": ["string", "null"]}, "requester": word, "requested_at": moment, "expires_at": moment,
        "approvals": {"type": "array", "items": closed(by=word, at=moment)},
    }  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:release-guard:schema:waivers:1",
        "title": "Release Guard: the waivers asked for on one branch",
        "type": "array",
        "items": closed(**waiver),
    }
