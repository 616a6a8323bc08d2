"""Which users of GitLab had a hand in a merge request's commits: GitLab alone knows whose an e-mail address is.

GraphQL tells it of the authors and committers of a merge request's commits. Of other addresses (co-authors, the authors
of what was picked) GitLab tells only what is public; what it does not tell is left out, which blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from guard.adapters.gitlab_calls import MOST_PAGES, Calls, Record
from guard.adapters.gitlab_reading import commit, flag, part, parts, text
from guard.core.errors import ForgeError
from guard.core.facts import Hand, Proposal
from guard.core.model import Commit

QUERY = """
query($project: ID!, $iid: String!, $authors: String, $committers: String) {
  project(fullPath: $project) {
    mergeRequest(iid: $iid) {
      diffHeadSha
      commits(first: 100, after: $authors) {
        nodes { sha author { username } }
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
MOST_LOOKED_UP = 100
"""Addresses that are looked up one by one; more than these are not told of."""
NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class People:
    """Whom GitLab knows behind a merge request's commits: each commit's author (None for nobody), all committers."""

    authors: Mapping[Commit, str | None]
    committers: frozenset[str]


def accounts_of(
    calls: Calls, repository: str, proposal: Proposal, hands: Iterable[Hand]
) -> dict[Hand, frozenset[str]]:
    """The port's `accounts`, names in lower case. Raises ForgeError, also when the request moved to another head."""
    asked = tuple(hands)
    people = read_people(calls, repository, proposal)
    found: dict[Hand, frozenset[str]] = {}
    known: dict[str, frozenset[str]] = {}
    for hand in asked:
        if hand.kind == "author" and hand.commit in people.authors:
            name = people.authors[hand.commit]
            found[hand] = known[hand.address] = frozenset({name}) if name else NOBODY
        elif hand.kind == "committer":
            # Committers come without their addresses: each of them may be this one.
            found[hand] = people.committers
    rest = [hand for hand in asked if hand not in found]
    for address in list(dict.fromkeys(hand.address for hand in rest if hand.address not in known))[
        :MOST_LOOKED_UP
    ]:
        owner = _owner(calls, address)
        if owner is not None:
            known[address] = frozenset({owner})
    return found | {hand: known[hand.address] for hand in rest if hand.address in known}


def read_people(calls: Calls, repository: str, proposal: Proposal) -> People:
    """Raises ForgeError, also when the merge request has moved to another head."""
    authors: dict[Commit, str | None] = {}
    committers: set[str] = set()
    cursors: dict[str, object] = {"authors": None, "committers": None}
    for _ in range(MOST_PAGES):
        variables = {"project": repository, "iid": proposal.id, **cursors}
        data = calls.ask(QUERY, variables, needs=NEEDS)
        request = part(part(data, "project"), "mergeRequest")
        if text(request, "diffHeadSha") != proposal.head:
            raise ForgeError(
                f"!{proposal.id} moved to another head while it was read", fix="it is read again"
            )
        made, by = part(request, "commits"), part(request, "committers")
        authors |= {commit(one, "sha"): _author(one) for one in parts(made, "nodes")}
        committers |= {_name(one) for one in parts(by, "nodes")}
        following = {"authors": _cursor(made), "committers": _cursor(by)}
        if not any(following.values()):
            return People(authors, frozenset(committers))
        cursors = {name: following[name] or cursors[name] for name in cursors}
    raise ForgeError(f"!{proposal.id} has more commits than the guard reads")


def _owner(calls: Calls, address: str) -> str | None:
    """The one user whose this address is, as far as anybody may know: GitLab's own private address of a user
    (https://docs.gitlab.com/user/profile/#use-an-automatically-generated-private-commit-email), or a public one
    (https://docs.gitlab.com/api/users/#list-all-users). None where GitLab does not tell."""
    private = re.fullmatch(rf"(\d+)-(\S+)@users\.noreply\.{re.escape(_host(calls))}", address)
    if private:
        found = calls.every("/users", "an access token", username=private[2])
        found = tuple(one for one in found if one.get("id") == int(private[1]))
    else:
        found = calls.every("/users", "an access token", public_email=address)
    return text(found[0], "username").lower() if len(found) == 1 else None


def _host(calls: Calls) -> str:
    return urlsplit(calls.url).hostname or ""


def _author(node: Record) -> str | None:
    return None if node.get("author") is None else _name(node["author"])


def _name(user: object) -> str:
    if not isinstance(user, dict):
        raise ForgeError("GitLab's answer has no user where one should be")
    return text(user, "username").lower()


def _cursor(connection: Record) -> str | None:
    page = part(connection, "pageInfo")
    return text(page, "endCursor") if flag(page, "hasNextPage") else None
