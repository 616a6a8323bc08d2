"""Gathering the facts of lineage: links first, then the content proof of every link, in as few git processes as go."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from guard.adapters.git_objects import Objects
from guard.adapters.git_process import Scratch
from guard.adapters.lineage.history import Book, History, read_history
from guard.adapters.lineage.links import Claimed
from guard.adapters.lineage.patches import Touched, bounded, compare_patches, patch_ids, tree_diffs
from guard.adapters.lineage.replay import Outcome, Pick, Replay
from guard.adapters.lineage.reverts import Reverts
from guard.adapters.lineage.squashes import Squashes
from guard.core.facts import CommitFacts, LineageFacts, Link
from guard.core.model import Commit

_MAX_CANDIDATES = 5
"""Upstream commits with one patch-id that are tried for one commit."""
_MAX_CLAIMS = 20
"""Upstream commits that one commit's message is followed to."""
_MAX_DETAILS = 50
"""Commits whose differences are shown."""


@dataclass(slots=True)
class _Work:
    """One judgement under way: what was read so far, and each new commit's links and merge."""

    scratch: Scratch
    history: History
    book: Book
    replay: Replay
    touched: Touched
    claimed: Claimed
    reverts: Reverts
    links: dict[Commit, list[Link]] = field(default_factory=lambda: defaultdict(list))
    merges: dict[Commit, tuple[str, Outcome]] = field(default_factory=dict)
    details: dict[tuple[Commit, Link | None], str] = field(default_factory=dict)

    def is_proved(self, commit: Commit) -> bool:
        """Whether a merge or a link proves the commit, by something that upstream has not reverted since."""
        if commit in self.merges and self.merges[commit][0] in {"same", "upstream"}:
            return True
        return any(link.pick == "same" and link.reverted_by is None for link in self.links[commit])

    @property
    def new_commits(self) -> frozenset[Commit]:
        return frozenset(self.history.new)

    @property
    def unproved(self) -> tuple[Commit, ...]:
        return tuple(commit for commit in self.history.new if not self.is_proved(commit))


def gather_lineage(
    scratch: Scratch, objects: Objects, *, upstream: Commit, target: Commit, head: Commit, upstream_name: str
) -> LineageFacts:
    """Everything that "master first" judges. Raises GitError when git cannot answer or history is missing."""
    history = read_history(scratch, upstream, target, head)
    if not history.new:
        at_once = head in history.parents
        unlisted = len(history.proposal)
        return LineageFacts(
            upstream, target, head, upstream_name, (), head_on_upstream=at_once, unlisted=unlisted
        )
    work = _begin(scratch, objects, history)
    _replay_merges(work)
    _link_by_claims(work)
    _link_by_patch_id(work)
    _link_by_squash(work)
    _describe(work)
    commits = tuple(_facts(work, commit, upstream_name) for commit in history.proposal)
    return LineageFacts(upstream, target, head, upstream_name, commits)


def _begin(scratch: Scratch, objects: Objects, history: History) -> _Work:
    book = Book(objects)
    book.load((*history.proposal, *history.upstream_side))
    claimed = Claimed(scratch, objects, history, book)
    claimed.follow()
    replay = Replay(scratch, objects)
    reverts = Reverts(scratch, history, book, claimed, replay)
    return _Work(scratch, history, book, replay, Touched(scratch), claimed, reverts)


def _replay_merges(work: _Work) -> None:
    merges = [commit for commit in work.history.new if len(work.book[commit].parents) > 1]
    outcomes = work.replay.merges([work.book[commit].parents for commit in merges])
    for commit, outcome in zip(merges, outcomes, strict=True):
        remerge = outcome.against(work.book.tree(commit))
        if remerge != "same" and _is_upstream_itself(work, commit):
            remerge = "upstream"
        work.merges[commit] = (remerge, outcome)


