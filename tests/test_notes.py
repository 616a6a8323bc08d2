"""Release and compatibility notes: what belongs into them, what a text leaves out, the command and the gate."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.adapters.evidence import read_evidence
from guard.adapters.evidence.notes import queue_of
from guard.adapters.evidence.untrusted import Unreadable
from guard.adapters.git import GitRepo
from guard.cli.main import status_of
from guard.core.evidence import Absent, Reading
from guard.core.model import Candidate, Commit, Known, Outcome, Unknown
from guard.core.notes import (
    Change,
    Contracted,
    Log,
    Logged,
    Notes,
    QueueItem,
    Section,
    Text,
    change_of,
    collect,
    left_of_compatibility,
    left_of_release,
)
from guard.render.notes import notes_markdown, notes_report, notes_schema
from tests.evidence_fakes import asks, sources, submission
from tests.gitrepo import Repo

A, B, C = (Commit(letter * 40) for letter in "abc")
DAY = datetime(2026, 1, 10, tzinfo=UTC)


def logged(subject: str, body: str = "", *, commit: Commit = A, **fields: object) -> Logged:
    return Logged(commit, subject, body, **fields)  # type: ignore[arg-type]


def notes(*log: Logged, **fields: object) -> Notes:
    return collect(log, since=C, head=A, **fields)  # type: ignore[arg-type]


# --- what a commit says it is --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "body", "breaking"),
    [
        pytest.param("fix: a", "", None, id="nothing"),
        pytest.param("feat!: drop v1", "", (), id="bang"),
        pytest.param("feat(api)!: drop v1", "", (), id="bang-after-scope"),
        pytest.param("drop v1!", "", None, id="an-exclamation"),
        pytest.param("hey! look: here", "", None, id="a-sentence"),
        pytest.param("feat: a", "why\n\nBREAKING CHANGE: v1 is gone", ("v1 is gone",), id="footer"),
        pytest.param(
            "plain words", "BREAKING CHANGE: v1 is gone", ("v1 is gone",), id="footer-without-a-type"
        ),
        pytest.param("feat: a", "BREAKING-CHANGE: v1 is gone", ("v1 is gone",), id="footer-with-a-dash"),
        pytest.param("feat: a", "BREAKING CHANGES: v1 is gone", ("v1 is gone",), id="footer-in-the-plural"),
        pytest.param("feat: a", "BREAKING: v1 is gone", ("v1 is gone",), id="label-in-the-body"),
        pytest.param("BREAKING: drop v1", "", ("drop v1",), id="label-before-the-title"),
        pytest.param("[BREAKING] drop v1", "", ("drop v1",), id="label-in-brackets"),
        pytest.param(
            "feat: a",
            "BREAKING CHANGE: v1 is gone\nuse v2 instead\n\nmore",
            ("v1 is gone use v2 instead",),
            id="two-lines",
        ),
        pytest.param(
            "feat: a", "BREAKING CHANGE:\nv1 is gone\nRefs: #1", ("v1 is gone",), id="text-on-the-next-line"
        ),
        pytest.param(
            "feat: a",
            "BREAKING CHANGE: v1\nBREAKING CHANGE: v2\nSigned-off-by: a",
            ("v1", "v2"),
            id="two-footers",
        ),
        pytest.param("feat: a", "BREAKING CHANGE:", ("",), id="footer-that-does-not-say"),
        pytest.param("feat: a", "> BREAKING CHANGE: v1", None, id="quoted"),
        pytest.param("feat: a", "    BREAKING CHANGE: v1", None, id="indented"),
        pytest.param("feat: a", "```\nBREAKING CHANGE: v1\n```", None, id="in-a-code-block"),
        pytest.param("feat: a", "breaking change: v1", None, id="in-small-letters"),
        pytest.param("feat: a", "this is no BREAKING CHANGE: at all", None, id="in-a-sentence"),
        pytest.param("feat: UNBREAKING: a", "", None, id="another-word"),
    ],
)
def test_what_breaks(subject: str, body: str, breaking: tuple[str, ...] | None) -> None:
    assert change_of(logged(subject, body)).breaking == breaking


@pytest.mark.parametrize(
    ("subject", "words", "section", "scope", "numbers"),
    [
        ("feat(api): add pools (#12) (#34)", "add pools", Section.FEATURE, "api", ("12", "34")),
        ("Fix: the login", "the login", Section.FIX, "", ()),
        ("security: close it (!7)", "close it", Section.SECURITY, "", ("7",)),
        ("nova: add pools", "add pools", Section.OTHER, "", ()),
        ("Add pools (see #12)", "Add pools (see #12)", Section.OTHER, "", ()),
        ("", "", Section.OTHER, "", ()),
    ],
)
def test_titles(subject: str, words: str, section: Section, scope: str, numbers: tuple[str, ...]) -> None:
    found = change_of(logged(subject))
    assert (found.words, found.section, found.scope, found.numbers) == (words, section, scope, numbers)


# --- what belongs into the notes -----------------------------------------------------------------------------------


def test_what_was_taken_back_is_not_told_and_what_only_says_so_is() -> None:
    there, back = (("a", "1", "2"),), (("a", "2", "1"),)
    fix = logged("feat!: one", commit=A, states=there)
    revert = logged('Revert "feat!: one"', commit=B, reverts=(A[:9],), states=back)
    again = logged('Reapply "feat!: one"', commit=C, reverts=(B,), states=there)
    lies = logged("Revert it", commit=B, reverts=(A,), states=(("b", "1", "2"),))
    assert notes(fix, revert).changes == ()
    assert [one.commit for one in notes(fix, revert, again).changes] == [A]
    assert [one.commit for one in notes(fix, lies).changes] == [A, B]
    assert [one.commit for one in notes(revert, fix).changes] == [B, A], (
        "a revert comes after what it reverts"
    )


def test_what_lands_the_notes_is_no_change_and_titles_can_be_passed_over() -> None:
    own = logged("notes", commit=A, states=(("doc/releases/1.md", "0", "1"), ("queue.md", "0", "1")))
    more = logged("notes, and more", commit=B, states=(("doc/releases/1.md", "0", "1"), ("app", "0", "1")))
    quiet = logged("ci: faster", commit=C, states=((".ci", "0", "1"),))
    breaks = logged("ci!: other runners", commit=C, states=((".ci", "0", "1"),))
    merge = logged("Merge branch", commit=A, is_merge=True)
    found = notes(own, more, quiet, breaks, merge, own=("doc/releases", "queue.md"), ignore=("ci*",))
    assert [one.subject for one in found.changes] == ["notes, and more", "ci!: other runners"]
    assert notes(logged("a", states=(("doc/releases-old/1.md", "0", "1"),)), own=("doc/releases",)).changes


def test_a_merge_that_breaks_something_is_told() -> None:
    (one,) = notes(logged("Merge branch 'x'", "BREAKING CHANGE: v1", is_merge=True)).changes
    assert one.breaking == ("v1",)


def test_finished_work_counts_from_the_day_of_the_last_promotion() -> None:
    items = [QueueItem(str(day), "", datetime(2026, 1, day, 12, tzinfo=UTC)) for day in (9, 10, 11)]
    after = datetime(2026, 1, 10, 23, tzinfo=UTC)
    assert [one.id for one in notes(items=items, after=after).items] == ["10", "11"]


# --- what a text tells of a change ---------------------------------------------------------------------------------

CHANGE = Change(
    A, "feat(api): add *GPU* pools (#12)", "add *GPU* pools", Section.FEATURE, "api", (B,), ("12",)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(f"see {A[:7]}", True, id="its-commit"),
        pytest.param(f"see `{B}`", True, id="what-it-was-picked-from"),
        pytest.param(f"see {A[:6]}", False, id="too-short-a-name"),
        pytest.param(f"see {A[:7]}b", False, id="another-commit"),
        pytest.param(f"https://x/commit/{A}", True, id="a-link-to-it"),
        pytest.param("- pools (#12)", True, id="its-merge-request"),
        pytest.param("- pools (#123)", False, id="another-merge-request"),
        pytest.param("- other/project#12", False, id="another-projects-merge-request"),
        pytest.param("- add GPU pools", True, id="its-words"),
        pytest.param("* **Add `GPU` pools.**", True, id="its-words-with-marks"),
        pytest.param("| x | add GPU pools | y |", True, id="its-words-in-a-cell"),
        pytest.param("- add GPU pools (thanks, Ann)", True, id="its-words-and-thanks"),
        pytest.param("- feat(api): add \\*GPU\\* pools", True, id="its-title"),
        pytest.param("- add GPU pools for teams", False, id="words-that-go-on"),
        pytest.param("- do not add GPU pools", False, id="words-that-begin-otherwise"),
        pytest.param(f"<!-- {A} add GPU pools -->", False, id="hidden"),
        pytest.param(f"<!-- {A}", False, id="hidden-to-the-end"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_what_tells_of_a_change(text: str, told: bool) -> None:
    assert Text.read(text).tells(CHANGE) is told


def test_words_of_an_older_release_tell_nothing_of_this_one() -> None:
    text, old = "- update translations\n", "# 1.0\n- update translations\n"
    change = change_of(logged("update translations"))
    assert Text.read(text).tells(change)
    assert not Text.read(f"# 1.1\n\n{old}", old=old).tells(change)
    assert Text.read(f"# 1.1\n- update translations ({A[:8]})\n{old}", old=old).tells(change)


def test_a_short_title_alone_tells_nothing() -> None:
    assert not Text.read("- fix").tells(change_of(logged("fix")))


@pytest.mark.parametrize(
    ("item", "text", "told"),
    [
        ("Q-1", "- Q-1 done", True),
        ("Q-1", "- Q-12 done", False),
        ("Q-1", "- XQ-1 done", False),
        ("Q-1", "- Q-1.", True),
        ("Q-1.2", "- Q-1.2.3", False),
        ("7", "- 7 done", False),
        ("7", "- #7 done", True),
        ("Q-9", "- Move the queue", True),
    ],
)
def test_what_tells_of_a_piece_of_work(item: str, text: str, told: bool) -> None:
    assert Text.read(text).tells_item(QueueItem(item, "Move the queue", DAY)) is told


COMPATIBLE = f"""\
# 1.1
- drop v1 ({A[:8]})

