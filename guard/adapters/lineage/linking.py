"""What links each new commit of a proposal to upstream: claims, equal patches, squashes, and the proof of each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice

from guard.adapters.git_objects import Objects
from guard.adapters.git_process import Scratch
from guard.adapters.lineage.aside import Aside
from guard.adapters.lineage.asked import Asked
from guard.adapters.lineage.changes import Changes
from guard.adapters.lineage.details import describe
from guard.adapters.lineage.history import Book, History
from guard.adapters.lineage.links import Claimed
from guard.adapters.lineage.memory import Memory, Names
from guard.adapters.lineage.merges import single_base
from guard.adapters.lineage.patches import patch_ids
from guard.adapters.lineage.replay import Pick, Replay
from guard.adapters.lineage.reverts import Reverts
from guard.adapters.lineage.squashes import Squashes
from guard.adapters.lineage.twins import twins
from guard.adapters.lineage.work import Work
from guard.core.lineage_facts import CommitFacts, Link
from guard.core.model import Commit

_MAX_CANDIDATES = 5
"""Upstream commits with one patch-id that are tried for one commit."""
_MAX_CLAIMS = 20
"""Upstream commits that one commit's message is followed to."""
_MAX_PATHS = 1_000
"""Paths of one commit that are told; an exemption by paths does not cover a commit with more."""


def linked_facts(
    scratch: Scratch, objects: Objects, history: History, *, asked: Asked, memory: Memory
) -> tuple[tuple[CommitFacts, ...], Names | None]:
    """The facts of every commit of the proposal, and the names on which they rest (see `gather._gather`)."""
    work = _begin(scratch, objects, history, asked=asked, memory=memory)
    _link_by_claims_and_place(work)
    _link_by_patch_id(work)
    _link_by_squash(work)
    if asked.details:
        describe(work)
    commits = tuple(_facts(work, commit, asked.upstream_name) for commit in history.proposal)
    return commits, work.claimed.unsettled


def _begin(scratch: Scratch, objects: Objects, history: History, *, asked: Asked, memory: Memory) -> Work:
    book = Book(objects, asked.trailers)
    book.load((*history.proposal, *history.upstream_side))
    claimed = Claimed(scratch, objects, history, book)
    claimed.follow()
    changes = Changes(scratch)
    replay = Replay(scratch, objects, changes, memory)
    reverts = Reverts(scratch, history, book, claimed, replay)
    return Work(scratch, objects, history, book, replay, changes, claimed, reverts)


def _link_by_claims_and_place(work: Work) -> None:
    """Merges and what messages claim: first by what came to upstream since the branches parted; then, where that
    proves nothing, by the other named commits that are on upstream, which takes a walk through older history."""
    with Aside(partial(_look_aside, work)) as placing:
        guesses = _guesses(work, work.history.new)
        merges = _merge_picks(work)
        picks = {work.pick(commit, origin): work.book.tree(commit) for commit, _, origin in guesses}
        picks |= {pick: work.book.tree(commit) for commit, pick in merges.items()}
        work.replay.picks(picks, hoped=picks)
        _replay_merges(work, merges)
        _link_by_claims(work, guesses)
        settle = placing.result()
    settle()
    work.claimed.place(work.unproved)()
    _link_by_claims(work, _guesses(work, work.unproved))


def _look_aside(work: Work) -> Callable[[], None]:
    """What git finds out meanwhile about the commits that name nothing on upstream's side: the places of what they
    name else, and what every commit there changes."""
    single = [commit for commit in work.history.new if len(work.book[commit].parents) < 2]
    silent = [commit for commit in single if not work.claimed.trailers(commit)]
    settle = work.claimed.place(silent)
    if silent:
        work.changes.load(work.book.change(commit) for commit in (*single, *work.upstream_singles))
    return settle


def _merge_picks(work: Work) -> dict[Commit, Pick]:
    """The merges of two sides with one base that is seen without git, as picks of what the second side brings."""
    known = work.history.parents
    found: dict[Commit, Pick] = {}
    for commit in work.history.new:
        parents = work.book[commit].parents
        base = single_base(*parents, known) if len(parents) == 2 else None
        if base is not None:
            trees = (work.book.tree(name) for name in (base, *parents))
            found[commit] = Pick(*trees)
    return found


