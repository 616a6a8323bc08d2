"""Who pushed a merge request's commits, by the events that GitLab keeps of each push."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from guard.adapters.gitlab_calls import PER_PAGE, Calls, Record
from guard.adapters.gitlab_reading import number, part, text
from guard.core.errors import ForgeError
from guard.core.facts import Proposal
from guard.core.model import Commit

MOST_PAGES = 20
"""Pages of a hundred pushes that are read; of a head that was pushed before these nobody is known."""
NEEDS = "the role Reporter on the project"


def read_pushers(
    calls: Calls, project: str, proposal: Proposal, commits: Collection[Commit]
) -> frozenset[str]:
    """The lower-case user names of everybody who pushed one of the commits, to whatever branch of the project that
    the request comes from; `project` is the path of its own. Raises ForgeError where nobody is known to have pushed
    the head.

    https://docs.gitlab.com/api/events/#list-all-visible-events-for-a-project, newest first. A push of many branches
    at once leaves one event that names no commit (`push_event_activities_limit`).
    """
    request = calls.one(f"{project}/merge_requests/{proposal.id}", NEEDS)
    if request.get("sha") != proposal.head:
        raise ForgeError(f"!{proposal.id} moved to another head while it was read", fix="it is read again")
    wanted = frozenset(commits)
    found: dict[object, set[str]] = {}
    for event in _pushes(calls, number(request, "source_project_id")):
        pushed = part(event, "push_data").get("commit_to")
        if pushed in wanted:
            found.setdefault(pushed, set()).add(text(event, "author_username").lower())
    if proposal.head not in found:
        raise ForgeError(
            f"GitLab has no event of who pushed {proposal.head[:10]}",
            fix="push the branch again, by itself: a new commit, or an amended one",
        )
    return frozenset[str]().union(*found.values())


def read_movers(calls: Calls, project: str, branch: str, head: Commit) -> frozenset[str]:
    """The user names of everybody whose push, merge or edit left the branch at this commit, as far as the newest events
    tell; `project` is its path. Raises ForgeError."""
    found = set()
    for event in calls.page(f"{project}/events", NEEDS, page=1, action="pushed", sort="desc"):
        pushed = part(event, "push_data")
        if (pushed.get("ref"), pushed.get("commit_to")) == (branch, head):
            found.add(text(event, "author_username"))
    return frozenset(found)


def _pushes(calls: Calls, project: int) -> Iterator[Record]:
    path = f"/projects/{project}/events"
    for page in range(1, MOST_PAGES + 1):
        events = calls.page(path, NEEDS, page=page, action="pushed", sort="desc")
        yield from events
        if len(events) < PER_PAGE:
            return
