"""The incident register on upstream: what is open in it stops every promotion, and so does what nobody understands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from guard.adapters.evidence.incidents import read_incident_register
from guard.adapters.git import GitRepo
from guard.core.claims import IncidentOpened
from guard.core.facts import Incident
from guard.core.incident_words import severity_key
from guard.core.model import Commit, Fact, Known, Outcome, Unknown
from guard.core.policy import IncidentRegister, Incidents
from guard.core.rules.incidents import judge_incidents
from guard.journeys.gather import open_incidents
from guard.journeys.sources import Sources
from guard.wiring_readers import incident_reader
from tests.builders import NOW, UPSTREAM
from tests.evidence_fakes import HeldTree
from tests.gitrepo import Repo
from tests.local_world import TARGET, LocalWorld

LABELS = ("SEV-1", "SEV-2")
TABLE = """# Incidents

What the words mean:

| Severity | Response |
|---|---|
| SEV-1 | page somebody |

| ID | Title | Severity | Status | Opened | Closed |
|---|---|---|---|---|---|
| INC-1 | Balances drift | {0} | {1} | 2026-04-20 | {2} |
| INC-2 | A slow page | SEV-3 | open | 2026-04-21 | – |
| INC-3 | Old | SEV-1 | closed | 2026-03-01 | 2026-03-02 |
"""
YAML = """
version: 1
incidents:
  - {{id: INC-1, title: Balances drift, severity: "{0}", status: "{1}", opened: 2026-04-20, closed: "{2}"}}
  - {{id: INC-2, title: A slow page, severity: SEV-3, status: open}}
  - {{id: INC-3, severity: SEV-1, status: closed, closed: 2026-03-02}}
