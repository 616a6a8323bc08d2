"""What changed between two commits, and which commit last touched a file, on real histories."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.adapters.git import GitRepo
from guard.adapters.git_objects import parse_commit
from guard.core.errors import GitError
from guard.core.model import Commit
from tests.gitrepo import Repo

ONE, TWO = "a/one.md", "a/b/two.md"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.init(tmp_path / "r")


def authors(repo: Repo, *paths: str, at: str = "HEAD") -> dict[str, str]:
    """path → the subject of the commit that last touched it."""
    with GitRepo(repo.path) as git:
        head = Commit(repo.rev(at))
        blobs = {path: name for path, name in git.blobs(head, "").items() if path in paths}
        found = git.written_by(head, blobs)
    return {path: parse_commit(Commit("0" * 40), data).subject for path, data in found.items()}


def changed(repo: Repo, old: str, new: str) -> tuple[str, ...]:
    with GitRepo(repo.path) as git:
        return git.changed(Commit(repo.rev(old)), Commit(repo.rev(new)))


def test_changed_paths_have_both_sides_of_a_rename_and_of_a_change_of_kind(repo: Repo) -> None:
    old = repo.commit("one", {ONE: "x" * 500, "gone": "1", "kind": "file", "ü \n\t.md": "1"})
    repo.git("mv", ONE, "moved.md")
    (repo.path / "gone").unlink()
    (repo.path / "kind").unlink()
    (repo.path / "kind").symlink_to("moved.md")
    (repo.path / "mode.sh").write_text("")
    new = repo.commit("two", {"ü \n\t.md": "2", "new": "1"})
    assert set(changed(repo, old, new)) == {ONE, "moved.md", "gone", "kind", "mode.sh", "ü \n\t.md", "new"}
    assert changed(repo, new, new) == ()


def test_a_change_of_mode_alone_is_a_change(repo: Repo) -> None:
    old = repo.commit("one", {"run.sh": "x"})
    (repo.path / "run.sh").chmod(0o755)
    assert changed(repo, old, repo.commit("two")) == ("run.sh",)


def test_a_path_outside_utf_8_comes_as_surrogates(repo: Repo) -> None:
    old = repo.commit("one")
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x")
    repo.git("update-index", "-z", "--index-info", stdin=b"100644 " + blob.encode() + b"\t\xff.md\0")
    repo.git("commit", "-q", "-m", "two")
    assert changed(repo, old, "HEAD") == ("\udcff.md",)


def test_each_file_has_the_commit_that_last_touched_it(repo: Repo) -> None:
    repo.commit("root", {ONE: "1", TWO: "1"})
    repo.commit("second", {TWO: "2"})
    repo.commit("elsewhere", {"c": "1"})
    assert authors(repo, ONE, TWO) == {ONE: "root", TWO: "second"}


def test_bringing_an_old_version_back_is_a_touch(repo: Repo) -> None:
    repo.commit("signed", {ONE: "1"})
    repo.commit("changed", {ONE: "2"})
    repo.commit("brought back", {ONE: "1"})
    assert authors(repo, ONE) == {ONE: "brought back"}


def test_what_somebody_writes_into_a_merge_is_theirs(repo: Repo) -> None:
    repo.commit("root", {ONE: "1"})
    repo.git("switch", "-q", "-c", "side")
    repo.commit("side", {"c": "1"})
    repo.git("switch", "-q", "master")
    repo.commit("main", {"d": "1"})
    repo.git("merge", "-q", "--no-commit", "--no-ff", "side")
    repo.commit("evil merge", {ONE: "changed by hand"})
    assert authors(repo, ONE) == {ONE: "evil merge"}


def test_of_two_lines_of_history_the_one_whose_version_was_kept(repo: Repo) -> None:
    repo.commit("root", {ONE: "1"})
    repo.git("switch", "-q", "-c", "side")
    repo.commit("side", {ONE: "side"})
    repo.git("switch", "-q", "master")
    repo.commit("main", {ONE: "main"})
    repo.git("merge", "-q", "-s", "ours", "-m", "keep ours", "side")
    assert authors(repo, ONE) == {ONE: "main"}
    repo.git("switch", "-q", "-c", "other", "side")
    repo.git("merge", "-q", "-s", "ours", "-m", "keep side", "master~1")
    assert authors(repo, ONE) == {ONE: "side"}


def test_a_version_that_a_merge_brings_back_is_nobody_s(repo: Repo) -> None:
    repo.commit("signed", {ONE: "1"})
    repo.git("switch", "-q", "-c", "side")
    repo.commit("elsewhere", {"c": "1"})
    repo.git("switch", "-q", "master")
    repo.commit("changed", {ONE: "2"})
    repo.git("merge", "-q", "--no-commit", "--no-ff", "side")
    repo.commit("back to side's", {ONE: "1"})
    assert authors(repo, ONE) == {}


def test_a_moved_file_is_touched_by_the_move(repo: Repo) -> None:
    repo.commit("root", {ONE: "1"})
    repo.git("mv", ONE, "x.md")
    repo.commit("moved")
    assert authors(repo, "x.md") == {"x.md": "moved"}


def test_a_hundred_files_cost_one_walk(repo: Repo) -> None:
    paths = {f"a/{n}.md": str(n) for n in range(60)} | {f"b/{n}.md": str(n) for n in range(40)}
    repo.commit("all", paths)
    repo.commit("one", {"a/7.md": "x"})
    found = authors(repo, *paths)
    assert len(found) == 100
    assert {path for path, subject in found.items() if subject == "one"} == {"a/7.md"}


def test_contents_come_together_and_in_order(repo: Repo) -> None:
    head = Commit(repo.commit("root", {ONE: "1", TWO: "22", "c": "333"}))
    with GitRepo(repo.path) as git:
        blobs = git.blobs(head, "a")
        assert list(blobs) == [TWO, ONE]
        assert git.contents([blobs[ONE], blobs[TWO], blobs[ONE]], limit=2) == (b"1", b"22", b"1")
        assert git.contents([], limit=1) == ()
        with pytest.raises(GitError, match="has 2 bytes; at most 1"):
            git.contents([blobs[TWO]], limit=1)
        with pytest.raises(GitError):
            git.contents(["f" * 40], limit=1)


def test_a_shallow_history_hides_who_touched_it(repo: Repo, tmp_path: Path) -> None:
    repo.commit("root", {ONE: "1"})
    repo.commit("second", {"c": "1"})
    repo.git("clone", "-q", "--depth", "1", f"file://{repo.path}", str(tmp_path / "shallow"))
    with pytest.raises(GitError, match="shallow"):
        authors(Repo(tmp_path / "shallow"), ONE)
