"""A protected branch's protection on the forge, kept in place and watched: what was loosened is put back, or promotions
are held.

It is compared with the last one on record that nobody has to worry about. A loosening between two looks that was taken
back before the second is not seen here; a push in between is, because the branch then stands where no permit brought
it (`guard.journeys.alarm`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from guard.core.canonical import digest_of
from guard.core.errors import ForgeError, GuardError
from guard.core.forge_facts import Protection
from guard.core.model import Unknown
from guard.journeys.holds import end_hold, list_holds, own_hold_id, place_hold
from guard.journeys.office import Office
from guard.journeys.publish import protection_problems
from guard.ports import Entry, Ledger, Voice

SEEN = "protection.seen"


@dataclass(frozen=True, slots=True)
class _State:
    """A protection as the ledger keeps it; of none at all everything is allowed."""

    pushers: frozenset[str]
    mergers: frozenset[str]
    force_push: bool
    deletable: bool
    protected: bool

    @property
    def body(self) -> dict[str, object]:
        return {
            "pushers": sorted(self.pushers), "mergers": sorted(self.mergers), "force_push": self.force_push,
            "deletable": self.deletable, "protected": self.protected,
        }  # fmt: skip


def watch_protection(branch: str, office: Office) -> None:
    """Look at the branch's protection, and do what is to be done. One that cannot be read (the token may not, the
    branch is gone) is told at every look and stops nothing, since where the branch stands is watched all the same.

    Raises GuardError; then it is done again.
    """
    voice = office.voice
    if voice is None:
        return
    fact = voice.protection(branch)
    if isinstance(fact, Unknown):
        office.tell(f"protection of {branch}: {fact.why}. {fact.fix}".rstrip())
        return
    ref, found = f"refs/heads/{branch}", fact.value
    now, entry = _state(found), _last(office.ledger, ref)
    before = _recorded(entry) if entry else None
    # What the forge allows whatever is done (GitHub lets administrators merge) is tried once, not at every look.
    is_new = now != before or not _was_put_back(office.ledger, ref)
    if office.keeps and is_new and protection_problems(found, branch, me=voice.me()):
        now = _put_back(branch, now, office, voice)
    loosened = _loosened(before, now, me=voice.me()) if before else ()
    if not loosened:
        _end_holds(ref, office)
        if now != before:
            _record(ref, now, office, because="as it was found" if entry is None else "tightened")
        return
    _hold(branch, now, loosened, entry.seq if entry else 0, office)


def _read(voice: Voice, branch: str) -> Protection | None:
    fact = voice.protection(branch)
    if isinstance(fact, Unknown):
        raise ForgeError(fact.why, fix=fact.fix, code="protection.unknown")
    return fact.value


def _put_back(branch: str, before: _State, office: Office, voice: Voice) -> _State:
    """The protection after the guard has narrowed it, as far as it could."""
    office.check()
    try:
        voice.protect(branch)
    except GuardError as error:
        office.tell(f"protection of {branch} could not be put back: {error.message}")
        return before
    now = _state(_read(voice, branch))
    body = {"ref": f"refs/heads/{branch}", "was": before.body, "is": now.body}
    office.ledger.append("protection.restored", body, at=office.clock.now())
    office.tell(f"protection of {branch} was put back")
    return now


def _was_put_back(ledger: Ledger, ref: str) -> bool:
    return any(one.body.get("ref") == ref for one in ledger.entries("protection.restored"))


def _hold(branch: str, now: _State, loosened: tuple[str, ...], seq: int, office: Office) -> None:
    """Hold promotions until it is put back, or two role holders accept it as it is."""
    ref = f"refs/heads/{branch}"
    hold = own_hold_id("drift", ref, digest_of(now.body), str(seq))
    because = f"the protection of {branch} was loosened: {'; '.join(loosened)}"
    new = place_hold(office.ledger, hold, ref=ref, kind="drift", because=because, now=office.clock.now())
    if new:
        _say(f"{because}. Promotions are held ({hold}).", office)
    standing = list_holds(office.sources, branch)
    if isinstance(standing, Unknown):
        return
    for one in standing.value:
        if one.mark.id == hold and one.is_over:
            _record(ref, now, office, because=f"accepted by {' and '.join(one.agreed)} ({hold})")


def _end_holds(ref: str, office: Office) -> None:
    """What was loosened is tight again, so that the holds for it are over."""
    for entry in office.ledger.entries("hold.placed"):
        hold = str(entry.body.get("hold"))
        if entry.body.get("ref") == ref and entry.body.get("kind") == "drift":
            end_hold(office.ledger, hold, ref=ref, because="the protection is back", now=office.clock.now())


def _say(line: str, office: Office) -> None:
    office.tell(line)
    if office.chat is None:
        return
    try:
        office.chat.say(line)
    except GuardError as error:
        office.tell(f"the chat was not told: {error.message}")


def _loosened(before: _State, now: _State, *, me: str) -> tuple[str, ...]:
    """What is allowed now and was not before, in words."""
    if not before.protected:
        return ()
    if not now.protected:
        return ("it is not protected any more",)
    mine = {me, f"@{me}"}
    lists = (("push", now.pushers - before.pushers - mine), ("merge", now.mergers - before.mergers - mine))
    found = [f"{', '.join(sorted(names))} may {verb}" for verb, names in lists if names]
    found += ["a forced push is allowed"] if now.force_push and not before.force_push else []
    found += ["it may be deleted"] if now.deletable and not before.deletable else []
    return tuple(found)


def _state(found: Protection | None) -> _State:
    if found is None:
        return _State(frozenset(), frozenset(), force_push=True, deletable=True, protected=False)
    return _State(
        frozenset(found.pushers),
        frozenset(found.mergers),
        force_push=found.force_push,
        deletable=found.deletable,
        protected=True,
    )


def _record(ref: str, now: _State, office: Office, *, because: str) -> None:
    office.ledger.append(SEEN, {"ref": ref, "because": because, **now.body}, at=office.clock.now())


def _last(ledger: Ledger, ref: str) -> Entry | None:
    return next((one for one in ledger.entries(SEEN, newest_first=True) if one.body.get("ref") == ref), None)


def _recorded(entry: Entry) -> _State:
    body = entry.body
    return _State(
        _names(body, "pushers"),
        _names(body, "mergers"),
        force_push=body.get("force_push") is True,
        deletable=body.get("deletable") is True,
        protected=body.get("protected") is True,
    )


def _names(body: Mapping[str, object], name: str) -> frozenset[str]:
    value = body.get(name)
    return frozenset(map(str, value)) if isinstance(value, list | tuple) else frozenset()
