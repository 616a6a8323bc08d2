"""Adopt a branch as it stands: the baseline that every later move is measured against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from guard.core.errors import GuardError, PolicyError, Refused, UsageError
from guard.core.model import Commit
from guard.core.policy_branch import Lineage
from guard.core.rules.lineage import judge_commits
from guard.journeys.plan import Commits, branch_head, branch_rules
from guard.journeys.reconcile import expected_head
from guard.journeys.sources import Sources
from guard.ports import Ledger


@dataclass(frozen=True, slots=True)
class Baseline:
    """A branch as somebody found it. `drift` are the commits on it that upstream has not, each with the verdict
    of the lineage rule, oldest first; `by` is who adopts it, `because` why, where it replaces another."""

    ref: str
    head: Commit
    upstream: str
    upstream_head: Commit
    drift: tuple[Mapping[str, str], ...]
    by: str
    because: str = ""


def adopt(ledger: Ledger, baseline: Baseline, *, now: datetime, force: bool = False) -> bool:
    """Record the baseline; False where the ledger expects the branch exactly there already.

    To be called under the branch's lock, with no promotion unfinished. Raises Refused where the ledger expects
    another head and `force` is not given, UsageError where it is given without a reason.
    """
    branch = baseline.ref.removeprefix("refs/heads/")
    expected = expected_head(ledger, baseline.ref)
    if expected == baseline.head:
        return False
    if expected is not None and not force:
        raise Refused(
            f"{branch} stands at {baseline.head}, but the ledger expects {expected}",
            fix=f"put it back, or accept it for a reason: guard adopt --branch {branch} --force --because TEXT",
            code="adopt.drift",
        )
    if expected is not None and not baseline.because.strip():
        raise UsageError("--force needs a reason, which goes on record", fix="add --because TEXT")
    body = {
        "ref": baseline.ref,
        "head": baseline.head,
        "upstream": baseline.upstream,
        "upstream_head": baseline.upstream_head,
        "drift": [dict(commit) for commit in baseline.drift],
        "by": baseline.by,
        "because": baseline.because,
        "instead_of": expected,
    }
    ledger.append("baseline.adopted", body, at=now)
    return True


def look(
    sources: Sources,
    branch: str,
    *,
    upstream_name: str | None,
    list_commits: Callable[[Commit, Commit], Commits],
    by: str,
    because: str = "",
) -> Baseline:
    """The branch as it stands, measured against its upstream (None: the policy's). Raises Refused where there is
    no such branch, UsageError where no upstream is known."""
    head = branch_head(sources, branch)
    name = upstream_name or _policy_upstream(sources, branch)
    upstream_head = sources.git.resolve(f"refs/heads/{name}")
    if upstream_head is None:
        raise UsageError(
            f"there is no upstream branch {name} on the server", fix="name it: --upstream BRANCH"
        )
    drift = _drift(sources, upstream_head, head, name=name, list_commits=list_commits)
    return Baseline(f"refs/heads/{branch}", head, name, upstream_head, drift, by=by, because=because)


def _policy_upstream(sources: Sources, branch: str) -> str:
    try:
        return branch_rules(sources, branch).upstream
    except (PolicyError, Refused) as error:
        raise UsageError(
            f"no policy says what the upstream of {branch} is: {error.message}",
            fix="name it: --upstream BRANCH",
            code="usage.upstream",
        ) from None


def _drift(
    sources: Sources,
    upstream: Commit,
    head: Commit,
    *,
    name: str,
    list_commits: Callable[[Commit, Commit], Commits],
) -> tuple[Mapping[str, str], ...]:
    """The commits that the branch has and upstream has not, with what the lineage rule makes of each."""
    try:
        facts = sources.git.lineage(upstream, upstream, head, upstream_name=name)
    except GuardError as error:
        # A baseline can be taken where the lineage cannot be judged; it only tells less.
        verdict = f"unknown: {error.message}"
        return tuple(_told(commit, subject, verdict) for commit, subject in list_commits(upstream, head))
    return tuple(_told(one.commit, one.subject, one.standing) for one in judge_commits(facts, Lineage()))


def _told(commit: str, subject: str, verdict: str) -> Mapping[str, str]:
    # Git lets a subject hold any bytes; the ledger's JSON holds none that is not a character.
    return {
        "commit": commit,
        "subject": subject[:200].encode("utf-8", "replace").decode(),
        "verdict": str(verdict),
    }
