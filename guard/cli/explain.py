"""`guard explain GATE`: what a gate or rule means, why it stands where it stands, and what would change it."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

from guard.cli.check import judging, what_is_asked
from guard.core.errors import UsageError


def _complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the gates of the work tree's policy, and the rules; of a file that cannot be read only these."""
    from guard.core.explain import RULES

    try:
        text = Path(ctx.params.get("repo") or ".", "guard.toml").read_text(encoding="utf-8")
        gates = [str(gate["id"]) for gate in tomllib.loads(text)["gates"]]
    except (OSError, ValueError, KeyError, TypeError):
        gates = []
    return [name for name in (*gates, *RULES) if name.startswith(incomplete)]


@click.command()
@click.argument("gate", shell_complete=_complete)
@judging
def explain(gate: str, form: str, **options: Any) -> int:
    """Say what a gate or rule means, why it stands where it stands, and what would change it.

    The rules are candidate, lineage, approvals, incidents, hold, queue, break-glass, follow-up and policy.

    \b
    guard explain security.vulnerabilities --target release/platform-control
    guard explain approvals --target release/platform-control --format json

    Exit status: 0 explained, whatever it came to; 64 no such gate or rule.
    """
    from guard.core.decide import decide
    from guard.core.explain import explain as explained
    from guard.core.explain import explainable, near
    from guard.core.model import Unknown
    from guard.journeys.gather import gather
    from guard.render.safe import plain

    asked, sources = what_is_asked((), **options)
    gathered = gather(asked, sources)
    decision = decide(gathered.question, gathered.policy, gathered.facts, now=sources.clock.now())
    policy = None if isinstance(gathered.policy, Unknown) else gathered.policy.value.policy
    found = explained(gate, decision, policy, gathered.facts.readings)
    if found is None:
        names = explainable(policy, decision)
        close = near(gate, names) or names
        raise UsageError(
            f"no gate or rule is called {plain(gate, limit=100)}",
            fix=f"ask about {', '.join(close)}",
            code="gate.unknown",
        )
    click.echo(_rendered(found, form), nl=False)
    return 0


def _rendered(found: Any, form: str) -> str:
    from guard.cli.streams import fitting
    from guard.render.explain import explain_document, explain_markdown, explain_text

    if form == "json":
        return json.dumps(explain_document(found), indent=2, ensure_ascii=False) + "\n"
    return (
        "\n".join([*explain_markdown(found), ""])
        if form == "markdown"
        else fitting(explain_text(found), sys.stdout.encoding)
    )
