"""What is known of the commits of a candidate and of their way to upstream."""

from __future__ import annotations

from dataclasses import dataclass

from guard.core.model import Commit


@dataclass(frozen=True, slots=True)
class Link:
    """How one commit of the proposal was found to belong to an upstream commit, and what picking that shows.

    `via` is `trailer`, `change-id`, `revert`, `reapply` (of what was reverted here), `patch-id` or `squash`; `pick`
    is what picking `origin` onto the commit's parent gives: the `same` tree, a `different` one without conflict, or
    a `conflict`. `origins` are all of
    them where several make one commit. `reverted_by` is the upstream commit that took an origin back since and
    stands. `detail` shows how the commit differs from the pick. `how` says how the content was proved, if not so.
    """

    via: str
    origin: Commit
    pick: str
    detail: str = ""
    origins: tuple[Commit, ...] = ()
    reverted_by: Commit | None = None
    how: str = ""


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What git says about one commit of `target..head`.

    `remerge` is None for a commit with fewer than two parents, else `same`, `different` or `conflict`: what
    re-creating the merge without a hand gives; `upstream` when its tree is exactly that of upstream's head, which
    it merges. `notes` hold what is worth telling (a trailer that names a commit which is not on upstream);
    `detail` shows how a merge differs from its re-creation; `unknown` says why the facts could not be read, and
    `unknown_fix` what would help. `paths` are those that a commit without proof changes, bytes outside UTF-8 as
    surrogates; None where they were not read.
    """

    commit: Commit
    subject: str
    parents: tuple[Commit, ...]
    on_upstream: bool
    remerge: str | None = None
    links: tuple[Link, ...] = ()
    notes: tuple[str, ...] = ()
    unknown: str = ""
    is_empty: bool = False
    detail: str = ""
    unknown_fix: str = ""
    paths: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LineageFacts:
    """Everything that "master first" judges: `target..head`, oldest first.

    Where head is upstream's head or an ancestor of it, nothing is to be proved: `head_on_upstream` is true,
    `commits` is empty, and `unlisted` counts the commits of the range.
    """

    upstream: Commit
    target: Commit
    head: Commit
    upstream_name: str
    commits: tuple[CommitFacts, ...]
    head_on_upstream: bool = False
    unlisted: int = 0
