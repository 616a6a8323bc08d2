"""Waivers: what one lets pass, for whom it counts, when it ends, and everything that it can never do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.adapters.evidence.debts import read_debts
from guard.core.allowed_signers import parse_allowed_signers
from guard.core.claims import WaiverApproved, WaiverRequested, WaiverWithdrawn
from guard.core.decide import Question, decide
from guard.core.evidence import Observation
from guard.core.facts import (
    Approval,
    ApprovalFacts,
    CandidateFacts,
    Consent,
    DebtEntry,
    Facts,
    Incident,
    Waiver,
    WaiverFacts,
)
from guard.core.model import Commit, Decision, Fact, Finding, Known, Outcome, Unknown
from guard.core.policy import Policy, TechDebt
from guard.core.policy_text import LoadedPolicy
from guard.core.rules.waivers import finding_id
from guard.core.sshsig import public_of
from guard.render.board import word
from guard.render.comment import Subject, decision_comment
from guard.render.decision_json import decision_document
from guard.render.markdown import render_markdown
from guard.render.terminal import render_text
from tests.builders import NEW, NOW, OLD, candidate
from tests.evidence_fakes import HeldTree
from tests.local_world import TARGET, LocalWorld
from tests.people import key_of, public_text

ANN, BOB, CID, DAN = "ann@example.com", "bob@example.com", "cid@example.com", "dan@example.com"
DAY = timedelta(days=1)
PROBLEM = Finding("sarif.result", "B602 shell=True", "src/run.py:10", "mend it", ("author",))
OTHER = Finding("sarif.result", "B105 a password", "src/run.py:20", "mend it", ("author",))
INCIDENT = Incident("INC-1", "SEV-2", "Slow balances")
INCIDENT_ID = finding_id(
    Finding("incidents.open", "SEV-2 INC-1: Slow balances", "INC-1", outcome=Outcome.FAIL)
)
NO_INCIDENTS: Fact[tuple[Incident, ...]] = Known((), "test", NOW)
NO_ENTRIES: Fact[tuple[DebtEntry, ...]] = Known((), "test", NOW)
REGISTER: dict[str, Any] = {"path": "doc/debt.md", "states": ["accepted"]}


def policy(**waivers: Any) -> Policy:
    """A conditional and a mandatory gate, and what can be waived; `none=True` is a policy without the table."""
    table = None if waivers.pop("none", False) else waivers
    gates: list[dict[str, Any]] = [
        {"id": f"{group}.gate", "group": group, "title": group, "evidence": {"kind": "approvals"}}
        for group in ("architecture", "data", "reliability", "delivery")
    ]
    gates += [
        {
            "id": "security.scan",
            "group": "security",
            "title": "Scan",
            "evidence": {"kind": "sarif", "source": "sast", "max_age": "7d"},
            "mandatory": False,
        },
        {
            "id": "security.must",
            "group": "security",
            "title": "Must",
            "evidence": {"kind": "sarif", "source": "must", "max_age": "7d"},
        },
    ]
    return Policy.model_validate({
        "version": 1,
        "project": {"forge": "local", "repository": "gpuaas/platform"},
        "branches": {TARGET: {"upstream": "master", "require": ["readiness", "incidents"]}},
        "roles": {"platform": {"members": [ANN]}, "security": {"members": [BOB]}},
        "approvals": {"roles": ["platform"]},
        "gates": gates,
        **({} if table is None else {"waivers": table}),
    })  # fmt: skip


def waiver(finding: Finding | str = PROBLEM, *, by: Sequence[str] = (ANN, BOB), **fields: Any) -> Waiver:
    given: dict[str, Any] = {
        "id": "sha256:" + "1" * 64,
        "target": TARGET,
        "gate": "security.scan",
        "finding": finding if isinstance(finding, str) else finding_id(finding),
        "commit": NEW,
        "reason": "Only in a test tool",
        "requester": CID,
        "requested_at": NOW - DAY,
        "expires_at": NOW + 10 * DAY,
        "consents": tuple(Consent(name, NOW) for name in by),
        **fields,
    }
    return Waiver(**given)


def seen(*problems: Finding, dated: datetime = NOW - DAY) -> Known[Observation]:
    return Known(Observation("0 results", problems, NEW, dated), "sast", NOW)


def decided(
    *waivers: Waiver,
    problems: Sequence[Finding] = (PROBLEM,),
    must: Sequence[Finding] = (),
    open_now: Fact[tuple[Incident, ...]] = NO_INCIDENTS,
    scan: Any = None,
    entries: Fact[tuple[DebtEntry, ...]] = NO_ENTRIES,
    now: datetime = NOW,
    asked: Fact[tuple[Waiver, ...]] | None = None,
    **table: Any,
) -> Decision:
    def people(*names: str) -> Fact[frozenset[str]]:
        return Known(frozenset(names), "test", NOW)

    members = {"platform": people(ANN, DAN), "security": people(BOB, DAN)}
    no_author: dict[str, frozenset[str]] = {kind: frozenset({"x"}) for kind in policy().approvals.not_by}
    facts = Facts(
        candidate=CandidateFacts(Known(True, "git", NOW), Known((), "test", NOW), Known("", "git", NOW)),
        lineage=Unknown("not asked"),
        approvals=Known(ApprovalFacts((Approval(ANN, NEW, NOW),), no_author), "test", NOW),
        incidents=open_now,
        members=members,
        guarding=Known((), "git", NOW),
        readings={"security.scan": scan or seen(*problems), "security.must": seen(*must)},
        waivers=WaiverFacts(Known(waivers, "ledger", NOW) if asked is None else asked, entries),
    )
    loaded = LoadedPolicy(policy(**table), "sha256:" + "0" * 64, "guard.toml")
    question = Question(candidate(), "master", only=("readiness", "incidents"))
    return decide(question, Known(loaded, "guard.toml", NOW), facts, now=now)


def of(decision: Decision, gate: str = "security.scan") -> Outcome:
    return next(one.outcome for one in decision.verdicts if one.id == gate)


@pytest.mark.parametrize(
    ("given", "table", "outcome", "why"),
    [
        pytest.param([waiver()], {}, Outcome.WAIVED, "", id="as-it-should-be"),
        pytest.param([], {}, Outcome.FAIL, None, id="none-asked-for"),
        pytest.param([waiver()], {"none": True}, Outcome.FAIL, "no table [waivers]", id="policy-says-nothing"),
        pytest.param([waiver(expires_at=NOW)], {}, Outcome.FAIL, "it expired", id="expired-just-now"),
        pytest.param([waiver(expires_at=NOW - DAY)], {}, Outcome.FAIL, "it expired", id="expired"),
        pytest.param([waiver(by=())], {}, Outcome.FAIL, "no platform owner", id="nobody-approved"),
        pytest.param([waiver(by=[ANN])], {}, Outcome.FAIL, "no security owner", id="one-of-two"),
        pytest.param([waiver(by=[CID, BOB])], {}, Outcome.FAIL, "no platform owner", id="by-no-member"),
        pytest.param(
            [waiver(requester=ANN)], {}, Outcome.FAIL, "cannot approve it", id="approved-by-the-requester"
        ),
        pytest.param(
            [waiver(requester="Ann@Example.com")], {}, Outcome.FAIL, "cannot", id="requester-spelt-otherwise"
        ),
        pytest.param([waiver(by=[DAN])], {}, Outcome.FAIL, "counts once", id="one-person-in-two-roles"),
        pytest.param([waiver(by=[DAN, BOB])], {}, Outcome.WAIVED, "", id="two-people-one-in-both-roles"),
        pytest.param(
            [waiver(by=[ANN])], {"roles": ["platform"]}, Outcome.FAIL, "no second", id="one-role-one-person"
        ),
        pytest.param([waiver(by=[ANN, DAN])], {"roles": ["platform"]}, Outcome.WAIVED, "", id="one-role-two"),
        pytest.param([waiver(commit=OLD)], {}, Outcome.FAIL, "it is for aaaaaaaaaa", id="another-commit"),
        pytest.param([waiver(commit=None)], {}, Outcome.FAIL, "names no commit", id="any-commit-not-allowed"),
        pytest.param([waiver(commit=None)], {"any_commit": True}, Outcome.WAIVED, "", id="any-commit"),
        pytest.param([waiver(gate="security.must")], {}, Outcome.FAIL, None, id="another-gate"),
        pytest.param([waiver(OTHER)], {}, Outcome.FAIL, None, id="another-finding"),
        pytest.param([waiver(target="release/other")], {}, Outcome.FAIL, None, id="another-branch"),
        pytest.param(
            [waiver(expires_at=NOW + 60 * DAY)], {}, Outcome.FAIL, "more than the 30d", id="too-long"
        ),
        pytest.param(
            [waiver(expires_at=NOW + 60 * DAY)], {"longest": "90d"}, Outcome.WAIVED, "", id="long-if-allowed"
        ),
        pytest.param([waiver()], {"gates": ["data.*"]}, Outcome.FAIL, "nobody waive", id="gate-not-named"),
        pytest.param(
            [waiver()], {"findings": ["junit.*"]}, Outcome.FAIL, "a finding sarif.result", id="code-not-named"
        ),
        pytest.param([waiver(by=[ANN]), waiver(id="sha256:2")], {}, Outcome.WAIVED, None, id="one-of-two-counts"),
    ],
)  # fmt: skip
def test_what_a_waiver_comes_to(
    given: list[Waiver], table: dict[str, Any], outcome: Outcome, why: str | None
) -> None:
    decision = decided(*given, **table)
    assert of(decision) == outcome
    assert decision.clear == (outcome is Outcome.WAIVED)
    if why is not None:
        (use,) = decision.waivers
        assert (use.state == "used") == (why == "")
        assert why in "; ".join(use.why)


def test_a_mandatory_gate_only_where_the_policy_says_so() -> None:
    asked = waiver(gate="security.must")
    refused = decided(asked, problems=(), must=[PROBLEM])
    assert of(refused, "security.must") is Outcome.FAIL
    assert "is mandatory" in refused.waivers[0].why[0]
    assert (
        of(decided(asked, problems=(), must=[PROBLEM], mandatory=["security.*"]), "security.must") == "waived"
    )


INC: Fact[tuple[Incident, ...]] = Known((INCIDENT,), "test", NOW)
TWO: Fact[tuple[Incident, ...]] = Known((INCIDENT, Incident("INC-2", "SEV-1", "Down")), "test", NOW)


@pytest.mark.parametrize(
    ("open_now", "table", "outcome"),
    [
        pytest.param(INC, {}, Outcome.FAIL, id="not-unless-the-policy-says-so"),
        pytest.param(INC, {"incidents": True}, Outcome.WAIVED, id="the-policy-says-so"),
        pytest.param(TWO, {"incidents": True}, Outcome.FAIL, id="another-is-open"),
        pytest.param(
            Unknown("HTTP 502"), {"incidents": True, "errors": True}, Outcome.ERROR, id="unknown-never"
        ),
    ],
)
def test_an_incident_can_be_waived_only_where_the_policy_says_so(
    open_now: Fact[tuple[Incident, ...]], table: dict[str, Any], outcome: Outcome
) -> None:
    asked = waiver(INCIDENT_ID, gate="incidents")
    decision = decided(asked, problems=(), open_now=open_now, **table)
    assert of(decision, "incidents") is outcome
    if not table:
        assert decision.waivers[0].why == ("the policy lets nobody waive an incident",)


def test_a_verdict_is_waived_only_when_nothing_else_blocks() -> None:
    decision = decided(waiver(), problems=[PROBLEM, OTHER])
    verdict = next(one for one in decision.verdicts if one.id == "security.scan")
    assert verdict.outcome is Outcome.FAIL
    assert {finding.outcome for finding in verdict.findings} == {Outcome.WAIVED, Outcome.FAIL}
    both = decided(waiver(), waiver(OTHER, id="sha256:2"), problems=[PROBLEM, OTHER])
    assert of(both) is Outcome.WAIVED


@pytest.mark.parametrize(("errors", "outcome"), [(False, Outcome.ERROR), (True, Outcome.WAIVED)])
def test_what_could_not_be_read_is_waived_only_where_the_policy_says_so(
    errors: bool, outcome: Outcome
) -> None:
    unread = Finding("evidence.unknown", "HTTP 502", "security.scan", outcome=Outcome.ERROR)
    decision = decided(waiver(unread), scan=Unknown("HTTP 502"), errors=errors)
    assert of(decision) is outcome
    assert decision.waivers[0].state == ("used" if errors else "refused")


def test_unknown_waivers_let_nothing_pass() -> None:
    assert of(decided(asked=Unknown("the ledger is locked"))) is Outcome.FAIL


def test_the_end_of_a_waiver_is_the_next_change_and_turns_it_red() -> None:
    ends = NOW + 3 * DAY
    asked = waiver(expires_at=ends)
    before = decided(asked)
    assert (before.next_change_at, of(before)) == (ends, Outcome.WAIVED)
    assert of(decided(asked, now=ends - timedelta(seconds=1))) is Outcome.WAIVED
    assert of(decided(asked, now=ends)) is Outcome.FAIL


def test_waived_evidence_still_ages() -> None:
    """The report is a day old and may be a week old, the waiver lasts ten days more: the report's end comes first."""
    decision = decided(waiver())
    assert decision.next_change_at == NOW + 6 * DAY
    stale = decided(waiver(), now=NOW + 6 * DAY)
    assert of(stale) is Outcome.STALE


