"""The unblock plan: all of it makes a GO, none of it can be left out, and it takes the cheapest way through."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, event, given, settings

from guard.core.model import Deed, Finding, Known, Outcome, Way
from guard.core.unblock import first_thing, plan_notes, unblock_plan
from tests.builders import decision, finding, verdict
from tests.decide_worlds import World, worlds
from tests.plan_effects import done

THOROUGH = 20 if os.environ.get("GUARD_TEST_LONG") else 1


@given(worlds(spoilt=5))
@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=150 * THOROUGH)
def test_all_of_a_plan_makes_a_go_and_none_of_it_can_be_left_out(world: World) -> None:
    lineage = world.facts.lineage
    if isinstance(lineage, Known):
        assume(len({one.commit for one in lineage.value.commits}) == len(lineage.value.commits))
    before = world.decided()
    plan = unblock_plan(before)
    event(f"{len(plan)} actions")
    assert bool(plan) is not before.allowed
    after = world
    for action in plan:
        after = done(after, action)
    assert after.decided().allowed, [(one.text, after.decided().blockers) for one in plan]
    for left_out in plan:
        without = world
        for action in plan:
            without = without if action is left_out else done(without, action)
        assert not without.decided().allowed, left_out


def way(code: str, number: int, *, among: str = "gate", outcome: Outcome = Outcome.FAIL) -> Finding:
    return replace(finding(code, fix=code, outcome=outcome), ways=(Way(among, number, 2),))


@pytest.mark.parametrize(
    ("verdicts", "texts"),
    [
        pytest.param([[way("a", 1), way("b", 1), way("c", 2)]], ["c"], id="the-way-with-fewer-actions"),
        pytest.param(
            [[way("a", 1, outcome=Outcome.ERROR), way("b", 2, outcome=Outcome.STALE)]],
            ["b"],
            id="the-less-bad-of-equals",
        ),
        pytest.param([[way("a", 1), way("b", 2)], [finding("b", fix="b")]], ["b"], id="the-way-that-is-needed-anyway"),
        pytest.param(
            [[way("a", 1), way("b", 2), way("c", 2)], [finding("x", fix="b")], [finding("y", fix="c")]],
            ["b", "c"],
            id="two-that-are-needed-anyway-are-cheaper-than-one-more",
        ),
        pytest.param(
            [
                [way("a", 1), way("b", 2), way("x", 2)],
                [way("b", 1, among="other"), way("c", 2, among="other"), way("d", 2, among="other")],
                [way("b", 1, among="third"), way("x", 1, among="third"), way("a", 2, among="third")],
            ],
            ["a", "b"],
            id="what-an-earlier-choice-took-is-reused",
        ),
        pytest.param([[finding("a", fix="same")], [finding("b", fix="same")]], ["same"], id="said-once"),
    ],
)  # fmt: skip
def test_the_cheapest_way_through(verdicts: list[list[Finding]], texts: list[str]) -> None:
    gates = [verdict(f"g{at}", Outcome.FAIL, findings=tuple(found)) for at, found in enumerate(verdicts)]
    assert sorted(action.text for action in unblock_plan(decision(*gates))) == texts


def test_one_approval_serves_three() -> None:
    approve = Deed("ask a security owner to approve bbbbbbbbbb: guard approve --head b", ("security",))
    waiting = finding("lineage.adapted", outcome=Outcome.PENDING, deeds=((approve,),))
    missing = finding("approvals.security.missing", fix=approve.text, who=approve.who)
    gates = [
        verdict("lineage", Outcome.PENDING, findings=(waiting,)),
        verdict("approvals", Outcome.MISSING, findings=(missing,)),
        verdict("delivery.approval", Outcome.MISSING, findings=(missing,)),
    ]
    (action,) = unblock_plan(decision(*gates))
    assert action.serves == ("lineage", "approvals", "delivery.approval")
    assert (action.who, action.command) == (("security",), "guard approve --head b")


def test_first_what_makes_another_head_and_the_plan_says_why() -> None:
    gates = [
        verdict("ci", Outcome.MISSING, findings=(finding("ci.missing", who=("ci",)),)),
        verdict("lineage", Outcome.FAIL, findings=(finding("lineage.missing", who=("author",)),)),
        verdict("incidents", Outcome.ERROR, findings=(finding("incidents.unknown", outcome=Outcome.ERROR),)),
    ]
    judged = decision(*gates)
    plan = unblock_plan(judged)
    assert [action.codes[0] for action in plan] == ["lineage.missing", "ci.missing", "incidents.unknown"]
    assert plan[0].moves_head
    assert plan[2].who == ("operator",)
    push, unread = plan_notes(plan)
    assert push.startswith("First what changes the commits")
    assert "could not be read" in unread
    assert first_thing(judged) == gates[1].findings[0]
    assert plan_notes(unblock_plan(decision(gates[0]))) == ()
