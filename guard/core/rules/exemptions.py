"""Which commits a policy lets pass without their being on upstream, and whose approval each of them demands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from guard.core.globs import matches
from guard.core.lineage_facts import CommitFacts

if TYPE_CHECKING:
    from guard.core.policy_branch import Exemption


def applicable(facts: CommitFacts, exemptions: Iterable[Exemption]) -> tuple[Exemption, ...]:
    """The exemptions that cover a commit. Never a merge: what a hand did in one is not told by its paths."""
    if len(facts.parents) > 1:
        return ()
    return tuple(exemption for exemption in exemptions if _covers(exemption, facts))


def _covers(exemption: Exemption, facts: CommitFacts) -> bool:
    """Everything that the exemption names has to hold: every changed path fits, and the title carries a marker."""
    if not (exemption.paths or exemption.markers):
        return False
    return (not exemption.paths or _paths_fit(exemption.paths, facts.paths)) and (
        not exemption.markers or any(marker in facts.subject for marker in exemption.markers)
    )


def _paths_fit(globs: tuple[str, ...], paths: tuple[str, ...] | None) -> bool:
    """Of a commit whose paths are not known, or that changes none, nothing can be said."""
    return bool(paths) and all(any(matches(path, glob) for glob in globs) for path in paths or ())


def describe(exemption: Exemption) -> str:
    """`paths .gitreview, tox.ini and title [stable-only]`."""
    parts = [f"paths {', '.join(exemption.paths)}"] if exemption.paths else []
    parts += [f"title {' or '.join(exemption.markers)}"] if exemption.markers else []
    return " and ".join(parts)
