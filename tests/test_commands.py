"""Commands in comments: which lines are commands, which only look like some, and what each must hold."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from guard.core.commands import MOST, Command, Misread, read_commands


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        pytest.param("/guard recheck", ("recheck", "", ""), id="recheck"),
        pytest.param("/guard   recheck  \t", ("recheck", "", ""), id="spaces"),
        pytest.param("/guard RECHECK", ("recheck", "", ""), id="capitals"),
        pytest.param("/guard explain security.scan", ("explain", "security.scan", ""), id="explain"),
        pytest.param("/guard signoff a.b", ("signoff", "a.b", ""), id="signoff"),
        pytest.param("/guard signoff a.b Looked at  it", ("signoff", "a.b", "Looked at  it"), id="note"),
        pytest.param("/guard hold because it burns", ("hold", "", "it burns"), id="hold"),
        pytest.param("/guard unhold", ("unhold", "", ""), id="unhold"),
        pytest.param("/guard unhold because it is out", ("unhold", "", "it is out"), id="unhold-reason"),
        pytest.param("/guard break-glass because SEV-1", ("break-glass", "", "SEV-1"), id="break-glass"),
        pytest.param(
            "/guard waive a.b:x.y until 2026-05-01 because of it", ("waive", "a.b:x.y", "of it"), id="waive"
        ),
    ],
)
def test_every_command(line: str, wanted: tuple[str, str, str]) -> None:
    (found,) = read_commands(line)
    assert isinstance(found, Command)
    assert (found.name, found.gate, found.text) == wanted


def test_a_day_ends_when_it_ends() -> None:
    first, second = read_commands(
        "/guard waive a until 2026-05-01 because x\n/guard waive a until 2026-05-01T12:00:00+02:00 because x"
    )
    assert isinstance(first, Command)
    assert isinstance(second, Command)
    assert first.until == datetime(2026, 5, 2, tzinfo=UTC)
    assert second.until == datetime(2026, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        pytest.param("/guard", "the commands are recheck,", id="nothing"),
        pytest.param("/guard approve", "the commands are recheck,", id="unknown"),
        pytest.param("/guard recheck now", "it is written: /guard recheck", id="too-much"),
        pytest.param("/guard explain", "the id of a gate", id="no-gate"),
        pytest.param("/guard explain A/B", "the id of a gate", id="no-id"),
        pytest.param("/guard signoff", "the id of a gate", id="signoff-nothing"),
        pytest.param("/guard hold", "a reason is missing", id="no-reason"),
        pytest.param("/guard hold because", "a reason is missing", id="empty-reason"),
        pytest.param("/guard break-glass SEV-1", "a reason is missing", id="no-because"),
        pytest.param("/guard waive a until tomorrow because x", "expected a day", id="no-day"),
        pytest.param("/guard waive a until 9999-12-31 because x", "expected a day", id="beyond-time"),
        pytest.param("/guard waive a until 2026-05-01T12:00 because x", "with its zone", id="no-zone"),
        pytest.param("/guard waive a because x", "a gate, an end and a reason", id="no-end"),
        pytest.param("/guard hold because " + "x" * 600, "at most 500 characters", id="long"),
        pytest.param("/guard hold because \u202ecesuaceb", "without invisible characters", id="rtl"),
        pytest.param("/guard recheck\u200b", "without invisible characters", id="zero-width"),
    ],
)
def test_what_is_no_command_gets_a_hint(line: str, hint: str) -> None:
    (found,) = read_commands(line)
    assert isinstance(found, Misread)
    assert hint in found.hint


@pytest.mark.parametrize(
    "body",
    [
        "> /guard recheck", ">/guard recheck", "- /guard recheck", "1. /guard recheck", "    /guard recheck",
        " /guard recheck", "\t/guard recheck", "see /guard recheck", "`/guard recheck`", "/guardian recheck",
        "```\n/guard recheck\n```", "~~~sh\n\n/guard recheck\n~~~", "````\n```\n/guard recheck\n````",
        "```\n/guard recheck", "$$\n\n/guard recheck\n$$", ">>>\n\n/guard recheck\n\n>>>", "---\n\n/guard recheck\n---",
        "> ```\n> x\n\n> /guard recheck", "/Guard recheck", "\ufeff/guard recheck", "\u200b/guard recheck", "", "hello",
        "- [ ] /guard recheck", "| /guard recheck |", "# /guard recheck", ":::note\n\n/guard recheck\n:::",
    ],
)  # fmt: skip
def test_quoted_and_indented_text_and_code_is_passed_over(body: str) -> None:
    assert read_commands(body) == ()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("text\n/guard recheck", id="in-a-paragraph"),
        pytest.param("> quote\n/guard recheck", id="lazy-continuation"),
        pytest.param("<!--\n\n/guard recheck\n-->", id="html-comment"),
        pytest.param("<details>\n\n/guard recheck\n\n</details>", id="details"),
        pytest.param("<pre>\n\n/guard recheck\n</pre>", id="pre"),
        pytest.param("```\nx\n```\n\n/guard recheck", id="after-code"),
        pytest.param("- a\n\n  ```\n```\n\n/guard recheck\n```", id="fences-of-several-blocks"),
    ],
)
def test_what_may_be_part_of_something_else_is_not_carried_out_and_that_is_said(body: str) -> None:
    assert all(isinstance(one, Misread) for one in read_commands(body))


@pytest.mark.parametrize(
    "body",
    [
        "> they wrote this\n\n/guard recheck", "Thanks!\r\n\r\n/guard recheck\r\n", "/guard recheck\ntext after it",
        "- a list\n\n/guard recheck", "/guard explain a\n/guard recheck", "\n\n/guard recheck", "# T\n\n/guard recheck",
    ],
)  # fmt: skip
def test_a_command_may_follow_plain_text(body: str) -> None:
    *_, last = read_commands(body)
    assert isinstance(last, Command)
    assert last.name == "recheck"


def test_at_most_five() -> None:
    found = read_commands("/guard recheck\n" * 50)
    assert len(found) == MOST + 1
    assert isinstance(found[-1], Misread)


PIECES = st.sampled_from(
    [
        "/guard recheck", "```", "~~~", "> ", ">", "- ", "1. ", "    ", "  ", "\n", "\n\n", "<!--", "-->", "<pre>",
        "</pre>", "<details>", "text", "\t", "````", "$$", "[a]: b", "|", "<script>", "<?", "\\", "*", "# ", "---",
        "\r", "* ", "   ```",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("".join))
def test_only_plain_paragraphs_are_carried_out(body: str) -> None:
    """A CommonMark parser agrees: each command that is read stands in the text of a paragraph outside of everything."""
    count = sum(isinstance(one, Command) for one in read_commands(body))
    tokens = MarkdownIt("commonmark").parse(body)
    plain = [
        line
        for before, token in pairwise(tokens)
        if before.type == "paragraph_open" and before.level == 0
        for line in token.content.split("\n")
    ]
    assert count <= sum(line.strip() == "/guard recheck" for line in plain)


@given(st.text(max_size=300))
def test_no_text_is_too_strange(body: str) -> None:
    read_commands(body)
    read_commands(f"/guard {body}")
