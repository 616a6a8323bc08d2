"""What the guard asks and says about one comment on GitLab: who wrote it, and the reaction below it."""

from __future__ import annotations

from collections.abc import Mapping

from guard.adapters.gitlab_calls import Calls, Rejected
from guard.adapters.gitlab_reading import number, text
from guard.core.facts import Reaction
from guard.core.forge_facts import Comment, Speaker

NAMES: Mapping[Reaction, str] = {"done": "thumbsup", "refused": "thumbsdown", "unclear": "confused"}
NEEDS = "the role Reporter on the project"
DEVELOPER = 30
"""Who may push to a branch that is not protected (https://docs.gitlab.com/user/permissions/)."""


def speaker_of(calls: Calls, project: str, comment: Comment) -> Speaker:
    """A note does not say whether a bot wrote it; the list of users can be asked for humans alone
    (https://docs.gitlab.com/api/users/#list-all-users)."""
    found = calls.every("/users", "an access token", username=comment.author, humans=True)
    people = [one for one in found if text(one, "username") == comment.author]
    if not people:
        return Speaker(comment.author, is_person=False, may_write=False)
    members = calls.every(f"{project}/members/all", NEEDS, user_ids=number(people[0], "id"))
    able = [
        one for one in members if number(one, "access_level") >= DEVELOPER and text(one, "state") == "active"
    ]
    return Speaker(comment.author, is_person=True, may_write=bool(able))


def react(calls: Calls, note: str, reaction: Reaction) -> None:
    """https://docs.gitlab.com/api/emoji_reactions/#add-reactions-to-comments: GitLab answers 404 for a reaction that is
    there already, as it does for a note that is not; the list of reactions tells."""
    path, name = f"{note}/award_emoji", NAMES[reaction]
    try:
        calls.post(path, {"name": name}, needs=NEEDS, repeatable=True)
    except Rejected as error:
        if error.status != 404 or name not in {text(one, "name") for one in calls.every(path, NEEDS)}:
            raise
