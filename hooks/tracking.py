"""After a remote-tracking branch moved: was it a push that skipped pre-push, and did the policy change with it?"""

from __future__ import annotations

import time

from hooks.ancestry import running_command
from hooks.config import Branch, Config, read_config
from hooks.git import ask
from hooks.refs import Update, parse_transaction
from hooks.say import say
from hooks.stamps import moved_since, record_unverified, was_checked

POLICY_PATH = "guard.toml"
BY_PUSH = "update by push"
"""git's reflog message of a remote-tracking branch that `git push` moved."""


def look_after(folder: str, text: bytes) -> int:
    """Record unchecked pushes and compile a changed policy anew. Nothing can be refused any more."""
    config = read_config(folder)
    updates = {update.ref: update for update in parse_transaction(text)}
    branches = {config.tracking(ref): branch for ref, branch in config.branches.items()}
    for ref in updates.keys() & branches.keys():
        _look_for_push(folder, updates[ref], branches[ref], config)
    if any(_policy(ref) != blob for ref, blob in config.sources.items() if ref in updates):
        _compile_anew(config)
    return 0


def _look_for_push(folder: str, update: Update, branch: Branch, config: Config) -> None:
    if not moved_since(
        folder, update.ref, ask("rev-parse", "--verify", "-q", update.ref, accept=(0, 1, 128))[1]
    ):
        return
    verb = running_command().verb
    if verb not in {"", "push", "send-pack"} or not (verb or not update.deletes):
        return
    by_push = verb in {"push", "send-pack"} if update.deletes else _moved_by_push(update)
    if not by_push or was_checked(folder, branch.ref, update.new):
        return
    entry: dict[str, object] = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "remote": config.remote, "ref": branch.ref, "new": update.new,
    }  # fmt: skip
    if record_unverified(folder, entry):
        done = "deleted" if update.deletes else f"moved to {update.new[:10]}"
        say(
            "push.unverified",
            f"{branch.name} was {done} on {config.remote} by a push that skipped its checks. This is on record here.",
            fix="tell the release owner now: the next promotion stops at a branch that is not where it was left",
        )


def _moved_by_push(update: Update) -> bool:
    """By the last entry of the reflog; a ref that is only being packed has an older entry, or an older value."""
    _, said = ask("log", "-g", "-1", "--format=%H %gs", update.ref, "--", accept=(0, 128))
    return said == f"{update.new} {BY_PUSH}"


def _policy(ref: str) -> str:
    return ask("rev-parse", "--verify", "-q", f"{ref}:{POLICY_PATH}", accept=(0, 1, 128))[1]


def _compile_anew(config: Config) -> None:
    import subprocess

    command = [config.python, "-I", "-m", "guard.cli.main", "hook", "refresh"]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, check=False, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        say("hooks.not-refreshed", f"the policy changed and was not compiled: {error}", fix="guard install")