def _is_upstream_itself(work: _Work, merge: Commit) -> bool:
    """Whether it merges upstream's head and leaves exactly upstream's tree, so that nothing in it is not upstream's."""
    upstream = work.history.upstream
    return upstream in work.book[merge].parents and work.book.tree(merge) == work.book.tree(upstream)


def _link_by_claims(work: _Work) -> None:
    """Links that messages claim. Guesses (a revert's counterpart) are kept only when they prove the commit."""
    # An edited merge is nobody's pick, whatever it claims: it also drops or brings what it merges.
    guesses = [
        (commit, via, origin)
        for commit in work.unproved
        if commit not in work.merges
        for via, origin in islice(_claims_of(work, commit), _MAX_CLAIMS)
    ]
    _try(work, guesses, keep=("trailer", "change-id"))
    for commit, via, origin in guesses:
        if via == "revert" and not work.is_proved(commit) and _files_equal(work, commit, origin):
            how = "the files that it touches equal upstream's"
            reverted_by = work.reverts.standing(origin)
            work.links[commit].append(Link(via, origin, "same", reverted_by=reverted_by, how=how))


def _claims_of(work: _Work, commit: Commit) -> Iterator[tuple[str, Commit]]:
    """(via, origin) for everything that a commit's message leads to."""
    yield from (("trailer", origin) for origin in work.claimed.trailers(commit))
    yield from (("change-id", origin) for origin in work.claimed.change_ids(commit))
    for reverted, steps in work.claimed.reverted_chain(commit):
        origins = work.claimed.origins(reverted)
        if steps % 2:
            yield from (("revert", revert) for origin in origins for revert in _again(work, origin, steps))
        else:
            yield from (("reapply", origin) for origin in origins)


def _again(work: _Work, origin: Commit, times: int) -> Iterator[Commit]:
    """Upstream's reverts of an origin, the reverts of their reverts, and so on up to as many times over as the
    proposal took things back."""
    reverts = {origin}
    for time in range(1, times + 1):
        reverts = {later for revert in reverts for later in work.reverts.all_of(revert)}
        if time % 2:
            yield from sorted(reverts)


def _files_equal(work: _Work, commit: Commit, revert: Commit) -> bool:
    """Whether every path that the revert touches, and the commit touches no other, is as at upstream's head."""
    head = work.history.upstream
    synthetic = work.replay.commit(work.book.tree(commit), head)
    work.touched.load([commit, revert, synthetic])
    mine = work.touched[commit]
    return bool(mine) and mine <= work.touched[revert] and mine.isdisjoint(work.touched[synthetic])


def _link_by_patch_id(work: _Work) -> None:
    """Links by equal patch-id among the upstream commits that touch the same paths, kept only when they prove."""
    mine = [commit for commit in work.unproved if commit not in work.merges]
    if not mine:
        return
    theirs = [commit for commit in work.history.upstream_side if len(work.book[commit].parents) < 2]
    work.touched.load((*mine, *theirs))
    wanted = {work.touched[commit] for commit in mine} - {frozenset()}
    candidates = [commit for commit in theirs if work.touched[commit] in wanted]
    if not candidates:
        return
    ids = patch_ids(work.scratch, (*mine, *candidates))
    by_id: dict[str, list[Commit]] = {}
    for commit in candidates:
        if commit in ids:
            by_id.setdefault(ids[commit], []).append(commit)
    guesses = [(c, "patch-id", o) for c in mine if c in ids for o in by_id.get(ids[c], ())[-_MAX_CANDIDATES:]]
    _try(work, guesses)


def _link_by_squash(work: _Work) -> None:
    proved = {link.origin for links in work.links.values() for link in links if link.pick == "same"}
    theirs = [c for c in work.history.upstream_side if len(work.book[c].parents) < 2 and c not in proved]
    order = {commit: i for i, commit in enumerate(work.history.upstream_side)}
    children = Counter(parent for commit in work.history.proposal for parent in work.book[commit].parents)
    search = Squashes(
        scratch=work.scratch,
        book=work.book,
        replay=work.replay,
        touched=work.touched,
        claimed=work.claimed,
        theirs=tuple(theirs),
        order=order,
        children=children,
    )
    for commit, link in search.find(work.unproved):
        reverts = (work.reverts.standing(origin) for origin in link.origins or (link.origin,))
        reverted_by = next((revert for revert in reverts if revert), None)
        work.links[commit].append(
            Link(link.via, link.origin, link.pick, link.detail, link.origins, reverted_by, link.how)
        )


