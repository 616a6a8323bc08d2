"""Inventories: enough documents, the required ones, no stubs, each reviewed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from guard.adapters.git import GitRepo
from guard.core.evidence import Absent, Observation
from guard.core.model import Commit, Outcome, Unknown
from guard.core.policy import Gate
from guard.core.rules.readiness import judge_readiness
from tests.builders import NOW, candidate, verdict
from tests.evidence_fakes import asks, read, seen, sources
from tests.gitrepo import Repo

FOLDER = "doc/operations/runbooks"
TEXT = (
    "# Database is full\n\nReviewed: 2026-04-24\n\n"
    + "Find the table that grows and archive its oldest rows. " * 2
)


def folder(**files: str) -> dict[str, bytes]:
    return {f"{FOLDER}/{name.replace('__', '/')}.md": text.encode() for name, text in files.items()}


def judged(files: dict[str, bytes], **spec: object) -> Observation:
    return seen(read(asks(kind="inventory", path=FOLDER, **spec), sources(files=files)))


@pytest.mark.parametrize(
    ("files", "spec", "problems"),
    [
        pytest.param(folder(a=TEXT, b=TEXT), {"minimum": 2}, set(), id="enough"),
        pytest.param(folder(a=TEXT, sub__b=TEXT), {"minimum": 2}, set(), id="in-folders-below"),
        pytest.param(folder(a=TEXT), {"minimum": 2}, {"inventory.too-few"}, id="too-few"),
        pytest.param(
            folder(a=TEXT, README=TEXT), {"minimum": 2}, {"inventory.too-few"}, id="an-index-is-not-counted"
        ),
        pytest.param(
            {**folder(a=TEXT), f"{FOLDER}/b.png": b"\x89PNG"},
            {"minimum": 2},
            {"inventory.too-few"},
            id="nor-a-picture",
        ),
        pytest.param(folder(a=TEXT), {"required": ["a", "a.md"]}, set(), id="required-is-there"),
        pytest.param(folder(a=TEXT), {"required": ["b"]}, {"inventory.required"}, id="required-is-not"),
        pytest.param(folder(a=TEXT, b=""), {}, {"inventory.stub"}, id="empty"),
        pytest.param(folder(a=TEXT, b="# Title\n\nTODO: write this\n"), {}, {"inventory.stub"}, id="stub"),
        pytest.param(folder(a=TEXT, b="TBD " * 50), {}, {"inventory.stub"}, id="marks-of-work-to-do"),
        pytest.param(folder(a=TEXT, b=f"<!-- {TEXT} -->"), {}, {"inventory.stub"}, id="commented-out"),
        pytest.param(folder(a=TEXT), {"max_age": "90d"}, set(), id="reviewed"),
        pytest.param(
            folder(a=TEXT.replace("Reviewed", "Written")),
            {"max_age": "90d"},
            {"inventory.undated"},
            id="not-reviewed",
        ),
        pytest.param(
            folder(a=TEXT, b=TEXT.replace("2026-04-24", "2026-05-03")),
            {"max_age": "90d"},
            {"inventory.future"},
            id="reviewed-on-a-day-to-come",
        ),
        pytest.param(
            folder(a=TEXT, b=TEXT.replace("2026-04-24", "2026-05-01")),
            {"max_age": "90d"},
            set(),
            id="reviewed-today",
        ),
        pytest.param(
            folder(a=TEXT.replace("2026-04-24", "lately")),
            {"max_age": "90d"},
            {"inventory.undated"},
            id="no-date",
        ),
    ],
)
def test_inventories(files: dict[str, bytes], spec: dict[str, object], problems: set[str]) -> None:
    assert {finding.code for finding in judged(files, **spec).problems} == problems


def test_no_folder_is_missing() -> None:
    assert isinstance(read(asks(kind="inventory", path=FOLDER), sources()), Absent)


def test_a_document_that_cannot_be_read_makes_it_unknown() -> None:
    files = {**folder(a=TEXT), f"{FOLDER}/b.md": TEXT.encode("utf-16")}
    assert isinstance(read(asks(kind="inventory", path=FOLDER), sources(files=files)), Unknown)


def test_many_stubs_are_named_up_to_ten() -> None:
    problems = judged(folder(**{f"r{n:02}": "" for n in range(30)})).problems
    assert len(problems) == 11
    assert problems[-1].message == "20 more documents: each is empty or a stub"


def test_it_is_as_old_as_its_oldest_document_which_is_named_when_stale() -> None:
    files = folder(new=TEXT, old=TEXT.replace("2026-04-24", "2026-01-02"))
    spec = asks(kind="inventory", path=FOLDER, max_age="90d")
    reading = read(spec, sources(files=files))
    assert seen(reading).dated == datetime(2026, 1, 2, tzinfo=UTC)
    gate = Gate(id="reliability.runbooks", group="reliability", title="Runbooks", evidence=spec)

    def outcome(now: datetime) -> tuple[Outcome, str]:
        given = {"approvals": verdict("approvals"), "candidate": candidate(), "now": now}
        judged, *_ = judge_readiness([gate], {gate.id: reading}, **given)  # type: ignore[arg-type]
        return judged.outcome, judged.findings[0].message if judged.findings else judged.summary

    assert outcome(datetime(2026, 4, 1, tzinfo=UTC)) == (Outcome.PASS, "Runbooks: 2 documents in runbooks")
    stale, message = outcome(NOW)
    assert stale == Outcome.STALE
    assert message.startswith(f"{FOLDER}/old.md at ")


def test_the_digest_changes_with_any_document() -> None:
    one, other = judged(folder(a=TEXT, b=TEXT)), judged(folder(a=TEXT, b=TEXT + "x"))
    assert one.digest != other.digest
    assert one.digest.startswith("sha256:")


def test_the_tree_is_that_of_upstream_and_symlinks_are_no_documents(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r")
    (repo.path / FOLDER).mkdir(parents=True)
    (repo.path / FOLDER / "link.md").symlink_to("a.md")
    upstream = repo.commit("runbooks", {f"{FOLDER}/a.md": TEXT, f"{FOLDER}/ü b.md": TEXT})
    repo.git("switch", "-q", "-c", "proposal")
    repo.commit("more", {f"{FOLDER}/c.md": TEXT})
    spec = asks(kind="inventory", path=FOLDER, minimum=3)
    with GitRepo(repo.path) as git:
        observation = seen(read(spec, sources(git=git, upstream=Commit(upstream))))
    assert [finding.code for finding in observation.problems] == ["inventory.too-few"]
    assert observation.summary == "2 documents in runbooks"
