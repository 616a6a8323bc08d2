"""The exit record of a named script, and fields of its report."""

from __future__ import annotations

import json

import pytest

from guard.core.model import Unknown
from tests.evidence_fakes import asks, codes, reading_of, seen

SCRIPT = "scripts/ci/contracts_validate.sh"


@pytest.mark.parametrize(
    ("command", "tool", "problems"),
    [
        pytest.param((SCRIPT,), "sh", set(), id="itself"),
        pytest.param((f"./{SCRIPT}", "--strict"), "sh", set(), id="with-arguments"),
        pytest.param(("bash", SCRIPT), "sh", set(), id="by-an-interpreter"),
        pytest.param(("/usr/bin/python3", f"./{SCRIPT}"), "sh", set(), id="by-an-interpreter-elsewhere"),
        pytest.param((), SCRIPT, set(), id="known-by-its-tool"),
        pytest.param((), "sh", {"script.other-command"}, id="no-command"),
        pytest.param(("true", SCRIPT), "sh", {"script.other-command"}, id="true-with-the-name-as-argument"),
        pytest.param(("bash", "-c", f"true # {SCRIPT}"), "sh", {"script.other-command"}, id="shell-comment"),
        pytest.param((f"/tmp/{SCRIPT}",), SCRIPT, {"script.other-command"}, id="the-same-name-elsewhere"),
    ],
)
def test_which_command_counts(command: tuple[str, ...], tool: str, problems: set[str]) -> None:
    spec = asks(kind="script", source="contracts", script=SCRIPT)
    assert codes(reading_of(spec, None, command=command, tool=tool)) == problems


@pytest.mark.parametrize(
    ("wanted", "ended", "problems"),
    [
        pytest.param(0, 0, set(), id="clean"),
        pytest.param(0, 1, {"script.exit-code"}, id="failed"),
        pytest.param(3, 3, set(), id="wanted-other-status"),
        pytest.param(3, 0, {"script.exit-code"}, id="zero-where-three-is-wanted"),
        pytest.param(0, -9, {"script.exit-code"}, id="killed"),
    ],
)
def test_exit_code(wanted: int, ended: int, problems: set[str]) -> None:
    spec = asks(kind="script", source="contracts", script=SCRIPT, exit_code=wanted)
    reading = reading_of(spec, None, command=(SCRIPT,), exit_code=ended)
    assert codes(reading) == problems
    assert seen(reading).summary == f"contracts_validate.sh ended with {ended}"


@pytest.mark.parametrize(
    ("fields", "report", "problems"),
    [
        pytest.param({"errors": 0}, {"errors": 0}, set(), id="same"),
        pytest.param({"summary.errors": 0}, {"summary": {"errors": 0}}, set(), id="nested"),
        pytest.param({"a.b": "x"}, {"a.b": "x"}, set(), id="a-key-with-a-dot"),
        pytest.param({"errors": 0}, {"errors": 1}, {"script.field"}, id="other-value"),
        pytest.param({"errors": 0}, {}, {"script.field"}, id="not-there"),
        pytest.param({"errors": 0}, {"errors": False}, {"script.field"}, id="false-is-not-zero"),
        pytest.param({"ok": True}, {"ok": 1}, {"script.field"}, id="one-is-not-true"),
        pytest.param({"ok": True}, {"ok": "true"}, {"script.field"}, id="a-word-is-not-true"),
        pytest.param({"errors": 0}, {"errors": 0.0}, {"script.field"}, id="a-fraction-is-not-a-whole-number"),
        pytest.param({"errors": 0}, {"errors": None}, {"script.field"}, id="null"),
        pytest.param({"a.b": 1}, {"a": [1]}, {"script.field"}, id="a-list-where-a-table-is-wanted"),
    ],
)
def test_fields_of_the_report(fields: dict[str, object], report: object, problems: set[str]) -> None:
    spec = asks(kind="script", source="contracts", script=SCRIPT, fields=fields)
    assert codes(reading_of(spec, json.dumps(report).encode(), command=(SCRIPT,))) == problems


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(None, id="no-report"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b'{"errors": 0, "errors": 1}', id="the-same-key-twice"),
        pytest.param(b'{"errors": NaN}', id="nan"),
        pytest.param('{"errors": 0}'.encode("utf-16"), id="utf-16"),
    ],
)
def test_a_report_whose_fields_cannot_be_read_is_unknown(report: bytes | None) -> None:
    spec = asks(kind="script", source="contracts", script=SCRIPT, fields={"errors": 0})
    assert isinstance(reading_of(spec, report, command=(SCRIPT,)), Unknown)
