"""`guard lineage`: a verdict and its reason for every commit that a promotion would bring."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guard.cli.check import judging, use_colour, what_is_asked
from guard.core.errors import GitError, GuardError

if TYPE_CHECKING:
    from guard.core.lineage_facts import LineageFacts
    from guard.core.policy_branch import Lineage
    from guard.core.rules.lineage import CommitVerdict, NoPolicy


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


def _answer(form: str, **options: Any) -> int:
    alone = _without_policy(details=form != "json", **options)
    if alone is not None:
        from guard.core.rules.lineage import NoPolicy

        judged = _show(form, alone, NoPolicy(), frozenset())
        return _status(judged)
    return _by_policy(form, **options)


def _without_policy(
    *,
    repo: Path,
    upstream: str | None,
    target: str,
    head: str,
    policy: Path | None,
    server: str | None,
    details: bool,
) -> LineageFacts | None:
    """The facts where no policy takes part; None where one may, or where anything has to be said about a name.

    Reading a policy takes longer than judging a short range, so that nothing of it is imported here.
    """
    if upstream is None or policy or server or os.environ.get("GUARD_SERVER"):
        return None
    from guard.adapters.git import GitRepo

    try:
        with GitRepo(repo) as git:
            names = (upstream, target, head)
            asked = [
                commit or git.resolve(f"refs/remotes/origin/{name}")
                for name, commit in zip(names, git.resolve_all(names), strict=True)
            ]
            found = [commit for commit in asked if commit]
            if len(found) < len(asked) or git.read(found[1], "guard.toml") is not None:
                return None
            return git.lineage(found[0], found[1], found[2], upstream_name=upstream, details=details)
    except GuardError:
        return None  # asked again by the long way, which says it well


def _status(judged: Sequence[CommitVerdict]) -> int:
    from guard.core.model import Outcome

    blocking = [one.outcome for one in judged if not one.outcome.allows]
    if Outcome.ERROR in blocking:
        return 2
    return 1 if blocking else 0


def _by_policy(form: str, *, repo: Path, **options: Any) -> int:
    from guard.core.decide import branch_policy, decide
    from guard.core.model import Unknown
    from guard.core.policy_branch import Branch, Lineage
    from guard.core.rules.approvals import approved_roles
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
    _show(form, facts.value, rules, approved)
    return decide(gathered.question, gathered.policy, gathered.facts, now=sources.clock.now()).exit_status


def _show(
    form: str, facts: LineageFacts, rules: Lineage | NoPolicy, approved: frozenset[str]
) -> Sequence[CommitVerdict]:
    """Print the verdicts, and hand them back."""
    from guard.core.rules.lineage import judge_commits

    judged = judge_commits(facts, rules, approved=approved)
    if form == "json":
        from guard.render.lineage_json import lineage_report

        click.echo(json.dumps(lineage_report(facts, rules, approved=approved), indent=2))
    else:
        from guard.render.lineage import lineage_markdown, lineage_text

        text = lineage_text(facts, judged, colour=use_colour())
        click.echo(lineage_markdown(facts, judged) if form == "markdown" else text, nl=False)
    return judged
