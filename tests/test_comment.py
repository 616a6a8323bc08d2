"""The comment and the status: what they say, and that nothing in them can do anything."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.core.facts import CommitFacts, LineageFacts
from guard.core.model import Commit, Decision, Finding, Outcome
from guard.core.policy import Lineage
from guard.core.rules.lineage import judge_commits
from guard.render.comment import LIMIT, MARKER, Subject, decision_comment, is_ours, undecided_comment
from guard.render.status import decision_status, undecided_status, waiting_status
from tests.builders import NEW, NOW, OLD, UPSTREAM, decision, finding, verdict

RECORD = "sha256:" + "2" * 64
HOSTILE = (
    "/merge", "\n/approve", "  /close now", "@everyone", "a @gpuaas/owners b", "![x](https://evil.example/x.png)",
    "<img src=https://evil.example/x>", "<script>alert(1)</script>", "</details>", "<!-- -->", "`/merge`",
    "``` \n/merge",
    "https://evil.example/", "www.evil.example", "| a | b |", "\u202e/merge", "\r/merge", "\u2028/merge", "> /merge",
    "fixes #1, see a/b#2",
    "1. /merge", "- [ ] /merge", "x" * 5000, "[x]: https://evil.example", "\x00\x1b[31m", "&lt;img&gt;", "\\![x](y)",
)  # fmt: skip


def blocked(text: str) -> Decision:
    return decision(
        verdict("candidate"),
        verdict(
            "lineage",
            Outcome.FAIL,
            findings=(finding("lineage.missing", message=text, fix=text, where=text, who=("author", text)),),
        ),
        policy_source=text,
    )


def lineage_of(*subjects: str, detail: str = "") -> tuple[LineageFacts, tuple[object, ...]]:
    commits = tuple(
        CommitFacts(Commit(f"{number:040x}"), subject, (OLD,), on_upstream=False, detail=detail)
        for number, subject in enumerate(subjects, 1)
    )
    return LineageFacts(UPSTREAM, OLD, NEW, "master", commits), ()


def subject(*subjects: str, warnings: tuple[str, ...] = ()) -> Subject:
    facts, _ = lineage_of(*subjects)
    return Subject(
        RECORD, (facts, judge_commits(facts, Lineage())), {"author": ("@gpuaas/authors",)}, warnings
    )


def harmless(body: str) -> None:
    assert len(body) <= LIMIT
    for line in body.splitlines():
        assert not line.lstrip(" \t>*+-").startswith("/"), line
    assert not re.search(r"[@#]\w", body)
    assert not re.search(r"(?i)\bwww\.", body)
    assert "![" not in body
    assert "<img" not in body
    assert "<script" not in body
    assert body.count("<details>") == body.count("</details>")
    assert not re.search(r"\w://", body)
    assert body.count("<!--") == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_does_anything(text: str) -> None:
    harmless(decision_comment(blocked(text), subject(text, text, warnings=(text,))))
    harmless(undecided_comment(("release/x", NEW), text, text))


@given(st.text(max_size=200))
def test_no_text_does_anything(text: str) -> None:
    harmless(decision_comment(blocked(text), subject(text, warnings=(text,))))
    for status in (undecided_status("release/x", text), waiting_status("release/x", text)):
        assert len(status.description) <= 140


def test_it_says_what_to_do_and_who_can() -> None:
    body = decision_comment(blocked("no such fix on master"), subject("a fix"))
    assert body.startswith(
        f"{MARKER}\n**NO-GO** for `release/platform-control`: `aaaaaaaaaa` → `bbbbbbbbbb`\n"
    )
    assert "1. `lineage.missing` no such fix on master" in body
    assert "   - who: author (@\u2060gpuaas/authors)" in body
    assert "<details><summary>Go/No-Go board</summary>" in body
    assert "<details><summary>Lineage: 1 commit</summary>" in body
    assert "decision `sha256:222222222222`" in body
    assert is_ours(body)


def test_the_same_decision_later_is_the_same_comment() -> None:
    first = blocked("x")
    later = replace(first, decided_at=NOW.replace(year=2030))
    assert decision_comment(first, subject("a")) == decision_comment(later, subject("a"))


def test_a_thousand_reasons_fit_and_stay_whole() -> None:
    findings = tuple(
        Finding(
            f"lineage.x{number}", "<&>" * 150, where="w", fix=f"mend {number} " + "&" * 400, who=("author",)
        )
        for number in range(1000)
    )
    many = decision(verdict("lineage", Outcome.FAIL, findings=findings))
    body = decision_comment(many, subject(*["<&>" * 60] * 1000))
    harmless(body)
    assert "To unblock:" in body
    assert "1. `lineage.x0`" in body
    assert "too long for a comment" in body
    assert "decision `sha256:222222222222`" in body


def approvals(*codes: str) -> Decision:
    found = tuple(finding(code, outcome=Outcome.MISSING) for code in codes)
    return decision(verdict("candidate"), verdict("approvals", Outcome.MISSING, findings=found))


@pytest.mark.parametrize(
    ("given_", "state", "text"),
    [
        pytest.param(decision(verdict()), "success", "GO: everything required is there", id="go"),
        pytest.param(
            decision(verdict("a", Outcome.WAIVED)),
            "success", "GO (1 waiver): everything required is there", id="waived",
        ),
        pytest.param(
            approvals("approvals.security.missing"),
            "failure", "NO-GO: security owner approval missing", id="approval",
        ),
        pytest.param(
            decision(
                *approvals("approvals.security.missing").verdicts,
                verdict("b", Outcome.FAIL), verdict("c", Outcome.STALE),
            ),
            "failure", "NO-GO: security owner approval missing (1 of 3 blockers)", id="counted",
        ),
        pytest.param(
            decision(verdict("incidents", Outcome.ERROR)),
            "error", "could not decide: incidents.reason is so", id="undecided",
        ),
        pytest.param(
            decision(verdict("policy", Outcome.ERROR)), "error", "NO-GO: policy.reason is so", id="policy"
        ),
        pytest.param(
            decision(verdict("b", Outcome.FAIL), mode="observe"),
            "success", "observed only: NO-GO: b.reason is so", id="observed",
        ),
        pytest.param(
            decision(verdict(), policy_source="guard.toml (bootstrap policy, because of that)"),
            "success", "GO by the bootstrap policy: everything required is there", id="bootstrap",
        ),
        pytest.param(decision(), "error", "could not decide: nothing was judged", id="nothing-judged"),
    ],
)  # fmt: skip
def test_the_status(given_: Decision, state: str, text: str) -> None:
    status = decision_status(given_)
    assert (status.context, status.state, status.description) == (
        "guard/promotion (release/platform-control)", state, text,
    )  # fmt: skip


def test_a_long_reason_never_hides_how_many_there_are() -> None:
    long = finding("x.y", message="m" * 500)
    status = decision_status(
        decision(verdict("a", Outcome.FAIL, findings=(long,)), verdict("b", Outcome.FAIL))
    )
    assert len(status.description) <= 140
    assert status.description.endswith("… (1 of 2 blockers)")
