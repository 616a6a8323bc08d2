"""`guard lineage`: a verdict and its reason for every commit that a promotion would bring."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from guard.cli.check import judging, use_colour, what_is_asked
from guard.core.errors import GitError


@click.command()
@judging
def lineage(*, form: str, **options: Any) -> int:
    """Show whether every commit of target..head is on upstream first, with the proof for each.

    A commit counts when it is on upstream, merges cleanly what is judged besides, or is linked to an upstream commit
    (a `cherry picked from` trailer, a Change-Id, the same patch) *and* picking that commit gives exactly its tree.
    No policy is needed; where the target has one, it may name who can approve a pick that was resolved by hand.

    \b
    guard lineage --upstream master --target stable/2.1 --head my-picks
    guard lineage --repo ~/src/nova --upstream origin/master --target v1.0 --head origin/stable/1 --format json

    Exit status: 0 all accepted, 1 something is not, 2 could not decide.
    """
    return _answer(form, **options)


def _answer(form: str, *, repo: Path, **options: Any) -> int:
    from guard.core.decide import branch_policy, decide
    from guard.core.model import Unknown
    from guard.core.policy import Branch, Lineage
    from guard.core.rules.approvals import approved_roles
    from guard.core.rules.lineage import judge_commits
    from guard.journeys.gather import gather

    asked, sources = what_is_asked(("lineage",), repo=repo, **options)
    # The JSON form has no room for differences, and making them takes time.
    gathered = gather(replace(asked, details=form != "json"), sources)
    facts = gathered.facts.lineage
    if isinstance(facts, Unknown):
        raise GitError(f"lineage could not be decided: {facts.why}", fix=facts.fix, code="lineage.unknown")
    branch, rules, approved = branch_policy(gathered.question, gathered.policy), Lineage(), frozenset[str]()
    if isinstance(branch, Branch) and not isinstance(gathered.policy, Unknown):
        rules, rule = branch.lineage, gathered.policy.value.policy.approvals
        approved = approved_roles(
            rule, gathered.facts.approvals, gathered.facts.members, head=gathered.question.candidate.new
        )
    if form == "json":
        from guard.render.lineage_json import lineage_report

        click.echo(json.dumps(lineage_report(facts.value, rules, approved=approved), indent=2))
    else:
        from guard.render.lineage import lineage_markdown, lineage_text

        judged = judge_commits(facts.value, rules, approved=approved)
        text = lineage_text(facts.value, judged, colour=use_colour())
        click.echo(lineage_markdown(facts.value, judged) if form == "markdown" else text, nl=False)
    return decide(gathered.question, gathered.policy, gathered.facts, now=sources.clock.now()).exit_status
