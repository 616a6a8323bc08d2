"""What all of a project's protection rules together mean for one branch."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from guard.adapters.gitlab_calls import Record
from guard.adapters.gitlab_reading import flag, number, parts, text
from guard.core.forge_facts import Protection

Name = Callable[[int], str | None]

NO_ACCESS = 0


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
