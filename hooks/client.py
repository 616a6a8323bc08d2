"""The developer's side: no commit on a protected branch and no push to one, unless a permit covers exactly that.

It is early advice. Whoever owns the machine can go round it; the wall is the server's hook.
"""

from __future__ import annotations

import os

from hooks.config import Branch, Config, read_config
from hooks.git import ask
from hooks.permits import NoLeave, check_permit
from hooks.refs import Likeness, Update, likeness, parse_pushed
from hooks.refusing import refuse

_CLEAN = {"cherry-pick", "revert", "rebase", "am"}
"""git commands whose clean commits run no pre-commit; what becomes of the branch, reference-transaction judges."""


def judge_commit(folder: str, *, merging: bool) -> int:
    """May a commit be made on the branch that HEAD stands on?"""
    config = read_config(folder)
    found = _protected_head(config)
    if found is None:
        return 0
    head, like = found
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
    return refuse(branch, like, head, "takes no direct commit", _way_out(branch, merging=merging), why=why)


def judge_message(folder: str) -> int:
    """Did pre-commit run for the commit whose message is being prepared? `--no-verify` skips that one, not this."""
    config = read_config(folder)
    found = _protected_head(config)
    if found is None:
        return 0
    from hooks.ancestry import running_command
    from hooks.stamps import take_commit_stamp

    command = running_command()
    # A clean pick with an editor is a `git commit` that git's own sequencer starts, with nothing in between.
    if command.verb in _CLEAN or (command.verb == "commit" and command.parent in _CLEAN):
        return 0
    if take_commit_stamp():
        return 0
    head, like = found
    branch = config.branches[like.protected]
    tried = "takes no commit that skipped its checks (--no-verify, or another tool in the hook's place)"
    way = _way_out(branch, merging=command.verb == "merge")
    return refuse(branch, like, head, tried, way, code="hooks.skipped")


def judge_push(folder: str, text: bytes, *, remote: tuple[str, ...]) -> int:
    """May these refs be pushed? Every line is judged; one refusal refuses the push, as git has it."""
    config = read_config(folder)
    remote, suspect = remote[:2], remote[2:]
    outcome = 0
    for update in parse_pushed(text):
        like = likeness(update.ref, config.branches)
        if (
            like is None
            or (update.deletes and like.kind in {"shadow", "lookalike"})
            or is_fork(remote, config)
        ):
            continue
        outcome = max(outcome, _judge_update(folder, update, like, config, remote))
    if suspect and not outcome:
        from hooks.mirror import judge_mirror

        return judge_mirror(config, remote, fork=is_fork(remote, config))
    return outcome


def _judge_update(
    folder: str, update: Update, like: Likeness, config: Config, remote: tuple[str, ...]
) -> int:
    branch = config.branches[like.protected]
    why = None
    if (token := os.environ.get("GUARD_PERMIT")) and like.kind == "same" and not update.deletes:
        try:
            check_permit(token, config, branch, keys=config.keys, old=update.old, new=update.new)
            return _let_through(folder, update)
        except NoLeave as reason:
            why = reason
    tried = "cannot be deleted by a push" if update.deletes else "takes no direct push"
    status = refuse(branch, like, update.ref, tried, *fork_advice(remote, config), why=why)
    return status or _let_through(folder, update)


def _let_through(folder: str, update: Update) -> int:
    from hooks.stamps import note_push

    note_push(folder, update.ref, update.new)
    return 0


def _protected_head(config: Config) -> tuple[str, Likeness] | None:
    """The branch that HEAD stands on, when it is a protected one or differs from one in case only."""
    status, head = ask("symbolic-ref", "-q", "HEAD", accept=(0, 1))
    like = likeness(head, config.branches) if status == 0 else None
    return (head, like) if like is not None and like.kind in {"same", "case"} else None


def _way_out(branch: Branch, *, merging: bool) -> str:
    keep = "git merge --abort" if merging else "git switch -c my-change  (your changes come along)"
    return f"To leave {branch.name} as it is: {keep}"


def is_fork(remote: tuple[str, ...], config: Config) -> bool:
    """Whether the user said that this remote is a fork of their own; the guarded remote never is one."""
    name, url = (*remote, "", "")[:2]
    if not name or name == config.remote or url in config.urls:
        return False
    _, listed = ask("config", "--get-all", "guard.fork", accept=(0, 1))
    return name in listed.split("\n")


def fork_advice(remote: tuple[str, ...], config: Config) -> tuple[str, ...]:
    """How to say that the remote is a fork, where it could be one."""
    name, url = (*remote, "", "")[:2]
    if not name or name in {config.remote, url} or url in config.urls:
        return ()
    return (f'If "{name}" is your own fork: git config --add guard.fork "{name}"',)
