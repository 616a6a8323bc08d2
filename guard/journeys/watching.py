"""Watching the protected branches for the service: look, raise the alarm, tell it once, and end it as people said."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from guard.core.errors import ForgeError, GuardError, Refused
from guard.core.forge_facts import ForgeIssue
from guard.core.model import Commit, Unknown
from guard.core.rules.holds import Hold
from guard.journeys.acknowledging import accept, expected_policy, hold_of
from guard.journeys.adopt import Baseline
from guard.journeys.alarm import Alarm, Look, check_branch, latest_alarm
from guard.journeys.office import Office
from guard.journeys.publish import post_status
from guard.journeys.reconcile import expected_head
from guard.journeys.restoring import failed_lately, restore
from guard.journeys.watching_here import baseline_of
from guard.ports import Voice
from guard.render.alarm import AlarmText, alarm_body, alarm_line, alarm_marker, alarm_status, alarm_title


class UnderWay(GuardError):
    """A promotion of the branch is under way; it settles what it does itself, and the branch is looked at again."""

    code = "alarm.promotion-under-way"


@dataclass(frozen=True, slots=True)
class _Seen:
    """Where the branch stood when it was looked at, and the alarm that is open."""

    head: Commit | None
    alarm: Alarm | None


def watch(branch: str, office: Office) -> bool:
    """Compare the branch with what the ledger expects, and say what is to be said; whether an alarm ended by it. Raises
    GuardError; then it is done again."""
    ref, ended = f"refs/heads/{branch}", False
    try:
        with office.ledger.branch_lock(ref):
            seen = _look(branch, office)
            ended = seen.alarm is not None and _end(seen.alarm, seen.head, office)
    except Refused as error:
        if error.code == "promotion.locked":
            raise UnderWay(f"a promotion of {branch} is under way", fix="wait") from None
        raise
    latest = latest_alarm(office.ledger, ref)
    if latest is not None and latest.state != "superseded":
        tell(latest, office, back=(seen.head or "") == latest.expected)
    return ended


def _look(branch: str, office: Office) -> _Seen:
    heads: list[Commit | None] = []

    def read_head() -> Commit | None:
        fact = office.forge.head(branch)
        if isinstance(fact, Unknown):
            raise ForgeError(fact.why, fix=fact.fix)
        heads.append(fact.value)
        return fact.value

    def movers(head: Commit) -> frozenset[str]:
        fact = office.forge.movers(branch, head)
        # Not knowing who it was must not keep it from being held.
        return frozenset() if isinstance(fact, Unknown) else fact.value

    def observes(expected: Commit) -> bool:
        alarm = Alarm("", "", f"refs/heads/{branch}", expected, "", (), "")
        policy = expected_policy(office.sources, alarm)
        return not isinstance(policy, Unknown) and policy.value.mode == "observe"

    _keep(branch, office)
    look = Look(read_head, movers, observes)
    alarm = check_branch(office.ledger, f"refs/heads/{branch}", look, now=office.clock.now())
    return _Seen(heads[-1], alarm)


def _keep(branch: str, office: Office) -> None:
    """Have the expected commit at hand from the first look on: once the branch was forced away, nobody gives it to us,
    and it is what the alarm is judged by and what is put back."""
    expected = expected_head(office.ledger, f"refs/heads/{branch}")
    with suppress(GuardError):
        if expected and office.sources.git.resolve(expected) is None:
            office.refresh((branch,), ())


def _end(alarm: Alarm, head: Commit | None, office: Office) -> bool:
    """End the alarm as people said; whether they did."""
    hold = hold_of(office.sources, alarm)
    if isinstance(hold, Unknown):
        return False
    if hold.is_to_be_restored:
        return _restore(alarm, hold, office)
    if not hold.is_agreed:
        return False
    accept(
        office.ledger,
        alarm,
        hold,
        head=head,
        look=lambda by: _baseline(alarm, by, office),
        now=office.clock.now(),
    )
    return True


def _restore(alarm: Alarm, hold: Hold, office: Office) -> bool:
    """Put the branch back, unless that failed a moment ago; whether it is."""
    if office.means is None or failed_lately(office.ledger, alarm, now=office.clock.now()):
        return False
    office.check()
    restore(alarm, hold, office.means(alarm.branch))
    return True


def _baseline(alarm: Alarm, by: str, office: Office) -> Baseline:
    policy = expected_policy(office.sources, alarm)
    table = None if isinstance(policy, Unknown) else policy.value.branches.get(alarm.branch)
    office.refresh((alarm.branch, *([table.upstream] if table else [])), ())
    return baseline_of(alarm, by, office.sources)


def tell(alarm: Alarm, office: Office, *, back: bool) -> None:
    """Say it on the forge and in the chat, once for each thing that there is to say. Raises GuardError."""
    text = AlarmText(
        branch=alarm.branch, hold=alarm.hold, first=alarm.first, expected=alarm.expected, head=alarm.head,
        movers=alarm.movers, at=alarm.at, state=alarm.state, by=alarm.by, back=back,
    )  # fmt: skip
    once = f"alarm.told:{alarm.hold}:{alarm.state}:{'back' if back else ''}"
    if office.ledger.find(once) is not None:
        return
    office.tell(f"alarm {alarm.hold} ({alarm.state}): {alarm.words}")
    url = ""
    if office.voice is not None:
        office.check()
        if alarm.head and not (back and alarm.state == "open"):
            _say_status(text, office, office.voice)
        url = _say_issue(text, office, office.voice)
    _say_chat(text, office, url)
    body = {"alarm": alarm.hold, "ref": alarm.ref, "state": alarm.state, "back": back, "issue": url}
    office.ledger.append("alarm.told", body, at=office.clock.now(), once=once)


def _say_status(text: AlarmText, office: Office, voice: Voice) -> None:
    try:
        post_status(voice, Commit(text.head), alarm_status(text))
    except GuardError as error:
        if text.state == "open":
            raise
        # A commit that no branch holds any more takes no status on GitLab; the hold has ended all the same.
        office.tell(f"no status on {text.head[:10]}: {error.message}")


def _say_issue(text: AlarmText, office: Office, voice: Voice) -> str:
    """The one issue of this alarm says this; where it is."""
    body, is_open = alarm_body(text), text.state == "open"
    known = office.ledger.find(f"alarm.issue:{text.first}")
    if known is None:
        found = _find_issue(text, voice) or voice.open_issue(alarm_title(text.branch), body)
        what = {"alarm": text.first, "issue": found.id, "url": found.url}
        known = office.ledger.append(
            "alarm.issue", what, at=office.clock.now(), once=f"alarm.issue:{text.first}"
        )
        if (found.body.strip(), found.is_open) == (body.strip(), is_open):
            return found.url
    voice.edit_issue(str(known.body.get("issue")), body=body, is_open=is_open)
    return str(known.body.get("url") or "")


def _find_issue(text: AlarmText, voice: Voice) -> ForgeIssue | None:
    """Opened before a crash that kept it from being put on record."""
    marker = alarm_marker(text.first)
    return next((one for one in voice.own_issues() if one.body.lstrip().startswith(marker)), None)


def _say_chat(text: AlarmText, office: Office, url: str) -> None:
    once = f"alarm.chat:{text.hold}"
    if office.chat is None or text.state != "open" or office.ledger.find(once) is not None:
        return
    try:
        office.chat.say(f"{alarm_line(text)} {url}".strip())
    except GuardError as error:
        # The forge was told; a chat that is down holds nothing up.
        office.tell(f"the chat was not told: {error.message}")
        return
    office.ledger.append("alarm.chat", {"alarm": text.hold}, at=office.clock.now(), once=once)
