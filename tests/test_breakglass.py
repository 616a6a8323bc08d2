"""Break-glass: who opens it, for what and how long, what it never lets pass, and what it owes afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from guard.core.facts import BreakGlassAsk, Debt, EmergencyFacts
from guard.core.lineage_facts import CommitFacts, LineageFacts, Link
from guard.core.model import Commit, Fact, Known, Outcome, Unknown, Verdict
from guard.core.policy import BreakGlass
from guard.core.policy_branch import Lineage
from guard.core.rules.breakglass import judge_emergency, opened_commits
from tests.builders import NEW, NOW, OLD, UPSTREAM, candidate, verdict

BRANCH = "release/platform-control"
HOLDERS = {
    "platform": Known(frozenset({"ann", "pat"}), "t", NOW),
    "security": Known(frozenset({"sam", "ann"}), "t", NOW),
}


def ask(
    actor: str, minutes: float = 0, *, commit: Commit = NEW, key: str = "", target: str = BRANCH
) -> BreakGlassAsk:
    at = NOW + timedelta(minutes=minutes)
    return BreakGlassAsk(actor, key or f"forge:{actor.casefold()}", target, commit, at, f"{actor} says so")


def judged(
    *asks: BreakGlassAsk,
    at: datetime = NOW + timedelta(minutes=31),
    rule: BreakGlass | None = BreakGlass(),  # noqa: B008
    verdicts: tuple[Verdict, ...] = (),
    debts: Fact[tuple[Debt, ...]] = Known((), "t", NOW),  # noqa: B008
    members: dict[str, Fact[frozenset[str]]] | None = None,
) -> dict[str, Verdict]:
    given = verdicts or (verdict("candidate"), verdict("lineage", Outcome.FAIL), verdict("x", Outcome.ERROR))
    facts = EmergencyFacts(Known(asks, "ledger", NOW), debts)
    found = judge_emergency(given, rule, Lineage(), facts, members or HOLDERS, candidate=candidate(), now=at)
    return {one.id: one for one in found}


@pytest.mark.parametrize(
    ("asks", "opens"),
    [
        pytest.param((ask("pat"), ask("sam", 30)), True, id="two-roles-in-time"),
        pytest.param((ask("sam"), ask("pat", 30)), True, id="either-first"),
        pytest.param((ask("pat"), ask("sam", 30.1)), False, id="too-far-apart"),
        pytest.param((ask("pat"),), False, id="one-alone"),
        pytest.param((ask("ann"), ask("ann", 5)), False, id="one-twice-holding-both"),
        pytest.param((ask("ann"), ask("pat", 5)), True, id="assigned-best"),
        pytest.param((ask("pat"), ask("dev", 5)), False, id="the-other-holds-nothing"),
        pytest.param((ask("pat"), ask("Pat", 1), ask("sam", 2, key="forge:pat")), False, id="one-key-is-one-person"),
        pytest.param((ask("pat"), ask("sam", 5, commit=OLD)), False, id="for-another-head"),
        pytest.param((ask("pat"), ask("sam", 5, target="release/other")), False, id="for-another-branch"),
        pytest.param((ask("pat", -10), ask("pat", 20), ask("sam", 31)), True, id="asked-again-in-time"),
        pytest.param((), False, id="nobody"),
    ],
)  # fmt: skip
def test_who_opens_it(asks: tuple[BreakGlassAsk, ...], *, opens: bool) -> None:
    found = judged(*asks)
    assert (found["lineage"].outcome is Outcome.WAIVED) is opens
    assert (found["x"].outcome is Outcome.WAIVED) is opens
    if opens:
        assert found["break-glass"].outcome is Outcome.WAIVED
        assert found["break-glass"].summary.startswith("BREAK-GLASS: opened by ")


def test_it_ends_and_takes_two_fresh_wishes_to_open_again() -> None:
    first = (ask("pat"), ask("sam", 10))
    end = NOW + timedelta(minutes=70)
    assert judged(*first, at=end - timedelta(seconds=1))["lineage"].outcome is Outcome.WAIVED
    assert judged(*first, at=end)["lineage"].outcome is Outcome.FAIL
    assert judged(*first, ask("sam", 60), at=end)["lineage"].outcome is Outcome.FAIL
    assert judged(*first, ask("sam", 65), ask("pat", 69), at=end)["lineage"].outcome is Outcome.WAIVED
    assert judged(*first, at=NOW + timedelta(minutes=20))["lineage"].next_change_at == end


def test_what_it_never_lets_pass() -> None:
    shape = (verdict("candidate", Outcome.FAIL), verdict("policy", Outcome.ERROR))
    found = judged(ask("pat"), ask("sam"), verdicts=shape)
    assert found["candidate"].outcome is Outcome.FAIL
    assert found["policy"].outcome is Outcome.ERROR


def test_no_table_no_emergency() -> None:
    assert judged(ask("pat"), ask("sam"), rule=None)["lineage"].outcome is Outcome.FAIL


def test_unknown_members_open_nothing() -> None:
    members: dict[str, Fact[frozenset[str]]] = {**HOLDERS, "security": Unknown("HTTP 502")}
    assert judged(ask("pat"), ask("sam"), members=members)["lineage"].outcome is Outcome.FAIL


def test_one_role_alone_takes_two_of_its_holders() -> None:
    rule = BreakGlass(roles=("platform",))
    assert judged(ask("pat"), rule=rule)["lineage"].outcome is Outcome.FAIL
    assert judged(ask("pat"), ask("ann", 1), rule=rule)["lineage"].outcome is Outcome.WAIVED


def test_it_is_judged_at_any_moment_that_there_is() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    at_the_end = tuple(replace(ask(actor), at=last) for actor in ("pat", "sam"))
    assert judged(*at_the_end, at=last)["lineage"].outcome is Outcome.FAIL
    assert judged(at_the_end[0], at=last)["break-glass"].next_change_at == last
    assert judged(ask("pat"), ask("sam"), at=first)["lineage"].outcome is Outcome.FAIL


def test_half_of_it_is_told_with_its_end() -> None:
    found = judged(ask("pat"), at=NOW + timedelta(minutes=5))["break-glass"]
    assert found.outcome is Outcome.NOT_APPLICABLE
    assert "asked for by pat" in found.summary
    assert found.next_change_at == NOW + timedelta(minutes=30)


def brought(*, on_upstream: bool = False, links: tuple[Link, ...] = ()) -> LineageFacts:
    commits = (CommitFacts(NEW, "hotfix", (OLD,), on_upstream=on_upstream, links=links),)
    return LineageFacts(UPSTREAM, OLD, NEW, "master", commits)


ORIGIN = Commit("e" * 40)


@pytest.mark.parametrize(
    ("lineage", "outcome"),
    [
        pytest.param(brought(), Outcome.FAIL, id="not-there"),
        pytest.param(brought(on_upstream=True), Outcome.PASS, id="merged"),
        pytest.param(brought(links=(Link("patch-id", ORIGIN, "same"),)), Outcome.PASS, id="picked"),
        pytest.param(brought(links=(Link("trailer", ORIGIN, "conflict"),)), Outcome.PASS, id="picked-by-hand"),
        pytest.param(brought(links=(Link("trailer", ORIGIN, "different"),)), Outcome.FAIL, id="altered"),
        pytest.param(Unknown("git is gone"), Outcome.ERROR, id="unknown"),
    ],
)  # fmt: skip
def test_the_next_promotion_waits_until_the_fix_is_on_upstream(
    lineage: LineageFacts | Unknown, outcome: Outcome
) -> None:
    fact = lineage if isinstance(lineage, Unknown) else Known(lineage, "git", NOW)
    debt = Debt(NEW, ("pat", "sam"), fact)
    owed = judged(debts=Known((debt,), "t", NOW), rule=None)["follow-up"]
    assert owed.outcome is outcome
    # Another emergency does not let that pass.
    again = judged(ask("pat"), ask("sam"), debts=Known((debt,), "t", NOW))["follow-up"]
    assert again.outcome is outcome


def test_what_was_opened_is_owed_whoever_left_since() -> None:
    asks = (ask("gone"), ask("left", 29), ask("gone", 0, commit=OLD), ask("late", 31, commit=OLD))
    assert opened_commits(asks, target=BRANCH) == ((NEW, ("gone", "left")),)


def test_unreadable_debts_block() -> None:
    assert judged(debts=Unknown("the ledger is gone"))["follow-up"].outcome is Outcome.ERROR
