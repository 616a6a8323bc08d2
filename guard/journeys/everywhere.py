"""Hooks for all of a user's or a machine's repositories, which git >= 2.54 runs from its configuration.

Each looks where it runs: only a clone whose policy was compiled is judged, and a new clone with a policy gets it
compiled at its first checkout. Older gits know only a hook folder for all repositories, which hides each one's own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from guard.core.errors import GuardError
from guard.journeys.doctor import CONFIGURED_HOOKS
from guard.journeys.install import HookFiles, hook_command, hook_settings

Setter = Callable[[str, str | None], None]
"""Sets a name of the user's or the machine's configuration, or takes it away with None."""


def install_everywhere(files: HookFiles, folder: Path, *, git: tuple[int, int], setter: Setter) -> list[str]:
    """Place the hooks in the folder and name them in the configuration; what was done. Raises GuardError."""
    if git < CONFIGURED_HOOKS:
        raise GuardError(
            f"git {git[0]}.{git[1]} runs no hooks from its configuration; 2.54 and newer do",
            fix="run guard install in each clone; its linked work trees share what it sets",
            code="install.git-too-old",
        )
    lines = [f"hooks in {folder}"]
    for hook in files.hooks:
        lines.append(f"  {files.configured(folder, hook)}")
        command, event = hook_settings(hook)
        setter(command, hook_command(folder / hook))
        setter(event, hook)
    return [
        *lines,
        "git's configuration names them; a clone with a guard.toml is guarded from its next checkout on",
    ]


def uninstall_everywhere(files: HookFiles, folder: Path, *, setter: Setter) -> list[str]:
    """Take the names and the files away; the event first, because git dies of an event without a command."""
    for hook in files.hooks:
        command, event = hook_settings(hook)
        setter(event, None)
        setter(command, None)
        (folder / hook).unlink(missing_ok=True)
    return [f"hooks in {folder} and their names in git's configuration: removed"]