## Breaking changes
- nothing here

### Of the API
- what breaks

## Fixed
- also {A[:8]}
"""


def test_what_breaks_is_told_where_compatibility_is_spoken_of() -> None:
    found = notes(logged("feat!: drop v1"))
    (left,) = left_of_compatibility(found, [COMPATIBLE])
    assert (left.case, left.what) == ("breaking", f"{A[:10]} feat!: drop v1")
    assert not left_of_compatibility(found, [COMPATIBLE.replace("what breaks", f"{A[:8]}: use v2")])
    assert not left_of_compatibility(found, [f"- {A[:8]}: use v2"]), "a file of its own needs no heading"
    assert not left_of_compatibility(found, [COMPATIBLE, f"# Migration\n{A[:8]}"])


def test_what_a_contract_report_found_is_told_by_its_place() -> None:
    found = notes(contracted=[Contracted("api-removed", "GET /v1/pools", "removed")])
    (left,) = left_of_compatibility(found, ["- GET /v1/pools2 is gone"])
    assert left.case == "contract"
    assert not left_of_compatibility(found, ["- `GET /v1/pools` is gone, use v2"])


def test_what_is_to_be_written_yet_is_left_out() -> None:
    (left,) = left_of_release(notes(), Text.read("- TODO: say it"))
    assert left.case == "todo"


TITLE = st.text(min_size=1, max_size=60).filter(lambda text: "TODO" not in text and text.strip())


@given(
    titles=st.lists(TITLE, max_size=8),
    bodies=st.lists(
        st.sampled_from(["", "BREAKING CHANGE: v1 is gone", "BREAKING:", "why"]), min_size=8, max_size=8
    ),
    works=st.lists(st.tuples(st.from_regex(r"[A-Z]{1,3}-[0-9]{1,3}", fullmatch=True), TITLE), max_size=4),
)
def test_a_draft_leaves_out_only_what_a_person_has_to_write(
    titles: list[str], bodies: list[str], works: list[tuple[str, str]]
) -> None:
    log = [
        logged(title, body, commit=Commit(f"{i:08x}" + "0" * 32))
        for i, (title, body) in enumerate(zip(titles, bodies, strict=False), start=1)
    ]
    found = notes(*log, items=[QueueItem(name, title, DAY) for name, title in works])
    draft = notes_markdown(found)
    left = (*left_of_release(found, Text.read(draft)), *left_of_compatibility(found, [draft]))
    assert {one.case for one in left} <= {"todo"}
    said = [one for one in found.breaking if any(one.breaking or ())]
    assert len(left) == 2 * (len(found.breaking) - len(said))
    for one in found.changes:
        without = "\n".join(line for line in draft.split("\n") if one.commit[:10] not in line)
        assert any(
            other.what.startswith(one.commit[:10]) for other in left_of_release(found, Text.read(without))
        ) or (Text.read(without).tells(one))


# --- a work queue --------------------------------------------------------------------------------------------------

TABLE = """\
| id | title | completed_at |
|---|---|---|
| Q-1 | Move the queue | 2026-01-08 |
| Q-2 | Open still | |
| Q-3 | Open too | - |
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("queue.md", TABLE),
        (
            "queue.yaml",
            "- {id: Q-1, title: Move the queue, completed_at: 2026-01-08}\n- {id: Q-2, title: Open}\n",
        ),
        (
            "queue.yaml",
            "Q-1: {title: Move the queue, completed_at: '2026-01-08'}\nQ-2: {title: Open, completed_at: null}\n",
        ),
        (
            "queue.json",
            '{"items": [{"id": "Q-1", "title": "Move the queue", "completed_at": "2026-01-08T10:00:00Z"}]}',
        ),
    ],
)
def test_queues(name: str, text: str) -> None:
    (found,) = queue_of(text.encode(), name, now=DAY)
    assert (found.id, found.title, found.completed_at.date().isoformat()) == (
        "Q-1",
        "Move the queue",
        "2026-01-08",
    )


