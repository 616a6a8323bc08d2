"""Sign-offs: by a current member of the role, for this gate and commit, or young enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from guard.core.evidence import Absent
from guard.core.facts import SignOff
from guard.core.model import Commit, Fact, Unknown
from tests.builders import NEW, NOW, OLD
from tests.evidence_fakes import HeldRecords, asks, people, read, seen, sources

GATE = "security.gate"


def signed(
    actor: str = "sue@example.com", *, commit: Commit | None = NEW, at: datetime = NOW, gate: str = GATE
) -> SignOff:
    return SignOff(gate, actor, at, commit, digest="sha256:" + "5" * 64)


AGED = {"max_age": "30d"}
EARLIER = NOW - timedelta(days=3)


@pytest.mark.parametrize(
    ("more", "signoffs", "subject"),
    [
        pytest.param({}, [signed()], NEW, id="for-this-commit"),
        pytest.param(AGED, [signed(commit=OLD, at=EARLIER)], OLD, id="for-another-commit-with-an-age"),
        pytest.param(AGED, [signed(commit=None, at=EARLIER)], None, id="for-no-commit-with-an-age"),
        pytest.param(
            AGED, [signed(at=EARLIER), signed(commit=OLD)], NEW, id="this-commit-before-a-newer-one"
        ),
        pytest.param(
            AGED, [signed("eve@example.com"), signed(commit=OLD)], OLD, id="a-stranger-changes-nothing"
        ),
    ],
)
def test_a_sign_off_that_is_there(
    more: dict[str, object], signoffs: list[SignOff], subject: Commit | None
) -> None:
    reading = read(asks(kind="signoff", role="security", **more), sources(signed=tuple(signoffs)), gate=GATE)
    assert seen(reading).subject == subject
    assert seen(reading).problems == ()
    assert seen(reading).summary.startswith("signed off by sue@example.com on 2026-0")


def test_the_newest_of_several_counts() -> None:
    spec = asks(kind="signoff", role="security", **AGED)
    several = (signed(commit=OLD, at=NOW), signed(commit=OLD, at=EARLIER))
    assert seen(read(spec, sources(signed=several), gate=GATE)).dated == NOW


@pytest.mark.parametrize(
    ("signoffs", "says"),
    [
        pytest.param([], "nobody who holds the role security signed off security.gate", id="none"),
        pytest.param(
            [signed("gone@example.com")], "does not hold the role security now", id="has-left-the-role"
        ),
        pytest.param([signed("Sue@example.com")], "does not hold the role", id="other-spelling-of-the-name"),
        pytest.param([signed("pam@example.com")], "does not hold the role", id="holds-another-role"),
        pytest.param([signed(commit=OLD)], "sue@example.com signed for aaaaaaaaaa", id="for-another-commit"),
        pytest.param([signed(commit=None)], "signed for no one commit", id="for-no-commit"),
        pytest.param([signed(gate="security.other")], "nobody", id="for-another-gate"),
    ],
)
def test_what_does_not_count_is_missing(signoffs: list[SignOff], says: str) -> None:
    reading = read(asks(kind="signoff", role="security"), sources(signed=tuple(signoffs)), gate=GATE)
    assert isinstance(reading, Absent)
    assert says in reading.why
    assert reading.fix == f"guard signoff {GATE} --commit {NEW}"
    assert reading.who == ("security",)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({}, id="no-such-role"),
        pytest.param({"security": Unknown("HTTP 502 from /groups")}, id="membership-unread"),
    ],
)
def test_unknown_members_make_it_unknown(members: dict[str, Fact[frozenset[str]]]) -> None:
    given = replace(sources(signed=(signed(),)), members=members)
    assert isinstance(read(asks(kind="signoff", role="security"), given, gate=GATE), Unknown)


def test_unknown_records_make_it_unknown() -> None:
    given = replace(sources(), records=HeldRecords(signed=Unknown("the ledger is locked")))
    assert isinstance(read(asks(kind="signoff", role="security"), given, gate=GATE), Unknown)


def test_whoever_leaves_takes_the_sign_off_along() -> None:
    given = sources(signed=(signed(),))
    spec = asks(kind="signoff", role="security")
    assert seen(read(spec, given, gate=GATE)).problems == ()
    assert isinstance(read(spec, replace(given, members={"security": people()}), gate=GATE), Absent)


def test_a_sign_off_with_an_age_is_asked_for_as_of_now() -> None:
    reading = read(asks(kind="signoff", role="security", **AGED), sources(), gate=GATE)
    assert isinstance(reading, Absent)
    assert reading.fix == f"guard signoff {GATE}"
