"""Backport debt: what stands on a release branch and is not on upstream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from guard.core.drift import Drift
from guard.core.errors import UsageError
from guard.core.model import Commit, Unknown
from guard.core.policy_branch import Branch, Lineage
from guard.core.rules.lineage import judge_commits
from guard.journeys.asking import read_policy, resolve
from guard.journeys.sources import Sources
from guard.ports import Ledger

MERGE_BASE, PROMOTION = "merge-base", "promotion"
"""The words that `since` may be, besides the name of a commit."""


@dataclass(frozen=True, slots=True)
class DriftAsked:
    """Which release branch: its name, the name its head goes by, upstream's name (None: the policy's), and from
    where on: `promotion`, `merge-base`, a commit's name, or None for the last promotion where there was one."""

    branch: str
    target: str
    upstream: str | None = None
    since: str | None = None


def find_drift(asked: DriftAsked, sources: Sources, *, ledger: Ledger | None = None) -> Drift:
    """What the branch has that upstream has not. `ledger` is where promotions are on record.

    Approvals play no part: an adapted pick is listed, approved or not, because upstream has it otherwise. Raises
    UsageError where a name stands for nothing, GitError where git cannot answer.
    """
    head = resolve(sources.git, asked.target, "--target")
    table = _table(sources, head, asked.branch)
    name = asked.upstream or (table.upstream if table else None)
    if name is None:
        raise UsageError(
            f"no policy says what the upstream of {asked.branch} is",
            fix="name it: --upstream master",
            code="usage.upstream",
        )
    upstream = resolve(sources.git, name, "--upstream")
    start, what = _start(asked, sources, upstream=upstream, head=head, ledger=ledger)
    rules = table.lineage if table else Lineage()
    facts = sources.git.lineage(upstream, start, head, upstream_name=name, trailers=rules.trailers)
    return Drift(asked.branch, what, facts, judge_commits(facts, Lineage()))


def _table(sources: Sources, head: Commit, branch: str) -> Branch | None:
    policy = read_policy(sources, head, branch)
    return None if isinstance(policy, Unknown) else policy.value.policy.branches.get(branch)


def _start(
    asked: DriftAsked, sources: Sources, *, upstream: Commit, head: Commit, ledger: Ledger | None
) -> tuple[Commit, str]:
    """Where to start, and what that is."""
    if asked.since not in {None, MERGE_BASE, PROMOTION}:
        return resolve(sources.git, str(asked.since), "--since"), f"--since {asked.since}"
    if asked.since != MERGE_BASE:
        promoted = _last_promotion(f"refs/heads/{asked.branch}", ledger)
        if promoted is not None:
            return promoted, "the last promotion"
        if asked.since == PROMOTION:
            raise UsageError(
                f"no promotion of {asked.branch} is on record",
                fix="name the server side with --server, or another start: --since merge-base",
                code="drift.no-promotion",
            )
    base = sources.git.merge_base(upstream, head)
    if base is None:
        raise UsageError(
            f"{asked.branch} and its upstream have no commit in common",
            fix="check that these are the branches that you mean, or name a start: --since COMMIT",
            code="drift.unrelated",
        )
    return base, "the merge base"


def _last_promotion(ref: str, ledger: Ledger | None) -> Commit | None:
    """Where the last move of the branch that a permit allowed led; a baseline is no promotion."""
    moves: Iterable[object] = (
        entry.body.get("new")
        for entry in (ledger.entries("branch.moved", newest_first=True) if ledger else ())
        if entry.body.get("ref") == ref and entry.body.get("permit")
    )
    found = next(iter(moves), None)
    return Commit(str(found)) if found else None
