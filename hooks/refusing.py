"""How the client's hooks refuse: what was tried, why, the right way, and what to read; in observe mode a warning."""

from __future__ import annotations

from hooks.config import Branch
from hooks.permits import NoLeave
from hooks.refs import Likeness
from hooks.say import REFUSED, say


def refuse(
    branch: Branch,
    like: Likeness,
    ref: str,
    tried: str,
    *advice: str,
    why: NoLeave | None = None,
    code: str = "refs.protected",
) -> int:
    """Say that `tried` (a verb phrase about the branch) is refused, and why a presented permit did not help; the
    exit status that goes with it."""
    text = f"{branch.name} {tried}."
    if like.kind != "same":
        code, text = like.told(ref)
    way = f'Merge to {branch.upstream} first, then run "guard promote".'
    if branch.observe:
        say(code, f"{text} {way}", notes=("This is a warning only: the policy says mode = observe.",))
        return 0
    notes = [f"{why.code}: {why.message}"] if why else []
    notes += [f"fix: {why.fix}"] if why and why.fix else []
    notes += advice
    notes += [f"Read first: {document}" for document in branch.read_first]
    say(code, f"{text} {way}", notes=tuple(notes))
    return REFUSED