"""
CALM = TABLE.format("SEV-3", "open", "")


def read(text: str | bytes, *, path: str = "inc.md", **fields: Any) -> Fact[tuple[Incident, ...]]:
    register = IncidentRegister.model_validate({"path": path, **fields})
    tree = HeldTree({path: text if isinstance(text, bytes) else text.encode()})
    return read_incident_register(register, LABELS, tree, UPSTREAM, now=NOW)


FORMS = pytest.mark.parametrize(
    ("path", "text"), [("inc.md", TABLE), ("inc.yaml", YAML)], ids=["markdown", "yaml"]
)


@FORMS
@pytest.mark.parametrize(
    ("severity", "state", "closed", "stops"),
    [
        pytest.param("SEV-1", "open", "", True, id="open"),
        pytest.param("sev1", "Investigating", "", True, id="in-other-letters"),
        pytest.param("Sev 2", "mitigated", "", True, id="with-a-space"),
        pytest.param("SEV_2", "monitoring", "–", True, id="with-an-underscore"),
        pytest.param("SEV-3", "open", "", False, id="milder"),
        pytest.param("SEV-1", "resolved", "2026-04-22", False, id="resolved"),
        pytest.param("SEV-1", "Closed", "2026-04-22", False, id="closed"),
        pytest.param("P1", "closed", "2026-04-22", False, id="an-odd-severity-that-is-over"),
    ],
)
def test_what_is_open_stops(
    path: str, text: str, severity: str, state: str, closed: str, stops: bool
) -> None:
    fact = read(text.format(severity, state, closed), path=path)
    assert isinstance(fact, Known), fact
    assert [one.id for one in fact.value] == (["INC-1"] if stops else [])
    verdict = judge_incidents(LABELS, fact)
    assert verdict.outcome == (Outcome.FAIL if stops else Outcome.PASS)
    if stops:
        (finding,) = verdict.findings
        assert finding.message == f"{severity} INC-1: Balances drift"
        assert finding.fix.endswith(f"set INC-1 to closed in {path} and land that on upstream")


@FORMS
@pytest.mark.parametrize(
    ("severity", "state", "closed", "why"),
    [
        pytest.param("P1", "open", "", "has the severity P1", id="a-severity-nobody-knows"),
        pytest.param("", "open", "", "has the severity none", id="no-severity"),
        pytest.param("SEV-1 or 2", "open", "", "has the severity SEV-1 or 2", id="two-severities"),
        pytest.param("SEV-1", "parked", "", "has the status parked", id="a-status-nobody-knows"),
        pytest.param("SEV-3", "parked", "", "has the status parked", id="of-a-milder-one-too"),
        pytest.param("SEV-1", "", "", "has the status none", id="no-status"),
        pytest.param("SEV-1", "closed", "", "no date says since when", id="closed-at-no-time"),
        pytest.param("SEV-1", "closed", "2027-01-01", "is in the future", id="closed-in-the-future"),
        pytest.param("SEV-1", "closed", "last week", "is not YYYY-MM-DD", id="no-date"),
    ],
)
def test_what_nobody_understands_is_unknown(
    path: str, text: str, severity: str, state: str, closed: str, why: str
) -> None:
    fact = read(text.format(severity, state, closed), path=path)
    assert isinstance(fact, Unknown)
    assert f"{path}: INC-1" in fact.why
    assert why in fact.why
    assert judge_incidents(LABELS, fact).outcome == Outcome.ERROR


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("other.md", CALM, id="not-there"),
        pytest.param("inc.md", "# Incidents\n\nNone are open.\n", id="no-table"),
        pytest.param("inc.md", "| ID | Severity |\n|-|-|\n| INC-1 | SEV-1 |\n", id="no-status-column"),
        pytest.param("inc.md", CALM.replace("Severity |", "Gravity |"), id="a-column-by-another-name"),
        pytest.param("inc.md", CALM.replace("INC-3", "inc-1"), id="an-id-twice"),
        pytest.param("inc.md", CALM.encode("utf-16"), id="another-encoding"),
        pytest.param("inc.yaml", "", id="empty"),
        pytest.param("inc.yaml", "none are open", id="a-sentence"),
        pytest.param("inc.yaml", "incidents: [", id="broken"),
        pytest.param("inc.yaml", "INC-1: open\n", id="no-severity"),
        pytest.param("inc.yaml", "- {id: INC-1, severity: SEV-1}\n", id="no-status"),
        pytest.param(
            "inc.yaml", "- {id: A, status: open, state: closed, severity: SEV-1}\n", id="two-statuses"
        ),
    ],
)
def test_a_register_that_cannot_be_read_is_unknown(path: str, text: str | bytes) -> None:
    register = IncidentRegister.model_validate({"path": path})
    data = text if isinstance(text, bytes) else text.encode()
    tree = HeldTree({"inc.md" if path == "other.md" else path: data})
    assert isinstance(read_incident_register(register, LABELS, tree, UPSTREAM, now=NOW), Unknown)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("inc.md", "| ID | Severity | Status |\n|-|-|-|\n", id="a-heading-alone"),
        pytest.param("inc.yaml", "[]", id="an-empty-list"),
        pytest.param("inc.yaml", "version: 1\nincidents: []\n", id="an-empty-list-under-its-name"),
    ],
)
def test_an_empty_register_is_one(path: str, text: str) -> None:
    fact = read(text, path=path)
    assert isinstance(fact, Known)
    assert fact.value == ()


def test_words_and_columns_are_the_policy_s() -> None:
    text = "| Ref | Prio | Phase |\n|-|-|-|\n| X-1 | P1 | laufend |\n| X-2 | SEV-1 | vorbei |\n"
    words: dict[str, Any] = {
        "open": ["laufend"],
        "closed": ["vorbei"],
        "severity_field": "Prio",
        "state_field": "phase",
    }
    assert isinstance(read(text, **words), Unknown)
    fact = read(text, **words, milder=["P1"])
    assert isinstance(fact, Known)
    assert fact.value == ()


@pytest.mark.parametrize("other", ["SEV-1", "sev1", "SEV 1", "Sev_1", "sev:1"])
def test_spellings_of_one_severity(other: str) -> None:
    assert severity_key(other) == severity_key("SEV-1")
    assert severity_key("SEV-11") != severity_key("SEV-1") != severity_key("P1")


def test_nobody_asked_is_refused() -> None:
    with pytest.raises(ValidationError, match="nobody is asked for incidents"):
        Incidents.model_validate({"tracker": False})


POLICY = """version = 1
[project]
forge = "local"
repository = "gpuaas/platform"
[branches."release/platform-control"]
upstream = "master"
require = ["incidents"]
[roles.platform]
members = ["ann@example.com"]
[roles.security]
members = ["bob@example.com"]
[incidents]
tracker = {}
[[incidents.registers]]
path = "doc/incidents.yaml"
[[incidents.registers]]
path = "ops/incidents.md"
"""


def test_every_source_is_asked_and_losing_one_is_unknown(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path / "w")

    def found(yaml: str | None, table: str | None, *, tracker: bool = True) -> Fact[tuple[Incident, ...]]:
        files = {"doc/incidents.yaml": yaml, "ops/incidents.md": table}
        world.work.git("rm", "-q", "--ignore-unmatch", "-r", "doc", "ops")
        landed = {path: text for path, text in files.items() if text is not None}
        world.work.commit("words", {**landed, "guard.toml": POLICY.format(str(tracker).lower())})
        world.work.git("push", "-qf", str(world.bare.path), "master", f"master:{TARGET}")
        with GitRepo(world.bare.path) as git:
            sources = Sources(
                git, world.forge, lambda *_: Unknown("not asked"), world.clock,
                read_incidents=incident_reader(git, world.clock),
            )  # fmt: skip
            return open_incidents(sources, TARGET)

    calm, table = "[]", TABLE.format("SEV-1", "open", "–")
    assert isinstance(nothing := found(calm, TABLE.format("SEV-4", "open", "")), Known)
    assert nothing.value == ()
    assert isinstance(one := found(calm, table), Known)
    assert [(each.id, each.register) for each in one.value] == [("INC-1", "ops/incidents.md")]
    lost = found(None, table)
    assert isinstance(lost, Unknown)
    assert "doc/incidents.yaml is not on upstream" in lost.why
    assert "open besides: INC-1" in lost.why
    world.say("ann@example.com", IncidentOpened("INC-9", "sev 1", "Down"))
    assert isinstance(both := found(calm, table), Known)
    assert [each.id for each in both.value] == ["INC-9", "INC-1"]
    assert isinstance(alone := found(calm, table, tracker=False), Known)
    assert [each.id for each in alone.value] == ["INC-1"]
    world.broken = True
    assert isinstance(found(calm, table), Unknown)


def test_a_proposal_cannot_close_an_incident(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r")
    upstream = Commit(repo.commit("open", {"inc.md": TABLE.format("SEV-1", "open", "–")}))
    repo.commit("closed", {"inc.md": TABLE.format("SEV-1", "closed", "2026-04-22")})
    register = IncidentRegister.model_validate({"path": "inc.md"})
    with GitRepo(repo.path) as git:
        fact = read_incident_register(register, LABELS, git, upstream, now=NOW)
    assert isinstance(fact, Known)
    assert [one.id for one in fact.value] == ["INC-1"]