def test_it_is_shown_wherever_a_decision_is() -> None:
    waived = replace(decided(waiver()), partial=())
    refused = replace(decided(waiver(by=[ANN])), partial=())
    assert word(waived) == "GO (1 waiver)"
    for render in (render_text, render_markdown, lambda one: decision_comment(one, Subject("sha256:0"))):
        shown = " ".join(render(waived).replace("\\", "").replace("\u2060", "").split())
        assert "Only in a test tool" in shown
        assert "asked for by cid@example.com" in shown
        assert "no security owner approved it" in " ".join(
            render(refused).replace("\\", "").replace("\u2060", "").split()
        )
    (told,) = decision_document(waived)["waivers"]
    assert (told["state"], told["approvers"]) == ("used", [ANN, BOB])


def test_two_waivers_of_one_gate_are_two_waivers() -> None:
    both = decided(waiver(), waiver(OTHER, id="sha256:2"), problems=[PROBLEM, OTHER])
    assert word(replace(both, partial=())) == "GO (2 waivers)"


def test_one_that_nothing_needs_is_told_and_counts_for_nothing() -> None:
    decision = decided(waiver(), problems=())
    assert of(decision) is Outcome.PASS
    assert [use.state for use in decision.waivers] == ["unneeded"]
    assert word(replace(decision, partial=())) == "GO"


