"""Documents: what a file on upstream says about itself, and what does not count as saying it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from guard.adapters.evidence.document import parse_date
from guard.adapters.evidence.headings import fields_of
from guard.adapters.git import GitRepo
from guard.core.evidence import Absent, Observation
from guard.core.model import Commit, Unknown
from tests.evidence_fakes import asks, read, seen, sources
from tests.gitrepo import Repo

PATH = "doc/Threat_Model.md"
SPEC = {"kind": "document", "path": PATH, "status": ["Accepted", "approved"], "reviewed_field": "Reviewed"}


def judged(text: str | bytes, **changes: object) -> Observation:
    data = text.encode() if isinstance(text, str) else text
    return seen(read(asks(**{**SPEC, **changes}), sources(files={PATH: data})))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("---\nstatus: accepted\nreviewed: 2026-04-24\n---\n# T\n\ntext", id="front-matter"),
        pytest.param("---\nstatus: \"Accepted\"\nreviewed: '2026-04-24' # by sue\n---\ntext", id="quoted"),
        pytest.param("---\r\nstatus: accepted\r\nreviewed: 2026-04-24\r\n---\r\ntext", id="windows-lines"),
        pytest.param("\ufeff---\nstatus: accepted\nreviewed: 2026-04-24\n...\ntext", id="byte-order-mark"),
        pytest.param("# T\n\nStatus: Accepted\nReviewed: 2026-04-24\n\ntext", id="heading-lines"),
        pytest.param(
            "# T\n\n**Status:** Accepted  \n**Reviewed:** 2026-04-24\n\ntext", id="bold-with-the-colon"
        ),
        pytest.param("# T\n\n- **Status**: Accepted<br>\n- **Reviewed**: `2026-04-24`\n", id="bold-list"),
        pytest.param("# T\n\n| Status | Accepted |\n|---|---|\n| Reviewed | 2026-04-24 |\n", id="table"),
        pytest.param(
            "# T\n\n| Field | Value |\n|---|---|\n| **Status** | *Approved* |\n| Reviewed | 2026-04-24 |",
            id="t",
        ),
        pytest.param(
            "# T\n\nReviewed: 2026-04-24\n\n## Status\n\nAccepted\n\n## Context\n\nx", id="as-an-adr"
        ),
        pytest.param(
            "---\nstatus: accepted\n---\n# T\n\nStatus: Accepted\nReviewed: 2026-04-24", id="said-twice"
        ),
    ],
)
def test_a_status_and_a_review_date_in_every_form(text: str) -> None:
    observation = judged(text)
    assert observation.problems == ()
    assert observation.dated == datetime(2026, 4, 24, tzinfo=UTC)
    assert observation.subject is None
    assert observation.summary.casefold() in {
        "accepted, reviewed 2026-04-24",
        "approved, reviewed 2026-04-24",
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("Reviewed: 2026-04-24\ntext", "document.no-status", id="no-status"),
        pytest.param("Status: Draft\nReviewed: 2026-04-24", "document.status", id="draft"),
        pytest.param("Status: Not accepted\nReviewed: 2026-04-24", "document.status", id="not-accepted"),
        pytest.param("Status: Accepted?\nReviewed: 2026-04-24", "document.status", id="in-doubt"),
        pytest.param(
            "Status: Accepted | Owner: x\nReviewed: 2026-04-24", "document.status", id="two-fields-in-one"
        ),
        pytest.param("Status:\nReviewed: 2026-04-24", "document.no-status", id="left-open"),
        pytest.param(
            "---\nstatus:\nreviewed: 2026-04-24\n---\nx", "document.status", id="left-open-in-front"
        ),
        pytest.param("---\nstatus: [accepted]\nreviewed: 2026-04-24\n---\nx", "document.status", id="a-list"),
        pytest.param(
            "---\nstatus: >\n  accepted\nreviewed: 2026-04-24\n---\nx", "document.status", id="a-block"
        ),
        pytest.param(
            "---\nstatus:\n  - accepted\nreviewed: 2026-04-24\n---\nx", "document.status", id="a-nested-list"
        ),
        pytest.param(
            "---\nother:\n  status: accepted\nreviewed: 2026-04-24\n---\nx", "document.no-status", id="nested"
        ),
        pytest.param(
            "---\n# status: accepted\nreviewed: 2026-04-24\n---\nx", "document.no-status", id="yaml-comment"
        ),
        pytest.param(
            "---\nstatus: accepted\nstatus: draft\nreviewed: 2026-04-24\n---\nx",
            "document.ambiguous",
            id="twice",
        ),
        pytest.param(
            "---\nstatus: accepted\n---\nStatus: Draft\nReviewed: 2026-04-24",
            "document.ambiguous",
            id="differs",
        ),
        pytest.param(
            "Status: Accepted\nStatus: Approved\nReviewed: 2026-04-24",
            "document.ambiguous",
            id="both-allowed",
        ),
        pytest.param(
            "<!-- Status: Accepted -->\nReviewed: 2026-04-24", "document.no-status", id="in-a-comment"
        ),
        pytest.param(
            "```\nStatus: Accepted\n```\nReviewed: 2026-04-24", "document.no-status", id="in-a-code-block"
        ),
        pytest.param(
            "    Status: Accepted\n\nReviewed: 2026-04-24", "document.no-status", id="in-indented-code"
        ),
        pytest.param(
            "Reviewed: 2026-04-24\n## How to\nStatus: Accepted", "document.no-status", id="far-below"
        ),
        pytest.param(
            "| Status | Accepted | x |\n\nReviewed: 2026-04-24", "document.no-status", id="wide-table"
        ),
        pytest.param("Status: Accepted\n\ntext", "document.no-date", id="no-date"),
        pytest.param("Status: Accepted\nReviewed: soon", "document.date", id="date-in-words"),
        pytest.param("Status: Accepted\nReviewed: 24.04.2026", "document.date", id="date-of-another-form"),
        pytest.param("Status: Accepted\nReviewed: 2026-02-30", "document.date", id="no-such-day"),
        pytest.param(
            "Status: Accepted\nReviewed: 2026-04-24\nReviewed: 2026-04-25",
            "document.date",
            id="two-dates",
        ),
        pytest.param(
            "---\nstatus: accepted\nreviewed: 2026-04-24\n---\n# Title\n",
            "document.empty",
            id="a-title-alone",
        ),
        pytest.param(
            "---\nstatus: accepted\nreviewed: 2026-04-24\n---\n<!-- x -->", "document.empty", id="a-stub"
        ),
    ],
)
def test_what_does_not_pass(text: str, code: str) -> None:
    codes = [finding.code for finding in judged(text).problems]
    assert code in codes
    assert set(codes) <= {code, "document.no-date"}


def test_a_file_that_is_not_on_upstream_is_missing() -> None:
    reading = read(asks(**SPEC), sources())
    assert isinstance(reading, Absent)
    assert reading.why == f"{PATH} is not on upstream (cccccccccc)"
    assert reading.who == ("author",)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("Status: Accepted".encode("utf-16"), id="utf-16"),
        pytest.param("Status: Accepté".encode("latin-1"), id="latin-1"),
        pytest.param(b"Status: Accepted\x00", id="nul"),
        pytest.param(b"x" * (4 * 1024 * 1024 + 1), id="too-large"),
    ],
)
def test_bytes_that_cannot_be_read_are_unknown(data: bytes) -> None:
    assert isinstance(read(asks(**SPEC), sources(files={PATH: data})), Unknown)


def test_without_wishes_a_document_only_has_to_be_there() -> None:
    observation = judged("# T\n\ntext", status=[], reviewed_field=None)
    assert (observation.problems, observation.dated) == ((), None)
    assert observation.summary == f"{PATH} is there"


def test_an_age_without_a_field_looks_for_the_usual_ones() -> None:
    aged: dict[str, object] = {"status": [], "reviewed_field": None, "max_age": "90d"}
    assert judged("Last reviewed: 2026-04-24\ntext", **aged).dated == datetime(2026, 4, 24, tzinfo=UTC)
    contradicts = judged("Last reviewed: 2026-04-24\nReviewed: 2026-04-25", **aged)
    assert [finding.code for finding in contradicts.problems] == ["document.date"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-04-24", datetime(2026, 4, 24, tzinfo=UTC), id="date"),
        pytest.param("2026-04-24T10:30:00Z", datetime(2026, 4, 24, 10, 30, tzinfo=UTC), id="zulu"),
        pytest.param("2026-04-24 10:30:00+02:00", datetime(2026, 4, 24, 8, 30, tzinfo=UTC), id="offset"),
        pytest.param("0001-01-01T00:00:00+14:00", None, id="before-all-time"),
        pytest.param("20260424", None, id="without-hyphens"),
        pytest.param("2026-W17-5", None, id="week"),
        pytest.param("２０２６-04-24", None, id="other-digits"),
        pytest.param("2026-04-24T25:00", None, id="no-such-hour"),
    ],
)
def test_dates(text: str, moment: datetime | None) -> None:
    assert parse_date(text) == moment


def test_names_of_fields_are_one_however_they_are_written() -> None:
    text = "---\nlast_reviewed: 2026-04-24\n---\n**Last-Reviewed:** 2026-04-24\nLAST REVIEWED: 2026-04-24\n"
    assert fields_of(text) == {"last reviewed": ("2026-04-24",)}


def test_a_proposal_cannot_bring_its_own_evidence(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r")
    upstream = repo.commit("a draft", {PATH: "Status: Draft\nReviewed: 2026-04-24\n"})
    repo.commit("accept it myself", {PATH: "Status: Accepted\nReviewed: 2026-04-24\n"})
    with GitRepo(repo.path) as git:
        observation = seen(read(asks(**SPEC), sources(git=git, upstream=Commit(upstream))))
        gone = read(asks(**{**SPEC, "path": "doc/Other.md"}), sources(git=git, upstream=Commit(upstream)))
    assert [finding.code for finding in observation.problems] == ["document.status"]
    assert isinstance(gone, Absent)
