"""Who pushed a pull request's commits, by the activity that GitHub keeps of each branch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from guard.adapters.github_answers import Activity, WholePull
from guard.adapters.github_api import Api, GitHubError, segment
from guard.core.facts import Proposal
from guard.core.model import Commit

OF_THE_BRANCH, OF_ALL = 2000, 300
"""Activities that are read, newest first: of the proposal's branch, and of all branches."""
AGAIN = "it is read again"


def read_pushers(api: Api, repo: str, proposal: Proposal, commits: Collection[Commit]) -> frozenset[str]:
    """The lower-case logins of everybody who brought one of the commits to the branch of the pull request, and as far
    as the newest activity tells to any other; `repo` is the repository's path. Raises GitHubError where nobody is
    known to have pushed the head.

    https://docs.github.com/en/rest/repos/repos#list-repository-activities: `after` is what a push left there.
    """
    pull = api.get(f"{repo}/pulls/{segment(proposal.id)}", WholePull)
    if (pull.head.sha, pull.base.ref) != (proposal.head, proposal.target):
        raise GitHubError(
            f"pull request {proposal.id} moved to another head or target while it was read", fix=AGAIN
        )
    if pull.head.repo is None:
        raise GitHubError(
            f"the fork of pull request {proposal.id} is gone, and with it who pushed there",
            fix="propose it from a branch that is there",
        )
    where = "/repos/" + "/".join(map(segment, pull.head.repo.full_name.split("/")))
    wanted, found = frozenset(commits), dict[str, set[str]]()
    for one in _activities(api, where, f"refs/heads/{pull.head.ref}"):
        if one.after in wanted and one.actor is not None:
            found.setdefault(one.after, set()).add(one.actor.login.lower())
    if proposal.head not in found:
        raise GitHubError(
            f"GitHub has no activity of who pushed {proposal.head[:10]} to {pull.head.ref}",
            fix="push to the branch again: a new commit, or an amended one",
        )
    return frozenset[str]().union(*found.values())


def read_movers(api: Api, repo: str, branch: str, head: Commit) -> frozenset[str]:
    """The logins of everybody whose push, merge or edit left the branch at this commit, as far as the newest activity
    of the branch tells. Raises GitHubError."""
    found = islice(
        api.pages(f"{repo}/activity", Activity, direction="desc", ref=f"refs/heads/{branch}"), OF_ALL
    )
    return frozenset(one.actor.login for one in found if one.after == head and one.actor is not None)


def _activities(api: Api, where: str, ref: str) -> Iterator[Activity]:
    reads: tuple[tuple[Mapping[str, str], int], ...] = (({"ref": ref}, OF_THE_BRANCH), ({}, OF_ALL))
    for query, most in reads:
        yield from islice(api.pages(f"{where}/activity", Activity, direction="desc", **query), most)
