"""What the guard says of a branch that was moved without a permit: an issue, a status, a line for the chat."""

from __future__ import annotations

from dataclasses import dataclass

from guard.core.forge_facts import CommitStatus
from guard.render.safe import code, markdown, plain

LONGEST_DESCRIPTION = 140

ENDS = {
    "open": "Promotions of the branch are held.",
    "accepted": "It is over: the branch was accepted as it stands.",
    "restored": "It is over: the branch was put back.",
}


@dataclass(frozen=True, slots=True)
class AlarmText:
    """An alarm as it is told: `first` names its issue, `hold` its hold; `head` is "" for a branch that is gone,
    `back` when the branch stands where it should again. `state` is a key of ENDS; `by` ended it."""

    branch: str
    hold: str
    first: str
    expected: str
    head: str
    movers: tuple[str, ...]
    at: str
    state: str
    by: tuple[str, ...] = ()
    back: bool = False


def alarm_marker(first: str) -> str:
    """What the issue of this alarm begins with, so that it is found again."""
    return f"<!-- release-guard:alarm {first} -->"


def alarm_context(branch: str) -> str:
    return f"guard/alarm ({branch})"


def alarm_title(branch: str) -> str:
    return f"{plain(branch, limit=200)} was moved without a permit"


def alarm_status(alarm: AlarmText) -> CommitStatus:
    """The status on the commit that the branch was moved to; it stays a failure until people accepted it."""
    accepted = alarm.state == "accepted"
    words = (
        f"accepted by {' and '.join(alarm.by)}"
        if accepted
        else f"{alarm.branch} was moved here without a permit; promotions are held"
        if alarm.state == "open"
        else f"{alarm.branch} was moved here without a permit, and was put back"
    )
    shown = plain(words, limit=LONGEST_DESCRIPTION - 1)
    return CommitStatus(alarm_context(alarm.branch), "success" if accepted else "failure", shown)


def alarm_body(alarm: AlarmText) -> str:
    """The issue. It mentions nobody: whoever moved the branch may have chosen their name for that."""
    found = code(alarm.head) if alarm.head else "no such branch"
    should = code(alarm.expected) if alarm.expected else "no such branch"
    who = ", ".join(markdown(name) for name in alarm.movers) or "the forge does not tell"
    ended = f" By {', '.join(markdown(name) for name in alarm.by)}." if alarm.by else ""
    lines = [
        alarm_marker(alarm.first),
        f"**{markdown(alarm.branch)} was moved without a permit.** {ENDS[alarm.state]}{ended}",
        "",
        "| | |",
        "|---|---|",
        f"| it should stand at | {should} |",
        f"| it was found at | {found} |",
        f"| moved by | {who} |",
        f"| noticed | {alarm.at} |",
    ]
    lines += [f"| now | back at {should} |"] if alarm.back and alarm.state == "open" else []
    return "\n".join([*lines, *(_what_now(alarm) if alarm.state == "open" else [])]) + "\n"


def _what_now(alarm: AlarmText) -> list[str]:
    branch = f"--target {plain(alarm.branch)}"
    barred = f" None of them is {', '.join(markdown(name) for name in alarm.movers)}." if alarm.movers else ""
    back, stay = (f"{word} {alarm.hold}" for word in ("restore", "unhold"))
    return [
        "",
        f"Two different holders of approving roles end it, one way or the other.{barred}",
        "",
        f"- **Put it back:** both say {code(f'guard {back} {branch}')}, or comment {code(f'/guard {back}')} on an open"
        f" proposal. The guard then moves the branch to {code(alarm.expected[:10])}.",
        f"- **Accept what is there:** both say {code(f'guard {stay} {branch}')}, or comment {code(f'/guard {stay}')}."
        " Where the branch stands becomes what the guard expects.",
        "",
        "How it got there: look at who may push and merge, at the forge's audit log, and at `guard audit log`.",
    ]


def alarm_line(alarm: AlarmText) -> str:
    """One line for the chat."""
    found = f"moved to {alarm.head[:10]}" if alarm.head else "deleted"
    who = f" by {' and '.join(alarm.movers)}" if alarm.movers else ""
    return plain(
        f"ALARM: {alarm.branch} was {found}{who} without a permit; expected {alarm.expected[:10] or 'no branch'}."
        f" Promotions are held ({alarm.hold})."
    )
