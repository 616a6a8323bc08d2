"""Taking a delivery in: signature on the raw bytes first, then its id, then what it says; kept once, then answered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from guard.adapters.inbox import Delivery
from guard.core.forge_facts import Wake
from guard.wiring_service import Service
from webhook_app.events import BadPayload, BadSignature, Door

DOORS: Mapping[str, str] = {"gitlab": "webhook_app.gitlab", "github": "webhook_app.github"}
"""The module that reads each forge's webhooks, imported when that forge is served."""

KEPT_HEADERS = frozenset(
    {
        "content-type", "user-agent", "x-gitlab-event", "x-gitlab-event-uuid", "x-gitlab-webhook-uuid",
        "x-gitlab-instance", "idempotency-key", "webhook-id", "webhook-timestamp", "x-github-event",
        "x-github-delivery", "x-github-hook-id", "x-github-hook-installation-target-type",
    }
)  # fmt: skip
"""The headers that are kept; tokens and signatures are not among them, nor is any that nobody here knows."""

_ID = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status, and a code with a sentence for whoever looks at the forge's list of deliveries."""

    status: int
    code: str
    message: str


def door_of(forge: str) -> Door:
    return cast(Door, import_module(DOORS[forge]))


def take(door: Door, headers: Mapping[str, str], body: bytes, service: Service) -> Answer:
    """Judge one delivery and keep it. `headers` have lower-case names. Nothing is parsed before the signature was
    found good. Raises LedgerError when it cannot be kept; then the forge has to send it again."""
    now = service.clock.now()
    try:
        door.verify(headers, body, secrets=service.secrets.webhook, now=now)
    except BadSignature as error:
        return Answer(401, "delivery.signature", str(error))
    name = door.delivery_id(headers)
    if name is None or not _ID.fullmatch(name):
        return Answer(400, "delivery.no-id", "the delivery has no id, or one that no forge makes")
    try:
        event = door.parse(headers, body)
    except BadPayload as error:
        return Answer(400, "delivery.malformed", str(error))
    elsewhere = bool(event.repository) and event.repository.casefold() != service.repository.casefold()
    wakes = () if elsewhere else coalesced(event.wakes)
    kept = {name: value for name, value in headers.items() if name in KEPT_HEADERS}
    if event.members:
        service.members_changed()
    delivery = Delivery(service.settings.forge, name, event.kind, event.repository, kept, body)
    new = service.inbox.take(delivery, wakes, now=now)
    if not new:
        return Answer(202, "delivery.known", "this delivery is here already")
    if not wakes:
        return Answer(204, "delivery.no-work", "kept; there is nothing to look at again")
    return Answer(202, "delivery.taken", "kept; it is worked on")


def coalesced(wakes: Sequence[Wake]) -> tuple[Wake, ...]:
    """Without what is looked at anyway: everything covers all, and a proposal is looked at together with its head,
    the head that was told of it before, and every proposal that has one of the two."""
    kinds = {wake.kind for wake in wakes}
    covers = next((kind for kind in ("everything", "proposal") if kind in kinds), None)
    covered = {"everything": {"proposal", "commit", "branch"}, "proposal": {"commit"}}.get(
        covers or "", set()
    )
    return tuple(dict.fromkeys(wake for wake in wakes if wake.kind not in covered))
