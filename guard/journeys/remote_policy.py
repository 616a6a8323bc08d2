"""What a clone knows of its remote's policy, read from the remote-tracking branches and never from the work tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from guard.core.errors import GuardError, UsageError
from guard.core.model import Commit
from guard.core.policy import Policy
from guard.core.policy_text import parse_policy
from guard.ports import Git

POLICY_PATH = "guard.toml"
_DEFAULTS = ("HEAD", "master", "main")
"""Where the remote's default policy is looked for; HEAD is the remote's default branch, where the clone knows it."""


def find_target(git: Git, branches: Mapping[str, Commit]) -> str:
    """The one protected branch. `branches` are the remote's, by name. Raises UsageError where there is not exactly
    one: by the default branch's policy, or by the branches that carry a policy which protects themselves."""
    default = next((found for name in _DEFAULTS if (found := _policy(git, branches.get(name)))), None)
    protected = tuple(default.branches) if default else tuple(_self_protected(git, branches))
    if len(protected) == 1:
        return protected[0]
    said = f"it protects {', '.join(protected)}" if protected else "no policy was found on its branches"
    raise UsageError(
        f"which branch is meant? Of the remote is known: {said}",
        fix=f"name it: --target {protected[0] if protected else 'release/platform-control'}",
        code="usage.target",
    )


def find_repository(git: Git, branches: Mapping[str, Commit], *, target: str | None) -> str:
    """The repository's name by the target's policy, else by the default one. Raises UsageError where no policy
    tells."""
    named = (target,) if target else ()
    for name in (*named, *_DEFAULTS, *(() if target else _self_protected(git, branches))):
        if policy := _policy(git, branches.get(name)):
            return policy.project.repository
    raise UsageError(
        "the repository's name is not known: no policy was found on the remote's branches",
        fix="fetch it (git fetch), or name the repository as the server's settings do: --repository group/project",
        code="usage.repository",
    )


def _self_protected(git: Git, branches: Mapping[str, Commit]) -> Iterable[str]:
    for name, commit in branches.items():
        policy = _policy(git, commit)
        if policy and name in policy.branches:
            yield name


def _policy(git: Git, commit: Commit | None) -> Policy | None:
    """The policy at a commit; None where there is none or it cannot be used, because the server says so anyway."""
    try:
        text = git.read(commit, POLICY_PATH) if commit else None
        return parse_policy(text, where=POLICY_PATH).policy if text is not None else None
    except GuardError:
        return None
