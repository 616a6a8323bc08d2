"""Which accounts of GitHub had a hand in commits: GitHub alone knows whose an e-mail address is.

GraphQL tells it of any commit that the repository has, whatever the length of the pull request: of its author, of
everybody whom a `Co-authored-by` trailer names, and of its committer. One commit is asked about for each address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from guard.adapters.github_answers import Actor, CommitPeople, CommitsData
from guard.adapters.github_api import Api
from guard.core.facts import Hand
from guard.core.model import Commit

AT_ONCE = 50
"""Commits in one query; GitHub bounds a query's nodes (https://docs.github.com/en/graphql/overview/rate-limits)."""
NOBODY: frozenset[str] = frozenset()

_PEOPLE = """{ ... on Commit { oid
  authors(first: 100) { nodes { email user { login } } }
  committer { email user { login } } } }"""
"""https://docs.github.com/en/graphql/reference/commits: `authors` are the author and the co-authors."""
_OID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def accounts_of(api: Api, owner: str, name: str, hands: Iterable[Hand]) -> dict[Hand, frozenset[str]]:
    """The port's `accounts`, names in lower case. Raises GitHubError.

    An address that belongs to no account names nobody; one that GitHub sees no person behind (a trailer that it reads
    otherwise than git) is left out. GitHub's own `web-flow`, the committer of what is made on its pages, is no person
    and approves nothing.
    """
    asked = tuple(hands)
    people = dict(_read(api, owner, name, dict.fromkeys(hand.commit for hand in asked)))
    found = {hand: _logins(hand, people[hand.commit]) for hand in asked if hand.commit in people}
    return {hand: logins for hand, logins in found.items() if logins is not None}


def _read(
    api: Api, owner: str, name: str, commits: Iterable[Commit]
) -> Iterator[tuple[Commit, CommitPeople]]:
    """Commits that GitHub does not have are left out."""
    left = iter(commits)
    while some := list(islice(left, AT_ONCE)):
        fields = " ".join(
            f'c{at}: object(oid: "{oid}") {_PEOPLE}' for at, oid in enumerate(some) if _OID.fullmatch(oid)
        )
        query = f"query($owner: String!, $name: String!) {{ repository(owner: $owner, name: $name) {{ {fields} }} }}"
        found = api.graphql(query, CommitsData, owner=owner, name=name).repository
        for at, oid in enumerate(some):
            people = found.get(f"c{at}")
            if people is not None and people.oid == oid:
                yield oid, people


def _logins(hand: Hand, people: CommitPeople) -> frozenset[str] | None:
    """None where GitHub does not tell."""
    if hand.kind == "committer":
        return _login(people.committer) if people.committer is not None else None
    actors = people.authors.nodes
    if hand.kind == "author":
        return _login(actors[0]) if actors and actors[0] is not None else None
    named = [one for one in actors if one is not None and (one.email or "").strip().lower() == hand.address]
    return frozenset[str]().union(*map(_login, named)) if named else None


def _login(actor: Actor) -> frozenset[str]:
    return frozenset({actor.user.login.lower()}) if actor.user else NOBODY
