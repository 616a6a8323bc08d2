"""The unblock plan in a comment: a checklist for each group of people who can do something, and whom it waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from guard.core.model import Finding
from guard.core.unblock import Action, grouped, plan_notes
from guard.render.comment_lines import Live
from guard.render.safe import code, markdown

ACTIONS = 25
REASONS = 3
NAMES = 5

_NAME = re.compile(r"@?[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_EVERYBODY = frozenset({"all", "everyone", "here", "channel", "team"})


def waiting(plan: Sequence[Action], roles: Mapping[str, tuple[str, ...]], *, mentions: bool) -> Iterator[str]:
    """The owners who must act, mentioned by name; a forge notifies each once, however often the comment is edited."""
    if not mentions:
        return
    names = dict.fromkeys(name for action in plan for role in action.who for name in roles.get(role, ()))
    able = [name.removeprefix("@") for name in names if _NAME.fullmatch(name)]
    called = [f"@{name}" for name in able if name.casefold() not in _EVERYBODY]
    if called:
        yield Live(f"Waiting for {', '.join(called)}.")
        yield ""


def checklist(plan: Sequence[Action], roles: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """A checklist for each group of people who can do something, in the order of the first thing to do."""
    if not plan:
        return
    yield "To unblock:"
    yield ""
    for who, actions in grouped(plan[:ACTIONS]):
        yield f"**{', '.join(_who(name, roles) for name in who) or 'Anybody'}**"
        yield ""
        for action in actions:
            yield from _action(action)
        yield ""
    if len(plan) > ACTIONS:
        yield f"And {len(plan) - ACTIONS} more, on the board below."
        yield ""
    for note in plan_notes(plan):
        yield markdown(note)
        yield ""


def _action(action: Action) -> Iterator[str]:
    reasons = _reasons(action.findings)
    yield f"- [ ] {reasons or markdown(action.text)}"
    if reasons and action.text not in {finding.message for finding in action.findings}:
        yield f"  - fix: {markdown(action.text)}{_or_comment(action)}"
    if len(action.serves) > 1:
        yield f"  - serves {len(action.serves)}: {_served(action.serves)}"


def _served(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - NAMES} more" if len(ids) > NAMES else ""
    return ", ".join(markdown(one, limit=100) for one in ids[:NAMES]) + more


def _or_comment(action: Action) -> str:
    """A sign-off can be given right here; what else people do on a forge, they do with its own buttons."""
    if action.text.startswith("guard evidence "):
        return " (in CI, with GUARD_SERVICE_URL set)"
    found = re.search(r"\bguard signoff ([a-z0-9.-]+)( |$)", action.text)
    return f"; or comment {code(f'/guard signoff {found[1]}')}" if found else ""


def _reasons(findings: Sequence[Finding]) -> str:
    shown = [reason(finding) for finding in findings[:REASONS]]
    more = [f"and {len(findings) - REASONS} more like it"] if len(findings) > REASONS else []
    return "; ".join([*shown, *more])


def reason(finding: Finding) -> str:
    where = f" ({markdown(finding.where, limit=200)})" if finding.where else ""
    return f"{code(finding.code, limit=100)} {markdown(finding.message)}{where}"


def _who(name: str, roles: Mapping[str, tuple[str, ...]]) -> str:
    members = roles.get(name, ())
    named = f" ({', '.join(markdown(one, limit=100) for one in members[:NAMES])})" if members else ""
    return f"{markdown(name)}{named}"
