"""Conditional gates: n/a with the reason where the condition surely does not hold, and asked in every other case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from guard.adapters.evidence.register import read_condition
from guard.adapters.git import GitRepo
from guard.core.evidence import Absent, Observation, Reading
from guard.core.facts import ConditionFacts
from guard.core.model import Commit, Fact, Known, Outcome, Unknown, Verdict
from guard.core.policy import Gate, When
from guard.core.rules.readiness import judge_readiness
from tests.builders import NEW, NOW, candidate, verdict
from tests.gitrepo import Repo

REGISTER = {"register_open": "A-014", "register_file": "doc/A.md", "closed": ["validated", "retired"]}
PROD = ("staging", "production")
DOWN = Unknown("git is not there", fix="install git")


def known(*paths: str) -> Fact[tuple[str, ...]]:
    return Known(paths, "git", NOW)


def state(word: str | None) -> Fact[str | None]:
    return Known(word, "doc/A.md", NOW)


def judged(
    when: dict[str, Any],
    *,
    changed: Fact[tuple[str, ...]] = DOWN,
    entry: Fact[str | None] = DOWN,
    step: tuple[str, ...] = PROD,
    reading: Reading | None = None,
) -> Verdict:
    """The verdict of a conditional gate, whose evidence is missing unless it is given."""
    gate = Gate.model_validate(
        {
            "id": "security.mtls",
            "group": "security",
            "title": "mTLS",
            "mandatory": False,
            "when": when,
            "evidence": {"kind": "document", "path": "a.md"},
        }
    )
    return judge_readiness(
        [gate],
        {gate.id: reading or Absent("not there")},
        approvals=verdict("approvals"),
        candidate=candidate(),
        now=NOW,
        conditions=ConditionFacts(changed, {gate.id: entry}),
        environments=step,
    )[0]


CHANGED: dict[str, Any] = {"changed": ["cmd/api/**", "**/kms/**"]}


@pytest.mark.parametrize(
    ("when", "facts", "why"),
    [
        pytest.param(
            CHANGED, {"changed": known("doc/x.md")}, "changes nothing under cmd/api/**, **/kms/**", id="paths"
        ),
        pytest.param(
            CHANGED, {"changed": known("cmd/apix/a.go", "kms")}, "changes nothing", id="near-misses"
        ),
        pytest.param(CHANGED, {"changed": known()}, "changes nothing", id="an-empty-promotion"),
        pytest.param(REGISTER, {"entry": state("Validated")}, "A-014 is Validated", id="closed-in-any-case"),
        pytest.param(
            {"environment": "ci"},
            {},
            "step from staging to production, and ci has no part",
            id="another-step",
        ),
        pytest.param(
            {**CHANGED, **REGISTER},
            {"changed": known("doc/x.md"), "entry": DOWN},
            "changes nothing",
            id="one-of-two-is-enough",
        ),
        pytest.param(
            {**CHANGED, "environment": "dev"},
            {"changed": DOWN},
            "dev has no part in it",
            id="whatever-cannot-be-decided",
        ),
    ],
)
def test_where_it_surely_does_not_hold_the_gate_is_not_applicable(
    when: dict[str, Any], facts: dict[str, Any], why: str
) -> None:
    found = judged(when, **facts)
    assert found.outcome == Outcome.NOT_APPLICABLE
    assert found.summary.startswith("mTLS: n/a, ")
    assert why in found.summary
    assert not found.findings


@pytest.mark.parametrize(
    ("when", "facts"),
    [
        pytest.param(CHANGED, {"changed": known("doc/x.md", "cmd/api/main.go")}, id="a-path-changed"),
        pytest.param(
            CHANGED, {"changed": known("cmd/api/old.go", "new/old.go")}, id="renamed-away-from-there"
        ),
        pytest.param(CHANGED, {"changed": known("a/b/kms/key.go")}, id="deep-below"),
        pytest.param(CHANGED, {"changed": known("cmd/api/\udcff.go")}, id="a-path-outside-utf-8"),
        pytest.param(REGISTER, {"entry": state("open")}, id="open"),
        pytest.param(REGISTER, {"entry": state("")}, id="without-a-state"),
        pytest.param(REGISTER, {"entry": state("not validated")}, id="more-than-the-word"),
        pytest.param({"environment": "staging"}, {}, id="out-of-it"),
        pytest.param({"environment": "production"}, {}, id="into-it"),
        pytest.param({**REGISTER, "environment": "staging"}, {"entry": state("open")}, id="both"),
    ],
)
def test_where_it_holds_the_gate_is_asked(when: dict[str, Any], facts: dict[str, Any]) -> None:
    assert judged(when, **facts).outcome == Outcome.MISSING
    passing = judged(when, **facts, reading=Known(Observation("fine", subject=NEW), "test", NOW))
    assert passing.outcome == Outcome.PASS
    assert not passing.findings
    assert all(text.encode("utf-8") for text in (passing.summary, passing.title))


@pytest.mark.parametrize(
    ("when", "facts", "why"),
    [
        pytest.param(CHANGED, {"changed": DOWN}, "not known: git is not there", id="git-down"),
        pytest.param(REGISTER, {"entry": DOWN}, "A-014 in doc/A.md is not known", id="register-down"),
        pytest.param(REGISTER, {"entry": state(None)}, "there is no entry A-014", id="no-such-entry"),
        pytest.param({**CHANGED, **REGISTER}, {"changed": known("cmd/api/x")}, "A-014", id="the-other-holds"),
    ],
)
def test_what_cannot_be_decided_applies_and_says_so(
    when: dict[str, Any], facts: dict[str, Any], why: str
) -> None:
    found = judged(when, **facts)
    assert found.outcome == Outcome.MISSING
    (note,) = [one for one in found.findings if one.code == "readiness.condition.undecided"]
    assert note.outcome == Outcome.PASS
    assert "cannot be decided, so it does" in note.message
    assert why in note.message


@given(
    st.sampled_from([DOWN, known(), known("doc/a"), known("cmd/api/a")]),
    st.sampled_from([DOWN, state(None), state("open"), state("validated")]),
    st.sampled_from([{**CHANGED, **REGISTER}, CHANGED, REGISTER]),
)
@settings(deadline=None)
def test_losing_a_fact_never_makes_a_gate_milder(
    changed: Fact[tuple[str, ...]], entry: Fact[str | None], when: dict[str, Any]
) -> None:
    before = judged(when, changed=changed, entry=entry).outcome
    for lost in (
        judged(when, entry=entry),
        judged(when, changed=changed),
        judged(when),
        judged(when, changed=changed, entry=state("")),
    ):
        assert lost.outcome.badness >= before.badness or before != Outcome.NOT_APPLICABLE
        if before == Outcome.MISSING and lost.outcome == Outcome.NOT_APPLICABLE:
            pytest.fail("a lost fact switched a gate off")


@pytest.mark.parametrize(
    ("when", "message"),
    [
        pytest.param({}, "no condition", id="nothing"),
        pytest.param({"register_open": "A-014"}, "expected its register", id="no-register"),
        pytest.param(
            {"register_open": "A-014", "register_file": "a.md"},
            "the states in which it is closed",
            id="no-states",
        ),
        pytest.param(
            {"environment": "x", "register_file": "a.md"}, "a register without an entry", id="no-entry"
        ),
    ],
)
def test_conditions_that_make_no_sense(when: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        When.model_validate(when)


def test_the_register_is_upstream_s(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r")
    table = "| ID | Status |\n|--|--|\n| A-014 | {} |\n| A-015 | |\n"
    upstream = Commit(repo.commit("register", {"doc/A.md": table.format("open")}))
    repo.git("switch", "-q", "-c", "proposal")
    repo.commit("close it myself", {"doc/A.md": table.format("validated")})

    def asked(**change: object) -> Fact[str | None]:
        with GitRepo(repo.path) as git:
            return read_condition(When.model_validate({**REGISTER, **change}), git, upstream, now=NOW)

    assert asked() == Known("open", f"doc/A.md at {upstream}", NOW)
    assert asked(register_open="A-015") == Known("", f"doc/A.md at {upstream}", NOW)
    assert asked(register_open="A-9") == Known(None, f"doc/A.md at {upstream}", NOW)
    gone = asked(register_file="doc/B.md")
    assert isinstance(gone, Unknown)
    assert "is not on upstream" in gone.why
