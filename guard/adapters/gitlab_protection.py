"""What all of a project's protection rules together mean for one branch."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

from guard.adapters.gitlab_calls import Calls, Record
from guard.adapters.gitlab_reading import flag, number, parts, text
from guard.core.forge_facts import Protection

Name = Callable[[int], str | None]

NO_ACCESS = 0
NEEDS = "the role Maintainer on the project"


def protection_of(rules: Sequence[Record], branch: str, *, group: Name, user: Name) -> Protection | None:
    """https://docs.gitlab.com/user/project/repository/branches/protected/: where several rules match a branch, the
    most permissive counts, so that pushers and mergers are those of all of them. No push deletes a protected
    branch; whoever may change its protection can do so by hand."""
    matching = [rule for rule in rules if _matches(text(rule, "name"), branch)]
    if not matching:
        return None

    def named(field: str) -> tuple[str, ...]:
        levels = (level for rule in matching for level in parts(rule, field))
        names = (_name(level, group=group, user=user) for level in levels)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    return Protection(
        branch=branch,
        pushers=named("push_access_levels"),
        mergers=named("merge_access_levels"),
        force_push=any(flag(rule, "allow_force_push") for rule in matching),
        deletable=False,
    )


def write_protection(calls: Calls, project: str, branch: str, *, me: int, force_push: bool) -> None:
    """A rule of the branch's own that lets the user `me` alone push and merge; other rules that match the branch stay,
    because they may be about other branches too. Raises ForgeError.

    https://docs.gitlab.com/api/protected_branches/: naming a user needs GitLab Premium.
    """
    rules = calls.every(f"{project}/protected_branches", NEEDS)
    there = next((rule for rule in rules if text(rule, "name") == branch), None)
    mine: list[dict[str, object]] = [{"user_id": me}]
    if there is None:
        new = {
            "name": branch,
            "allow_force_push": force_push,
            "allowed_to_push": mine,
            "allowed_to_merge": mine,
        }
        calls.post(f"{project}/protected_branches", new, needs=NEEDS, repeatable=False)
        return
    sent = {
        "allow_force_push": force_push,
        "allowed_to_push": _alone(there, "push_access_levels", me),
        "allowed_to_merge": _alone(there, "merge_access_levels", me),
    }
    calls.patch(f"{project}/protected_branches/{quote(branch, safe='')}", sent, needs=NEEDS)


def _alone(rule: Record, field: str, me: int) -> list[dict[str, object]]:
    """What is to change so that the list names `me` alone."""
    levels = parts(rule, field)
    gone: list[dict[str, object]] = [
        {"id": number(level, "id"), "_destroy": True} for level in levels if level.get("user_id") != me
    ]
    known = any(level.get("user_id") == me for level in levels)
    return gone if known else [*gone, {"user_id": me}]


def _matches(pattern: str, branch: str) -> bool:
    """`*` stands for any text, slashes too (RefMatcher); everything else for itself."""
    expression = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    return re.fullmatch(expression, branch, re.DOTALL) is not None


def _name(level: Record, *, group: Name, user: Name) -> str | None:
    """https://docs.gitlab.com/api/protected_branches/: who one access level lets in; None for "No access". A user
    or group that cannot be looked up keeps the words that GitLab describes it with."""
    words = text(level, "access_level_description")
    if level.get("deploy_key_id") is not None:
        return f"deploy key {number(level, 'deploy_key_id')} ({words})"
    if level.get("user_id") is not None:
        known = number(level, "user_id")
        return user(known) or f"user {known} ({words})"
    if level.get("group_id") is not None:
        known = number(level, "group_id")
        return group(known) or f"group {known} ({words})"
    return None if level.get("access_level") == NO_ACCESS else words
