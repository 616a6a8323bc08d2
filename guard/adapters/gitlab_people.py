"""Who belongs to a GitLab group, for as far as that person can act: no bots, nobody blocked, nothing expired."""

from __future__ import annotations

from datetime import UTC, date
from urllib.parse import quote

from guard.adapters.gitlab_calls import Calls, Record, Rejected
from guard.adapters.gitlab_reading import number, text
from guard.core.errors import ForgeError
from guard.ports import Clock

SEES = "membership in the group"


class Groups:
    """Groups by their full path. Whether a user is a human never changes, and is asked once."""

    def __init__(self, calls: Calls, *, clock: Clock, inherited: bool) -> None:
        self._calls = calls
        self._clock = clock
        self._which = "members/all" if inherited else "members"
        self._human: dict[int, bool] = {}

    def people(self, path: str) -> frozenset[str]:
        """The user names of the group's active human members. Raises ForgeError naming a group that is not there.

        https://docs.gitlab.com/api/group_members/: `members/all` has the group's own members, those of the groups
        above it, and those of groups invited to it; `members` has its own alone.
        """
        try:
            members = self._calls.every(f"/groups/{quote(path, safe='')}/{self._which}", SEES)
        except Rejected as error:
            if error.status != 404:
                raise
            raise ForgeError(
                f"there is no group @{path}, or the token does not see it",
                fix=f"check the name, and give the guard's user {SEES}",
            ) from None
        today = self._clock.now().astimezone(UTC).date()
        active = [member for member in members if _is_active(member, today)]
        return frozenset(text(member, "username") for member in active if self._is_human(member))

    def name(self, id: int) -> str | None:
        """`@full/path` of the group with this id; None where the token does not see it."""
        try:
            return "@" + text(self._calls.one(f"/groups/{id}", SEES, with_projects=False), "full_path")
        except Rejected as error:
            if error.status not in (403, 404):
                raise
            return None

    def _is_human(self, member: Record) -> bool:
        """Members are listed without saying which of them are bots; the list of users can be asked for humans
        alone (https://docs.gitlab.com/api/users/#list-all-users)."""
        user, name = number(member, "id"), text(member, "username")
        if user not in self._human:
            found = self._calls.every("/users", "an access token", username=name, humans=True)
            self._human[user] = any(one.get("id") == user for one in found)
        return self._human[user]


def _is_active(member: Record, today: date) -> bool:
    """https://docs.gitlab.com/api/group_members/#list-all-members-of-a-group: `state` is the user's (`blocked` and
    others), `membership_state` may be `awaiting`; a membership ends on the day of `expires_at`."""
    if text(member, "state") != "active" or member.get("membership_state", "active") != "active":
        return False
    expires = member.get("expires_at")
    return expires is None or _day(expires) > today


def _day(value: object) -> date:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise ForgeError("GitLab's answer has no day in the field expires_at") from None