ENTRY = DebtEntry("TD-012", "accepted", "A fallback", "security.scan", finding_id(PROBLEM), NOW + 5 * DAY)


@pytest.mark.parametrize(
    ("entries", "register", "outcome", "why"),
    [
        pytest.param((ENTRY,), REGISTER, Outcome.WAIVED, "", id="listed"),
        pytest.param((), REGISTER, Outcome.FAIL, "has no entry TD-012", id="not-listed"),
        pytest.param(
            (replace(ENTRY, state="paid"),), REGISTER, Outcome.FAIL, "TD-012 is paid", id="paid-off"
        ),
        pytest.param(
            (replace(ENTRY, expires_at=NOW),), REGISTER, Outcome.FAIL, "TD-012 expired", id="entry-expired"
        ),
        pytest.param((ENTRY, ENTRY), REGISTER, Outcome.FAIL, "more than one", id="listed-twice"),
        pytest.param((ENTRY,), None, Outcome.FAIL, "names no tech debt register", id="policy-names-none"),
        pytest.param(None, REGISTER, Outcome.FAIL, "could not be read", id="unread"),
    ],
)
def test_a_waiver_that_rests_on_the_tech_debt_register(
    entries: tuple[DebtEntry, ...] | None, register: dict[str, Any] | None, outcome: Outcome, why: str
) -> None:
    fact: Fact[tuple[DebtEntry, ...]] = Unknown("gone") if entries is None else Known(entries, "test", NOW)
    table: dict[str, Any] = {"tech_debt": register} if register else {}
    decision = decided(waiver(entry="TD-012"), entries=fact, **table)
    assert of(decision) is outcome
    assert why in "; ".join(decision.waivers[0].why)