def _try(work: _Work, guesses: Iterable[tuple[Commit, str, Commit]], *, keep: tuple[str, ...] = ()) -> None:
    """Prove the guesses (commit, via, origin) by content, all in one go. A guess that is not the same content is
    dropped, unless its `via` is one to `keep`."""
    tried = {(link.origin, commit) for commit, links in work.links.items() for link in links}
    picks = {
        (commit, via, origin): Pick(work.book.base(origin), work.book.base(commit), work.book.tree(origin))
        for commit, via, origin in guesses
        if (origin, commit) not in tried and origin != commit
    }
    outcomes = work.replay.picks(picks.values())
    seen: set[tuple[Commit, Commit]] = set()
    for (commit, via, origin), pick in picks.items():
        result = outcomes[pick].against(work.book.tree(commit))
        if (commit, origin) in seen or (result != "same" and via not in keep):
            continue
        seen.add((commit, origin))
        work.links[commit].append(Link(via, origin, result, reverted_by=work.reverts.standing(origin)))


def _describe(work: _Work) -> None:
    """Show how unproved commits differ from what they are linked to: all patches by one git process."""
    unproved = work.unproved[:_MAX_DETAILS]
    shown = [(commit, link) for commit in unproved for link in work.links[commit] if link.pick != "same"]
    picks = work.replay.picks(_pick(work, commit, link) for commit, link in shown)
    pairs: dict[tuple[Commit, Link | None], list[tuple[str, str]]] = {}
    for commit, link in shown:
        pick, tree = _pick(work, commit, link), work.book.tree(commit)
        conflict = link.pick == "conflict"
        pairs[commit, link] = (
            [(pick.base, pick.theirs), (pick.ours, tree)] if conflict else [(picks[pick].tree, tree)]
        )
    for commit in unproved:
        if commit in work.merges and work.merges[commit][0] == "different":
            pairs[commit, None] = [(work.merges[commit][1].tree, work.book.tree(commit))]
    diffs = tree_diffs(work.scratch, [pair for some in pairs.values() for pair in some])
    for key, some in pairs.items():
        texts = [diffs[pair] for pair in some]
        work.details[key] = bounded(compare_patches(*texts) if len(texts) > 1 else texts[0])


def _pick(work: _Work, commit: Commit, link: Link) -> Pick:
    return Pick(work.book.base(link.origin), work.book.base(commit), work.book.tree(link.origin))


def _facts(work: _Work, commit: Commit, upstream_name: str) -> CommitFacts:
    known = work.book[commit]
    if commit not in work.new_commits:
        return CommitFacts(commit, known.claims.subject, known.parents, on_upstream=True)
    unknown, unknown_fix = work.claimed.unknown(commit)
    return CommitFacts(
        commit=commit,
        subject=known.claims.subject,
        parents=known.parents,
        on_upstream=False,
        remerge=work.merges[commit][0] if commit in work.merges else None,
        links=tuple(_detailed(work, commit, link) for link in work.links[commit]),
        notes=tuple(work.claimed.notes(commit, upstream_name)),
        unknown=unknown,
        is_empty=work.book.base(commit) == known.tree,
        detail=work.details.get((commit, None), ""),
        unknown_fix=unknown_fix,
    )


def _detailed(work: _Work, commit: Commit, link: Link) -> Link:
    detail = work.details.get((commit, link), link.detail)
    return Link(link.via, link.origin, link.pick, detail, link.origins, link.reverted_by, link.how)