@pytest.mark.parametrize("said", ["soon", "08.01.2026", "2026-02-08", "2026-13-01"])
def test_a_time_that_cannot_be_is_an_error(said: str) -> None:
    with pytest.raises(Unreadable, match="completed_at of Q-1"):
        queue_of(TABLE.replace("2026-01-08", said).encode(), "queue.md", now=DAY)


# --- the command ---------------------------------------------------------------------------------------------------


class Project:
    """A release branch, and upstream some commits ahead: a feature, a break, a fix with its revert, finished work."""

    def __init__(self, path: Path) -> None:
        self.repo = Repo.init(path / "repo")
        self.since = self.repo.commit(
            "start", {"app": "1\n", "doc/releases/1.0.md": "# 1.0\n- start of it all\n"}
        )
        self.repo.git("branch", "release")
        self.feature = self.repo.commit("feat: add pools of GPUs", {"app": "2\n"})
        self.breaks = self.repo.commit(
            "feat(api)!: drop v1\n\nBREAKING CHANGE: v1 is gone, use v2\n", {"api": "2\n"}
        )
        self.fix = self.repo.commit("fix: the wrong thing", {"lib": "1\n"})
        self.repo.git("revert", "--no-edit", self.fix)
        self.repo.commit("queue", {"queue.md": TABLE.replace("2026-01-08", "2024-01-08")})

    def write(self, text: str) -> None:
        self.repo.commit("notes for 1.1", {"doc/releases/1.1.md": text})

    def guard(
        self, *arguments: str, capsys: pytest.CaptureFixture[str], since: str = "release"
    ) -> tuple[int, str, str]:
        capsys.readouterr()
        status = status_of(
            ["notes", "--repo", str(self.repo.path), "--since", since, "--head", "master", *arguments]
        )
        told = capsys.readouterr()
        return status, told.out, told.err


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_the_command_drafts_and_checks(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draft, queue = tmp_path / "notes.md", str(project.repo.path / "queue.md")
    assert project.guard("--queue", queue, "--out", str(draft), capsys=capsys) == (0, "", "")
    text = draft.read_text()
    assert "v1 is gone, use v2" in text
    assert "the wrong thing" not in text, "it was taken back"
    assert "`Q-1` Move the queue (2024-01-08)" in text
    checked = ("--queue", queue, "--check", str(draft))
    status, out, _ = project.guard(*checked, capsys=capsys)
    assert (status, out) == (0, f"{draft}: complete\n")
    draft.write_text(
        "\n".join(line for line in text.split("\n") if "pools" not in line and "Q-1" not in line)
    )
    status, out, _ = project.guard(*checked, capsys=capsys)
    assert status == 1
    assert f"change   {project.feature[:10]} feat: add pools of GPUs" in out
    assert "item     Q-1 Move the queue" in out
    assert project.guard(*checked, "--part", "compatibility", capsys=capsys)[0] == 0


def test_the_json_has_its_form(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.md"
    empty.write_text("")
    status, out, _ = project.guard("--format", "json", "--check", str(empty), capsys=capsys)
    report = json.loads(out)
    jsonschema.validate(report, notes_schema())
    assert status == 1
    assert [one["subject"] for one in report["changes"]] == [
        "feat: add pools of GPUs",
        "feat(api)!: drop v1",
        "queue",
    ]
    assert report["changes"][1]["breaking"] == ["v1 is gone, use v2"]
    assert {one["case"] for one in report["left"]} == {"change", "breaking"}


def test_what_a_contract_report_found_is_drafted(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "changes.json"
    report.write_text(
        json.dumps(
            [
                {
                    "id": "api-removed-without-deprecation",
                    "text": "api removed",
                    "level": 3,
                    "operation": "GET",
                    "path": "/v1/pools",
                }
            ]
        )
    )
    status, out, err = project.guard("--contract", str(report), capsys=capsys)
    assert status == 0, err
    assert "/v1/pools" in out
    assert "TODO" in out


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("--queue", "{bad}"), 2, "completed_at of Q-1"),
        (("--contract", "{bad}"), 2, "evidence.unreadable"),
        (("--check", "/nonexistent"), 64, "does not exist"),
        (("--part", "none"), 64, "is not one of"),
        (("--out", "/nonexistent/notes.md"), 2, "output.failed"),
    ],
)
def test_wrong_input_is_said_so(
    project: Project,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    told: str,
) -> None:
    bad = tmp_path / "bad.md"
    bad.write_text(TABLE.replace("2026-01-08", "soon"))
    found, _, err = project.guard(*(one.replace("{bad}", str(bad)) for one in arguments), capsys=capsys)
    assert (found, told in err) == (status, True), err


