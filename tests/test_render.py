"""A decision as people and programs read it."""

from __future__ import annotations

import json
import unicodedata

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.core.model import Decision, Outcome
from guard.core.unblock import unblock_plan
from guard.render import board, safe
from guard.render.decision_json import decision_document, decision_schema
from guard.render.markdown import render_markdown
from guard.render.terminal import render_text
from tests.builders import NOW, decision, finding, verdict

GO = decision(
    verdict("candidate", summary="proposal r2"),
    verdict("architecture.adrs", group="architecture", title="ADR set finalized", summary="ADRs frozen"),
    verdict("security.pen-test", Outcome.NOT_APPLICABLE, group="security", summary="Pen test: not in scope"),
    verdict("lineage", summary="14 commits: 12 on master, 2 equivalent"),
    verdict("incidents", title="Unresolved SEV-1/SEV-2", summary="none"),
)

GO_BOARD = """\
GO/NO-GO decision: GO
release/platform-control  aaaaaaaaaa → bbbbbbbbbb
policy: guard.toml at release/platform-control

Architecture & Contracts ........................... PASS
  ✓ ADRs frozen
Security ........................................... NOT-APPLICABLE
  – Pen test: not in scope
Candidate .......................................... PASS
  ✓ proposal r2
Master First ....................................... PASS
  ✓ 14 commits: 12 on master, 2 equivalent
Unresolved SEV-1/SEV-2: none
DECISION: GO
"""


def blocked_decision() -> Decision:
    who = finding(
        "approvals.security.missing",
        message="no security owner approved it",
        fix="guard approve",
        who=("security",),
    )
    return decision(
        verdict("data.stripe", Outcome.MISSING, group="data", title="Stripe tests"),
        verdict("approvals", Outcome.FAIL, findings=(who,)),
        verdict("delivery.approval", Outcome.FAIL, group="delivery", findings=(who,)),
        verdict("incidents", Outcome.ERROR, title="Unresolved SEV-1/SEV-2"),
    )


def test_the_board_has_the_layout_of_the_readiness_page() -> None:
    assert render_text(GO) == GO_BOARD


def test_a_no_go_names_each_blocker_once_with_its_fix_and_who() -> None:
    text = render_text(blocked_decision())
    assert "GO/NO-GO decision: NO-GO" in text
    assert "DECISION: NO-GO" in text
    assert "✗ Stripe tests: data.stripe.reason is so" in text
    assert "Unresolved SEV-1/SEV-2: unknown: incidents.reason is so" in text
    assert text.count("guard approve") == 1
    assert "security:\n  2. guard approve\n     because no security owner approved it\n" in text
    assert "serves 2: approvals, delivery.approval" in text


def test_a_narrowed_question_never_says_go() -> None:
    narrowed = decision(verdict("lineage"), partial=("lineage",))
    assert not narrowed.allowed
    assert narrowed.exit_status == 0
    for text in (render_text(narrowed), render_markdown(narrowed), json.dumps(decision_document(narrowed))):
        assert "DECISION: GO" not in text
        assert "PARTIAL" in text


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        pytest.param([Outcome.PASS, Outcome.NOT_APPLICABLE, Outcome.WAIVED], 0, id="all-allow"),
        pytest.param([Outcome.PASS, Outcome.FAIL], 1, id="one-fails"),
        pytest.param([Outcome.PASS, Outcome.ERROR], 2, id="errors-alone"),
        pytest.param([Outcome.FAIL, Outcome.ERROR], 1, id="a-failure-beside-an-error"),
        pytest.param([Outcome.STALE], 1, id="stale"),
        pytest.param([Outcome.PENDING], 1, id="pending"),
        pytest.param([Outcome.MISSING], 1, id="missing"),
        pytest.param([], 2, id="nothing-judged"),
    ],
)
def test_exit_status(outcomes: list[Outcome], status: int) -> None:
    judged = decision(*(verdict(f"rule{index}", outcome) for index, outcome in enumerate(outcomes)))
    assert judged.exit_status == status
    assert judged.allowed is (status == 0)
    assert (board.word(judged) != "NO-GO") is judged.allowed


def test_a_waived_decision_says_how_many() -> None:
    waived = decision(verdict("a", Outcome.WAIVED), verdict("b", Outcome.WAIVED), verdict("c"))
    assert board.word(waived) == "GO (2 waivers)"


def test_colour_only_where_asked() -> None:
    assert "\x1b" not in render_text(GO)
    assert "\x1b[32mGO\x1b[0m" in render_text(GO, colour=True)


def test_until_when_a_decision_stands() -> None:
    assert "(stands until 2026-05-01 12:00 UTC" in render_text(decision(verdict("a", next_change_at=NOW)))


def test_the_json_document_keeps_its_schema() -> None:
    schema = decision_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for example in (GO, blocked_decision(), decision(verdict("lineage"), partial=("lineage",)), decision()):
        jsonschema.validate(json.loads(json.dumps(decision_document(example))), schema)


def test_the_unblock_plan_says_each_thing_once() -> None:
    plan = unblock_plan(blocked_decision())
    assert [action.text for action in plan].count("guard approve") == 1
    assert next(action for action in plan if action.text == "guard approve").serves == (
        "approvals",
        "delivery.approval",
    )


@given(st.text(max_size=600))
def test_nothing_from_outside_steers_a_terminal(text: str) -> None:
    shown = safe.plain(text)
    assert "\n" not in shown
    assert all(unicodedata.category(character) not in {"Cc", "Cf", "Cs"} for character in shown)


@given(st.text(max_size=600))
def test_a_code_span_cannot_be_left(text: str) -> None:
    span = safe.code(text)
    fence = span[: len(span) - len(span.lstrip("`"))]
    assert span.endswith(fence)
    assert fence not in span[len(fence) : -len(fence)] or span[len(fence)] == " "


@pytest.mark.parametrize(
    ("text", "never"),
    [
        pytest.param("/merge", "\n- /merge", id="quick-action"),
        pytest.param("ping @security-owners", "@security", id="mention"),
        pytest.param("![x](http://evil/x.png)", "![", id="image"),
        pytest.param("<img src=x onerror=y>", "<img", id="html"),
        pytest.param("[x] done", "\n- [x]", id="fake-checklist"),
        pytest.param("\u202egnp.exe", "\u202e", id="right-to-left"),
        pytest.param("see https://evil.example/x", "https://", id="autolink"),
        pytest.param("line\n/close", "\n/close", id="second-line"),
        pytest.param("fixes #12", "#12", id="issue-number"),
        pytest.param("at www.evil.example", "www.evil", id="bare-host"),
        pytest.param("$$x$$", "$$x", id="math"),
    ],
)
def test_text_from_outside_stays_text_in_markdown(text: str, never: str) -> None:
    shown = render_markdown(
        decision(verdict("lineage", Outcome.FAIL, findings=(finding(message=text),), title=text))
    )
    assert never not in shown
