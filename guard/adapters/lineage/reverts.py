"""Which upstream commit took an origin back and still stands.

That something was reverted is believed on a message's word, because the error is a refusal. That a revert was
itself undone is believed only when the content shows it.
"""

from __future__ import annotations

from collections.abc import Iterable

from guard.adapters.ancestry import reaches
from guard.adapters.git_process import Scratch
from guard.adapters.lineage.history import Book, History, reachable
from guard.adapters.lineage.links import Claimed
from guard.adapters.lineage.replay import Pick, Replay
from guard.core.errors import GitError
from guard.core.model import Commit

_MAX_OLD = 50
"""Origins older than the target's branching off, each of which costs a search through upstream's messages."""
_SEARCH = ("--extended-regexp", "--grep=^This reverts commit", '--grep=^(Revert|Reapply) "')


class Reverts:
    """The reverts on upstream, and which of them stand."""

    def __init__(
        self, scratch: Scratch, history: History, book: Book, claimed: Claimed, replay: Replay
    ) -> None:
        self._scratch = scratch
        self._history = history
        self._book = book
        self._claimed = claimed
        self._replay = replay
        self._place = {commit: i for i, commit in enumerate(history.upstream_side)}
        self._by_target: dict[Commit, list[Commit]] = {}
        self._by_subject: dict[str, list[Commit]] = {}
        self._searched: set[Commit] = set()
        self._undone: dict[Commit, bool] = {}
        self._standing: dict[Commit, Commit | None] = {}
        for commit in history.upstream_side:
            if book[commit].may_revert:
                self._note(commit)

    def prepare(self, origins: Iterable[Commit]) -> None:
        """Have ready, by one git process, what `standing` needs of these. Raises GitError."""
        near = [origin for origin in dict.fromkeys(origins) if origin in self._place and self.all_of(origin)]
        self._replay.picks(self._onto_head(origin) for origin in near)

    def standing(self, origin: Commit) -> Commit | None:
        """The newest revert of this upstream commit that stands, or None. Raises GitError."""
        if origin not in self._standing:
            self._standing[origin] = self._find(origin)
        return self._standing[origin]

    def all_of(self, origin: Commit) -> tuple[Commit, ...]:
        """Every upstream commit that says it reverts this one, newest last."""
        if origin not in self._place:
            self._search(origin)
        found = dict.fromkeys((*self._by_target.get(origin, ()), *self._quoting(origin)))
        return tuple(commit for commit in found if commit != origin)

    def _find(self, origin: Commit) -> Commit | None:
        reverts = self.all_of(origin)
        if not reverts or self._is_there(origin):
            return None
        return next((revert for revert in reversed(reverts) if not self._is_undone(revert)), None)

    def _is_undone(self, revert: Commit) -> bool:
        """Whether another revert, proved by its content and standing itself, took this revert back."""
        if revert not in self._undone:
            self._undone[revert] = False  # what a circle of claims comes back to
            self._undone[revert] = any(
                self._undoes(later, revert) and all(self._is_undone(again) for again in self.all_of(later))
                for later in self.all_of(revert)
            )
        return self._undone[revert]

    def _undoes(self, later: Commit, revert: Commit) -> bool:
        """Whether taking the revert's change back gives exactly the later commit's tree."""
        pick = Pick(base=self._book.tree(revert), ours=self._book.base(later), theirs=self._book.base(revert))
        return self._replay.picks([pick])[pick].against(self._book.tree(later)) == "same"

    def _is_there(self, origin: Commit) -> bool:
        """Whether upstream's head holds the origin's whole change: picking it there changes nothing."""
        pick = self._onto_head(origin)
        return self._replay.picks([pick])[pick].against(pick.ours) == "same"

    def _onto_head(self, origin: Commit) -> Pick:
        head = self._book.tree(self._history.upstream)
        return Pick(base=self._book.base(origin), ours=head, theirs=self._book.tree(origin))

    def _note(self, commit: Commit) -> None:
        """Remember what an upstream commit says it reverts; of a merge, everything that the merge brought."""
        claims = self._book.claims(commit)
        targets = [target for target in self._claimed.reverts(commit) if target in self._place]
        for target in targets:
            for taken in self._brought_by(target):
                self._by_target.setdefault(taken, []).append(commit)
        if claims.reverts_subject and not targets:
            self._by_subject.setdefault(claims.reverts_subject, []).append(commit)

    def _brought_by(self, commit: Commit) -> Iterable[Commit]:
        parents = self._history.parents[commit]
        if len(parents) < 2:
            return (commit,)
        return reachable([commit], self._history.parents) - reachable(parents[:1], self._history.parents)

    def _quoting(self, origin: Commit) -> tuple[Commit, ...]:
        """The reverts without a usable hash that quote the origin's title and came after it."""
        quoting = self._by_subject.get(self._book.claims(origin).subject, ())
        return tuple(
            commit for commit in quoting if self._place.get(commit, -1) > self._place.get(origin, -2)
        )

    def _search(self, origin: Commit) -> None:
        """Find the reverts of an origin that the target's history holds too, where upstream's side has no record."""
        if origin in self._searched:
            return
        self._searched.add(origin)
        if len(self._searched) > _MAX_OLD:
            raise GitError(
                f"more than {_MAX_OLD} commits repeat changes from before the branches parted",
                code="lineage.too-many",
                fix="drop the commits whose change the target's history has already",
            )
        listed = self._scratch.run(
            "rev-list", "--reverse", *_SEARCH, self._history.upstream, f"^{origin}", "--"
        )
        reverts = [Commit(line) for line in listed.decode("ascii").split()]
        self._book.load(reverts)
        self._claimed.resolve(name for commit in reverts for name in self._book.claims(commit).reverts)
        subject = self._book.claims(origin).subject
        for commit in reverts:
            if self._book.claims(commit).reverts_subject == subject or any(
                target == origin or self._merged(target, origin) for target in self._claimed.reverts(commit)
            ):
                self._by_target.setdefault(origin, []).append(commit)

    def _merged(self, merge: Commit, origin: Commit) -> bool:
        """Whether `merge` is a merge that brought `origin`."""
        parents = self._book[merge].parents
        reached = len(parents) > 1 and reaches(self._scratch, merge, origin)
        return reached and not reaches(self._scratch, parents[0], origin)
