"""How commits that nothing proves differ from what they are linked to."""

from __future__ import annotations

from guard.adapters.lineage.patches import bounded, compare_patches, tree_diffs
from guard.adapters.lineage.work import Work
from guard.core.lineage_facts import Link
from guard.core.model import Commit

_MAX_DETAILS = 50
"""Commits whose differences are shown."""


def describe(work: Work) -> None:
    """Show how unproved commits differ from what they are linked to: all patches by one git process."""
    unproved = work.unproved[:_MAX_DETAILS]
    shown = [(commit, link) for commit in unproved for link in work.links[commit] if link.pick != "same"]
    trees = work.replay.trees(work.pick(commit, link.origin) for commit, link in shown)
    pairs: dict[tuple[Commit, Link | None], list[tuple[str, str]]] = {}
    for commit, link in shown:
        pick, tree = work.pick(commit, link.origin), work.book.tree(commit)
        conflict = link.pick == "conflict"
        pairs[commit, link] = (
            [(pick.base, pick.theirs), (pick.ours, tree)] if conflict else [(trees[pick], tree)]
        )
    for commit in unproved:
        if commit in work.merges and work.merges[commit][0] == "different":
            pairs[commit, None] = [(work.merges[commit][1].tree, work.book.tree(commit))]
    diffs = tree_diffs(work.scratch, [pair for some in pairs.values() for pair in some])
    for key, some in pairs.items():
        texts = [diffs[pair] for pair in some]
        work.details[key] = bounded(compare_patches(*texts) if len(texts) > 1 else texts[0])
