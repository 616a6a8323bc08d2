"""Evidence: one reader for each kind, all of them in one table, and the door through which they are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from guard.adapters.evidence.adrs import read_adrs
from guard.adapters.evidence.attestation import read_attestation
from guard.adapters.evidence.ci import read_ci
from guard.adapters.evidence.contract import read_contract
from guard.adapters.evidence.document import read_document
from guard.adapters.evidence.inventory import read_inventory
from guard.adapters.evidence.junit import read_junit
from guard.adapters.evidence.notes import read_notes
from guard.adapters.evidence.probe import read_probe
from guard.adapters.evidence.register import read_register
from guard.adapters.evidence.sarif import read_sarif
from guard.adapters.evidence.script import read_script
from guard.adapters.evidence.secrets import read_secrets
from guard.adapters.evidence.signoff import read_signoff
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.vulnerabilities import read_vulnerabilities
from guard.core.errors import GuardError
from guard.core.evidence import Leaf, Reading
from guard.core.model import Unknown

__all__ = ["KINDS", "EvidenceSources", "read_evidence"]

Reader: TypeAlias = Callable[[str, Any, EvidenceSources], Reading]
"""Gate id, what the policy asks (the kind's own model), where to look. May raise GuardError: it cannot be known."""

KINDS: dict[str, Reader | None] = {
    "document": read_document,
    "sarif": read_sarif,
    "junit": read_junit,
    "script": read_script,
    "signoff": read_signoff,
    "inventory": read_inventory,
    "ci": read_ci,
    "vulnerabilities": read_vulnerabilities,
    "secrets": read_secrets,
    "contract": read_contract,
    "adrs": read_adrs,
    "register": read_register,
    "notes": read_notes,
    "probe": read_probe,
    "attestation": read_attestation,
    "approvals": None,  # judged in core, from the approval rule's own verdict
}


def read_evidence(gate_id: str, spec: Leaf, sources: EvidenceSources) -> Reading:
    """Look for one piece of evidence. Whatever goes wrong is Unknown, with the reason."""
    reader = KINDS.get(spec.kind)
    if reader is None:
        return Unknown(
            f"evidence kind '{spec.kind}' is not built into this version of release-guard",
            fix="upgrade release-guard, or ask this gate for a kind that it has (see docs/evidence.md)",
            who=("release-owner",),
        )
    try:
        return reader(gate_id, spec, sources)
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
