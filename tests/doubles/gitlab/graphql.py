"""The one GraphQL query that the double answers: who had a hand in a merge request's commits.

https://docs.gitlab.com/api/graphql/reference/#mergerequest. No description of it is at hand to judge by, so that the
double answers exactly what the query names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.doubles.gitlab.state import MergeRequest, State, User

Json = dict[str, Any]


def answer_hands(state: State, me: User, body: Mapping[str, Any], *, size: int) -> Json:
    """`project` is null for who may not see it."""
    variables = body["variables"]
    request = state.request(variables["iid"])
    if variables["project"] != state.project or me.id not in state.team or request is None:
        return {"data": {"project": None}}
    authors, committers = _people(state, request)
    nodes = [{"sha": sha, "author": {"username": user.username} if user else None} for sha, user in authors]
    users = {user.username: {"username": user.username} for user in committers if user}
    return {
        "data": {
            "project": {
                "mergeRequest": {
                    "diffHeadSha": request.head,
                    "commits": _page(nodes, variables["authors"], size),
                    "committers": _page(list(users.values()), variables["committers"], size),
                }
            }
        }
    }


def _people(state: State, request: MergeRequest) -> tuple[list[tuple[str, User | None]], list[User | None]]:
    """The users behind the addresses of the commits that the newest version brings: each author with its commit."""
    version = request.versions[-1]
    lines = state.repo.git("log", "--format=%H %ae %ce", f"{version.base}..{version.head}").splitlines()
    rows = [line.split(" ") for line in lines]
    owner = {f"{user.username}@example.com": user for user in state.users.values()}
    return [(sha, owner.get(by)) for sha, by, _ in rows], [owner.get(committer) for _, _, committer in rows]


def _page(items: Sequence[Json], after: str | None, size: int) -> Json:
    start = int(after or 0)
    end = min(start + size, len(items))
    info = {"hasNextPage": end < len(items), "endCursor": str(end) if items else None}
    return {"nodes": list(items[start:end]), "pageInfo": info}
