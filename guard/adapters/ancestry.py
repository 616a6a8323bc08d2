"""Whether one commit descends from another, whatever their dates say."""

from __future__ import annotations

from guard.adapters.git_process import Scratch
from guard.core.model import Commit


def reaches(scratch: Scratch, commit: Commit, ancestor: Commit) -> bool:
    """Whether `ancestor` is `commit` or one of its ancestors, as far as the history is there. Raises GitError.

    `git rev-list ANCESTOR ^COMMIT` would be wrong where the ancestor is dated later than many of its descendants: that
    walk follows dates and gives up a few commits after it has seen nothing of interest.
    """
    return scratch.run("merge-base", ancestor, commit, accept=(0, 1)).decode("ascii").split() == [ancestor]
