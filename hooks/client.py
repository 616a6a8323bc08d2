"""The developer's side: no commit on a protected branch and no push to one, unless a permit covers exactly that.

It is early advice. Whoever owns the machine can go round it; the wall is the server's hook.
"""

from __future__ import annotations

import os
from pathlib import Path

from hooks.config import Branch, Config, read_config
from hooks.git import ask
from hooks.permits import NoLeave, check_permit
from hooks.refs import Likeness, Update, likeness, parse_pushed
from hooks.say import REFUSED, say


def judge_commit(folder: Path, *, merging: bool) -> int:
    """May a commit be made on the branch that HEAD stands on?"""
    config = read_config(folder)
    status, head = ask("symbolic-ref", "-q", "HEAD", accept=(0, 1))
    like = likeness(head, config.branches) if status == 0 else None
    if like is None or like.kind not in {"same", "case"}:
        return 0
    branch = config.branches[like.protected]
    why = None
    if (token := os.environ.get("GUARD_PERMIT")) and like.kind == "same":
        try:
            _, old = ask("rev-parse", "--verify", "-q", "HEAD^{commit}")
            _, tree = ask("write-tree")
            check_permit(token, config, branch, keys=config.keys, old=old, tree=tree)
            return 0
        except NoLeave as reason:
            why = reason
    keep = "git merge --abort" if merging else "git switch -c my-change  (your changes come along)"
    return _refuse(
        branch, like, head, "takes no direct commit", why, f"To leave {branch.name} as it is: {keep}"
    )


def judge_push(folder: Path, text: bytes, *, remote: tuple[str, ...]) -> int:
    """May these refs be pushed? Every line is judged; one refusal refuses the push, as git has it."""
    config = read_config(folder)
    outcome = 0
    for update in parse_pushed(text):
        like = likeness(update.ref, config.branches)
        if (
            like is None
            or (update.deletes and like.kind in {"shadow", "lookalike"})
            or _is_fork(remote, config)
        ):
            continue
        outcome = max(outcome, _judge_update(update, like, config, remote))
    return outcome


def _judge_update(update: Update, like: Likeness, config: Config, remote: tuple[str, ...]) -> int:
    branch = config.branches[like.protected]
    why = None
    if (token := os.environ.get("GUARD_PERMIT")) and like.kind == "same" and not update.deletes:
        try:
            check_permit(token, config, branch, keys=config.keys, old=update.old, new=update.new)
            return 0
        except NoLeave as reason:
            why = reason
    verb = "cannot be deleted by a push" if update.deletes else "takes no direct push"
    return _refuse(branch, like, update.ref, verb, why, *_fork_advice(remote, config))


def _refuse(branch: Branch, like: Likeness, ref: str, verb: str, why: NoLeave | None, *advice: str) -> int:
    """Say what is refused, why a presented permit did not help, and what to read; in observe mode only warn."""
    code, text = "refs.protected", f"{branch.name} {verb}."
    if like.kind != "same":
        code, text = like.told(ref)
    way = f'Merge to {branch.upstream} first, then run "guard promote".'
    notes = [f"{why.code}: {why.message}"] if why else []
    notes += [f"fix: {why.fix}"] if why and why.fix else []
    notes += advice
    notes += [f"Read first: {document}" for document in branch.read_first]
    if branch.observe:
        say(code, f"{text} {way}", notes=("This is a warning only: the policy says mode = observe.",))
        return 0
    say(code, f"{text} {way}", notes=tuple(notes))
    return REFUSED


def _is_fork(remote: tuple[str, ...], config: Config) -> bool:
    """Whether the user said that this remote is a fork of their own; the guarded remote never is one."""
    name, url = (*remote, "", "")[:2]
    if not name or name == config.remote or url in config.urls:
        return False
    _, listed = ask("config", "--get-all", "guard.fork", accept=(0, 1))
    return name in listed.split("\n")


def _fork_advice(remote: tuple[str, ...], config: Config) -> tuple[str, ...]:
    name, url = (*remote, "", "")[:2]
    if not name or name in {config.remote, url} or url in config.urls:
        return ()
    return (f'If "{name}" is your own fork: git config --add guard.fork "{name}"',)