def test_it_ends_with_the_entry_that_it_rests_on() -> None:
    decision = decided(waiver(entry="TD-012"), entries=Known((ENTRY,), "test", NOW), tech_debt=REGISTER)
    assert decision.next_change_at == ENTRY.expires_at


@pytest.mark.parametrize(
    ("entry", "suffices", "outcome"),
    [
        pytest.param(ENTRY, True, Outcome.WAIVED, id="listed-and-enough"),
        pytest.param(ENTRY, False, Outcome.FAIL, id="listing-is-not-enough"),
        pytest.param(replace(ENTRY, expires_at=None), True, Outcome.FAIL, id="without-an-end"),
        pytest.param(replace(ENTRY, expires_at=NOW), True, Outcome.FAIL, id="ended"),
        pytest.param(replace(ENTRY, gate="security.must"), True, Outcome.FAIL, id="another-gate"),
        pytest.param(replace(ENTRY, state="proposed"), True, Outcome.FAIL, id="not-accepted"),
    ],
)
def test_a_listed_entry_serves_where_the_policy_says_so(
    entry: DebtEntry, suffices: bool, outcome: Outcome
) -> None:
    table: dict[str, Any] = {"tech_debt": {**REGISTER, "suffices": suffices}}
    assert of(decided(entries=Known((entry,), "test", NOW), **table)) is outcome


