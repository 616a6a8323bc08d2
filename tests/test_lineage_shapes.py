"""Commits of every shape: empty, binary, modes, symlinks, submodules, renames, odd names and bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lineage_world import FIX, SHAPES, Stories, Story, World, lines

stories = Stories()


@stories.tell("missing")
def empty_commit(w: World) -> None:
    w.release("start the pipeline", {})


@stories.tell("equivalent/trailer")
def empty_pick_of_an_empty_commit(w: World) -> None:
    empty = w.master("empty", {})
    w.on("release").git("cherry-pick", "-x", "--allow-empty", empty)


@stories.tell("altered/trailer")
def empty_commit_that_claims_a_fix(w: World) -> None:
    fix = w.master("fix", FIX)
    w.release(f"fix\n\n(cherry picked from commit {fix})\n", {})


@stories.tell("equivalent/trailer")
def binary_file(w: World) -> None:
    w.pick(w.master("binary", {"logo.png": b"\x89PNG\0\1\2\3"}))


@stories.tell("altered/trailer")
def binary_file_changed_after_a_nul(w: World) -> None:
    w.pick(w.master("binary", {"logo.png": b"\x89PNG\0\1\2\3"}))
    w.amend({"logo.png": b"\x89PNG\0\1\2\4"})


@stories.tell("missing")
def binary_file_changed_and_no_trailer(w: World) -> None:
    w.master("binary", {"logo.png": b"\x89PNG\0\1\2\3"})
    w.release("binary", {"logo.png": b"\x89PNG\0\1\2\4"})


def _chmod(w: World, branch: str, message: str) -> str:
    w.on(branch).git("update-index", "--chmod=+x", "app.txt")
    w.repo.git("commit", "-q", "-F", "-", stdin=message.encode())
    commit = w.repo.rev("HEAD")
    w.repo.git("reset", "-q", "--hard")
    return commit


@stories.tell("equivalent/trailer")
def mode_change(w: World) -> None:
    w.pick(_chmod(w, "master", "executable"))


@stories.tell("altered/trailer")
def slipped_in_mode_change(w: World) -> None:
    fix = w.master("fix", FIX)
    w.pick(fix)
    w.repo.git("update-index", "--chmod=+x", "lib.txt")
    w.repo.git("commit", "-q", "--amend", "--no-edit")
    w.repo.git("reset", "-q", "--hard")


@stories.tell("equivalent/trailer", "altered/trailer")
def symlinks(w: World) -> None:
    w.on("master")
    (w.repo.path / "link").symlink_to("app.txt")
    first = w.repo.commit("link")
    (w.repo.path / "link").unlink()
    (w.repo.path / "link").symlink_to("lib.txt")
    second = w.repo.commit("another target")
    w.pick(first)
    w.pick(second)
    (w.repo.path / "link").unlink()
    (w.repo.path / "link").symlink_to("/etc/passwd")
    w.amend()


def _gitlink(w: World, branch: str, name: str, message: str) -> str:
    w.on(branch).git("update-index", "--add", "--cacheinfo", f"160000,{name * len(w.base)},sub")
    w.repo.git("commit", "-q", "-F", "-", stdin=message.encode())
    return w.repo.rev("HEAD")


@stories.tell("equivalent/trailer", "altered/trailer")
def submodules(w: World) -> None:
    first = _gitlink(w, "master", "1", "sub")
    second = _gitlink(w, "master", "2", "sub again")
    _gitlink(w, "release", "1", f"sub\n\n(cherry picked from commit {first})\n")
    _gitlink(w, "release", "3", f"sub again\n\n(cherry picked from commit {second})\n")


@stories.tell("equivalent/trailer")
def renamed_file(w: World) -> None:
    w.on("master").git("mv", "app.txt", "moved.txt")
    w.pick(w.repo.commit("move"))


@stories.tell("equivalent/trailer")
def fix_to_a_file_that_master_had_renamed(w: World) -> None:
    w.on("master").git("mv", "app.txt", "moved.txt")
    w.repo.commit("move")
    w.pick(w.master("fix", {"moved.txt": lines((5, "fixed"))}))


@stories.tell("equivalent/trailer")
def message_and_path_that_are_not_utf8(w: World) -> None:
    name = b"caf\xe9.txt".decode(errors="surrogateescape")
    w.on("master")
    (w.repo.path / name).write_bytes(b"x\n")
    w.repo.git("add", "-A")
    w.repo.git(
        "-c", "i18n.commitEncoding=latin1", "commit", "-q", "-F", "-", stdin="caf\xe9".encode("latin1")
    )
    w.pick(w.repo.rev("HEAD"))


@stories.tell("altered/trailer")
def case_of_a_path_differs(w: World) -> None:
    fix = w.master("new", {"New.txt": "new\n"})
    w.release(f"new\n\n(cherry picked from commit {fix})\n", {"new.txt": "new\n"})


@stories.tell("altered/trailer")
def line_endings_differ(w: World) -> None:
    fix = w.master("fix", FIX)
    w.release(
        f"fix\n\n(cherry picked from commit {fix})\n",
        {"app.txt": FIX["app.txt"].replace("fixed\n", "fixed\r\n")},
    )


@stories.tell("altered/trailer")
def missing_newline_at_the_end(w: World) -> None:
    fix = w.master("new", {"new.txt": "new\n"})
    w.release(f"new\n\n(cherry picked from commit {fix})\n", {"new.txt": "new"})


@stories.tell("altered/trailer")
def slipped_in_submodule_bump(w: World) -> None:
    w.base = _gitlink(w, "release", "1", "sub")
    w.on("master").git("merge", "-q", "--ff-only", "release")
    w.repo.git("reset", "-q", "--hard")
    w.pick(w.master("fix", FIX))
    _gitlink(w, "release", "2", "bump")
    w.repo.git("reset", "-q", "--soft", "HEAD~1")
    w.repo.git("commit", "-q", "--amend", "--no-edit")


@stories.tell("altered/trailer")
def slipped_in_white_space(w: World) -> None:
    w.pick(w.master("fix", FIX))
    w.amend({"lib.txt": lines((9, "line 9 "))})


@stories.tell("altered/trailer")
def slipped_in_behind_a_nul(w: World) -> None:
    w.base = w.master("data", {"data": b"a\0b\nc\n"})
    w.on("release").git("merge", "-q", "--ff-only", "master")
    w.pick(w.master("fix", {"data": b"A\0b\nc\n"}))
    w.amend({"data": b"A\0b\nC\n"})


@stories.tell("altered/trailer")
def attributes_slipped_in_that_hide_a_change(w: World) -> None:
    w.pick(w.master("fix", FIX))
    w.amend({".gitattributes": "*.txt binary -diff merge=ours\n", "lib.txt": lines((9, "hidden"))})


@stories.tell("equivalent/trailer", "altered/trailer")
def attributes_that_upstream_brought(w: World) -> None:
    w.pick(w.master("attributes", {".gitattributes": "*.txt binary -diff merge=ours -text\n"}))
    w.master("far", {"app.txt": lines((35, "far"))})
    w.pick(w.master("fix", {"app.txt": lines((35, "far"), (5, "fixed"))}))
    # git itself calls a pick of a binary file a conflict and leaves ours; by hand it is taken as it is upstream
    w.amend({"app.txt": lines((5, "fixed"), (20, "slipped in"))})


@stories.tell("altered/trailer")
def folder_in_a_files_place(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("release")
    (w.repo.path / "lib.txt").unlink()
    (w.repo.path / "lib.txt").mkdir()
    w.repo.commit(f"fix\n\n(cherry picked from commit {fix})\n", {**FIX, "lib.txt/file": "x\n"})


@stories.tell("adapted/trailer")
def file_where_upstream_has_a_folder(w: World) -> None:
    fix = w.master("fix", {"place/file": "x\n"})
    w.base = w.release("own", {"place": "own\n"})
    w.release(f"fix\n\n(cherry picked from commit {fix})\n", {"place-file": "x\n"})


@stories.tell("equivalent/trailer", "altered/trailer")
def a_large_file(w: World) -> None:
    size = 200_000
    w.base = w.master("large", {"large": lines(count=size)})
    w.on("release").git("merge", "-q", "--ff-only", "master")
    w.master("far", {"large": lines((9, "far"), count=size)})
    w.pick(w.master("fix", {"large": lines((9, "far"), (100_000, "fixed"), count=size)}))
    w.pick(w.master("fix", {"large": lines((9, "far"), (100_000, "fixed"), (150_000, "more"), count=size)}))
    w.amend({"large": lines((100_000, "fixed"), (150_000, "more"), (199_999, "slipped in"), count=size)})


@pytest.mark.parametrize("format", SHAPES)
@pytest.mark.parametrize("story", stories.told)
def test_verdicts(tmp_path: Path, story: Story, format: str) -> None:
    story.check(World(tmp_path, f"--object-format={format}"))
