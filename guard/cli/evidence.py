"""`guard evidence add|run`: what a tool reported about one commit, submitted under a signed envelope."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import threading
from pathlib import Path
from typing import IO, Any

import click

from guard.cli.sending import Clone, form_option, made, open_clone, print_sent, send_claim, sending
from guard.core.errors import Refused, UsageError

LONGEST_LOG = 64 * 1024
"""How many bytes of the end of a tool's standard error are looked at."""

_REPORT = click.Path(dir_okay=False, path_type=Path)


@click.group()
def evidence() -> None:
    """Submit what tools report about a commit. It counts when the policy names you as a submitter."""


@evidence.command("add")
@click.argument("report", required=False, type=_REPORT)
@click.option("--source", required=True, help="The source's name in the policy, such as sast.")
@click.option("--commit", metavar="REF", required=True, help="The commit that the tool looked at.")
@click.option("--tool", required=True, help="The tool's name.")
@click.option("--tool-version", required=True, help="The tool's version.")
@click.option("--exit-code", type=click.IntRange(0, 255), required=True, help="How it ended.")
@click.option("--log", type=_REPORT, help="What it wrote while it ran; the end of it goes along.")
@click.option("--kind", default="", help="What kind of report it is, for readers.")
@sending
@form_option
def add(report: Path | None, source: str, commit: str, log: Path | None, form: str, **options: Any) -> None:
    """Submit a report that a tool has written; without REPORT, its exit code alone.

    \b
    guard evidence add --source sast --commit HEAD --tool bandit --tool-version 1.8.0 --exit-code 1 sast.sarif
    """
    fields = {name: options.pop(name) for name in ("tool", "tool_version", "exit_code", "kind")}
    data = _read(report) if report else None
    fields["said"] = _said(_read(log)) if log else ""
    with open_clone(**options) as clone:
        subject = clone.commit(commit)
        claim = _claim(data, source=source, commit=subject, command=(), **fields)
        sent = send_claim(claim, clone.sender(), report=data)
    print_sent(sent, f"submitted {source} for {subject[:10]}", form=form)


@evidence.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[GATE --] COMMAND...")
@click.option("--source", help="The source's name in the policy [default: the one that GATE takes].")
@click.option("--commit", metavar="REF", default="HEAD", show_default=True, help="It must be checked out.")
@click.option("--report", type=_REPORT, help="The file that the command writes.")
@click.option("--tool", help="The tool's name [default: the command's first word].")
@click.option("--tool-version", default="", help="The tool's version, where it is known.")
@click.option("--kind", default="", help="What kind of report it is, for readers.")
@sending
def run(
    command: tuple[str, ...], source: str | None, commit: str, report: Path | None, **options: Any
) -> int:
    """Run a tool on the checked-out commit and submit how it ended and what it reported, good or bad.

    Its output passes through, the end of what it says on standard error is submitted too, and its exit status is this
    command's. Nothing is run while tracked files differ from the commit, and a report that the command did not write
    itself is not submitted. Either --source or, before two hyphens, the GATE says what it is submitted as.

    \b
    guard evidence run architecture.openapi -- scripts/ci/contracts_validate.sh
    guard evidence run --source acceptance --report out/junit.xml -- pytest --junitxml=out/junit.xml
    """
    fields = {name: options.pop(name) for name in ("tool", "tool_version", "kind")}
    gate, command = _gate_of(command, source)
    fields["tool"] = fields["tool"] or command[0].removeprefix("./")
    with open_clone(**options) as clone:
        source = source or clone.source_of(gate)
        subject = _checked_out(clone, commit)
        fields |= {"source": source, "commit": subject, "command": command}
        _claim(None, exit_code=0, **fields)
        sender = clone.sender()
        before = _stamp(report)
        status, wrote = _run(command)
        written = report is not None and _stamp(report) not in {None, before}
        data = _read(report) if report and written else None
        sent = send_claim(_claim(data, exit_code=status, said=_said(wrote), **fields), sender, report=data)
    if report and not written:
        click.echo(f"{report} was not written by the command: only its exit status is submitted", err=True)
    print_sent(sent, f"submitted {source} for {subject[:10]} (exit status {status})", form="text", err=True)
    return status


def _gate_of(command: tuple[str, ...], source: str | None) -> tuple[str, tuple[str, ...]]:
    """The gate, where it is named in place of a source, and the command. Raises UsageError where neither is."""
    if source:
        return "", command
    if len(command) < 3 or command[1] != "--":
        raise UsageError(
            "nothing says what this is submitted as",
            fix="guard evidence run GATE -- COMMAND, or guard evidence run --source NAME -- COMMAND",
        )
    return command[0], command[2:]


def _claim(report: bytes | None, **fields: object) -> Any:
    from guard.core.claims import EvidenceSubmitted

    digest = f"sha256:{hashlib.sha256(report).hexdigest()}" if report is not None else ""
    return made(EvidenceSubmitted, digest=digest, **fields)


def _checked_out(clone: Clone, name: str) -> str:
    """The commit, which the work tree must show unchanged: a tool that looked at other files proves nothing."""
    from guard.adapters.outbox import GitOutbox

    subject = clone.commit(name)
    if subject != clone.git.resolve("HEAD"):
        raise Refused(
            f"{subject[:10]} is not checked out here",
            fix=f"git switch --detach {subject[:10]}, then run it again",
            code="evidence.other-commit",
        )
    if changed := GitOutbox(clone.path, clone.remote).changed_files():
        raise Refused(
            f"files differ from {subject[:10]}: {', '.join(changed[:5])}",
            fix="commit them or put them back; a report counts for exactly what was committed",
            code="evidence.changed-files",
        )
    return subject


def _run(command: tuple[str, ...]) -> tuple[int, bytes]:
    """Run it with our own input and output; its exit status as a shell gives it, and the end of its standard error,
    which passes through."""
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{command[0]} cannot be run: {error}", fix="check the command", code="usage.command"
        ) from None
    wrote = bytearray()
    # A child that the command leaves behind may hold its standard error open, and is not waited for.
    reading = threading.Thread(target=_pass_on, args=(process.stderr, wrote), daemon=True)
    reading.start()
    status = process.wait()
    reading.join(timeout=2)
    return (status if status >= 0 else 128 - status), bytes(wrote)


def _pass_on(stream: IO[bytes], wrote: bytearray) -> None:
    """Everything to our standard error as it comes, and its end into `wrote`."""
    with stream:
        while chunk := os.read(stream.fileno(), 65536):
            with contextlib.suppress(OSError):
                os.write(2, chunk)
            wrote += chunk
            del wrote[:-LONGEST_LOG]


def _said(wrote: bytes) -> str:
    """The end of it as one printable line, colours and the like taken out."""
    from guard.core.claim_forms import MAX_SAID

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", wrote[-LONGEST_LOG:].decode("utf-8", "replace"))
    words = "".join(char if char.isprintable() else " " for char in text).split()
    return " ".join(words)[-MAX_SAID:].strip()


def _stamp(report: Path | None) -> tuple[int, int, int] | None:
    """What changes when a file is written anew; None where there is none."""
    try:
        found = report.stat() if report else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size) if found else None


def _read(report: Path) -> bytes:
    from guard.core.statements import MAX_REPORT

    try:
        with report.open("rb") as stream:
            data = stream.read(MAX_REPORT + 1)
    except OSError as error:
        raise UsageError(f"{report} cannot be read: {error.strerror}", fix="check the path") from None
    if len(data) > MAX_REPORT:
        raise UsageError(f"{report} has more than {MAX_REPORT} bytes", fix="submit a smaller report")
    return data
