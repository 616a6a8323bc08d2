"""Which users of GitLab had a hand in a merge request's commits: GitLab alone knows whose an e-mail address is."""

from __future__ import annotations

from collections.abc import Mapping

from guard.adapters.gitlab_calls import MOST_PAGES, Calls, Record
from guard.adapters.gitlab_reading import flag, part, parts, text
from guard.core.errors import ForgeError
from guard.core.facts import Proposal

QUERY = """
query($project: ID!, $iid: String!, $authors: String, $committers: String) {
  project(fullPath: $project) {
    mergeRequest(iid: $iid) {
      diffHeadSha
      commits(first: 100, after: $authors) {
        nodes { author { username } }
        pageInfo { hasNextPage endCursor }
      }
      committers(first: 100, after: $committers) {
        nodes { username }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""
"""https://docs.gitlab.com/api/graphql/reference/#mergerequest: REST shows e-mail addresses, and only to
administrators whose they are."""

NEEDS = "the role Reporter on the project"
Hands = Mapping[str, frozenset[str]]


def read_hands(calls: Calls, repository: str, proposal: Proposal) -> Hands:
    """`author` and `committer` → the lower-case user names, of the proposal's commits. Raises ForgeError, also when
    the merge request has moved to another head. A commit whose address belongs to no user names nobody."""
    names: dict[str, set[str]] = {"author": set(), "committer": set()}
    cursors: dict[str, object] = {"authors": None, "committers": None}
    for _ in range(MOST_PAGES):
        variables = {"project": repository, "iid": proposal.id, **cursors}
        data = calls.ask(QUERY, variables, needs=NEEDS)
        request = part(part(data, "project"), "mergeRequest")
        if text(request, "diffHeadSha") != proposal.head:
            raise ForgeError(
                f"!{proposal.id} moved to another head while it was read", fix="it is read again"
            )
        commits, committers = part(request, "commits"), part(request, "committers")
        authors = (one["author"] for one in parts(commits, "nodes") if one.get("author") is not None)
        names["author"] |= {_name(one) for one in authors}
        names["committer"] |= {_name(one) for one in parts(committers, "nodes")}
        following = {"authors": _cursor(commits), "committers": _cursor(committers)}
        if not any(following.values()):
            return {kind: frozenset(found) for kind, found in names.items()}
        cursors = {name: following[name] or cursors[name] for name in cursors}
    raise ForgeError(f"!{proposal.id} has more commits than the guard reads")


def hands_of(actor: str, hands: Hands) -> frozenset[str]:
    """The kinds of authorship that this user holds; user names on GitLab differ in more than case."""
    return frozenset(kind for kind, names in hands.items() if actor.lower() in names)


def _name(user: object) -> str:
    if not isinstance(user, dict):
        raise ForgeError("GitLab's answer has no user where one should be")
    return text(user, "username").lower()


def _cursor(connection: Record) -> str | None:
    page = part(connection, "pageInfo")
    return text(page, "endCursor") if flag(page, "hasNextPage") else None
