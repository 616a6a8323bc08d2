"""Which paths the guard itself rests on: a proposal that changes one needs both owners, whatever the policy says.

Source: whoever may change the policy, the hooks, the code owners or the promote script alone may switch the guard off.
"""

from __future__ import annotations

from collections.abc import Iterable

from guard.core.globs import matches

OWNERS = ("platform", "security")
"""The two roles of the release readiness page, "Approval recorded by platform + security owners"."""

GUARDING = (
    "guard.toml",
    "codeowners", "docs/codeowners", ".github/codeowners", ".gitlab/codeowners",
    "hooks/**", ".hooks/**", ".githooks/**", ".git-hooks/**", ".husky/**",
    ".pre-commit-config.y*ml", ".pre-commit-hooks.y*ml",
    "lefthook.*", ".lefthook.*", "lefthook-local.*", ".lefthook/**",
)  # fmt: skip
"""Globs, in lower case: a path in another spelling is the same file on many machines."""


def guarding_paths(paths: Iterable[str], *, promote: str | None) -> tuple[str, ...]:
    """Those of the paths that guard; `promote` is the branch's promote script."""
    globs = (*GUARDING, promote.casefold()) if promote else GUARDING
    return tuple(path for path in paths if any(matches(path.casefold(), glob) for glob in globs))
