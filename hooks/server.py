"""The wall: a protected branch moves only forward, and only with a permit that was issued, is unspent and covers
exactly this move. One refused ref refuses the whole push."""

from __future__ import annotations

import os

from hooks.config import Branch, Config, read_config
from hooks.git import Question
from hooks.refs import Likeness, Update, is_own, likeness, parse_received
from hooks.say import REFUSED, Stop, say, stop, tell
from hooks.values import NamedTuple
from hooks.verifying import Wall, raise_wall, why_no_permit


class No(NamedTuple):
    """A refusal and its words."""

    code: str
    message: str
    fix: str


def judge_receive(folder: str, text: bytes) -> int:
    """May this push be taken? Refs of the guard's own are handed to the full guard once nothing else is refused."""
    config = read_config(folder)
    wall = raise_wall(folder, config, os.environ)
    outcome = 0
    own = []
    for update in parse_received(text):
        like = likeness(update.ref, config.branches)
        if like is not None:
            outcome = max(outcome, _judge(update, like, wall))
        elif is_own(update.ref):
            own.append(update)
    return _hand_over(own, folder, config) if own and outcome == 0 else outcome


def _judge(update: Update, like: Likeness, wall: Wall) -> int:
    if update.deletes and like.kind in {"shadow", "lookalike"}:
        return 0
    branch = wall.config.branches[like.protected]
    try:
        no = _why_not(update, like, branch, wall)
    except Stop as reason:
        status = stop(reason)
        # Observing means that nothing is held up, not even by what the guard cannot decide.
        return 0 if branch.observe else status
    if no is None:
        return 0
    notes = tuple(f"Read first: {document}" for document in branch.read_first)
    if branch.observe:
        notes = ("This is a warning only, and goes on record: the policy says mode = observe.",)
    say(no.code, no.message, fix=no.fix, notes=notes)
    return 0 if branch.observe else REFUSED


def _why_not(update: Update, like: Likeness, branch: Branch, wall: Wall) -> No | None:
    """Why the update is refused, or None. The order is from what nothing can allow to what a permit can."""
    if like.kind != "same":
        return No(*like.told(update.ref), "use another name")
    if update.deletes:
        return No(
            "refs.deletion", f"{branch.name} cannot be deleted by a push.", "ask the operator of the server"
        )
    if update.creates and not wall.tokens:
        fix = "the operator creates it on the server, then: guard adopt --branch " + branch.name
        return No("refs.creation", f"{branch.name} is protected and cannot be created by a push.", fix)
    if wall.has_nothing:
        tried = "takes no merge and no edit in the web interface" if wall.web else "takes no direct push"
        way = f'Merge to {branch.upstream} first, then run "guard promote".'
        return No("refs.protected", f"{branch.name} {tried}. {way}", "")
    if update.creates:
        no, back = why_no_permit(update, branch, wall)
        if no is None and not back:
            return No(
                "refs.creation",
                f"No promotion creates {branch.name}.",
                "guard restore",
            )
        return No(no.code, f"{branch.name} was not created: {no.message}", no.fix) if no else None
    forward = Question("merge-base", "--is-ancestor", update.old, update.new)  # while the permit is checked
    no, back = why_no_permit(update, branch, wall)
    if forward.answer(accept=(0, 1))[0] and not (back and no is None):
        text = f"{branch.name} only moves forward: {update.new[:10]} does not contain {update.old[:10]}."
        return No("refs.non-fast-forward", text, "guard promote --prepare makes a merge that does")
    return No(no.code, f"{branch.name} was not moved: {no.message}", no.fix) if no else None


def _hand_over(own: list[Update], folder: str, config: Config) -> int:
    """Let the full guard decide on refs of its own (statements, proposals)."""
    if config.verify:
        raise Stop(
            "refs.guard",
            "the guard's own refs are not kept here",
            "push them where the guard's ledger is, or send them to its service",
        )
    import subprocess

    command = [config.python, "-I", "-m", "guard.cli.main", "hook", "pre-receive", "--home", folder]
    lines = "".join(f"{update.old} {update.new} {update.ref}\n" for update in own)
    try:
        done = subprocess.run(
            command, input=lines.encode("utf-8", "surrogateescape"), stderr=subprocess.PIPE, check=False
        )
    except OSError as error:
        raise Stop(
            "hooks.broken", f"the guard cannot be started: {error}", "install release-guard again"
        ) from None
    tell(done.stderr.decode("utf-8", "replace").splitlines())
    return done.returncode
