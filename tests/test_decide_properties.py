"""The decision engine as a whole: always an answer, never milder for less, and the same in whatever order it is asked."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from guard.core.facts import Facts
from guard.core.model import Decision, Known, Verdict
from tests.builders import NOW
from tests.decide_worlds import LOST, WORSE, World, worlds
from tests.test_snapshot import anything

THOROUGH = 20 if os.environ.get("GUARD_TEST_LONG") else 1
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck))
MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(worlds(), st.data())
@settings(QUICK, max_examples=60 * THOROUGH)
def test_whatever_the_facts_and_the_moment_there_is_a_decision(world: World, data: st.DataObject) -> None:
    wild = data.draw(anything(Facts, {}))
    chosen = data.draw(st.lists(st.sampled_from([field.name for field in fields(Facts)]), max_size=4))
    facts = replace(world.facts, **{name: getattr(wild, name) for name in chosen})
    asked = replace(world, facts=facts, now=data.draw(MOMENTS | st.just(NOW)))
    if data.draw(st.booleans()):
        asked = replace(asked, policy=LOST)
    decision = asked.decided()
    assert decision.verdicts
    assert decision.allowed == (decision.exit_status == 0)
    assert all(verdict.findings or verdict.outcome.allows for verdict in decision.verdicts)
    assert asked.decided() == decision


@given(worlds(), st.sampled_from(sorted(WORSE)), st.data())
@settings(QUICK, max_examples=600 * THOROUGH)
def test_nothing_made_worse_turns_a_no_go_into_a_go(world: World, name: str, data: st.DataObject) -> None:
    before, after = world.decided(), WORSE[name](world, data.draw).decided()
    event(f"{'GO' if before.allowed else 'NO-GO'}, then {'GO' if after.allowed else 'NO-GO'}")
    assert before.allowed or not after.allowed, name
    blocked = {verdict.id for verdict in before.blockers}
    assert not [verdict.id for verdict in after.verdicts if verdict.id in blocked and verdict.outcome.allows]


def _told(verdict: Verdict) -> tuple[Any, ...]:
    """A verdict without the order of what it lists."""
    findings = sorted(map(repr, verdict.findings))
    return verdict.outcome, tuple(findings), sorted(verdict.evidence), verdict.next_change_at, verdict.group


def _by_id(decision: Decision) -> dict[str, tuple[Any, ...]]:
    return {verdict.id: _told(verdict) for verdict in decision.verdicts}


@given(worlds(spoilt=4), st.randoms(use_true_random=False))
@settings(QUICK, max_examples=80 * THOROUGH)
def test_the_order_of_gates_and_facts_does_not_matter(world: World, random: Any) -> None:
    def mixed(value: Any) -> Any:
        some = list(value.items()) if isinstance(value, dict) else list(value)
        random.shuffle(some)
        return type(value)(some)

    def listed(fact: Any) -> Any:
        return replace(fact, value=mixed(fact.value)) if isinstance(fact, Known) else fact

    facts, policy = world.facts, world.table
    if isinstance(facts.approvals, Known):
        was = facts.approvals.value
        said = replace(was, approvals=mixed(was.approvals), objections=mixed(was.objections))
        facts = replace(facts, approvals=replace(facts.approvals, value=said))
    other = replace(
        facts,
        readings=mixed(facts.readings),
        members=mixed(facts.members),
        incidents=listed(facts.incidents),
        queue=listed(facts.queue),
        guarding=listed(facts.guarding),
        candidate=replace(facts.candidate, proposals=listed(facts.candidate.proposals)),
        waivers=replace(facts.waivers, asked=listed(facts.waivers.asked)),
    )
    gates = policy.model_copy(update={"gates": mixed(policy.gates)})
    assert isinstance(world.policy, Known)
    loaded = replace(world.policy, value=replace(world.policy.value, policy=gates))
    first, second = world.decided(), replace(world, facts=other, policy=loaded).decided()
    assert (first.allowed, first.outcome, first.exit_status) == (second.allowed, second.outcome, second.exit_status)
    assert _by_id(first) == _by_id(second)
    assert first.waivers == second.waivers
    assert first.next_change_at == second.next_change_at


@given(worlds(spoilt=3), st.integers(0, 20 * 24 * 60))
@settings(QUICK, max_examples=150 * THOROUGH)
def test_nothing_changes_by_itself_before_the_decision_says_so(world: World, minutes: int) -> None:
    now = world.decided()
    at = world.now + timedelta(minutes=minutes)
    if now.next_change_at is not None:
        at = min(at, now.next_change_at - timedelta(seconds=1))
    then = replace(world, now=max(at, world.now)).decided()
    assert {one.id: one.outcome for one in then.verdicts} == {one.id: one.outcome for one in now.verdicts}


@given(worlds(), st.sampled_from(["lineage", "approvals", "readiness", "incidents"]))
@settings(QUICK, max_examples=40 * THOROUGH)
def test_a_narrowed_question_is_never_a_go(world: World, rule: str) -> None:
    assert not replace(world, only=(rule,)).decided().allowed
