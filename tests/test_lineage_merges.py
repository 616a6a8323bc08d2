"""Merges: clean ones, edited ones, octopuses, and histories that have nothing in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lineage_world import FIX, SHAPES, Stories, Story, World, lines

stories = Stories()


@stories.tell("on-upstream/ancestor", "clean-merge/merge")
def clean_merge_of_master(w: World) -> None:
    w.base = w.release("own", {"own.txt": "own\n"})
    w.master("fix", FIX)
    w.on("release").git("merge", "-q", "--no-ff", "-m", "merge", "master")


@stories.tell("on-upstream/ancestor", "missing")
def merge_that_hides_an_edit(w: World) -> None:
    clean_merge_of_master(w)
    w.amend({"lib.txt": lines((3, "hidden"))})


@stories.tell("on-upstream/ancestor", "missing")
def merge_that_drops_a_side(w: World) -> None:
    w.base = w.release("own", {"own.txt": "own\n"})
    w.master("fix", FIX)
    w.on("release").git("merge", "-q", "--no-ff", "-s", "ours", "-m", "merge", "master")


@stories.tell("on-upstream/ancestor", "missing")
def merge_with_a_conflict_resolved(w: World) -> None:
    w.base = w.release("own", {"app.txt": lines((5, "own"))})
    w.master("fix", FIX)
    w.on("release").run("merge", "-q", "--no-ff", "-m", "merge", "master")
    w.repo.commit("merge", {"app.txt": lines((5, "own and fixed"))})


@stories.tell("on-upstream/ancestor", "clean-merge/merge")
def conflict_resolved_to_exactly_upstreams_tree(w: World) -> None:
    w.base = w.release("own", {"app.txt": lines((5, "own"))})
    w.master("fix", FIX)
    w.on("release").run("merge", "-q", "--no-ff", "-m", "merge", "master")
    w.repo.commit("merge", FIX)


@stories.tell("equivalent/trailer", "missing")
def edited_merge_that_happens_to_equal_upstream(w: World) -> None:
    w.base = w.release("own", {"own.txt": "own\n"})
    fix = w.master("fix", FIX)
    w.on("release").git("switch", "-q", "-c", "topic")
    w.repo.pick(fix)
    w.on("release").git("merge", "-q", "--no-ff", "-m", "merge", "topic")
    (w.repo.path / "own.txt").unlink()
    w.amend()


@stories.tell("equivalent/trailer", "equivalent/trailer", "clean-merge/merge")
def topic_branches_merged(w: World) -> None:
    one, two = w.master("one", FIX), w.master("two", {"lib.txt": lines((9, "two"))})
    w.pick(one)
    w.on("release").git("switch", "-q", "-c", "topic", w.base)
    w.repo.pick(two)
    w.on("release").git("merge", "-q", "--no-ff", "-m", "merge", "topic")


def _octopus(w: World) -> None:
    for i, branch in enumerate(("a", "b", "c")):
        fix = w.master(branch, {f"{branch}.txt": f"{i}\n"})
        w.on("release").git("switch", "-q", "-c", branch, w.base)
        w.repo.pick(fix)
    w.on("release").git("merge", "-q", "--no-ff", "-m", "octopus", "a", "b", "c")


@stories.tell("equivalent/trailer", "equivalent/trailer", "equivalent/trailer", "clean-merge/merge")
def octopus(w: World) -> None:
    _octopus(w)


@stories.tell("equivalent/trailer", "equivalent/trailer", "equivalent/trailer", "missing")
def octopus_that_hides_an_edit(w: World) -> None:
    _octopus(w)
    w.amend({"app.txt": lines((3, "hidden"))})


@stories.tell("equivalent/trailer", "equivalent/trailer", "equivalent/trailer", "missing")
def octopus_that_changes_a_mode(w: World) -> None:
    _octopus(w)
    w.repo.git("update-index", "--chmod=+x", "app.txt")
    w.repo.git("commit", "-q", "--amend", "--no-edit")
    w.repo.git("reset", "-q", "--hard")


@stories.tell("equivalent/trailer", "equivalent/trailer", "missing")
def merge_that_leaves_a_file_out(w: World) -> None:
    topic_branches_merged(w)
    (w.repo.path / "lib.txt").unlink()
    w.amend()


@stories.tell("equivalent/trailer")
def pick_of_a_merge(w: World) -> None:
    w.on("master").git("switch", "-q", "-c", "topic")
    w.repo.commit("one", FIX)
    w.repo.commit("two", {"lib.txt": lines((9, "two"))})
    w.on("master").git("merge", "-q", "--no-ff", "-m", "merge topic", "topic")
    merge = w.repo.rev("HEAD")
    w.on("release").git("cherry-pick", "-x", "-m", "1", merge)


@stories.tell("equivalent/patch-id", "clean-merge/merge")
def unrelated_history_merged(w: World) -> None:
    w.on("master").git("switch", "-q", "--orphan", "other")
    root = w.repo.commit("root", {"other.txt": "other\n"})
    w.on("master").git("merge", "-q", "--allow-unrelated-histories", "-m", "other", "other")
    w.on("release").git("switch", "-q", "--orphan", "again")
    w.repo.commit("another root", {"other.txt": "other\n"})
    assert w.repo.rev("HEAD") != root
    w.on("release").git("merge", "-q", "--allow-unrelated-histories", "-m", "other", "again")


@stories.tell("missing", "clean-merge/merge")
def unknown_root_commit_merged(w: World) -> None:
    w.on("release").git("switch", "-q", "--orphan", "again")
    w.repo.commit("root", {"other.txt": "other\n"})
    w.on("release").git("merge", "-q", "--allow-unrelated-histories", "-m", "other", "again")


@stories.tell("on-upstream/ancestor", "on-upstream/ancestor", "missing")
def edited_merge_that_claims_a_fix_it_has_already(w: World) -> None:
    fix = w.master("fix", FIX)
    w.base = w.pick(fix)
    w.master("another", {"lib.txt": lines((9, "another"))})
    w.on("release").git("merge", "-q", "--no-ff", "-s", "ours", "-m", "merge", "master")
    w.amend(message=f"merge\n\n(cherry picked from commit {fix})\n")


@pytest.mark.parametrize("format", SHAPES)
@pytest.mark.parametrize("story", stories.told)
def test_verdicts(tmp_path: Path, story: Story, format: str) -> None:
    story.check(World(tmp_path, f"--object-format={format}"))
