"""`guard policy`: check a policy file, and print the schema of one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from guard.core.errors import PolicyError, UsageError
from guard.core.policy_text import MAX_BYTES, LoadedPolicy, format_problem, parse_policy
from guard.render.safe import plain

WIDEST = 2000


@click.group()
def policy() -> None:
    """Check a policy file, or print the JSON Schema of one."""


@policy.command()
@click.argument("file", default="guard.toml")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def validate(file: str, form: str) -> int:
    """Check a policy FILE (guard.toml when none is named, - for standard input) and show all that is wrong with it.

    Each problem names its line, its key and what was expected.

    \b
    guard policy validate
    git show origin/release/1.4:guard.toml | guard policy validate -

    Exit status: 0 valid, 1 invalid, 64 there is no such file.
    """
    where = "stdin" if file == "-" else file
    text = _read(file)
    try:
        loaded = parse_policy(text, where=where)
    except PolicyError as error:
        click.echo(_problems_json(error, where) if form == "json" else _problems_text(error, where))
        return 1
    click.echo(_valid_json(loaded) if form == "json" else _valid_text(loaded))
    return 0


@policy.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of a policy file, for editors and other programs.

    \b
    guard policy schema > guard.schema.json
    """
    from guard.core.policy_schema import policy_schema_text

    click.echo(policy_schema_text(), nl=False)


def _read(file: str) -> bytes:
    """The file's bytes, one more than a policy may have at the most. Raises UsageError for what cannot be read."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(file).open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            f"{plain(file)} cannot be read: {why}", fix="name the policy file; guard init writes one"
        ) from None


def _problems_text(error: PolicyError, where: str) -> str:
    lines = [plain(format_problem(problem, where=where), limit=WIDEST) for problem in error.problems]
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return "\n".join([*lines, f"{plain(where)}: invalid, {count}"])


def _problems_json(error: PolicyError, where: str) -> str:
    problems = [
        {"path": problem.path, "line": problem.line or None, "message": problem.message}
        for problem in error.problems
    ]
    return json.dumps({"file": where, "valid": False, "problems": problems}, indent=2)


def _valid_text(loaded: LoadedPolicy) -> str:
    policy = loaded.policy
    branches = ", ".join(policy.branches)
    gates = "1 gate" if len(policy.gates) == 1 else f"{len(policy.gates)} gates"
    return f"{plain(loaded.where)}: valid, protects {plain(branches)} with {gates} ({loaded.digest})"


def _valid_json(loaded: LoadedPolicy) -> str:
    policy = loaded.policy
    answer = {
        "file": loaded.where,
        "valid": True,
        "digest": loaded.digest,
        "mode": policy.mode,
        "branches": list(policy.branches),
        "gates": [gate.id for gate in policy.gates],
        "problems": [],
    }
    return json.dumps(answer, indent=2)
