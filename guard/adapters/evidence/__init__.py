"""Evidence: one reader for each kind, all of them in one table, and the door through which they are asked."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received, receive
from guard.core.errors import GuardError
from guard.core.evidence import Leaf, Reading
from guard.core.model import Unknown
from guard.core.report_kinds import Submitted

__all__ = ["KINDS", "EvidenceSources", "read_evidence"]

Reader: TypeAlias = Callable[[Any, Any, EvidenceSources], Reading]
"""Gate id (for submitted kinds: the submission that counts), what the policy asks (the kind's own model), where to
look. May raise GuardError: it cannot be known."""

KINDS: dict[str, str] = {
    # kind: module:reader. A reader is imported when something is there for it to read: they weigh more than a decision.
    "document": "document:read_document",
    "sarif": "sarif:read_sarif",
    "junit": "junit:read_junit",
    "script": "script:read_script",
    "signoff": "signoff:read_signoff",
    "inventory": "inventory:read_inventory",
    "ci": "ci:read_ci",
    "vulnerabilities": "vulnerabilities:read_vulnerabilities",
    "secrets": "secrets:read_secrets",
    "contract": "contract:read_contract",
    "adrs": "adrs:read_adrs",
    "register": "register:read_register",
    "notes": "notes:read_notes",
    "probe": "probe:read_probe",
    "attestation": "attestation:read_attestation",
    "approvals": "",  # judged in core, from the approval rule's own verdict
}


def read_evidence(gate_id: str, spec: Leaf, sources: EvidenceSources) -> Reading:
    """Look for one piece of evidence. Whatever goes wrong is Unknown, with the reason."""
    if not KINDS.get(spec.kind):
        return Unknown(
            f"evidence kind '{spec.kind}' is not built into this version of release-guard",
            fix="upgrade release-guard, or ask this gate for a kind that it has (see docs/evidence.md)",
            who=("release-owner",),
        )
    try:
        if not isinstance(spec, Submitted):
            return reader_of(spec.kind)(gate_id, spec, sources)
        received = receive(spec, sources)
        return reader_of(spec.kind)(received, spec, sources) if isinstance(received, Received) else received
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)


@cache
def reader_of(kind: str) -> Reader:
    """The reader of a kind that has one."""
    module, _, name = KINDS[kind].partition(":")
    reader: Reader = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    return reader
