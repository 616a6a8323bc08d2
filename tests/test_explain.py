"""`guard explain`: what a gate means, why it stands so, what would change it; as text, markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from guard.cli.catalogue import catalogue_policy
from guard.cli.main import status_of
from guard.core.evidence import Absent, Observation, Reading
from guard.core.explain import RULES, Explanation, explain, explainable, near
from guard.core.model import Decision, Finding, Known, Outcome, Unknown
from guard.core.rules.readiness import judge_readiness
from guard.render.explain import explain_document, explain_markdown, explain_schema, explain_text
from tests.builders import NEW, NOW, candidate, decision, finding, verdict
from tests.gitrepo import Repo

POLICY = catalogue_policy()
DAY = timedelta(days=1)


def seen(*problems: Finding, **fields: Any) -> Known[Observation]:
    given = {"subject": NEW, "dated": NOW - DAY, "digest": "sha256:" + "5" * 64, **fields}
    return Known(Observation("0 critical, 0 high", problems, **given), "the report sast of ci", NOW)


READINGS: dict[str, Reading] = {
    "security.vulnerabilities/0": seen(),
    "security.vulnerabilities/1": Absent("nobody submitted dast", "submit it: guard evidence add", ("ci",)),
    "security.vulnerabilities/2": Unknown("HTTP 502", "try again", ("operator",)),
    "security.secrets": seen(),
    "architecture.breaking-changes/0": seen(finding("script.exit", fix="mend it", who=("author",))),
    "architecture.breaking-changes/1": Absent("no report", "submit one", ("ci",)),
}


def judged(**changes: Reading) -> Decision:
    gates = judge_readiness(
        POLICY.gates,
        {**READINGS, **changes},
        approvals=verdict("approvals", Outcome.MISSING),
        candidate=candidate(),
        now=NOW,
    )
    return decision(*gates, verdict("approvals", Outcome.MISSING), verdict("incidents"))


def explained(name: str, **changes: Reading) -> Explanation:
    found = explain(name, judged(**changes), POLICY, {**READINGS, **changes})
    assert found is not None
    return found


def test_a_gate_says_what_it_means_why_it_stands_so_and_what_would_change_it() -> None:
    found = explained("security.vulnerabilities")
    text = " ".join(explain_text(found).split())
    for said in (
        "security.vulnerabilities: ERROR",
        "What it means: Static analysis, dynamic analysis",
        'Where it comes from: the release readiness page, "Security"',
        "When: mandatory: it always has to hold",
        "security.vulnerabilities/0: sarif (source sast",
        "read from the report sast of ci, of 2026-04-30 12:00 UTC: 0 critical, 0 high",
        "sha256:" + "5" * 64,
        "not there: nobody submitted dast",
        "unknown: HTTP 502",
        "for a waiver: evidence.missing:",
        "fix: submit it: guard evidence add - who: ci",
        "fix: try again - who: operator",
        "who can waive it: nobody: ",
    ):
        assert said in text, said
    assert all(len(line) <= 80 or " " not in line.strip("- ") for line in explain_text(found).splitlines())


def test_of_two_ways_the_plan_takes_one_and_both_are_told() -> None:
    text = explain_text(explained("architecture.breaking-changes"))
    assert text.count("(one of 2 ways)") == 2
    assert text.count("  - fix:") == 1


def test_when_it_changes_by_itself_and_when_it_applies() -> None:
    assert "by itself it changes on 2026-05-01 12:00 UTC" in explain_text(
        explained("security.secrets", **{"security.secrets": seen(dated=NOW - DAY + timedelta(seconds=1))})
    )
    condition = explained("security.pen-test").condition
    assert condition.startswith("conditional: it has to hold where the promotion changes cmd/api/** or")


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_is_explained_even_where_it_is_no_part_of_the_decision(name: str) -> None:
    found = explain(name, decision(verdict(name, Outcome.FAIL)), POLICY, {})
    assert found is not None
    assert f"{name}.reason" in explain_text(found)
    other = explain(name, decision(verdict("other")), None, {})
    assert other is not None
    assert "It is not part of this decision." in explain_text(other)


@pytest.mark.parametrize(
    ("waivers", "name", "said"),
    [
        pytest.param(None, "security.pen-test", "nobody: the policy has no table", id="no-table"),
        pytest.param({}, "security.pen-test", "holders of platform and security, two", id="conditional"),
        pytest.param({}, "security.secrets", "nobody: it is mandatory", id="mandatory"),
        pytest.param({"mandatory": ["security.*"]}, "security.secrets", "holders of", id="mandatory-by-name"),
        pytest.param({}, "incidents", "nobody: the policy lets nobody", id="incidents"),
        pytest.param({"incidents": True}, "incidents", "holders of", id="incidents-waivable"),
        pytest.param(
            {"gates": ["data.*"]}, "security.pen-test", "nobody: it is not waivable", id="not-named"
        ),
        pytest.param({}, "lineage", "nobody: only findings of gates", id="a-rule"),
    ],
)
def test_who_can_waive_it(waivers: dict[str, Any] | None, name: str, said: str) -> None:
    document = {**POLICY.model_dump(mode="json", exclude_defaults=True), "waivers": waivers}
    found = explain(name, judged(), type(POLICY).model_validate(document), {})
    assert found is not None
    assert found.waiver.startswith(said)


def test_the_json_keeps_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(explain_schema())
    for name in explainable(POLICY):
        document = json.loads(json.dumps(explain_document(explained(name))))
        jsonschema.validate(document, explain_schema())


def test_hostile_words_stay_words_and_a_long_tale_is_cut() -> None:
    hostile = "@all /merge\n/close <img src=x> \x1b[31m" + "x" * 5000
    many = tuple(replace(finding(f"a.b{at}"), message=hostile, fix=f"{at} {hostile}") for at in range(500))
    found = explain("lineage", decision(verdict("lineage", Outcome.FAIL, findings=many)), POLICY, {})
    assert found is not None
    shown = "\n".join(explain_markdown(found))
    assert "\x1b" not in shown + explain_text(found)
    assert "<img" not in shown
    assert "\n/close" not in shown
    assert "and 480 more" in shown
    assert len(shown) < 40_000
    assert explain("nothing", judged(), POLICY, {}) is None


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        pytest.param("security.vulnerabilites", "security.vulnerabilities", id="a-slip"),
        pytest.param("vulnerabilities", "security.vulnerabilities", id="without-its-group"),
        pytest.param("aproval", "approvals", id="a-rule"),
    ],
)
def test_who_asks_for_what_is_not_there_is_told_what_is_near(asked: str, meant: str) -> None:
    assert meant in near(asked, explainable(POLICY))


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.shell_completion import ShellComplete

    from guard.cli.catalogue import catalogue_text
    from guard.cli.main import guard

    monkeypatch.delenv("GUARD_SERVER", raising=False)
    repo = Repo.init(tmp_path / "clone")
    repo.commit("A platform", {"guard.toml": catalogue_text()})
    repo.git("branch", "release/platform-control")
    head = repo.commit("A fix", {"a.txt": "a\n"})
    at = ("--repo", str(repo.path), "--target", "release/platform-control", "--head", head)
    assert status_of(["explain", "security.secrets", *at]) == 0
    assert capsys.readouterr().out.startswith("security.secrets: ERROR\nSecret scanning clean\n")
    assert status_of(["explain", "lineage", *at, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, explain_schema())
    assert document["verdict"]["outcome"] == "pass"
    assert status_of(["explain", "security.vulnerabilites", *at]) == 64
    assert "security.vulnerabilities" in capsys.readouterr().err
    monkeypatch.chdir(repo.path)
    completion = ShellComplete(guard, {}, "guard", "_GUARD_COMPLETE")
    assert [one.value for one in completion.get_completions(["explain"], "security.s")] == [
        "security.secrets"
    ]
    (repo.path / "guard.toml").unlink()
    assert [one.value for one in completion.get_completions(["explain"], "app")] == ["approvals"]
