"""Sending a statement from a clone: written, signed, and pushed to the guarded repository as a ref of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from guard.core.claims import Claim, EvidenceSubmitted, ProposalClosed, ProposalOpened
from guard.core.errors import UsageError
from guard.core.sshsig import verify
from guard.core.statements import (
    MAX_REPORT,
    STATEMENT_REFS,
    Statement,
    encode_statement,
    name_of,
    proposal_ref,
)
from guard.ports import Outbox, Signer

STATEMENT_FILE = "statement.json"
SIGNATURE_FILE = "statement.json.sig"
REPORT_FILE = "report"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who states things about which repository, with which key, from which clone."""

    repository: str
    by: str
    signer: Signer
    outbox: Outbox


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement that the server took, or had already."""

    statement: Statement
    name: str

    @property
    def ref(self) -> str:
        return f"{STATEMENT_REFS}{self.name}"


def send(claim: Claim, sender: Sender, *, now: datetime, nonce: str, report: bytes | None = None) -> Sent:
    """Sign the claim and push it, with the proposal's ref where it is about one. Sending the same again is harmless.

    Raises UsageError for a report that does not fit, SignatureError or StatementError for what no server would take,
    Refused with the server's own words when it does not take it, GitError when it cannot be reached.
    """
    _check_report(claim, report)
    statement = Statement(sender.repository, sender.by, now, nonce, claim)
    data = encode_statement(statement)
    signature = sender.signer.sign(data)
    verify(signature, data)
    files = {STATEMENT_FILE: data, SIGNATURE_FILE: signature}
    if report is not None:
        files[REPORT_FILE] = report
    sent = Sent(statement, name_of(data))
    sender.outbox.push({sent.ref: sender.outbox.store(files), **_proposal(claim)})
    return sent


def _proposal(claim: Claim) -> Mapping[str, str]:
    """The proposal's ref and its new head ("" to delete it), for a statement about a proposal."""
    if isinstance(claim, ProposalOpened):
        return {proposal_ref(claim.target, claim.proposal): claim.head}
    return {proposal_ref(claim.target, claim.proposal): ""} if isinstance(claim, ProposalClosed) else {}


def _check_report(claim: Claim, report: bytes | None) -> None:
    wanted = isinstance(claim, EvidenceSubmitted) and bool(claim.digest)
    if wanted != (report is not None):
        raise UsageError("a report goes with evidence that names its digest, and with nothing else")
    if report is not None and len(report) > MAX_REPORT:
        raise UsageError(
            f"the report has {len(report)} bytes; at most {MAX_REPORT} are taken", fix="submit a smaller one"
        )
