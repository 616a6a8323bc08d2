"""The decision engine as a whole: always an answer, never milder for less, the same in whatever order it is asked."""

from __future__ import annotations

import os
import tomllib
from dataclasses import fields, replace
from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from guard.core.errors import PolicyError
from guard.core.evidence import Observation, Reading
from guard.core.facts import Consent, Facts, Waiver, WaiverFacts
from guard.core.model import Decision, Known, Outcome, Unknown, Verdict
from guard.core.policy import Gate, Policy
from guard.core.policy_text import parse_policy
from guard.core.rules.readiness import judge_readiness
from guard.core.rules.waivers import judge_waivers
from tests.builders import NEW, NOW, candidate, verdict
from tests.decide_worlds import BRANCH, LOST, ROLES, WORSE, World, emergency_world, first, full_world, worlds
from tests.evidence_fakes import asks, codes, read, sources
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


HARMLESS = {
    "nobody asked for break-glass": "nothing has to be let pass",
    "who asked for break-glass is lost": "nothing has to be let pass",
    "what changed is not known to the guard": "both owners approved",
    "the guard's own files change": "both owners approved",
}
"""What makes the full world no worse than it may be, and why."""

NO_EMERGENCY_HELPS = (
    "the policy is lost", "time passes", "promotions are held", "a stranger lifts a hold", "holds are lost",
    "it does not descend", "descent is lost", "the policy would go",
    "what becomes of the policy is lost", "the proposal is closed", "there are two proposals",
    "the proposal is a draft", "the proposal is from a fork", "proposals are lost",
    "nobody asked for break-glass",
    "who asked for break-glass is lost", "break-glass is owed", "what break-glass owes is lost",
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(WORSE))
def test_each_thing_made_worse_stops_a_promotion(name: str) -> None:
    assert full_world().decided().allowed
    assert WORSE[name](full_world(), first).decided().allowed == (name in HARMLESS)


@pytest.mark.parametrize("key", sorted(full_world().facts.readings))
def test_each_source_that_is_lost_stops_a_promotion(key: str) -> None:
    world = full_world()
    lost = replace(world.facts, readings={**world.facts.readings, key: LOST})
    assert not replace(world, facts=lost).decided().allowed


@pytest.mark.parametrize("name", sorted(WORSE))
def test_what_an_emergency_lets_pass_and_what_not(name: str) -> None:
    assert emergency_world().decided().allowed
    assert WORSE[name](emergency_world(), first).decided().allowed == (name not in NO_EMERGENCY_HELPS)


def test_what_the_guard_rests_on_takes_both_owners() -> None:
    """Where the policy asks for less, too."""
    world = full_world()
    loaded = world.policy
    assert isinstance(loaded, Known)
    branch = world.table.branches[BRANCH].model_copy(update={"require": ("incidents",)})
    rule = world.table.approvals.model_copy(update={"roles": ("ops",)})
    less = world.table.model_copy(update={"branches": {BRANCH: branch}, "approvals": rule})
    world = replace(world, policy=replace(loaded, value=replace(loaded.value, policy=less)))
    world = WORSE["an approval is withdrawn"](world, first)
    assert world.decided().allowed
    assert not WORSE["the guard's own files change"](world, first).decided().allowed
    assert not WORSE["what changed is not known to the guard"](world, first).decided().allowed


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
    assert (first.allowed, first.outcome, first.exit_status) == (
        second.allowed,
        second.outcome,
        second.exit_status,
    )
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


GATE = """
[[gates]]
id = "security.leaks"
group = "security"
title = "Secrets"
evidence = { kind = "secrets", source = "leaks" }
"""


def test_a_policy_with_an_id_twice_is_refused_and_would_be_an_error() -> None:
    with pytest.raises(PolicyError, match=r"'security.leaks' is the id of gates\[0\]"):
        parse_policy(
            f'version = 1\n[project]\nforge = "local"\nrepository = "a/b"\n{GATE}{GATE}'.encode(), where="x"
        )
    gate = Gate.model_validate(tomllib.loads(GATE)["gates"][0])
    reading: Reading = Known(Observation("clean", (), NEW, NOW), "leaks", NOW)
    twice = judge_readiness(
        [gate, gate], {gate.id: reading}, approvals=verdict("approvals"), candidate=candidate(), now=NOW
    )
    assert [one.outcome for one in twice if one.id == gate.id] == [Outcome.ERROR, Outcome.ERROR]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param(
            "r.md", "| ID | Status |\n|-|-|\n| A-1 | done |\n| A-1 | open |\n", id="rows-that-differ"
        ),
        pytest.param("r.md", "| ID | Status | Status |\n|-|-|-|\n| A-1 | done | open |\n", id="two-columns"),
        pytest.param("r.yaml", "A-1: done\nA-1: open\n", id="a-key-of-yaml"),
        pytest.param("r.yaml", "- {id: A-1, status: done}\n- {id: A-1, status: open}\n", id="two-entries"),
        pytest.param("r.json", '{"A-1": "done", "A-1": "open"}', id="a-key-of-json"),
    ],
)
def test_an_id_that_a_register_has_twice_is_no_evidence(path: str, text: str) -> None:
    asked = asks(kind="register", path=path, entry="A-1", state=["done"])
    reading = read(asked, sources(files={path: text.encode()}))
    assert isinstance(reading, Unknown) or codes(reading)


def test_a_waiver_whose_id_is_there_twice_counts_for_nothing() -> None:
    """Whichever of the two people approved, nobody can tell."""
    rule = {"roles": ["platform", "security"], "mandatory": ["*"]}
    gate = tomllib.loads(GATE)["gates"][0]
    policy = Policy.model_validate(
        {
            "version": 1, "project": {"forge": "local", "repository": "a/b"},
            "branches": {BRANCH: {"upstream": "master"}}, "gates": [gate], "waivers": rule,
        }
    )  # fmt: skip
    given = Waiver(
        "sha256:1", BRANCH, "security.leaks", "x.y:1", NEW, "r", "cid", NOW, NOW + timedelta(days=1),
        consents=(Consent("pat", NOW), Consent("sam", NOW)),
    )  # fmt: skip
    members: dict[str, Any] = {role: Known(people, "t", NOW) for role, people in ROLES.items()}

    def why(*asked: Waiver) -> set[tuple[str, ...]]:
        facts = WaiverFacts(Known(asked, "t", NOW))
        found = judge_waivers(policy, facts, members, candidate=candidate(), now=NOW)
        return {ruling.why for rulings in found.rulings.values() for ruling in rulings}

    assert why(given) == {()}
    assert why(given, replace(given, finding="x.z:2")) == {("its id is there more than once",)}
