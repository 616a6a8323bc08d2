"""A local move of a protected branch (merge, reset, `branch -f`, `update-ref` …): it may follow the remote, no more.

git runs reference-transaction for every way to move a ref, also after `--no-verify`.
"""

from __future__ import annotations

import os

from hooks.ancestry import running_command
from hooks.config import Config, read_config
from hooks.git import ask
from hooks.permits import NoLeave, check_permit
from hooks.refs import Likeness, Update, likeness, parse_transaction
from hooks.refusing import refuse
from hooks.renames import bring_reflog_back, judge_rename

_HEADS = "refs/heads/"

_AGAIN = "git reset --merge"
_RECOVER = {
    "merge": _AGAIN, "pull": _AGAIN, "checkout": _AGAIN, "switch": _AGAIN, "reset": _AGAIN,
    "cherry-pick": _AGAIN, "revert": _AGAIN, "rebase": "git rebase --abort", "am": "git am --abort",
}  # fmt: skip
"""Commands that change the work tree before they move the branch, and what brings it back without losing what was
not committed."""


def judge_moves(folder: str, text: bytes) -> int:
    """May this transaction be made? Every protected branch in it is judged; one refusal refuses it whole."""
    config = read_config(folder)
    updates = parse_transaction(text)
    arriving = {update.ref: update.new for update in updates}
    outcome = 0
    for update in updates:
        like = likeness(update.ref, config.branches) if update.ref.startswith(_HEADS) else None
        if like is not None and like.kind in {"same", "case"}:
            outcome = max(outcome, _judge(folder, update, like, config, arriving))
        elif update.deletes and update.ref.startswith(_HEADS):
            outcome = max(outcome, judge_rename(update, config))
    return outcome


def _judge(folder: str, update: Update, like: Likeness, config: Config, arriving: dict[str, str]) -> int:
    branch = config.branches[like.protected]
    current = _value(update.ref)
    if update.new == current or (update.deletes and not current):
        return 0  # pack-refs and gc write down what already is
    if update.deletes:
        if like.kind == "case" or _is_pruning(f"{folder}/../packed-refs", update):
            return 0
        tried = "is not deleted or renamed here, so that nothing takes its name"
        back = bring_reflog_back(running_command(), update.ref)
        return refuse(branch, like, update.ref, tried, *back)
    tracking = config.tracking(branch.ref)
    if like.kind == "same" and _is_there(update.new, arriving.get(tracking) or _value(tracking)):
        return 0
    why = None
    if (token := os.environ.get("GUARD_PERMIT")) and like.kind == "same":
        try:
            check_permit(token, config, branch, keys=config.keys, old=current, new=update.new)
            return 0
        except NoLeave as reason:
            why = reason
    return _refuse(update, like, config, current, why)


def _refuse(update: Update, like: Likeness, config: Config, current: str, why: NoLeave | None) -> int:
    command = running_command()
    verb = command.parent if command.verb == "commit" and command.parent in _RECOVER else command.verb
    branch = config.branches[like.protected]
    here = f"from {current[:10]} to {update.new[:10]}" if current else f"be made at {update.new[:10]}"
    act = f"git {verb}" if verb else "this"
    tried = f"only follows {config.remote} here: {act} would move it {here}"
    if not current:
        tried = f"only follows {config.remote} here: with {act} it would {here}"
    advice = []
    if back := _way_back(verb, command.arguments):
        advice.append(f"To bring the work tree back: {back}")
    if not branch.observe:
        advice.append(f"If {config.remote} has it there: git fetch {config.remote}, then try again")
    return refuse(branch, like, update.ref, tried, *advice, why=why)


def _way_back(verb: str, arguments: tuple[str, ...]) -> str:
    """The command that undoes what a refused one leaves half-way; "" where it leaves nothing."""
    if verb == "reset" and not {"--hard", "--merge", "--keep"} & set(arguments):
        return "" if "--soft" in arguments else "git reset"
    if verb in {"cherry-pick", "revert"}:
        sequencer = ask("rev-parse", "--git-path", "sequencer")[1]
        return f"git {verb} --abort" if os.path.isdir(sequencer) else _AGAIN
    return _RECOVER.get(verb, "")


def _value(ref: str) -> str:
    """The ref's value now; "" where there is none."""
    return ask("rev-parse", "--verify", "-q", ref, accept=(0, 1, 128))[1]


def _is_there(new: str, upstream: str) -> bool:
    """Whether the commit is on the remote's branch, which may have been fetched in this very transaction."""
    if not upstream.strip("0") or new.startswith("ref:"):
        return False
    if new == upstream:
        return True
    return ask("merge-base", "--is-ancestor", new, upstream, accept=(0, 1, 128))[0] == 0


def _is_pruning(packed: str, update: Update) -> bool:
    """Whether only the loose file goes, because pack-refs just wrote the same value to the packed ones. A deletion
    takes the packed one first, with a transaction of its own that is refused."""
    wanted = f"{update.old} {update.ref}".encode("utf-8", "surrogateescape")
    try:
        with open(packed, "rb") as file:
            return update.old.strip("0") != "" and wanted in file.read().split(b"\n")
    except OSError:
        return False
