"""Whose reports count, for which commit, and which of several."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from guard.adapters.evidence import KINDS, read_evidence, reader_of
from guard.core.errors import GitError
from guard.core.evidence import Absent, Leaf
from guard.core.model import Commit, Known, Unknown
from tests.builders import NEW, NOW, OLD
from tests.evidence_fakes import HeldRecords, HeldTree, asks, codes, read, seen, sources, submission

SPEC = asks(kind="script", source="contracts", script="check.sh")
RAN = {"source": "contracts", "command": ("./check.sh",), "tool": "check.sh"}


def test_every_kind_of_the_policy_stands_in_the_table() -> None:
    kinds = {get_args(model.model_fields["kind"].annotation)[0] for model in get_args(Leaf)}
    assert set(KINDS) == kinds
    assert all(callable(reader_of(kind)) for kind in kinds - {"approvals"})


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"kind": "approvals"}, id="approvals-which-core-judges"),
    ],
)
def test_a_kind_that_is_not_built_is_unknown_and_says_so(spec: dict[str, object]) -> None:
    reading = read(asks(**spec), sources())
    assert isinstance(reading, Unknown)
    assert reading.why == f"evidence kind '{spec['kind']}' is not built into this version of release-guard"


def test_the_newest_allowed_submission_for_the_candidate_counts() -> None:
    older = submission(None, id="1", exit_code=0, received_at=NOW - timedelta(hours=2), **RAN)
    newer = submission(None, id="2", exit_code=7, received_at=NOW - timedelta(hours=1), **RAN)
    stranger = submission(None, id="3", exit_code=0, received_at=NOW, submitter="eve@example.com", **RAN)
    other = submission(None, id="4", exit_code=0, received_at=NOW, subject=OLD, **RAN)
    reading = read(SPEC, sources(newer, older, stranger, other))
    assert codes(reading) == {"script.exit-code"}
    assert seen(reading).subject == NEW
    assert seen(reading).dated == newer.received_at


def test_received_in_the_same_moment_the_later_one_counts() -> None:
    first, second = (submission(None, id=str(code), exit_code=code, **RAN) for code in (7, 0))
    assert codes(read(SPEC, sources(first, second))) == set()
    assert codes(read(SPEC, sources(second, first))) == {"script.exit-code"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param((), "no report of contracts was submitted for bbbbbbbbbb", id="none"),
        pytest.param((submission(None, subject=OLD, **RAN),), "only for aaaaaaaaaa", id="another-commit"),
        pytest.param(
            (submission(None, submitter="eve@example.com", **RAN),), "eve@example.com", id="not-allowed"
        ),
        pytest.param(
            (submission(None, submitter="CI@example.com", **RAN),), "CI@example.com", id="other-spelling"
        ),
        pytest.param(
            (submission(None, subject=Commit(NEW.upper()), **RAN),), "only for", id="commit-in-capitals"
        ),
    ],
)
def test_what_does_not_count_is_missing_with_the_command_that_mends_it(given: tuple, says: str) -> None:  # type: ignore[type-arg]
    reading = read(SPEC, sources(*given))
    assert isinstance(reading, Absent)
    assert says in reading.why
    assert f"guard evidence run --source contracts --commit {NEW} -- check.sh" in reading.fix
    assert reading.who == ("ci",)


def test_a_source_with_spaces_is_quoted_in_the_command() -> None:
    reading = read(asks(kind="sarif", source="my scan; rm -rf"), sources())
    assert isinstance(reading, Absent)
    assert reading.fix.startswith(
        f"guard evidence add --source 'my scan; rm -rf' --commit {NEW} --tool TOOL "
    )


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"records": HeldRecords(Unknown("the ledger is locked"))}, id="submissions-unread"),
        pytest.param({"submitters": Unknown("HTTP 502 from /groups")}, id="submitters-unread"),
    ],
)
def test_what_cannot_be_read_is_unknown_never_absent(given: dict[str, object]) -> None:
    assert isinstance(read(SPEC, replace(sources(submission(None, **RAN)), **given)), Unknown)  # type: ignore[arg-type]


def test_nobody_may_submit_unless_the_policy_names_them() -> None:
    nobody = Known(frozenset[str](), "test", NOW)
    assert isinstance(read(SPEC, replace(sources(submission(None, **RAN)), submitters=nobody)), Absent)


def test_a_report_other_than_the_one_submitted_is_unknown() -> None:
    envelope = submission(b"{}", **RAN)
    reading = read(SPEC, sources(envelope, reports={envelope.id: b'{"ok": true}'}))
    assert isinstance(reading, Unknown)
    assert "digest differs" in reading.why


def test_a_report_that_is_gone_is_unknown() -> None:
    assert isinstance(read(SPEC, sources(submission(b"{}", **RAN))), Unknown)


@pytest.mark.parametrize("kind", ["sarif", "junit"])
def test_an_exit_record_alone_is_no_report(kind: str) -> None:
    more = {"tests": ["t"]} if kind == "junit" else {}
    spec = asks(kind=kind, source="sast", **more)
    reading = read(spec, sources(submission(None)))
    assert isinstance(reading, Unknown)
    assert "has no" in reading.why


def test_git_failing_is_unknown() -> None:
    class Broken(HeldTree):
        def read(self, commit: Commit, path: str) -> bytes | None:
            raise GitError("git cat-file ended with 128", fix="git fsck")

    reading = read_evidence("g", asks(kind="document", path="a.md"), replace(sources(), git=Broken()))
    assert reading == Unknown("git cat-file ended with 128", fix="git fsck")
