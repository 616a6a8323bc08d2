"""The rules common to every submitted report: whose counts, for which commit, and which of several."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.untrusted import Unreadable, digest_of, shown
from guard.core.evidence import Absent
from guard.core.facts import Submission
from guard.core.model import Commit, Finding, Unknown
from guard.core.report_kinds import Script, Submitted


@dataclass(frozen=True, slots=True)
class Received:
    """The submission that counts, its report's bytes (b"" when it is an exit record alone), and how to submit anew."""

    envelope: Submission
    report: bytes
    again: str

    @property
    def source(self) -> str:
        return f"submission {shown(self.envelope.id, limit=80)} by {shown(self.envelope.submitter, limit=80)}"

    def needed_report(self, what: str) -> bytes:
        """The report. Raises Unreadable when the submission came without one."""
        if not self.envelope.digest:
            raise Unreadable(f"{self.source} has no {what} with it, only an exit code", fix=self.again)
        return self.report


def submit_command(spec: Submitted, commit: Commit) -> str:
    """The command that submits what the policy asks for: a script's run, or a report that a tool has written."""
    known = f"--source {shlex.quote(spec.source)} --commit {commit}"
    if isinstance(spec, Script):
        report = " --report FILE" if spec.fields else ""
        return f"guard evidence run {known}{report} -- {spec.script}"
    return f"guard evidence add {known} --tool TOOL --tool-version VERSION --exit-code STATUS REPORT"


def receive(spec: Submitted, sources: EvidenceSources) -> Received | Absent | Unknown:
    """The newest submission of the source for exactly the candidate's commit by an allowed submitter.

    Who is not named as a submitter can neither help nor harm: theirs are passed over, and said so.
    """
    found = sources.records.submissions(spec.source)
    if isinstance(found, Unknown):
        return found
    if isinstance(sources.submitters, Unknown):
        return sources.submitters
    of_source = [one for one in found.value if one.source == spec.source]
    mine = [one for one in of_source if one.subject == sources.candidate.new]
    allowed = [one for one in mine if one.submitter in sources.submitters.value]
    if not allowed:
        return _absent(spec, sources, of_source, mine)
    newest = max(enumerate(allowed), key=lambda item: (item[1].received_at, item[0]))[1]
    return _with_report(newest, sources, again=submit_command(spec, sources.candidate.new))


def _with_report(envelope: Submission, sources: EvidenceSources, *, again: str) -> Received | Unknown:
    if not envelope.digest:
        return Received(envelope, b"", again)
    report = sources.records.report(envelope)
    if isinstance(report, Unknown):
        return report
    if digest_of(report.value) != envelope.digest:
        return Unknown(
            f"the report of {shown(envelope.source)} is not the one that was submitted: its digest differs",
            fix=f"submit it again: {again}",
            who=("ci", "operator"),
        )
    return Received(envelope, report.value, again)


def _absent(
    spec: Submitted, sources: EvidenceSources, found: Sequence[Submission], mine: Sequence[Submission]
) -> Absent:
    new = sources.candidate.new
    why = f"no report of {spec.source} was submitted for {new[:10]}"
    fix = submit_command(spec, new)
    if mine:
        names = _named(one.submitter for one in mine)
        why = f"the only reports of {spec.source} for {new[:10]} are by {names}, who may not submit evidence"
        fix = f"let one of the policy's evidence.submitters run: {fix}"
    elif found:
        why = f"{why}, only for {_named(one.subject[:10] for one in found)}"
    return Absent(why, fix=fix, who=("ci",))


def _named(names: Iterable[str]) -> str:
    distinct = sorted({shown(name, limit=80) for name in names})
    more = f" and {len(distinct) - 5} more" if len(distinct) > 5 else ""
    return ", ".join(distinct[:5]) + more


def exit_problems(
    received: Received, *, explained: bool, found: frozenset[int] = frozenset({1})
) -> tuple[Finding, ...]:
    """What a tool's exit code says beyond its report.

    Scanners and test runners end with 0 when all is well and with 1 (or another code of `found`) when they found
    something. So that is believed only where the report shows what was found (`explained`), and any other code means
    that the tool broke off.
    """
    code = received.envelope.exit_code
    if code == 0 or (code in found and explained):
        return ()
    reason = "and its report does not show why" if code in found else "so it did not finish its work"
    message = f"{shown(received.envelope.tool)} ended with exit code {code}, {reason}"
    fix = f"see the tool's own output and mend it, then: {received.again}"
    return (Finding("evidence.exit-code", message, fix=fix, who=("ci",)),)
