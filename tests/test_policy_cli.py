"""`guard policy`, the JSON Schema, and the pages that are generated from the policy's models."""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from guard.cli.catalogue import DOCUMENTS, catalogue_policy
from guard.cli.init import filled_catalogue
from guard.cli.main import status_of
from guard.cli.reference import EXAMPLES
from guard.cli.schemas import GENERATORS, main
from guard.core.evidence import KINDS
from guard.core.policy_schema import policy_schema
from guard.core.policy_text import parse_policy

ROOT = Path(__file__).parent.parent
GOOD = (ROOT / "guard.toml").read_text(encoding="utf-8")
BAD = GOOD.replace('"script", source = "layers"', '"script", sorce = "layers"')
CATALOGUE = filled_catalogue(forge="gitlab", repository="a/b", branch="release/x", upstream="main")

Stdin = Callable[[bytes], None]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Stdin:
    return lambda data: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_valid_file_exits_0(capsys: pytest.CaptureFixture[str]) -> None:
    Path("guard.toml").write_text(GOOD, encoding="utf-8")
    assert status_of(["policy", "validate"]) == 0
    assert capsys.readouterr().out.startswith("guard.toml: valid, protects release with 6 gates (sha256:")


def test_an_invalid_file_exits_1_and_names_every_problem(capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.toml").write_text(BAD, encoding="utf-8")
    assert status_of(["policy", "validate", "p.toml"]) == 1
    *problems, last = capsys.readouterr().out.splitlines()
    line = BAD.splitlines().index(next(line for line in BAD.splitlines() if "sorce" in line)) + 1
    assert [problem.partition(" ")[0] for problem in problems] == [f"p.toml:{line}:"] * 2
    assert "sorce: unknown key; did you mean 'source'?" in problems[0]
    assert last == "p.toml: invalid, 2 problems"


def test_the_problems_as_json(capsys: pytest.CaptureFixture[str], stdin: Stdin) -> None:
    stdin(BAD.encode())
    assert status_of(["policy", "validate", "-", "--format", "json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["file"], answer["valid"]) == ("stdin", False)
    assert answer["problems"][0]["path"] == "gates[0].evidence.sorce"
    assert isinstance(answer["problems"][0]["line"], int)


def test_a_valid_one_as_json(capsys: pytest.CaptureFixture[str], stdin: Stdin) -> None:
    stdin(GOOD.encode())
    assert status_of(["policy", "validate", "-", "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["valid"] is True
    assert answer["branches"] == ["release"]
    assert answer["digest"] == parse_policy(GOOD.encode(), where="").digest


def test_standard_input_of_no_text_at_all(capsys: pytest.CaptureFixture[str], stdin: Stdin) -> None:
    stdin(b"\xff\x1b[31m")
    assert status_of(["policy", "validate", "-"]) == 1
    assert "stdin:1: byte 0xff is not UTF-8" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nowhere.toml"], ["."], ["a\0b"], ["--format", "xml"], ["--what"]])
def test_wrong_usage_exits_64(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["policy", "validate", *arguments]) == 64
    assert capsys.readouterr().err


def test_an_endless_file_is_read_in_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["policy", "validate", "/dev/zero"]) == 1
    assert "expected at most 1048576" in capsys.readouterr().out


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["policy", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"]
    Draft202012Validator.check_schema(schema)


DEMO = (ROOT / "guard/cli/demo/platform/guard.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [pytest.param(GOOD, id="own"), pytest.param(CATALOGUE, id="catalogue"), pytest.param(DEMO, id="demo")],
)
def test_the_schema_and_the_models_take_good_policies(text: str) -> None:
    Draft202012Validator(policy_schema()).validate(tomllib.loads(text))
    parse_policy(text.encode(), where="guard.toml")


def _tables(value: Any) -> list[dict[str, Any]]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    below = [table for child in children for table in _tables(child)]
    return [value, *below] if isinstance(value, dict) else below


def test_the_schema_refuses_an_unknown_key_in_every_table() -> None:
    data = tomllib.loads(CATALOGUE)
    check = Draft202012Validator(policy_schema())
    for table in _tables(data):
        table["Unknown key"] = 1
        with pytest.raises(ValidationError):
            check.validate(data)
        del table["Unknown key"]
    check.validate(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("version = 1", "version = 2", id="version"),
        pytest.param('"15m"', '"15 minutes"', id="span"),
        pytest.param("[branches.release]", '[branches."re lease"]', id="branch-name"),
        pytest.param('group = "security"', 'group = "secruity"', id="group"),
        pytest.param('kind = "sarif"', 'kind = "srif"', id="kind"),
    ],
)
def test_the_schema_and_the_models_agree(old: str, new: str) -> None:
    text = GOOD.replace(old, new)
    refused = Draft202012Validator(policy_schema()).is_valid(tomllib.loads(text)) is False
    assert refused is (text != GOOD)


@pytest.mark.parametrize("name", GENERATORS)
def test_what_is_committed_is_what_is_generated(name: str) -> None:
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == GENERATORS[name](), f"docs/{name} is out of date: make schemas"


def test_the_generator_writes_every_file_below_the_folder() -> None:
    assert main(["out"]) == 0
    assert sorted(str(file.relative_to("out")) for file in Path("out").rglob("*.*")) == sorted(GENERATORS)
    assert main([]) == 64


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_example_that_reads(kind: str) -> None:
    gate = f'[[gates]]\nid = "a"\ngroup = "data"\ntitle = "a"\nevidence = {EXAMPLES[kind]}\n'
    policy = parse_policy((GOOD + gate).encode(), where="g").policy
    assert policy.gates[-1].evidence.model_dump()["kind"] == kind
    assert set(EXAMPLES) == set(KINDS)


def test_every_field_of_the_policy_says_what_it_is() -> None:
    reference = (ROOT / "docs/policy-reference.md").read_text(encoding="utf-8")
    assert " |  |" not in reference
    assert "PT" not in reference


def test_the_catalogue_page_knows_every_gate_and_no_other() -> None:
    gates = {gate.id for gate in catalogue_policy().gates}
    named = {gate for _, place in DOCUMENTS if isinstance(place, tuple) for gate in place}
    assert named <= gates
    page = (ROOT / "docs/catalogue.md").read_text(encoding="utf-8")
    assert all(f"| `{gate}` |" in page for gate in gates)
