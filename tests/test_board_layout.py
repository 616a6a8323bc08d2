"""The board in the layout of the release readiness page's sample, on whatever terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guard.cli.catalogue import catalogue_policy
from guard.cli.streams import _escape, fitting
from guard.core.model import Decision, Outcome, Verdict
from guard.core.policy_names import GROUPS
from guard.render.terminal import render_text
from tests.builders import decision, finding, verdict
from tests.gitrepo import Repo

SAMPLE = """\
GO/NO-GO decision: GO
Architecture & Contracts ........................... PASS
✓ ADRs frozen
✓ openapi.draft.yaml validated (spectral clean)
✓ asyncapi.draft.yaml validated
✓ No breaking changes since last release
Security ........................................... PASS
✓ Threat model reviewed (2026-04-24)
✓ Security control verification — full
✓ Vuln scan: 0 critical, 0 high
✓ Secret scan clean
Data & Billing Integrity ........................... PASS
✓ Ledger invariants test green
✓ Migration forward + rollback green
✓ AT-051, AT-052, AT-053 green
Reliability & Operations ........................... PASS
✓ SLO dashboards live (Grafana)
✓ 38 runbooks indexed
✓ Sev model + escalation active
✓ Backup/restore drill: 2026-05-01
Delivery ........................................... PASS
✓ CI: all gates green
✓ Release notes drafted
✓ Compatibility notes complete
✓ Approved: platform owner, security owner
Unresolved SEV-1/SEV-2: none
DECISION: GO
"""
"""As the page "Release readiness" prints it, "Sample release Go/No-Go output"; its indents are lost there."""


def sampled() -> Decision:
    """A decision whose verdicts say what the sample says."""
    titles = {title: group for group, title in GROUPS.items()}
    gates: list[Verdict] = []
    group = ""
    for line in SAMPLE.splitlines():
        group = next((titles[title] for title in titles if line.startswith(f"{title} .")), group)
        if line.startswith("✓ "):
            gates.append(verdict(f"{group}.g{len(gates)}", group=group, summary=line.removeprefix("✓ ")))
    return decision(*gates, verdict("incidents", title="Unresolved SEV-1/SEV-2", summary="none"))


def whole(**changed: Outcome) -> Decision:
    """The 28 gates of the catalogue, and what else is judged."""
    gates = [
        verdict(
            gate.id, changed.get(gate.id.replace(".", "_"), Outcome.PASS), group=gate.group, title=gate.title
        )
        for gate in catalogue_policy().gates
    ]
    rules = [verdict("candidate"), verdict("lineage"), verdict("approvals")]
    return decision(*gates, *rules, verdict("incidents", title="Unresolved SEV-1/SEV-2", summary="none"))


def test_the_sample_comes_out_to_the_letter() -> None:
    """All of its lines in its order; what is told besides is which move was judged, by which policy."""
    lines = render_text(sampled()).splitlines()
    told = [line.strip() for line in (lines[0], *lines[4:])]
    assert told == SAMPLE.splitlines()
    assert all(line.startswith("  ✓ ") for line in lines if "✓" in line)


def test_the_28_gates_stand_in_the_five_groups_with_their_dots_to_one_column() -> None:
    lines = render_text(whole()).splitlines()
    assert sum(line.startswith("  ✓ ") for line in lines) == 28 + 3
    headed = [line for line in lines if " .." in line]
    assert [line.partition(" ..")[0] for line in headed][:5] == list(GROUPS.values())
    sample = {line.rindex(". ") for line in SAMPLE.splitlines() if " .." in line}
    assert {line.rindex(". ") for line in headed} == sample
    assert lines[-2:] == ["Unresolved SEV-1/SEV-2: none", "DECISION: GO"]


def test_what_does_not_apply_and_what_is_waived_say_so() -> None:
    pen = verdict(
        "security.pen-test",
        Outcome.NOT_APPLICABLE,
        group="security",
        summary="Pen test: n/a, it changes nothing",
    )
    let = [verdict(f"data.g{at}", Outcome.WAIVED, group="data", summary=f"waived: {at}") for at in range(2)]
    text = render_text(decision(pen, *let))
    assert text.startswith("GO/NO-GO decision: GO (2 waivers)\n")
    assert text.endswith("DECISION: GO (2 waivers)\n")
    assert "  – Pen test: n/a, it changes nothing\n" in text
    assert "WAIVED\n  – waived: 0\n  – waived: 1\n" in text


def test_a_narrowed_question_ends_with_partial() -> None:
    text = render_text(decision(verdict("lineage"), partial=("lineage",)))
    assert text.splitlines()[0] == "GO/NO-GO decision: PARTIAL"
    assert text.splitlines()[-1].startswith("PARTIAL: only lineage asked; nothing of it blocks.")


def test_long_names_wrap_and_nothing_is_wider_than_80_columns() -> None:
    long = " ".join(["a gate whose title nobody ever shortened"] * 6)
    bad = verdict(
        "data.x", Outcome.FAIL, group="data", title=long,
        findings=(finding("x.y", message=long, where=long, fix=long, who=("a-role", "another-role") * 6),),
    )  # fmt: skip
    text = render_text(decision(bad, verdict("data.y", group="data", summary=long), partial=("data",) * 30))
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    "encoding", ["ascii", "latin-1", "cp1252", "cp437", "koi8-r", "utf-8", None, "no-such"]
)
def test_signs_that_a_terminal_lacks_become_plain_ones(encoding: str | None) -> None:
    shown = fitting(render_text(whole(data_migrations=Outcome.FAIL)), encoding)
    can = encoding if encoding not in (None, "no-such") else "ascii"
    shown.encode(str(can))
    assert ("✓" in shown) is (encoding == "utf-8")
    if can == "ascii":
        assert "  + Adr" not in shown
        assert "  x " in shown


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="ascii"),
        pytest.param({"PYTHONIOENCODING": "latin-1"}, id="latin-1"),
        pytest.param({"LANG": "C"}, id="as-python-starts-in-C"),
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_terminal_makes_it_crash(tmp_path: Path, environment: dict[str, str], form: str) -> None:
    repo = Repo.init(tmp_path / "clone")
    repo.commit("A platform", {"a.txt": "a\n"})
    repo.git("branch", "release")
    repo.commit("Für alle ✓ 🚀", {"a.txt": "b\n"})
    command = [
        sys.executable,
        "-m",
        "guard.cli.main",
        "check",
        "--repo",
        str(repo.path),
        "--upstream",
        "release",
    ]
    done = subprocess.run(
        [*command, "--target", "release", "--only", "lineage", "--format", form],
        env={**os.environ, **environment}, capture_output=True, check=False,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert done.returncode == 1, done.stderr
    if form == "json":
        encoding = environment.get("PYTHONIOENCODING", "utf-8")
        where = json.loads(done.stdout.decode(encoding))["verdicts"][0]["findings"][0]["where"]
        assert where.endswith("Für alle ✓ 🚀")


def test_an_escape_is_what_json_writes() -> None:
    wanted = json.dumps("✓🚀")[1:-1]
    assert _escape(UnicodeEncodeError("ascii", "✓🚀", 0, 2, "")) == (wanted, 2)