def _replay_merges(work: Work, picks: Mapping[Commit, Pick]) -> None:
    merges = [commit for commit in work.history.new if len(work.book[commit].parents) > 1]
    hard = [commit for commit in merges if commit not in picks]
    outcomes = dict(
        zip(hard, work.replay.merges([work.book[commit].parents for commit in hard]), strict=True)
    )
    easy = work.replay.picks(picks.values())
    outcomes |= {commit: easy[pick] for commit, pick in picks.items()}
    for commit in merges:
        remerge = outcomes[commit].against(work.book.tree(commit))
        if remerge != "same" and _is_upstream_itself(work, commit):
            remerge = "upstream"
        work.merges[commit] = (remerge, outcomes[commit])


def _is_upstream_itself(work: Work, merge: Commit) -> bool:
    """Whether it merges upstream's head and leaves exactly upstream's tree, so that nothing in it is not upstream's."""
    upstream = work.history.upstream
    return upstream in work.book[merge].parents and work.book.tree(merge) == work.book.tree(upstream)


def _guesses(work: Work, commits: Iterable[Commit]) -> list[tuple[Commit, str, Commit]]:
    """(commit, via, origin) for what the messages of these commits lead to."""
    # An edited merge is nobody's pick, whatever it claims: it also drops or brings what it merges.
    return [
        (commit, via, origin)
        for commit in commits
        if len(work.book[commit].parents) < 2
        for via, origin in islice(_claims_of(work, commit), _MAX_CLAIMS)
    ]


def _link_by_claims(work: Work, guesses: list[tuple[Commit, str, Commit]]) -> None:
    """Links that messages claim. Guesses (a revert's counterpart) are kept only when they prove the commit."""
    _try(work, guesses, keep=("trailer", "change-id"))
    for commit, via, origin in guesses:
        if via == "revert" and not work.is_proved(commit) and _files_equal(work, commit, origin):
            how = "the files that it touches equal upstream's"
            reverted_by = work.reverts.standing(origin)
            link = Link(via, origin, "same", reverted_by=reverted_by, how=how)
            if link not in work.links[commit]:
                work.links[commit].append(link)


def _claims_of(work: Work, commit: Commit) -> Iterator[tuple[str, Commit]]:
    """(via, origin) for everything that a commit's message leads to."""
    yield from (("trailer", origin) for origin in work.claimed.trailers(commit))
    yield from (("change-id", origin) for origin in work.claimed.change_ids(commit))
    for reverted, steps in work.claimed.reverted_chain(commit):
        origins = work.claimed.origins(reverted)
        if steps % 2:
            yield from (("revert", revert) for origin in origins for revert in _again(work, origin, steps))
        else:
            yield from (("reapply", origin) for origin in origins)


def _again(work: Work, origin: Commit, times: int) -> Iterator[Commit]:
    """Upstream's reverts of an origin, the reverts of their reverts, and so on up to as many times over as the
    proposal took things back."""
    reverts = {origin}
    for time in range(1, times + 1):
        reverts = {later for revert in reverts for later in work.reverts.all_of(revert)}
        if time % 2:
            yield from sorted(reverts)


def _files_equal(work: Work, commit: Commit, revert: Commit) -> bool:
    """Whether every path that the revert touches, and the commit touches no other, is as at upstream's head."""
    if len(work.book[revert].parents) > 1:
        return False
    mine, theirs = work.book.change(commit), work.book.change(revert)
    rest = (work.book.tree(work.history.upstream), work.book.tree(commit))
    work.changes.load([mine, theirs, rest])
    touched = work.changes.touched(mine)
    return (
        bool(touched)
        and touched <= work.changes.touched(theirs)
        and touched.isdisjoint(work.changes.touched(rest))
    )


