"""Who belongs to a group is remembered for a bounded time, by every process alike, and only until an event."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from guard.adapters.database import open_database
from guard.adapters.memberships import Memberships
from guard.adapters.noforge import NoForge
from guard.core.model import Fact, Known, Unknown
from tests.builders import NOW

TEAM = ("@acme/owners",)


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Team(NoForge):
    """A forge with one team, which counts how often it is asked."""

    def __init__(self, *people: str) -> None:
        super().__init__()
        self.people, self.asked, self.broken = frozenset(people), 0, False

    def members(self, names: tuple[str, ...], *, inherited: bool = False) -> Fact[frozenset[str]]:
        self.asked += 1
        return Unknown("HTTP 502") if self.broken else Known(self.people, "test", NOW)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(path: Path, clock: Clock, *, repository: str = "acme/platform") -> Memberships:
    engine = open_database(path / "ledger.sqlite3")
    return Memberships(engine, repository=repository, longest=timedelta(minutes=1), clock=clock)


def people(fact: Fact[frozenset[str]]) -> set[str]:
    assert isinstance(fact, Known), fact
    return set(fact.value)


def test_it_is_asked_once_a_minute_and_shared_by_processes(tmp_path: Path, clock: Clock) -> None:
    team = Team("ann")
    for _ in range(3):
        assert people(opened(tmp_path, clock).read(team, TEAM)) == {"ann"}
    assert team.asked == 1
    team.people = frozenset({"bob"})
    clock.wait(60)
    assert people(opened(tmp_path, clock).read(team, TEAM)) == {"ann"}
    clock.wait(1)
    assert people(opened(tmp_path, clock).read(team, TEAM)) == {"bob"}
    assert team.asked == 2


def test_an_event_ends_it_at_once(tmp_path: Path, clock: Clock) -> None:
    team, kept = Team("ann"), opened(tmp_path, clock)
    kept.read(team, TEAM)
    team.people = frozenset()
    opened(tmp_path, clock).end()
    assert people(kept.read(team, TEAM)) == set()


def test_a_reading_that_began_before_the_event_counts_for_nothing_after_it(
    tmp_path: Path, clock: Clock
) -> None:
    kept = opened(tmp_path, clock)

    class Slow(Team):
        def members(self, names: tuple[str, ...], *, inherited: bool = False) -> Fact[frozenset[str]]:
            answer = super().members(names, inherited=inherited)
            clock.wait(1)
            kept.end()
            clock.wait(1)
            return answer

    kept.read(Slow("ann"), TEAM)
    assert people(kept.read(Team("bob"), TEAM)) == {"bob"}


def test_what_cannot_be_read_is_not_remembered(tmp_path: Path, clock: Clock) -> None:
    team, kept = Team("ann"), opened(tmp_path, clock)
    team.broken = True
    assert isinstance(kept.read(team, TEAM), Unknown)
    team.broken = False
    assert people(kept.read(team, TEAM)) == {"ann"}


def test_roles_and_repositories_are_kept_apart(tmp_path: Path, clock: Clock) -> None:
    kept = opened(tmp_path, clock)
    assert people(kept.read(Team("ann"), TEAM)) == {"ann"}
    assert people(kept.read(Team("bob"), TEAM, inherited=True)) == {"bob"}
    assert people(kept.read(Team("cid"), ("@acme/others",))) == {"cid"}
    assert people(opened(tmp_path, clock, repository="acme/other").read(Team("dora"), TEAM)) == {"dora"}
    assert people(kept.read(Team("eve"), TEAM)) == {"ann"}


def test_plain_names_are_not_worth_remembering(tmp_path: Path, clock: Clock) -> None:
    team, kept = Team("ann"), opened(tmp_path, clock)
    kept.read(team, ("ann",))
    kept.read(team, ("ann",))
    assert team.asked == 2
