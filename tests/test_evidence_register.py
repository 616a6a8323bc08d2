"""Registers: one entry by its exact id, in a Markdown table or in YAML, and everything that is no entry of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.core.evidence import Absent, Reading
from guard.core.model import Known, Unknown
from tests.evidence_fakes import asks, codes, read, seen, sources

PATH = "doc/governance/Assumptions_Register.md"
TABLE = """# Assumptions

| ID | Assumption | Status | Validated on |
|----|------------|--------|--------------|
| A-012 | GitLab first | validated | 2026-01-10 |
| **A-014** | East/west traffic is mutually authenticated | `Validated` | 2026-04-20 |
| [A-016](a016.md) | A revoked admin token is refused | open | |
"""
YAML = """
assumptions:
  - id: A-014
    status: validated
    on: 2026-04-20
  - {id: A-016, status: "open"}
"""


def reading(text: str | bytes, *, path: str = PATH, entry: str = "A-014", **spec: object) -> Reading:
    data = text if isinstance(text, bytes) else text.encode()
    asked = asks(kind="register", path=path, entry=entry, **{"state": ["validated"], **spec})
    return read(asked, sources(files={path: data}))


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        pytest.param(TABLE, "A-014", id="dressed-up-as-markdown-does"),
        pytest.param(TABLE, "A-012", id="plain"),
        pytest.param(TABLE.replace("\n", "\r\n"), "A-014", id="windows-line-ends"),
        pytest.param("---\ntitle: x\n---\n" + TABLE, "A-014", id="below-front-matter"),
        pytest.param(TABLE + "\n## Gates\n\n| Gate | Needs |\n|--|--|\n| mTLS | A-014 |\n", "A-014", id="elsewhere"),
        pytest.param(TABLE + "\n| Ref | Owner |\n|--|--|\n| A-014 | Ann |\n", "A-014", id="again-without-a-state"),
        pytest.param("| Ref | State |\n|:--|--:|\n| A-014 | validated |", "A-014", id="first-column-and-state"),
        pytest.param(TABLE.replace("| **A-014** |", "| A-0\\14 |").replace("A-0\\14", "A-014"), "A-014", id="bare"),
    ],
)  # fmt: skip
def test_markdown_tables(text: str, entry: str) -> None:
    assert codes(reading(text, entry=entry)) == set()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(YAML, id="a-list-of-tables"),
        pytest.param("A-014: {status: Validated}\nA-016: {status: open}", id="tables-by-id"),
        pytest.param("A-014: validated\nA-016: open", id="states-by-id"),
        pytest.param("register:\n  A-014: validated", id="below-a-key"),
        pytest.param('[{"id": "A-014", "state": "validated"}]', id="json"),
        pytest.param(
            "- id: A-014\n  owner: {name: Ann, id: 7}\n  status: validated", id="tables-in-an-entry"
        ),
    ],
)
def test_yaml_registers(text: str) -> None:
    assert codes(reading(text, path="doc/assumptions.yaml")) == set()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(TABLE.replace("`Validated`", "open"), "register.state", id="another-state"),
        pytest.param(TABLE.replace("`Validated`", "not validated"), "register.state", id="more-than-the-word"),
        pytest.param(TABLE.replace("`Validated`", "~~validated~~"), "register.state", id="struck-out"),
        pytest.param(TABLE.replace("`Validated`", "validated <!-- no -->"), "register.state", id="with-html"),
        pytest.param(TABLE.replace("`Validated`", ""), "register.no-state", id="no-state"),
        pytest.param("| ID | Owner |\n|--|--|\n| A-014 | Ann |", "register.no-state", id="no-such-column"),
        pytest.param(
            "| ID | Status | Status |\n|--|--|--|\n| A-014 | validated | open |", "register.no-state", id="column-twice"
        ),
    ],
)  # fmt: skip
def test_what_is_not_in_a_wanted_state(text: str, code: str) -> None:
    assert codes(reading(text)) == {code}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TABLE.replace("A-014", "A-0140"), id="a-longer-id"),
        pytest.param(TABLE.replace("A-014", "a-014"), id="another-case"),
        pytest.param(TABLE.replace("**A-014**", "~~A-014~~"), id="struck-out"),
        pytest.param(TABLE.replace("**A-014**", "A-014<br>"), id="with-html"),
        pytest.param("<!--\n" + TABLE + "-->", id="commented-out"),
        pytest.param("```\n" + TABLE + "```", id="a-code-block"),
        pytest.param(TABLE.replace("A-014", "\u0410-014"), id="a-letter-that-looks-the-same"),
        pytest.param("# Assumptions\n\nA-014: validated\n", id="no-table"),
        pytest.param("", id="empty"),
    ],
)
def test_ids_are_compared_exactly_and_only_where_a_reader_sees_them(text: str) -> None:
    assert isinstance(reading(text), Absent)


def test_no_register_is_missing() -> None:
    asked = asks(kind="register", path=PATH, entry="A-014", state=["validated"])
    assert isinstance(read(asked, sources()), Absent)


@pytest.mark.parametrize(
    ("text", "path", "why"),
    [
        pytest.param(TABLE + "| A-014 | again | open | |\n", PATH, "more than once", id="contradictory-rows"),
        pytest.param(
            TABLE + "\n| ID | Status |\n|--|--|\n| A-014 | open |\n", PATH, "more than once", id="in-two-tables"
        ),
        pytest.param(
            "| ID | Status | State |\n|--|--|--|\n| A-014 | validated | open |", PATH, "both a status", id="two-columns"
        ),
        pytest.param(
            "- {id: A-014, status: validated}\n- {id: A-014, status: open}", "a.yml", "more than once", id="yaml-twice"
        ),
        pytest.param("A-014: validated\nA-014: open", "a.yml", "is there twice", id="yaml-key-twice"),
        pytest.param("a: &a [1]\nb: *a", "a.yml", "anchors and aliases", id="alias"),
        pytest.param("A-014: !run x", "a.yml", "the tag", id="tag"),
        pytest.param("--- \nA-014: validated\n---\nA-014: open", "a.yml", "several YAML documents", id="two-documents"),
        pytest.param("a: [", "a.yml", "is not YAML", id="broken"),
        pytest.param("? [a, b]\n: c", "a.yml", "a key is a list", id="a-list-as-key"),
        pytest.param(b"\xff\xfea", "a.yml", "not UTF-8", id="not-utf-8"),
        pytest.param(TABLE.encode("utf-16"), PATH, "not UTF-8", id="markdown-in-utf-16"),
        pytest.param("#" * 600_000, "a.yml", "at most", id="huge-yaml"),
        pytest.param("#" * 600_000, PATH, "at most", id="huge-markdown"),
        pytest.param("[" * 100_000, "a.yml", "", id="deep-yaml"),
        pytest.param("- " * 50 + "x", "a.yml", "nested too deeply", id="nested-yaml"),
        pytest.param("[" + "," .join("1" * 210_000) + "]", "a.yml", "too many values", id="very-many-values"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_unknown_and_said_so_quickly(text: str | bytes, path: str, why: str) -> None:
    started = time.monotonic()
    found = reading(text, path=path)
    assert isinstance(found, Unknown)
    assert why in found.why
    assert time.monotonic() - started < 10


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    rows = "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 30))
    found = reading(f"a0: &a0 [x]\n{rows}", path="bomb.yaml")
    assert isinstance(found, Unknown)
    assert "line 1: anchors and aliases are not read" in found.why


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("|" * 500_000, id="bars"),
        pytest.param("| a " * 200_000 + "|\n" + "|--" * 200_000 + "|\n", id="a-very-wide-table"),
        pytest.param("> " * 100_000, id="quotes-in-quotes"),
        pytest.param("* " * 100_000, id="lists-in-lists"),
        pytest.param("[" * 200_000, id="brackets"),
        pytest.param("`" * 500_000, id="ticks"),
        pytest.param(
            "| ID | Status |\n|--|--|\n" + "| A-014 | **_[x](y)_** |\n" * 15_000, id="very-many-rows"
        ),
    ],
)
def test_hostile_markdown_gives_a_reading_in_reasonable_time(text: str) -> None:
    started = time.monotonic()
    found = reading(text)
    assert not isinstance(found, Known) or found.value.problems
    assert time.monotonic() - started < 10


def test_the_state_s_date_is_its_age() -> None:
    found = reading(TABLE, date_field="Validated on", max_age="90d")
    assert seen(found).dated == datetime(2026, 4, 20, tzinfo=UTC)
    assert codes(reading(TABLE.replace("2026-04-20", "lately"), date_field="Validated on")) == {
        "register.date"
    }
    assert codes(reading(TABLE, entry="A-016", state=["open"], date_field="Validated on")) == {
        "register.date"
    }


def test_a_column_can_be_named() -> None:
    text = "| Phase | Sign-off | Status |\n|--|--|--|\n| GA | signed-off | late |"
    assert codes(reading(text, entry="GA", state=["signed-off"], state_field="sign-off")) == set()
    named = {"entry": "signed-off", "id_field": "Sign-off", "state": ["late"]}
    assert codes(reading(text, **named)) == set()  # type: ignore[arg-type]


CELLS = st.sampled_from(
    [
        "A-014",
        "A-016",
        "validated",
        "open",
        "",
        "ID",
        "Status",
        "|",
        "<!--",
        "`",
        "**",
        "\n",
        "|--|--|\n",
        "- ",
    ]
)


@given(st.lists(CELLS, max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_words_give_a_reading(words: list[str]) -> None:
    text = "".join(words)
    for path in (PATH, "a.yaml"):
        found = reading(text, path=path)
        assert isinstance(found, (Known, Absent, Unknown))
        if isinstance(found, Known) and not found.value.problems:
            assert "A-014" in text
            assert "validated" in text


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_reading(data: bytes) -> None:
    for path in (PATH, "a.yaml"):
        assert isinstance(reading(data, path=path), (Known, Absent, Unknown))


WORSE = st.sampled_from(["open", "not validated", "", "validated?", "invalid", "pending"])


@given(WORSE, st.booleans())
@settings(max_examples=50, deadline=None)
def test_a_worse_state_never_passes(word: str, yaml: bool) -> None:
    text = (
        YAML.replace("status: validated", f'status: "{word}"') if yaml else TABLE.replace("`Validated`", word)
    )
    found = reading(text, path="a.yaml" if yaml else PATH)
    assert not isinstance(found, Known) or found.value.problems
