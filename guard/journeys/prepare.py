"""Prepare a promotion: propose upstream itself or, where it is no descendant of the branch, a merge of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from guard.core.errors import GuardError, Refused
from guard.core.model import Commit, Unknown
from guard.journeys.plan import branch_head
from guard.journeys.sources import Sources
from guard.render.safe import plain


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a proposal is made with.

    `merge` gives the tree of merging two commits and the paths that conflict; `commit` makes a commit of a tree
    with these parents and message; `propose` opens a proposal with this head and title and returns its id.
    """

    merge: Callable[[Commit, Commit], tuple[str, tuple[str, ...]]]
    commit: Callable[[str, tuple[Commit, Commit], str], Commit]
    propose: Callable[[Commit, str], str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The proposal that brings upstream into the branch; `proposal` is "" where there is nothing to bring. `made`
    says that it was opened just now, `merged` that its head is a merge made for it."""

    branch: str
    upstream: str
    head: Commit
    proposal: str = ""
    made: bool = False
    merged: bool = False


def prepare(sources: Sources, branch: str, *, upstream: str, remote: str, workshop: Workshop) -> Prepared:
    """Open the proposal, unless it is open or there is nothing to promote.

    Raises Refused with the conflicting files and the commands to resolve them by hand, UsageError for an upstream
    that is not there, and what `workshop` raises.
    """
    target, source = branch_head(sources, branch), branch_head(sources, upstream)
    if sources.git.descends(target, source):
        return Prepared(branch, upstream, target)
    merged = not sources.git.descends(source, target)
    if there := _open_already(sources, branch, target=target, source=source):
        return Prepared(branch, upstream, there[1], proposal=there[0], merged=merged)
    head = (
        _merge(workshop, (target, source), branch=branch, upstream=upstream, remote=remote)
        if merged
        else source
    )
    proposal = workshop.propose(head, f"Promote {upstream} to {branch}")
    return Prepared(branch, upstream, head, proposal=proposal, made=True, merged=merged)


def _open_already(
    sources: Sources, branch: str, *, target: Commit, source: Commit
) -> tuple[str, Commit] | None:
    """The open proposal whose head is upstream, or just a merge of it into the branch as it stands."""
    proposals = sources.forge.proposals(branch)
    if isinstance(proposals, Unknown):
        raise GuardError(f"the proposals into {branch} could not be read: {proposals.why}", fix=proposals.fix)
    for proposal in proposals.value:
        parents = tuple(sources.git.resolve(f"{proposal.head}^{number}") for number in (1, 2, 3))
        if proposal.head == source or parents == (target, source, None):
            return proposal.id, proposal.head
    return None


def _merge(
    workshop: Workshop, parents: tuple[Commit, Commit], *, branch: str, upstream: str, remote: str
) -> Commit:
    tree, conflicts = workshop.merge(*parents)
    if conflicts:
        listed = "".join(f"\n  {plain(path)}" for path in conflicts)
        steps = (
            f"git fetch {remote}",
            f"git switch --detach {remote}/{branch}",
            f"git merge {remote}/{upstream}",
            "# resolve the conflicts, git add them",
            "git commit",
            f"guard propose --target {branch} --head HEAD",
        )
        raise Refused(
            f"{upstream} cannot be merged into {branch} without a hand; these conflict:{listed}",
            fix="resolve them on a proposal:" + "".join(f"\n  {step}" for step in steps),
            code="prepare.conflict",
        )
    return workshop.commit(tree, parents, f"Merge branch '{upstream}' into {branch}\n")
