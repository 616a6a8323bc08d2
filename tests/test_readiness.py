"""Gates judged from readings: subject, age, composition, groups; and that nothing made worse ever helps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.core.evidence import Absent, Observation, Reading, leaves
from guard.core.model import Commit, Finding, Known, Outcome, Unknown, Verdict
from guard.core.policy import Gate
from guard.core.policy_names import GROUPS
from guard.core.rules.readiness import judge_readiness
from guard.render.board import said
from tests.builders import NEW, NOW, OLD, candidate, finding, verdict

APPROVED = verdict("approvals", summary="Approved: platform owner, security owner")
SARIF = {"kind": "sarif", "source": "sast"}
DOCUMENT = {"kind": "document", "path": "a.md"}
SIGNOFF = {"kind": "signoff", "role": "security"}
APPROVALS = {"kind": "approvals"}


def gate(evidence: object, *, id: str = "security.gate", group: str = "security", **fields: Any) -> Gate:
    given = {"id": id, "group": group, "title": "A gate", "evidence": evidence, **fields}
    return Gate.model_validate(given)


def seen(
    *problems: Finding,
    subject: Commit | None = NEW,
    dated: datetime | None = NOW,
    summary: str = "fine",
    digest: str = "",
) -> Reading:
    return Known(Observation(summary, problems, subject, dated, digest), "test", NOW)


def judge(
    evidence: object,
    *readings: Reading,
    now: datetime = NOW,
    approvals: Verdict = APPROVED,
    **fields: Any,
) -> Verdict:
    """The verdict of one gate whose pieces of evidence, in order, are read so."""
    one = gate(evidence, **fields)
    keys = [key for key, leaf in leaves(one.evidence, prefix=one.id) if leaf.kind != "approvals"]
    given = dict(zip(keys, readings, strict=False))
    return judge_readiness([one], given, approvals=approvals, candidate=candidate(), now=now)[0]


DAY = timedelta(days=1)
AGED = {**SARIF, "max_age": "7d"}


@pytest.mark.parametrize(
    ("evidence", "reading", "outcome", "code"),
    [
        pytest.param(SARIF, seen(), Outcome.PASS, None, id="as-wanted"),
        pytest.param(SARIF, seen(finding("sarif.result")), Outcome.FAIL, "sarif.result", id="a-problem"),
        pytest.param(
            SARIF,
            seen(finding("x.y", outcome=Outcome.PASS)),
            Outcome.FAIL,
            "x.y",
            id="a-problem-is-never-a-pass",
        ),
        pytest.param(SARIF, Absent("none"), Outcome.MISSING, "evidence.missing", id="absent"),
        pytest.param(SARIF, Unknown("HTTP 502"), Outcome.ERROR, "evidence.unknown", id="unknown"),
        pytest.param(SARIF, None, Outcome.ERROR, "evidence.unknown", id="not-gathered"),
        pytest.param(SARIF, seen(subject=OLD), Outcome.MISSING, "evidence.other-commit", id="another-commit"),
        pytest.param(SARIF, seen(subject=None), Outcome.ERROR, "evidence.subject", id="about-no-commit"),
        pytest.param(DOCUMENT, seen(subject=None), Outcome.PASS, None, id="a-document-is-about-no-commit"),
        pytest.param(
            DOCUMENT, seen(subject=OLD), Outcome.MISSING, "evidence.other-commit", id="document-elsewhere"
        ),
        pytest.param(
            SIGNOFF, seen(subject=OLD), Outcome.MISSING, "evidence.other-commit", id="signed-for-another"
        ),
        pytest.param(SIGNOFF, seen(subject=None), Outcome.ERROR, "evidence.subject", id="signed-for-none"),
        pytest.param(
            {**SIGNOFF, "max_age": "7d"}, seen(subject=None), Outcome.PASS, None, id="signed-lately"
        ),
        pytest.param(
            AGED, seen(dated=NOW - 7 * DAY + timedelta(seconds=1)), Outcome.PASS, None, id="just-young-enough"
        ),
        pytest.param(AGED, seen(dated=NOW - 7 * DAY), Outcome.STALE, "evidence.stale", id="too-old"),
        pytest.param(
            SARIF, seen(dated=NOW - 900 * DAY), Outcome.PASS, None, id="old-where-age-does-not-matter"
        ),
        pytest.param(
            AGED, seen(dated=None), Outcome.ERROR, "evidence.undated", id="no-date-where-age-matters"
        ),
        pytest.param(SARIF, seen(dated=None), Outcome.PASS, None, id="no-date-and-no-age"),
        pytest.param(
            AGED, seen(dated=NOW + timedelta(minutes=5)), Outcome.PASS, None, id="a-clock-slightly-ahead"
        ),
        pytest.param(
            AGED, seen(dated=NOW + timedelta(minutes=6)), Outcome.ERROR, "evidence.future", id="in-the-future"
        ),
        pytest.param(
            SARIF, seen(dated=NOW + DAY), Outcome.ERROR, "evidence.future", id="future-without-an-age"
        ),
        pytest.param(
            {**SIGNOFF, "max_age": "7d"},
            seen(dated=NOW - 90 * DAY),
            Outcome.PASS,
            None,
            id="this-very-commit-no-age",
        ),
        pytest.param(
            {**SIGNOFF, "max_age": "7d"},
            seen(dated=NOW - 90 * DAY, subject=OLD),
            Outcome.STALE,
            "evidence.stale",
            id="signed-long-ago",
        ),
    ],
)
def test_one_piece_of_evidence(
    evidence: object, reading: Reading | None, outcome: Outcome, code: str | None
) -> None:
    judged = judge(evidence, *([reading] if reading else []))
    assert judged.outcome == outcome
    assert [found.code for found in judged.findings] == ([code] if code else [])


def test_stale_says_since_when_and_who_renews() -> None:
    judged = judge(AGED, seen(dated=NOW - 8 * DAY))
    assert judged.findings[0].message == "test: of 2026-04-23 12:00 UTC, and may be no older than 1w"
    assert judged.findings[0].who == ("ci",)
    assert judge({**SIGNOFF, "max_age": "1d"}, seen(dated=NOW - DAY, subject=None)).findings[0].who == (
        "security",
    )


@pytest.mark.parametrize(
    ("how", "readings", "outcome"),
    [
        pytest.param("all", [seen(), seen()], Outcome.PASS, id="all-pass"),
        pytest.param("all", [seen(), Absent("x")], Outcome.MISSING, id="all-with-one-missing"),
        pytest.param("all", [Absent("x"), Unknown("x")], Outcome.ERROR, id="all-the-worst-wins"),
        pytest.param("any", [seen(), Unknown("x")], Outcome.PASS, id="any-one-is-enough"),
        pytest.param("any", [Absent("x"), Unknown("x")], Outcome.MISSING, id="any-the-best-of-the-bad"),
    ],
)
def test_composition(how: str, readings: list[Reading], outcome: Outcome) -> None:
    for order in (readings, readings[::-1]):
        judged = judge({how: [SARIF, SARIF]}, *order)
        assert judged.outcome == outcome
        assert judged.outcome.allows == (not judged.findings)


def test_none_of_any_says_what_each_way_lacks() -> None:
    judged = judge({"any": [SARIF, DOCUMENT]}, Absent("a"), Absent("b"))
    assert [said(found) for found in judged.findings] == ["(one of 2 ways) a", "(one of 2 ways) b"]
    assert [way.number for found in judged.findings for way in found.ways] == [1, 2]


def test_compositions_nest() -> None:
    evidence = {"all": [{"any": [SARIF, {"all": [DOCUMENT, SARIF]}]}, DOCUMENT]}
    good = seen(subject=None)
    assert judge(evidence, Absent("x"), good, seen(), good).outcome == Outcome.PASS
    assert judge(evidence, Absent("x"), good, Absent("x"), good).outcome == Outcome.MISSING


def test_the_approval_rules_own_verdict() -> None:
    assert judge(APPROVALS).outcome == Outcome.PASS
    assert judge(APPROVALS).summary == "A gate: Approved: platform owner, security owner"
    lacking = finding("approvals.security.missing", outcome=Outcome.MISSING, fix="ask", who=("security",))
    blocked = verdict("approvals", Outcome.MISSING, findings=(lacking,))
    assert judge(APPROVALS, approvals=blocked).findings == (lacking,)
    silent = Verdict("approvals", "Approvals", Outcome.ERROR)
    assert [found.code for found in judge(APPROVALS, approvals=silent).findings] == ["evidence.approvals"]


def test_the_line_of_the_board_says_each_thing_once() -> None:
    same = seen(summary="0 critical, 0 high")
    judged = judge({"all": [SARIF, SARIF, DOCUMENT]}, same, same, seen(subject=None, summary="accepted"))
    assert judged.summary == "A gate: 0 critical, 0 high; accepted"
    assert judge(SARIF, seen(summary="")).summary == "A gate"


def test_digests_of_what_was_judged_are_kept_also_when_it_blocks() -> None:
    first, second = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    bad = seen(finding("x.y"), digest=second)
    assert judge({"all": [SARIF, SARIF, SARIF]}, seen(digest=first), bad, seen(digest=first)).evidence == (
        first,
        second,
    )


@pytest.mark.parametrize(
    ("evidence", "readings", "changes"),
    [
        pytest.param(SARIF, [seen()], None, id="never"),
        pytest.param(AGED, [seen(dated=NOW - DAY)], NOW + 6 * DAY, id="when-it-expires"),
        pytest.param(
            {"all": [AGED, AGED]},
            [seen(dated=NOW - DAY), seen()],
            NOW + 6 * DAY,
            id="all-when-the-first-expires",
        ),
        pytest.param(
            {"any": [AGED, AGED]},
            [seen(dated=NOW - DAY), seen()],
            NOW + 7 * DAY,
            id="any-when-the-last-expires",
        ),
        pytest.param({"any": [AGED, SARIF]}, [seen(), seen()], None, id="any-with-one-that-never-does"),
        pytest.param(AGED, [seen(dated=NOW - 9 * DAY)], None, id="stale-stays-stale"),
        pytest.param(
            AGED, [seen(dated=NOW + DAY)], NOW + DAY - timedelta(minutes=5), id="when-the-future-is-here"
        ),
        pytest.param({**SARIF, "max_age": "9999999w"}, [seen()], None, id="beyond-the-calendar"),
    ],
)
def test_when_time_alone_changes_it(
    evidence: object, readings: list[Reading], changes: datetime | None
) -> None:
    judged = judge(evidence, *readings)
    assert judged.next_change_at == changes
    if changes is not None:
        before, after = (
            judge(evidence, *readings, now=changes + step) for step in (-timedelta(seconds=1), timedelta(0))
        )
        assert before.outcome == judged.outcome
        assert after.outcome != judged.outcome


@pytest.mark.parametrize(
    ("how", "approvals", "changes"),
    [
        pytest.param("any", Outcome.NOT_APPLICABLE, NOW + 7 * DAY, id="any-from-pass-to-not-applicable"),
        pytest.param("any", Outcome.PASS, None, id="any-with-an-approval-that-stands"),
        pytest.param("all", Outcome.PENDING, NOW + 7 * DAY, id="all-from-pending-to-stale"),
        pytest.param("all", Outcome.MISSING, None, id="all-missing-stays-missing"),
    ],
)
def test_when_time_changes_what_approvals_are_part_of(
    how: str, approvals: Outcome, changes: datetime | None
) -> None:
    judged = judge({how: [AGED, APPROVALS]}, seen(), approvals=verdict("approvals", approvals))
    assert judged.next_change_at == changes


def everything(gates: list[Gate], readings: Mapping[str, Reading]) -> tuple[Verdict, ...]:
    return judge_readiness(gates, readings, approvals=APPROVED, candidate=candidate(), now=NOW)


def test_no_gates_are_no_permission() -> None:
    (judged,) = everything([], {})
    assert (judged.outcome, judged.findings[0].code) == (Outcome.ERROR, "readiness.no-gates")


def test_a_mandatory_group_without_a_gate_is_an_error() -> None:
    judged = everything([gate(SARIF)], {"security.gate": seen()})
    assert [one.group for one in judged] == ["security", "architecture", "data", "reliability", "delivery"]
    assert [one.outcome for one in judged] == [Outcome.PASS, *[Outcome.ERROR] * 4]
    assert {one.findings[0].code for one in judged[1:]} == {"readiness.group.empty"}


def test_gates_keep_the_policys_order_and_their_groups() -> None:
    gates = [gate(SARIF, id=f"{group}.one", group=group) for group in reversed(GROUPS)]
    judged = everything(gates, {one.id: seen() for one in gates})
    assert [one.id for one in judged] == [one.id for one in gates]
    assert [one.group for one in judged] == list(reversed(GROUPS))
    assert all(one.outcome == Outcome.PASS for one in judged)


def test_an_id_that_is_there_twice_is_refused() -> None:
    judged = everything([gate(SARIF), gate(DOCUMENT)], {"security.gate": seen()})
    assert [one.findings[0].code for one in judged[:2]] == ["readiness.gate.duplicate"] * 2
    assert not any(one.outcome.allows for one in judged)


LEAVES = st.sampled_from(
    [SARIF, AGED, DOCUMENT, {**DOCUMENT, "max_age": "7d"}, SIGNOFF, {**SIGNOFF, "max_age": "7d"}, APPROVALS]
)
EVIDENCE = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda how, parts: {how: parts},
        st.sampled_from(["all", "any"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
DATES = st.none() | st.integers(-12, 0).map(lambda days: NOW + days * DAY)
READINGS = st.one_of(
    st.builds(seen, subject=st.sampled_from([NEW, OLD, None]), dated=DATES),
    st.builds(lambda: seen(finding("x.y"))),
    st.just(Absent("x")),
    st.just(Unknown("x")),
)
VERDICTS = st.sampled_from(list(Outcome)).map(lambda outcome: verdict("approvals", outcome))


@given(EVIDENCE, st.lists(READINGS, min_size=6, max_size=6), VERDICTS, st.data())
@settings(max_examples=500, deadline=None)
def test_anything_made_worse_never_allows(
    evidence: Any, readings: list[Reading], approvals: Verdict, data: st.DataObject
) -> None:
    before = judge(evidence, *readings, approvals=approvals)
    index = data.draw(st.integers(0, 5))
    worse = data.draw(
        st.sampled_from(
            [Absent("lost"), Unknown("lost"), seen(finding("x.y")), seen(subject=OLD, dated=NOW - 99 * DAY)]
        )
    )
    changed = [*readings[:index], worse, *readings[index + 1 :]]
    bad = verdict("approvals", data.draw(st.sampled_from([Outcome.MISSING, Outcome.ERROR])))
    later = NOW + data.draw(st.integers(0, 30)) * DAY
    if not before.outcome.allows:
        assert not judge(evidence, *changed, approvals=approvals).outcome.allows
        assert not judge(evidence, *readings, approvals=bad).outcome.allows
        assert not judge(evidence, *readings, approvals=approvals, now=later).outcome.allows
        assert not judge(evidence, *readings[:index], approvals=approvals).outcome.allows


@given(EVIDENCE, st.lists(READINGS, min_size=6, max_size=6), VERDICTS)
@settings(max_examples=300, deadline=None)
def test_a_verdict_is_explained_and_its_next_change_is_the_first(
    evidence: Any, readings: list[Reading], approvals: Verdict
) -> None:
    judged = judge(evidence, *readings, approvals=approvals)
    assert judged.outcome.allows or judged.findings
    assert bool(judged.summary) == judged.outcome.allows
    until = judged.next_change_at or NOW + 30 * DAY
    step = (until - NOW) / 4
    for quarter in range(4):
        assert (
            judge(evidence, *readings, approvals=approvals, now=NOW + quarter * step).outcome
            == judged.outcome
        )


@given(st.lists(st.tuples(LEAVES, READINGS), min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_order_does_not_matter(parts: list[tuple[Any, Reading]], random: Any) -> None:
    gates = [gate(leaf, id=f"security.g{number}") for number, (leaf, _) in enumerate(parts)]
    readings = {one.id: reading for one, (_, reading) in zip(gates, parts, strict=True)}
    shuffled = random.sample(gates, len(gates))
    assert set(everything(gates, readings)) == set(everything(shuffled, dict(reversed(readings.items()))))
    mixed = random.sample(parts, len(parts))
    for how in ("all", "any"):
        first, second = (
            judge(
                {how: [leaf for leaf, _ in some]},
                *(reading for leaf, reading in some if leaf is not APPROVALS),
            )
            for some in (parts, mixed)
        )
        assert (first.outcome, first.next_change_at) == (second.outcome, second.next_change_at)
