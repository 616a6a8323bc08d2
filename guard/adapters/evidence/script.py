"""Evidence kind `script`: the exit record of a named script and, where asked, fields of its JSON report."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

from guard.adapters.evidence.dotted import different
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received
from guard.adapters.evidence.untrusted import load_json, shown, table_of
from guard.core.evidence import Observation, Reading
from guard.core.facts import Submission
from guard.core.model import Finding, Known
from guard.core.report_kinds import Script

INTERPRETERS = frozenset({"sh", "bash", "dash", "python", "python3"})
"""What may stand before the script's own name in the command that ran it."""


def read_script(received: Received, spec: Script, sources: EvidenceSources) -> Reading:
    """Passes when the named script ran, ended as wanted and its report has the wanted fields."""
    envelope = received.envelope
    observation = Observation(
        summary=f"{PurePosixPath(spec.script).name} ended with {envelope.exit_code}",
        problems=(
            *_command_problems(spec, received),
            *_exit_problems(spec, received),
            *_field_problems(spec, received),
        ),
        subject=envelope.subject,
        dated=envelope.received_at,
        digest=envelope.digest,
    )
    return Known(observation, received.source, sources.now)


def _command_problems(spec: Script, received: Received) -> tuple[Finding, ...]:
    envelope = received.envelope
    if _ran(spec.script, envelope):
        return ()
    ran = shlex.join(envelope.command) or envelope.tool
    message = f"{spec.source} was to run {spec.script}, and ran {shown(ran) or 'nothing'}"
    return (Finding("script.other-command", message, fix=received.again, who=("ci",)),)


def _ran(script: str, envelope: Submission) -> bool:
    """The command is the script (with any arguments), an interpreter and the script, or word for word the text
    that the policy gives; a submission without a command is known by its tool's name."""
    words = [word.removeprefix("./") for word in envelope.command]
    wanted = script.removeprefix("./")
    if not words:
        return envelope.tool == script
    if words[0] == wanted or shlex.join(envelope.command) == script:
        return True
    return len(words) > 1 and PurePosixPath(words[0]).name in INTERPRETERS and words[1] == wanted


def _exit_problems(spec: Script, received: Received) -> tuple[Finding, ...]:
    envelope = received.envelope
    if envelope.exit_code == spec.exit_code:
        return ()
    message = f"{spec.script} ended with exit code {envelope.exit_code}, not {spec.exit_code}"
    fix = f"mend what {spec.script} complains about, then: {received.again}"
    return (Finding("script.exit-code", message, fix=fix, who=("author", "ci")),)


def _field_problems(spec: Script, received: Received) -> tuple[Finding, ...]:
    if not spec.fields:
        return ()
    what = f"the report of {spec.source}"
    report = table_of(load_json(received.needed_report("JSON report"), what), what)
    fix = f"let {spec.script} report it so, then: {received.again}"
    return tuple(
        Finding("script.field", f"{what} {says} {path}; wanted is {wanted!r}", fix=fix, who=("author", "ci"))
        for path, wanted, says in different(report, spec.fields)
    )