def _link_by_patch_id(work: Work) -> None:
    """Links by equal patch-id among the upstream commits that change the same paths alike, kept only when they
    prove."""
    mine = [commit for commit in work.unproved if commit not in work.merges]
    if not mine:
        return
    found = twins(mine, work.upstream_singles, book=work.book, changes=work.changes, objects=work.objects)
    tried = work.tried
    pairs = {c: [other for other in others if (other, c) not in tried] for c, others in found.items()}
    ids = patch_ids(
        work.scratch, [c for commit, others in pairs.items() if others for c in (commit, *others)]
    )
    same = {
        commit: [other for other in others if ids.get(other, "") == ids.get(commit)]
        for commit, others in pairs.items()
    }
    _try(work, [(c, "patch-id", other) for c, others in same.items() for other in others[-_MAX_CANDIDATES:]])


def _link_by_squash(work: Work) -> None:
    proved = {link.origin for links in work.links.values() for link in links if link.pick == "same"}
    theirs = [commit for commit in work.upstream_singles if commit not in proved]
    order = {commit: i for i, commit in enumerate(work.history.upstream_side)}
    children = Counter(parent for commit in work.history.proposal for parent in work.book[commit].parents)
    search = Squashes(
        scratch=work.scratch,
        objects=work.objects,
        book=work.book,
        replay=work.replay,
        changes=work.changes,
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


def _try(work: Work, guesses: Iterable[tuple[Commit, str, Commit]], *, keep: tuple[str, ...] = ()) -> None:
    """Prove the guesses (commit, via, origin) by content, all in one go. A guess that is not the same content is
    dropped, unless its `via` is one to `keep`."""
    tried = work.tried
    picks = {
        (commit, via, origin): work.pick(commit, origin)
        for commit, via, origin in guesses
        if (origin, commit) not in tried and origin != commit
    }
    hoped = {pick: work.book.tree(commit) for (commit, _, _), pick in picks.items()}
    outcomes = work.replay.picks(picks.values(), hoped=hoped)
    linked = [
        key
        for key, pick in picks.items()
        if key[1] in keep or outcomes[pick].against(work.book.tree(key[0])) == "same"
    ]
    work.reverts.prepare(origin for _, _, origin in linked)
    seen: set[tuple[Commit, Commit]] = set()
    for commit, via, origin in linked:
        if (commit, origin) in seen:
            continue
        seen.add((commit, origin))
        result = outcomes[picks[commit, via, origin]].against(work.book.tree(commit))
        work.links[commit].append(Link(via, origin, result, reverted_by=work.reverts.standing(origin)))


def _facts(work: Work, commit: Commit, upstream_name: str) -> CommitFacts:
    known = work.book[commit]
    if commit not in work.new_commits:
        return CommitFacts(commit, work.book.claims(commit).subject, known.parents, on_upstream=True)
    proved = work.is_proved(commit)
    # Of a commit that is proved, what its message leads to elsewhere was not looked at.
    unknown, unknown_fix = ("", "") if proved else work.claimed.unknown(commit)
    return CommitFacts(
        commit=commit,
        subject=work.book.claims(commit).subject,
        parents=known.parents,
        on_upstream=False,
        remerge=work.merges[commit][0] if commit in work.merges else None,
        links=tuple(_detailed(work, commit, link) for link in work.links[commit]),
        notes=() if proved else tuple(work.claimed.notes(commit, upstream_name)),
        unknown=unknown,
        is_empty=work.book.base(commit) == known.tree,
        detail=work.details.get((commit, None), ""),
        unknown_fix=unknown_fix,
        paths=_paths(work, commit),
    )


def _paths(work: Work, commit: Commit) -> tuple[str, ...] | None:
    """What a commit that nothing proves changes; an exemption may be about that."""
    if work.is_proved(commit) or commit in work.merges:
        return None
    touched = work.changes.touched(work.book.change(commit))
    return tuple(sorted(map(os.fsdecode, touched))) if len(touched) <= _MAX_PATHS else None


def _detailed(work: Work, commit: Commit, link: Link) -> Link:
    detail = work.details.get((commit, link), link.detail)
    return Link(link.via, link.origin, link.pick, detail, link.origins, link.reverted_by, link.how)
