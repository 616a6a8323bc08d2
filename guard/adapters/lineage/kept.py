"""Whether a push left the approved change as it was: exactly the same commits picked again, or the target merged in.

Picks and merges are done again without a hand, as everywhere in lineage; a likeness of patches proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from guard.adapters.git_objects import Objects, RawCommit
from guard.adapters.git_process import Scratch, git_version
from guard.adapters.lineage.changes import Changes
from guard.adapters.lineage.memory import Forgetful, Memory, Remembered
from guard.adapters.lineage.replay import Pick, Replay
from guard.core.model import Commit

MOST = 500
"""Commits of a proposal that are compared; a longer one is approved anew."""
_CO_AUTHOR = re.compile(r"^co-authored-by:\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


def what_keeps(
    scratch: Scratch,
    objects: Objects,
    *,
    approved: Commit,
    head: Commit,
    target: Commit,
    memory: Memory | None = None,
) -> str:
    """`re-pick`, `target-merge`, or "" where something else, or nothing at all, lies between the two heads.

    `target` is where the target branch stands now: what it has is nobody's to approve. Raises GitError.
    """
    kept = Forgetful() if memory is None else Remembered(memory, git=git_version())
    replay = Replay(scratch, objects, Changes(scratch), kept)
    before, after = _range(scratch, approved, target), _range(scratch, head, target)
    if not before or not after or max(len(before), len(after)) > MOST or before == after:
        return ""
    if set(before) < set(after):
        return "target-merge" if _only_merges(objects, replay, before, after, head=head) else ""
    return "re-pick" if _picked_again(objects, replay, before, after) else ""


def _range(scratch: Scratch, head: Commit, target: Commit) -> tuple[Commit, ...]:
    """The commits that the target has not, parents first."""
    out = scratch.run("rev-list", "--topo-order", "--reverse", head, f"^{target}", "--")
    return tuple(Commit(line) for line in out.decode("ascii").split())


def _only_merges(
    objects: Objects, replay: Replay, before: Sequence[Commit], after: Sequence[Commit], *, head: Commit
) -> bool:
    """Whether each commit that came is a clean merge of what the target has, one on top of the other."""
    fresh = {commit for commit in after if commit not in set(before)}
    merges: list[tuple[str, ...]] = []
    trees: list[str] = []
    current = head
    while current in fresh:
        made = next(objects.commits([current]))
        if len(made.parents) != 2 or made.parents[1] in set(after):
            return False
        merges.append(made.parents)
        trees.append(made.tree)
        fresh.discard(current)
        current = made.parents[0]
    if fresh or current != before[-1]:
        return False
    outcomes = replay.merges(merges)
    return all(outcome.against(tree) == "same" for outcome, tree in zip(outcomes, trees, strict=True))


def _picked_again(
    objects: Objects, replay: Replay, before: Sequence[Commit], after: Sequence[Commit]
) -> bool:
    """Whether both are chains of as many commits, by the same people, of which each picks cleanly to its successor."""
    if len(before) != len(after):
        return False
    old, new = list(objects.commits(before)), list(objects.commits(after))
    if not _is_chain(before, old) or not _is_chain(after, new):
        return False
    if any(_people(one) != _people(other) for one, other in zip(old, new, strict=True)):
        return False
    bases = [made.parents[0] for made in (*old, *new)]
    trees = [made.tree for made in objects.commits(bases)]
    onto = zip(trees[: len(old)], trees[len(old) :], old, strict=True)
    picks = [Pick(base, ours, one.tree) for base, ours, one in onto]
    outcomes = replay.picks(picks)
    return all(outcomes[pick].against(made.tree) == "same" for pick, made in zip(picks, new, strict=True))


def _is_chain(names: Sequence[Commit], made: Sequence[RawCommit]) -> bool:
    """Whether each has one parent, which is the one before it."""
    single = all(len(commit.parents) == 1 for commit in made)
    return single and all(commit.parents[0] == name for commit, name in zip(made[1:], names, strict=False))


def _people(commit: RawCommit) -> tuple[str, tuple[str, ...]]:
    """Author and co-authors: whoever wrote the approved commit must not vanish from its successor."""
    return commit.author.rpartition(">")[0], tuple(sorted(_CO_AUTHOR.findall(commit.message)))
