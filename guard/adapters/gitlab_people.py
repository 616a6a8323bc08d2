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
    """Groups by their full path. Which users are humans never changes, and is asked once."""

    def __init__(self, calls: Calls, *, clock: Clock) -> None:
        self._calls = calls
        self._clock = clock
        self._human: dict[str, frozenset[int]] = {}

    def people(self, path: str, *, inherited: bool) -> frozenset[str]:
        """The user names of the active human members of the group and of every group within it. Raises ForgeError
        naming a group that is not there.

        https://docs.gitlab.com/api/group_members/: `members` has a group's own members; `members/all` also has
        those of the groups above it, and those of groups that were invited to it.
        https://docs.gitlab.com/api/groups/#list-descendant-groups: groups that the token does not see are not listed.
        """
        group = f"/groups/{quote(path, safe='')}"
        try:
            members = list(self._calls.every(f"{group}/{'members/all' if inherited else 'members'}", SEES))
            within = self._calls.every(f"{group}/descendant_groups", SEES)
        except Rejected as error:
            if error.status != 404:
                raise
            raise ForgeError(
                f"there is no group @{path}, or the token does not see it",
                fix=f"check the name, and give the guard's user {SEES}",
            ) from None
        for one in within:
            members += self._calls.every(f"/groups/{number(one, 'id')}/members", SEES)
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

    def is_human(self, username: str) -> bool:
        return bool(self._humans(username))

    def _is_human(self, member: Record) -> bool:
        return number(member, "id") in self._humans(text(member, "username"))

    def _humans(self, username: str) -> frozenset[int]:
        """Members and approvers are listed without saying which of them are bots; the list of users can be asked for
        humans alone (https://docs.gitlab.com/api/users/#list-all-users)."""
        if username not in self._human:
            found = self._calls.every("/users", "an access token", username=username, humans=True)
            self._human[username] = frozenset(number(one, "id") for one in found)
        return self._human[username]


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