def test_a_listed_entry_cannot_waive_a_mandatory_gate() -> None:
    entry = replace(ENTRY, gate="security.must")
    table: dict[str, Any] = {"tech_debt": {**REGISTER, "suffices": True}}
    decision = decided(problems=(), must=[PROBLEM], entries=Known((entry,), "test", NOW), **table)
    assert of(decision, "security.must") is Outcome.FAIL


def test_the_register_is_read_from_upstream() -> None:
    text = (
        f"| ID | Title | Status | Gate | Finding | Expires |\n|---|---|---|---|---|---|\n"
        f"| TD-012 | A fallback | accepted | security.scan | {finding_id(PROBLEM)} | 2026-05-06 |\n"
        f"| TD-013 | Another | open | | | soon |\n"
    )
    tree = HeldTree({"doc/debt.md": text.encode()})
    fact = read_debts(TechDebt.model_validate(REGISTER), tree, candidate().upstream, now=NOW)
    assert isinstance(fact, Known)
    first, second = fact.value
    assert (first.gate, first.finding, first.state) == ("security.scan", finding_id(PROBLEM), "accepted")
    assert first.expires_at == datetime(2026, 5, 6, tzinfo=NOW.tzinfo)
    assert (second.gate, second.expires_at) == ("", None)
    gone = read_debts(TechDebt.model_validate(REGISTER), HeldTree({}), candidate().upstream, now=NOW)
    assert isinstance(gone, Unknown)


# Statements: what stands on record.


def request(**fields: Any) -> WaiverRequested:
    given: dict[str, Any] = {
        "target": TARGET,
        "gate": "security.scan",
        "finding": finding_id(PROBLEM),
        "commit": Commit(NEW),
        "reason": "Only in a test tool",
        "expires": "2026-05-20T00:00:00Z",
        "entry": "",
        **fields,
    }
    return WaiverRequested(**given)


def standing(world: LocalWorld) -> tuple[Waiver, ...]:
    fact = world.forge.waivers(TARGET)
    assert isinstance(fact, Known)
    return fact.value


