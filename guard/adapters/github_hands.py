"""Which accounts of GitHub had a hand in a pull request's commits: GitHub alone knows whose an e-mail address is."""

from __future__ import annotations

from collections.abc import Mapping

from guard.adapters.github_answers import PullCommit, WholePull
from guard.adapters.github_api import Api, GitHubError, segment
from guard.core.facts import Proposal

LISTED = 250
"""https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request lists no more, so a list that is as long
may have been cut."""

AGAIN = "it is read again"
Hands = Mapping[str, frozenset[str]]


def read_hands(api: Api, repo: str, proposal: Proposal) -> Hands:
    """`author` and `committer` → the case-folded logins, of the pull request's commits; `repo` is the repository's
    path. Raises GitHubError, also when the pull request has moved, or GitHub does not list the whole of it.

    A commit whose address belongs to no account names nobody. GitHub's own `web-flow`, the committer of what is made
    on its pages, is no person and approves nothing.
    """
    path = f"{repo}/pulls/{segment(proposal.id)}"
    pull = api.get(path, WholePull)
    if (pull.head.sha, pull.base.ref) != (proposal.head, proposal.target):
        raise GitHubError(
            f"pull request {proposal.id} moved to another head or target while it was read", fix=AGAIN
        )
    if pull.commits >= LISTED:
        raise GitHubError(
            f"it has {pull.commits} commits, and GitHub lists the authors of {LISTED} at most",
            fix=f"promote in smaller steps, of less than {LISTED} commits each",
        )
    commits = {commit.sha: commit for commit in api.pages(f"{path}/commits", PullCommit)}
    if not pull.commits <= len(commits) < LISTED or _tips(commits) != {proposal.head}:
        raise GitHubError(
            f"GitHub does not list all commits up to the head of pull request {proposal.id}", fix=AGAIN
        )
    return {
        "author": frozenset(one.author.login.casefold() for one in commits.values() if one.author),
        "committer": frozenset(one.committer.login.casefold() for one in commits.values() if one.committer),
    }


def hands_of(login: str, hands: Hands) -> frozenset[str]:
    """The kinds of authorship that this account holds; logins on GitHub differ in more than case."""
    return frozenset(kind for kind, logins in hands.items() if login.casefold() in logins)


def _tips(commits: Mapping[str, PullCommit]) -> set[str]:
    """The commits that are no other's parent. GitHub promises no order of the list, so the head need not be last."""
    return commits.keys() - {parent.sha for commit in commits.values() for parent in commit.parents}
