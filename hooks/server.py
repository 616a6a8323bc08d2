"""The wall: a protected branch moves only forward, and only with a permit that was issued, is unspent and covers
exactly this move. One refused ref refuses the whole push."""

from __future__ import annotations

import os
import sys

from hooks.config import Branch, Config, read_config
from hooks.git import Question
from hooks.ledger import check_standing
from hooks.permits import NoLeave, check_permit
from hooks.refs import Likeness, Update, is_own, likeness, parse_received
from hooks.say import REFUSED, Stop, say, stop
from hooks.values import TYPE_CHECKING, NamedTuple, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

OPTION = "guard-permit="
MAX_TOKENS = 20
"""Push options that are tried; a promote script gives one."""


class No(NamedTuple):
    """A refusal and its words."""

    code: str
    message: str
    fix: str


class Wall(NamedTuple):
    """What every update of one push is judged with."""

    folder: str
    config: Config
    tokens: tuple[str, ...]


def judge_receive(folder: str, text: bytes) -> int:
    """May this push be taken? Refs of the guard's own are handed to the full guard once nothing else is refused."""
    config = read_config(folder)
    wall = Wall(folder, config, _tokens(os.environ))
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
    if update.creates:
        fix = "the operator creates it on the server, then: guard adopt --branch " + branch.name
        return No("refs.creation", f"{branch.name} is protected and cannot be created by a push.", fix)
    if not wall.tokens:
        way = f'Merge to {branch.upstream} first, then run "guard promote".'
        return No("refs.protected", f"{branch.name} takes no direct push. {way}", "")
    forward = Question(
        "merge-base", "--is-ancestor", update.old, update.new
    )  # git looks while the permit is checked
    no = _why_no_permit(update, branch, wall)
    if forward.answer(accept=(0, 1))[0]:
        text = f"{branch.name} only moves forward: {update.new[:10]} does not contain {update.old[:10]}."
        return No("refs.non-fast-forward", text, "guard promote --prepare makes a merge that does")
    return no


def _why_no_permit(update: Update, branch: Branch, wall: Wall) -> No | None:
    """None when one of the permits covers the move; else what is wrong with the first one."""
    reasons = []
    keys = _read_keys(f"{wall.folder}/jwks.json")
    for token in wall.tokens:
        try:
            claims = check_permit(token, wall.config, branch, keys=keys, old=update.old, new=update.new)
            check_standing(wall.folder, wall.config, branch.repository, permit=claims["jti"], update=update)
            return None
        except NoLeave as reason:
            reasons.append(reason)
    first = reasons[0]
    return No(first.code, f"{branch.name} was not moved: {first.message}", first.fix)


def _tokens(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The permits among the push options (githooks: GIT_PUSH_OPTION_COUNT and _0, _1, …)."""
    count = environment.get("GIT_PUSH_OPTION_COUNT", "0")
    total = min(int(count), 1000) if count.isascii() and count.isdigit() and len(count) < 10 else 0
    options = (environment.get(f"GIT_PUSH_OPTION_{index}", "") for index in range(total))
    tokens = dict.fromkeys(option.removeprefix(OPTION) for option in options if option.startswith(OPTION))
    return tuple(tokens)[:MAX_TOKENS]


def _read_keys(file: str) -> Mapping[str, Mapping[str, object]]:
    """The public keys of this moment, so that a new one counts at once. Raises Stop."""
    try:
        document: Any = read_json(file)
        return {str(key["kid"]): dict(key) for key in document["keys"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Stop(
            "permit.keys-unreadable", f"{file}: {error}", "have the operator restore the file"
        ) from None


def _hand_over(own: list[Update], folder: str, config: Config) -> int:
    """Let the full guard decide on refs of its own (statements, proposals)."""
    import subprocess

    command = [config.python, "-I", "-m", "guard.cli.main", "hook", "pre-receive", "--home", str(folder)]
    lines = "".join(f"{update.old} {update.new} {update.ref}\n" for update in own)
    try:
        done = subprocess.run(command, input=lines.encode("utf-8", "surrogateescape"), check=False)
    except OSError as error:
        raise Stop(
            "hooks.broken", f"the guard cannot be started: {error}", "install release-guard again"
        ) from None
    sys.stderr.flush()
    return done.returncode
