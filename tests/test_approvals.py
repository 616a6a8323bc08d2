"""Approvals: each role, a different person, this head, nobody's own change."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.core.facts import Approval, ApprovalFacts, Objection
from guard.core.model import Commit, Fact, Known, Outcome, Unknown, Verdict
from guard.core.policy import ApprovalRule
from guard.core.rules.approvals import approved_roles, judge_approvals, match_roles
from guard.core.rules.guarding import guarding_paths
from tests.builders import NEW, NOW, OLD

RULE = ApprovalRule()
AUTHORS = {
    "proposer": frozenset({"dev"}),
    "author": frozenset({"dev", "dev@example.com"}),
    "committer": frozenset({"dev"}),
    "co-author": frozenset[str](),
    "pusher": frozenset({"dev", "pia"}),
    "original-author": frozenset({"oscar"}),
}
MEMBERS = {
    "platform": {"pam", "both", "dev", "Carl", "pia", "oscar", "bot"},
    "security": {"sue", "both", "dev"},
}


def approval(actor: str, *, commit: Commit = NEW, is_bot: bool = False, void: str = "") -> Approval:
    return Approval(actor, commit, NOW, is_bot=is_bot, void=void)


def known(people: Mapping[str, set[str]]) -> dict[str, Fact[frozenset[str]]]:
    return {role: Known(frozenset(names), "test", NOW) for role, names in people.items()}


def judged(
    *approvals: Approval,
    rule: ApprovalRule = RULE,
    members: Mapping[str, Fact[frozenset[str]]] | None = None,
    authors: Mapping[str, frozenset[str]] = AUTHORS,
    guarding: tuple[str, ...] = (),
    **more: Any,
) -> Verdict:
    facts = Known(ApprovalFacts(approvals, authors, **more), "test", NOW)
    people = known(MEMBERS) if members is None else members
    return judge_approvals(rule, facts, people, head=NEW, guarding=guarding)


@pytest.mark.parametrize(
    ("approvals", "missing"),
    [
        pytest.param([approval("pam"), approval("sue")], [], id="one-of-each"),
        pytest.param([approval("both"), approval("sue")], [], id="who-holds-both-serves-the-role-in-need"),
        pytest.param([approval("both"), approval("pam")], [], id="and-the-other-way-round"),
        pytest.param([], ["platform", "security"], id="none"),
        pytest.param([approval("pam")], ["security"], id="security-is-missing"),
        pytest.param([approval("both")], ["security"], id="one-person-for-two-roles"),
        pytest.param([approval("both"), approval("both")], ["security"], id="the-same-person-twice"),
        pytest.param(
            [approval("pam"), approval("sue", commit=OLD)], ["security"], id="approved-an-older-head"
        ),
        pytest.param([approval("pam"), approval("dev")], ["security"], id="approves-own-change"),
        pytest.param([approval("pam"), approval("DEV")], ["security"], id="own-change-in-capitals"),
        pytest.param([approval("pia"), approval("sue")], ["platform"], id="pushed-it"),
        pytest.param([approval("oscar"), approval("sue")], ["platform"], id="wrote-what-was-picked"),
        pytest.param([approval("bot", is_bot=True), approval("sue")], ["platform"], id="a-bot-in-the-role"),
        pytest.param([approval("pam"), approval("sue", void="x")], ["security"], id="into-another-branch"),
        pytest.param([approval("pam"), approval("eve")], ["security"], id="no-member"),
        pytest.param(
            [approval("pam"), approval("Sue")], ["security"], id="a-members-name-in-another-spelling"
        ),
    ],
)
def test_approvals(approvals: list[Approval], missing: list[str]) -> None:
    for order in itertools.permutations(approvals):
        verdict = judged(*order)
        assert [finding.code for finding in verdict.findings] == [
            f"approvals.{role}.missing" for role in missing
        ]
        assert verdict.outcome == (Outcome.MISSING if missing else Outcome.PASS)
        assert [finding.who for finding in verdict.findings] == [(role,) for role in missing]


def test_the_words_of_the_board() -> None:
    assert judged(approval("pam"), approval("sue")).summary == "Approved: platform owner, security owner"
    finding = judged(approval("pam")).findings[0]
    assert finding.fix == f"ask a security owner to approve {NEW[:10]}: guard approve --head {NEW}"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(
            approval("sue", commit=OLD),
            "sue approved aaaaaaaaaa at 2026-05-01 12:00 UTC, not this head",
            id="older-head",
        ),
        pytest.param(
            approval("dev"),
            "dev is the change's proposer and author and committer and pusher",
            id="own-change",
        ),
        pytest.param(approval("bot", is_bot=True), "bot is a bot", id="bot"),
        pytest.param(
            approval("sue", void="approved it into another branch"),
            "sue approved it into another branch",
            id="into-another-branch",
        ),
        pytest.param(approval("eve"), "eve does not hold the role", id="no-member"),
        pytest.param(approval("both"), "no second person of the role security", id="used-for-another-role"),
    ],
)
def test_what_did_not_count_is_said(given: Approval, says: str) -> None:
    assert says in judged(given).findings[-1].message


def test_the_same_person_in_two_spellings_is_one_person() -> None:
    members = known({"platform": {"Both"}, "security": {"both"}})
    assert judged(approval("Both"), approval("both"), members=members).outcome == Outcome.MISSING


@pytest.mark.parametrize(
    ("members", "authors", "code"),
    [
        pytest.param({"platform": {"pam"}}, AUTHORS, "approvals.security.unknown", id="no-such-role"),
        pytest.param(
            MEMBERS, {**AUTHORS, "proposer": frozenset()}, "approvals.authorship.unknown", id="no-proposer"
        ),
        pytest.param(
            MEMBERS,
            {key: names for key, names in AUTHORS.items() if key != "co-author"},
            "approvals.authorship.unknown",
            id="co-authors-unread",
        ),
    ],
)
def test_what_is_not_known_is_an_error(
    members: Mapping[str, set[str]], authors: Mapping[str, frozenset[str]], code: str
) -> None:
    verdict = judged(approval("pam"), approval("sue"), members=known(members), authors=authors)
    assert verdict.outcome == Outcome.ERROR
    assert [finding.code for finding in verdict.findings] == [code]


def test_membership_that_could_not_be_read_is_an_error() -> None:
    members = {**known(MEMBERS), "security": Unknown("HTTP 502 from /groups")}
    verdict = judged(approval("pam"), approval("sue"), members=members)
    assert verdict.outcome == Outcome.ERROR
    assert "HTTP 502" in verdict.findings[0].message


def test_approvals_that_could_not_be_read_are_an_error() -> None:
    verdict = judge_approvals(RULE, Unknown("HTTP 502"), known(MEMBERS), head=NEW)
    assert (verdict.outcome, verdict.findings[0].code) == (Outcome.ERROR, "approvals.unknown")


def test_who_may_not_approve_is_the_policys_to_say() -> None:
    lax = ApprovalRule(not_by=("proposer",))
    authors = {"proposer": frozenset({"bob"}), "author": frozenset({"sue"})}
    assert judged(approval("pam"), approval("sue"), rule=lax, authors=authors).outcome == Outcome.PASS


KEEPERS = ("re-pick", "target-merge")


@pytest.mark.parametrize("between", [*KEEPERS, ""])
@pytest.mark.parametrize("keep", [(), ("re-pick",), ("target-merge",), KEEPERS])
def test_an_approval_outlives_a_push_only_where_the_policy_says_so(
    keep: tuple[Any, ...], between: str
) -> None:
    kept = {OLD: between} if between else {}
    verdict = judged(approval("pam"), approval("sue", commit=OLD), rule=ApprovalRule(keep=keep), kept=kept)
    assert (verdict.outcome is Outcome.PASS) == (between in keep)
    if verdict.findings and between:
        assert f"a mere {between}" in verdict.findings[0].message


def test_a_kept_approval_is_still_nobodys_own() -> None:
    verdict = judged(
        approval("pam"), approval("dev", commit=OLD), rule=ApprovalRule(keep=KEEPERS), kept={OLD: "re-pick"}
    )
    assert verdict.outcome is Outcome.MISSING


@pytest.mark.parametrize(
    ("actor", "dismissed_by", "stops"),
    [
        pytest.param("sue", "", True, id="security-owner"),
        pytest.param("SUE", "", True, id="in-capitals"),
        pytest.param("dev", "", True, id="author-who-holds-a-role"),
        pytest.param("sue", "dev", True, id="dismissed-by-another"),
        pytest.param("eve", "", False, id="holds-no-role"),
    ],
)
def test_a_role_holder_who_asked_for_changes_stops_it(actor: str, dismissed_by: str, *, stops: bool) -> None:
    objection = Objection(actor, NOW, "https://forge/review", dismissed_by)
    verdict = judged(approval("pam"), approval("both"), approval("sue"), objections=(objection,))
    assert verdict.outcome is (Outcome.FAIL if stops else Outcome.PASS)
    if stops:
        (finding,) = verdict.findings
        assert finding.code == "approvals.changes-requested"
        assert f"{actor}, " in finding.message
        assert "2026-05-01 12:00 UTC" in finding.message
        assert f"{dismissed_by} dismissed" in finding.message or not dismissed_by
        assert finding.where == "https://forge/review"


def test_an_objection_and_a_missing_approval_are_both_said() -> None:
    verdict = judged(approval("pam"), objections=(Objection("sue", NOW),))
    assert [one.code for one in verdict.findings] == [
        "approvals.changes-requested", "approvals.security.missing",
    ]  # fmt: skip
    assert verdict.outcome is Outcome.FAIL


def test_who_leaves_the_role_takes_the_objection_along() -> None:
    members = known({"platform": {"pam"}, "security": {"both"}})
    verdict = judged(approval("pam"), approval("both"), members=members, objections=(Objection("sue", NOW),))
    assert verdict.outcome is Outcome.PASS


def test_an_unsure_kind_blocks_where_it_matters_and_somebody_approved() -> None:
    unsure = {
        "pusher": Unknown("who pushed !1 cannot be read", fix="give the guard Reporter", who=("operator",))
    }
    verdict = judged(approval("pam"), approval("sue"), unsure=unsure)
    assert verdict.outcome is Outcome.ERROR
    assert [(one.code, one.fix) for one in verdict.findings] == [
        ("approvals.authorship.unknown", "give the guard Reporter")
    ]
    assert judged(unsure=unsure).outcome is Outcome.MISSING
    lax = ApprovalRule(not_by=("author",))
    assert judged(approval("pam"), approval("sue"), rule=lax, unsure=unsure).outcome is Outcome.PASS


def test_what_the_guard_rests_on_needs_both_owners_whatever_the_policy_says() -> None:
    lax = ApprovalRule(roles=("docs",))
    members = known({**MEMBERS, "docs": {"dora"}})
    given = (approval("dora"), approval("pam"))
    assert judged(*given, rule=lax, members=members).outcome is Outcome.PASS
    verdict = judged(*given, rule=lax, members=members, guarding=("guard.toml",))
    assert [one.code for one in verdict.findings] == ["approvals.security.missing"]
    assert "both owners are needed, because guard.toml changes" in verdict.findings[0].message
    whole = judged(*given, approval("sue"), rule=lax, members=members, guarding=("guard.toml",))
    assert whole.outcome is Outcome.PASS
    without = known({"docs": {"dora"}})
    unknown = judged(approval("dora"), rule=lax, members=without, guarding=("hooks/pre-push",))
    assert unknown.outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("path", "guards"),
    [
        ("guard.toml", True),
        ("Guard.TOML", True),
        ("CODEOWNERS", True),
        (".github/CODEOWNERS", True),
        (".gitlab/CODEOWNERS", True),
        ("docs/CODEOWNERS", True),
        ("hooks/pre-push", True),
        (".husky/pre-commit", True),
        (".githooks/a/b", True),
        (".pre-commit-config.yaml", True),
        ("lefthook.yml", True),
        ("scripts/ci/promote.sh", True),
        ("src/hooks/useThing.ts", False),
        ("doc/guard.toml", False),
        ("scripts/ci/other.sh", False),
    ],
)
def test_the_paths_that_guard(path: str, *, guards: bool) -> None:
    found = guarding_paths(("README.md", path), promote="scripts/ci/promote.sh")
    assert found == ((path,) if guards else ())


def test_roles_that_approved() -> None:
    facts = Known(
        ApprovalFacts((approval("both"), approval("dev"), approval("sue", commit=OLD)), AUTHORS), "t", NOW
    )
    assert approved_roles(RULE, facts, known(MEMBERS), head=NEW) == {"platform", "security"}
    assert approved_roles(RULE, facts, known({"platform": {"pam"}, "docs": {"both"}}), head=NEW) == {"docs"}
    assert approved_roles(RULE, Unknown("x"), known(MEMBERS), head=NEW) == frozenset()
    assert approved_roles(RULE, facts, {"security": Unknown("x")}, head=NEW) == frozenset()
    nameless = Known(ApprovalFacts((approval("both"),), {}), "t", NOW)
    assert approved_roles(RULE, nameless, known(MEMBERS), head=NEW) == frozenset()


def test_who_objects_may_hold_the_role_that_nobody_can_read() -> None:
    objection = Objection("ops", NOW)
    facts = Known(ApprovalFacts((approval("both"),), AUTHORS, (objection,)), "t", NOW)
    held = known({**MEMBERS, "ops": {"ops"}})
    assert approved_roles(RULE, facts, held, head=NEW) == frozenset()
    assert approved_roles(RULE, facts, {**held, "ops": Unknown("HTTP 502")}, head=NEW) == frozenset()


NAMES = st.sampled_from(["ann", "Ann", "bob", "cy", "dee"])
ROLES = st.sampled_from(["a", "b", "c", "d"])
PEOPLE = st.frozensets(NAMES)
GIVEN = st.lists(st.builds(approval, NAMES, commit=st.sampled_from([NEW, OLD])), max_size=6)
WORLD = st.fixed_dictionaries(
    {
        "approvals": GIVEN,
        "roles": st.lists(ROLES, min_size=1, max_size=4, unique=True),
        "members": st.dictionaries(ROLES, PEOPLE, min_size=2),
        "authors": st.fixed_dictionaries(dict.fromkeys(AUTHORS, PEOPLE)),
    }
)


def outcome_of(world: dict[str, object]) -> Outcome:
    rule = ApprovalRule(roles=tuple(world["roles"]))  # type: ignore[arg-type]
    facts = Known(ApprovalFacts(tuple(world["approvals"]), world["authors"]), "t", NOW)  # type: ignore[arg-type]
    members: dict[str, Fact[frozenset[str]]] = {
        role: names if isinstance(names, Unknown) else Known(names, "t", NOW)
        for role, names in world["members"].items()  # type: ignore[attr-defined]
    }
    return judge_approvals(rule, facts, members, head=NEW).outcome


@given(WORLD, st.data())
@settings(max_examples=400, deadline=None)
def test_anything_made_worse_never_allows(world: dict[str, object], data: st.DataObject) -> None:
    approvals = list(world["approvals"])  # type: ignore[call-overload]
    members: dict[str, object] = dict(world["members"])  # type: ignore[call-overload]
    role = data.draw(st.sampled_from(sorted(members)))
    name = data.draw(NAMES)
    fewer = {**members, role: members[role] - {name}}  # type: ignore[operator]
    authors = {kind: names | {name} for kind, names in world["authors"].items()}  # type: ignore[attr-defined]
    worse = [
        {**world, "approvals": approvals[:-1]},
        {**world, "approvals": [approval(one.actor, commit=OLD) for one in approvals]},
        {**world, "members": fewer},
        {**world, "members": {**members, role: Unknown("gone")}},
        {**world, "roles": [*world["roles"], "one-more"]},  # type: ignore[misc]
    ]
    if world["authors"]["proposer"]:  # type: ignore[index]
        worse.append({**world, "authors": authors})
    if not outcome_of(world).allows:
        assert not any(outcome_of(one).allows for one in worse)


@given(WORLD, st.randoms())
@settings(max_examples=200, deadline=None)
def test_order_does_not_matter(world: dict[str, object], random: object) -> None:
    shuffled = list(world["approvals"])  # type: ignore[call-overload]
    roles = list(world["roles"])  # type: ignore[call-overload]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    random.shuffle(roles)  # type: ignore[attr-defined]
    assert outcome_of({**world, "approvals": shuffled, "roles": roles}) == outcome_of(world)


@given(st.dictionaries(ROLES, st.lists(st.sampled_from("vwxyz"), unique=True)))
@settings(max_examples=300, deadline=None)
def test_the_matching_is_a_greatest_one(eligible: dict[str, list[str]]) -> None:
    given = match_roles(eligible)
    assert all(person in eligible[role] for role, person in given.items())
    assert len(set(given.values())) == len(given)
    choices = itertools.product(*([None, *people] for people in eligible.values()))
    best = max(len(set(c) - {None}) for c in choices if len([x for x in c if x]) == len(set(c) - {None}))
    assert len(given) == best
