"""Publishing on a forge so that doing it twice changes nothing: one status, one comment, each only when it changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guard.core.facts import Proposal
from guard.core.forge_facts import Comment, CommitStatus, Protection
from guard.core.model import Commit, Unknown
from guard.ports import Voice
from guard.render.comment import is_ours

GOOD = frozenset({"success", "pending"})
"""The states that must not stay on a commit which is no open proposal's head any more."""


def post_status(voice: Voice, commit: Commit, status: CommitStatus) -> CommitStatus | None:
    """Post the status unless it stands there already, as the guard's own. What somebody else had posted in its place,
    or None. Raises ForgeError.

    GitHub takes 1,000 statuses of one context on a commit, so that nothing is said again that stands.
    """
    there = voice.standing_status(commit, status.context)
    stranger = there if there is not None and there.by != voice.me() else None
    if there is None or stranger or not _says(there, status):
        voice.post_status(commit, status)
    return stranger


def _says(there: CommitStatus, status: CommitStatus) -> bool:
    return (there.state, there.description, there.url) == (status.state, status.description, status.url)


def withdraw_status(voice: Voice, commit: Commit, status: CommitStatus) -> bool:
    """Replace a good status by this one; a bad one may stay. Raises ForgeError."""
    there = voice.status(commit, status.context)
    if there is None or there.state not in GOOD:
        return False
    voice.post_status(commit, status)
    return True


def put_comment(
    voice: Voice,
    proposal: Proposal,
    body: str,
    *,
    create: bool = True,
    comments: Sequence[Comment] | None = None,
) -> bool:
    """Have the guard's one comment say this: found by its marker and its author before any is created, edited only
    when it says something else. Whether anything was written. `comments` are all there are, where they were read just
    now. Raises ForgeError."""
    mine = own_comments(voice, voice.comments(proposal) if comments is None else comments)
    if not mine:
        if create:
            voice.add_comment(proposal, body)
        return create
    if _same(mine[0].body, body):
        return False
    voice.edit_comment(proposal, mine[0], body)
    return True


def own_comments(voice: Voice, comments: Sequence[Comment]) -> tuple[Comment, ...]:
    """The guard's of these. Somebody else's copy of the marker makes no comment the guard's."""
    me = voice.me()
    return tuple(one for one in comments if one.author == me and is_ours(one.body))


def protection_warnings(voice: Voice, branch: str) -> tuple[str, ...]:
    """What of the branch's protection a GO cannot rely on: who besides the guard may move the branch. Raises
    ForgeError."""
    fact = voice.protection(branch)
    if isinstance(fact, Unknown):
        return (f"it cannot be read: {fact.why}",)
    return protection_problems(fact.value, branch, me=voice.me())


def protection_problems(protection: Protection | None, branch: str, *, me: str) -> tuple[str, ...]:
    """Who besides the guard may move the branch, and how, in words."""
    if protection is None:
        return (f"{branch} is not protected at all: whoever may push here may move it",)
    lists = (("push to", protection.pushers), ("merge into", protection.mergers))
    found = [
        f"besides the guard, these may {verb} {branch}: {', '.join(others)}"
        for verb, names in lists
        if (others := sorted(_others(names, me)))
    ]
    if protection.force_push:
        found.append(f"a forced push to {branch} is allowed")
    if protection.deletable:
        found.append(f"{branch} may be deleted")
    return tuple(found)


def _others(names: Iterable[str], me: str) -> set[str]:
    return {name for name in names if name.removeprefix("@").casefold() != me.removeprefix("@").casefold()}


def _same(there: str, wanted: str) -> bool:
    """Forges may change line ends and trim."""
    return there.replace("\r\n", "\n").strip() == wanted.strip()
