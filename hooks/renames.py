"""`git branch -m OTHER PROTECTED`: git tells its hooks of no new name, only that the old one goes; so the wish is read
from its command line, when nothing is lost yet. (With the reftable format git tells nothing of a renaming.)"""

from __future__ import annotations

import os

from hooks.ancestry import Command, running_command
from hooks.config import Config
from hooks.git import ask
from hooks.refs import Update, likeness
from hooks.refusing import refuse


def judge_rename(update: Update, config: Config) -> int:
    """May this branch go? Not when it is renamed to a protected one."""
    command = running_command()
    onto = _new_name(command) if _wish(command) == "move" else ""
    like = likeness(f"refs/heads/{onto}", config.branches) if onto else None
    if like is None or like.kind not in {"same", "case"}:
        return 0
    tried = f"is not what {update.ref.removeprefix('refs/heads/')} can be renamed to"
    branch = config.branches[like.protected]
    return refuse(branch, like, f"refs/heads/{onto}", tried, *bring_reflog_back(command, update.ref))


def bring_reflog_back(command: Command, ref: str) -> tuple[str, ...]:
    """git moves a branch's reflog aside before it asks, and does not bring it back when the answer is no."""
    wish = _wish(command)
    if not wish:
        return ()
    aside = ask("rev-parse", "--git-path", "logs/refs/.tmp-renamed-log")[1]
    if not os.path.exists(aside):
        return ()
    back = f"mv '{aside}' '{ask('rev-parse', '--git-path', f'logs/{ref}')[1]}'"
    return (f"To bring its reflog back: {back}" if wish == "move" else f"To clean up: rm '{aside}'",)


def _wish(command: Command) -> str:
    """What `git branch` is to do with a branch as a whole: "move", "copy", or "" for anything else."""
    if command.verb != "branch":
        return ""
    for word in command.arguments:
        short = word[1:] if word.startswith("-") and not word.startswith("--") else ""
        for letter, wish in (("m", "move"), ("c", "copy")):
            if letter in short.lower() or (len(word) > 3 and f"--{wish}".startswith(word)):
                return wish
    return ""


def _new_name(command: Command) -> str:
    """The last of the names; of one alone, that is what the current branch is renamed to."""
    names = [word for word in command.arguments if not word.startswith("-")]
    return names[-1] if names else ""