def test_what_stands_after_the_statements(tmp_path: Any) -> None:
    world = LocalWorld(tmp_path)
    asked = world.say(CID, request())
    name = f"sha256:{asked.name}"
    world.say(ANN, WaiverApproved(TARGET, name))
    world.say(BOB, WaiverApproved(TARGET, name))
    (one,) = standing(world)
    assert (one.id, one.requester, [consent.actor for consent in one.consents]) == (name, CID, [ANN, BOB])
    assert one.requested_at < one.expires_at == datetime(2026, 5, 20, tzinfo=NOW.tzinfo)
    world.say(BOB, WaiverWithdrawn(TARGET, name))
    assert [consent.actor for consent in standing(world)[0].consents] == [ANN]
    world.say(BOB, WaiverApproved(TARGET, name))
    assert len(standing(world)[0].consents) == 2
    world.say(CID, WaiverWithdrawn(TARGET, name))
    assert standing(world) == ()
    world.say(ANN, WaiverApproved(TARGET, name))
    assert standing(world) == (), "a yes to what was taken back revives nothing"


def test_one_key_is_one_person(tmp_path: Any) -> None:
    world = LocalWorld(tmp_path)
    names = {ANN: ANN, BOB: BOB, CID: CID, "other@example.com": CID, "two@example.com": ANN}
    lines = (f"{name} {public_text(public_of(key_of(key)))}\n" for name, key in names.items())
    world.signers = parse_allowed_signers("".join(lines).encode())
    name = f"sha256:{world.say(CID, request()).name}"
    world.say("other@example.com", WaiverApproved(TARGET, name), key=CID)
    world.say(ANN, WaiverApproved(TARGET, name))
    world.say("two@example.com", WaiverApproved(TARGET, name), key=ANN)
    assert [consent.actor for consent in standing(world)[0].consents] == [ANN]


def test_another_branchs_waiver_does_not_stand_here(tmp_path: Any) -> None:
    world = LocalWorld(tmp_path)
    world.say(CID, request(target="release/other"))
    assert standing(world) == ()


def test_a_broken_ledger_is_unknown(tmp_path: Any) -> None:
    world = LocalWorld(tmp_path)
    world.broken = True
    assert isinstance(world.forge.waivers(TARGET), Unknown)


WAIVERS = st.builds(
    lambda finding, gate, by, asker, ends, commit, number: waiver(
        finding,
        gate=gate,
        by=by,
        requester=asker,
        expires_at=NOW + ends * DAY,
        commit=commit,
        id=f"sha256:{number}",
    ),
    st.sampled_from([PROBLEM, OTHER]),
    st.sampled_from(["security.scan", "security.must"]),
    st.lists(st.sampled_from([ANN, BOB, CID, DAN]), max_size=3, unique=True),
    st.sampled_from([ANN, CID]),
    st.integers(-2, 40),
    st.sampled_from([NEW, OLD, None]),
    st.integers(0, 9),
)


@settings(deadline=None, max_examples=80)
@given(st.lists(WAIVERS, min_size=1, max_size=5), st.data())
def test_less_of_waivers_and_more_time_never_make_a_go(waivers: list[Waiver], data: st.DataObject) -> None:
    """A waiver gone, a yes taken back, or days passed: what was NO-GO stays so. Nor does their order matter."""
    problems = data.draw(st.sampled_from([(PROBLEM,), (PROBLEM, OTHER), ()]))
    table: dict[str, Any] = {
        "mandatory": data.draw(st.sampled_from([[], ["security.*"]])),
        "any_commit": True,
    }
    before = decided(*waivers, problems=problems, **table)
    shuffled = data.draw(st.permutations(waivers))
    assert decided(*shuffled, problems=problems, **table).verdicts == before.verdicts
    gone = data.draw(st.integers(0, len(waivers) - 1))
    fewer = [one for at, one in enumerate(waivers) if at != gone]
    weaker = [
        replace(one, consents=one.consents[1:]) if at == gone else one for at, one in enumerate(waivers)
    ]
    later = NOW + data.draw(st.integers(0, 50)) * DAY
    for worse in (
        decided(*fewer, problems=problems, **table),
        decided(*weaker, problems=problems, **table),
        decided(*waivers, problems=problems, now=later, **table),
        decided(problems=problems, asked=Unknown("the ledger is locked"), **table),
    ):
        assert before.clear or not worse.clear
