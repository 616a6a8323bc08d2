"""Squashes: several upstream commits in one, one in several, and what is not quite so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lineage_world import FIX, SHAPES, Stories, Story, World, lines

stories = Stories()


def _three(w: World) -> list[str]:
    return [
        w.master("one", FIX),
        w.master("two", {"app.txt": lines((5, "fixed"), (20, "two"))}),
        w.master("three", {"lib.txt": lines((9, "three"))}),
    ]


@stories.tell("equivalent/squash")
def squash_of_three_with_trailers(w: World) -> None:
    picks = _three(w)
    w.on("release").git("cherry-pick", "-n", *picks)
    w.repo.commit("three\n\n" + "".join(f"(cherry picked from commit {pick})\n" for pick in picks))


@stories.tell("equivalent/squash")
def squash_of_three_without_a_word(w: World) -> None:
    picks = _three(w)
    w.on("release").git("cherry-pick", "-n", *picks)
    w.repo.commit("three")


@stories.tell("missing")
def squash_of_three_with_a_line_slipped_in(w: World) -> None:
    picks = _three(w)
    w.on("release").git("cherry-pick", "-n", *picks)
    w.repo.commit("three", {"lib.txt": lines((9, "three"), (30, "slipped in"))})


@stories.tell("equivalent/squash", "equivalent/squash")
def squashed_on_master(w: World) -> None:
    w.release("one", FIX)
    w.release("two", {"app.txt": lines((5, "fixed"), (20, "two"))})
    w.master("both", {"app.txt": lines((5, "fixed"), (20, "two"))})


@stories.tell("reverted-upstream/squash", "reverted-upstream/squash")
def squashed_on_master_and_reverted(w: World) -> None:
    squashed_on_master(w)
    w.revert("master", w.repo.rev("master"))


@stories.tell("missing", "missing", "equivalent/trailer", "clean-merge/merge")
def parts_of_a_squash_that_get_out_by_another_way(w: World) -> None:
    other = w.master("other", {"lib.txt": lines((9, "other"))})
    w.master("both", {"app.txt": lines((5, "fixed"), (20, "two"))})
    first = w.release("one, with a backdoor", {"app.txt": lines((5, "fixed"), (30, "backdoor"))})
    w.release("two, and the backdoor gone", {"app.txt": lines((5, "fixed"), (20, "two"))})
    w.repo.git("switch", "-q", "-c", "around", first)
    w.repo.pick(other)
    w.on("release").git("merge", "-q", "--no-ff", "-m", "merge", "around")


@stories.tell("reverted-upstream/squash")
def squash_with_a_part_that_upstream_took_back(w: World) -> None:
    picks = _three(w)
    w.on("release").git("cherry-pick", "-n", *picks)
    w.repo.commit("three")
    w.revert("master", picks[2])


@pytest.mark.parametrize("format", SHAPES)
@pytest.mark.parametrize("story", stories.told)
def test_verdicts(tmp_path: Path, story: Story, format: str) -> None:
    story.check(World(tmp_path, f"--object-format={format}"))
