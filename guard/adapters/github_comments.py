"""What the guard asks and says about one comment on GitHub: who wrote it, and the reaction below it."""

from __future__ import annotations

from collections.abc import Mapping

from guard.adapters.github_answers import IssueComment, Permission, Reacted
from guard.adapters.github_api import Api, GitHubError, segment
from guard.core.facts import Reaction
from guard.core.forge_facts import Comment, Speaker

CONTENT: Mapping[Reaction, str] = {"done": "+1", "refused": "-1", "unclear": "confused"}
WRITES = frozenset({"admin", "write"})
"""GitHub tells `maintain` as `write`, and `triage` as `read`."""


def comment_of(one: IssueComment) -> Comment:
    """A comment whose writer is gone has the author `ghost`; one made through an app was typed by nobody that GitHub
    could show. Reactions leave `updated_at` alone."""
    return Comment(
        id=str(one.id),
        author=one.user.login if one.user else "ghost",
        body=one.body or "",
        written_at=one.created_at,
        edited=one.created_at is None or one.updated_at != one.created_at,
        by_program=one.user is None or not one.user.is_person or one.performed_via_github_app is not None,
        url=one.html_url,
    )


def speaker_of(api: Api, repository: str, comment: Comment) -> Speaker:
    """https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user: 404 for an
    account that is not there."""
    try:
        path = f"{repository}/collaborators/{segment(comment.author)}/permission"
        found = api.get(path, Permission).permission
    except GitHubError as error:
        if error.status != 404:
            raise
        found = "none"
    return Speaker(comment.author, not comment.by_program, found in WRITES)


def react(api: Api, repository: str, comment: Comment, reaction: Reaction) -> None:
    """https://docs.github.com/en/rest/reactions/reactions#create-reaction-for-an-issue-comment; again it is a 200."""
    path = f"{repository}/issues/comments/{segment(comment.id)}/reactions"
    api.send("POST", path, Reacted, {"content": CONTENT[reaction]})