def test_no_such_start_is_wrong_usage(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = project.guard(capsys=capsys, since="nowhere")
    assert status == 64
    assert "--since" in err


# --- the gate ------------------------------------------------------------------------------------------------------


def read(project: Project, *, report: bytes | None = None, **fields: object) -> Reading:
    spec = asks(**{"kind": "notes", "part": "release", "path": "doc/releases", "ignore": ["queue"], **fields})
    head = Commit(project.repo.rev("master"))
    candidate = Candidate(
        "gpuaas/platform", "refs/heads/release", Commit(project.repo.rev("release")), head, head
    )
    submitted = (
        [submission(report, source="contract-changes", subject=head, tool="oasdiff")] if report else []
    )
    with GitRepo(project.repo.path) as git:
        given = sources(*submitted, reports={"s1": report}, git=git, upstream=head, candidate=candidate)
        return read_evidence("delivery.release-notes", spec, given)


def told(reading: Reading) -> list[str]:
    assert isinstance(reading, Known), reading
    return [one.code for one in reading.value.problems]


COMPLETE = """\
# 1.1
- Add pools of GPUs
## Breaking changes
- drop v1 ({breaks}): use v2
"""


def test_complete_notes_pass(project: Project) -> None:
    project.write(COMPLETE.format(breaks=project.breaks[:9]))
    for part in ("release", "compatibility"):
        assert told(read(project, part=part)) == []
    reading = read(project)
    assert isinstance(reading, Known)
    assert reading.value.summary == "2 changes, all told"


def test_what_is_left_out_is_named_with_the_command_that_drafts_it(project: Project) -> None:
    project.write("# 1.1\n- drop v1, see {project.breaks}\n")
    reading = read(project)
    assert told(reading) == ["notes.change", "notes.change"]
    assert isinstance(reading, Known)
    problem = reading.value.problems[0]
    assert problem.outcome is Outcome.FAIL
    assert f"{project.feature[:10]} feat: add pools of GPUs" in problem.message
    assert f"guard notes --since {project.since[:10]}" in problem.fix
    assert told(read(project, part="compatibility")) == ["notes.breaking"]


def test_notes_of_the_proposal_do_not_count(project: Project) -> None:
    spec = asks(kind="notes", part="release", path="doc/releases/1.1.md", ignore=["queue"])
    upstream = Commit(project.repo.rev("master"))
    project.write(COMPLETE.format(breaks=project.breaks[:9]))
    head = Commit(project.repo.rev("master"))
    candidate = Candidate("gpuaas/platform", "refs/heads/release", Commit(project.since), head, upstream)
    with GitRepo(project.repo.path) as git:
        given = sources(git=git, upstream=upstream, candidate=candidate)
        reading = read_evidence("delivery.release-notes", spec, given)
    assert isinstance(reading, Absent)
    assert "is not on upstream" in reading.why


def test_finished_work_of_the_queue_is_asked_for(project: Project) -> None:
    project.write(COMPLETE.format(breaks=project.breaks[:9]))
    assert told(read(project, queue="queue.md")) == ["notes.item"]
    project.write(COMPLETE.format(breaks=project.breaks[:9]) + "- Q-1: the queue was moved\n")
    assert told(read(project, queue="queue.md")) == []
    assert isinstance(read(project, queue="nowhere.md"), Absent)
    project.repo.commit("queue again", {"queue.md": TABLE.replace("2026-01-08", "soon")})
    assert isinstance(read(project, queue="queue.md"), Unknown)


def test_what_breaks_the_contract_is_asked_for(project: Project) -> None:
    project.write(COMPLETE.format(breaks=project.breaks[:9]))
    asked: dict[str, Any] = {"part": "compatibility", "contract": "contract-changes"}
    assert isinstance(read(project, **asked), Absent), "no report was submitted for this commit"
    report = json.dumps(
        [{"id": "api-removed", "text": "gone", "level": 3, "operation": "GET", "path": "/v1/pools"}]
    )
    assert told(read(project, report=report.encode(), **asked)) == ["notes.contract"]
    project.write(COMPLETE.format(breaks=project.breaks[:9]) + "- GET /v1/pools is gone\n")
    assert told(read(project, report=report.encode(), **asked)) == []
    assert isinstance(read(project, report=b"no report", **asked), Unknown)


def test_nothing_to_tell_needs_no_notes(project: Project) -> None:
    project.repo.git("branch", "-f", "release", "master")
    for part in ("release", "compatibility"):
        assert told(read(project, part=part, path="nowhere")) == []
    assert told(read(project, part="compatibility", path="doc/releases")) == []


def test_a_promise_to_write_is_no_note(project: Project) -> None:
    project.write(COMPLETE.format(breaks=project.breaks[:9]).replace("use v2", "TODO: say what to use"))
    assert told(read(project)) == ["notes.todo"]


def test_many_are_counted(project: Project) -> None:
    for number in range(30):
        project.repo.commit(f"change number {number}", {"app": f"more {number}\n"})
    project.write("# 1.1\n")
    reading = read(project)
    assert len(told(reading)) == 11
    assert isinstance(reading, Known)
    assert "22 more" in reading.value.problems[-1].message


def test_the_log_reads_what_git_has(project: Project) -> None:
    with GitRepo(project.repo.path) as git:
        found: Log = git.log(Commit(project.since), Commit(project.repo.rev("master")))
    assert [one.subject for one in found.commits][:2] == ["feat: add pools of GPUs", "feat(api)!: drop v1"]
    assert found.commits[3].reverts == (project.fix,)
    assert [path for path, _, _ in found.commits[1].states] == ["api"]
    assert notes_report(collect(found.commits, since=C, head=A))["left"] is None
