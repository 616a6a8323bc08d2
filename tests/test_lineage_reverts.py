"""Reverts: on upstream, on the release branch, of each other, and with something slipped in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lineage_world import FIX, SHAPES, Stories, Story, World, lines

stories = Stories()


@stories.tell("reverted-upstream/trailer")
def origin_reverted_on_master(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.pick(fix)


@stories.tell("reverted-upstream/patch-id")
def origin_reverted_on_master_and_no_trailer(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.on("release").git("cherry-pick", fix)


@stories.tell("equivalent/trailer", "equivalent/trailer")
def origin_reverted_on_master_and_the_revert_picked_too(w: World) -> None:
    fix = w.master("fix", FIX)
    revert = w.revert("master", fix)
    w.pick(fix)
    w.pick(revert)


@stories.tell("equivalent/trailer", "equivalent/trailer", "reverted-upstream/trailer")
def picked_again_after_the_revert(w: World) -> None:
    fix = w.master("fix", FIX)
    revert = w.revert("master", fix)
    w.pick(fix)
    w.pick(revert)
    w.pick(fix)


@stories.tell("equivalent/trailer", "reverted/revert")
def pick_reverted_here_as_upstream_did(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    picked = w.pick(fix)
    w.revert("release", picked)


@stories.tell("equivalent/trailer", "missing")
def pick_reverted_here_alone(w: World) -> None:
    picked = w.pick(w.master("fix", FIX))
    w.revert("release", picked)


@stories.tell("equivalent/trailer")
def revert_of_a_revert_on_master(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", w.revert("master", fix))
    w.master("more", {"app.txt": lines((5, "fixed more"))})
    w.pick(fix)


@stories.tell("reverted-upstream/trailer")
def said_to_revert_the_revert_and_does_not(w: World) -> None:
    fix = w.master("fix", FIX)
    revert = w.revert("master", fix)
    w.master(
        f'Reapply "fix"\n\nThis reverts commit {revert}.\n', {"lib.txt": lines((1, "nothing of the kind"))}
    )
    w.pick(fix)


@stories.tell("reverted-upstream/trailer")
def third_revert(w: World) -> None:
    fix = w.master("fix", FIX)
    again = w.revert("master", w.revert("master", fix))
    w.revert("master", again)
    w.pick(fix)


@stories.tell("equivalent/trailer", "missing", "equivalent/revert")
def release_reverts_and_takes_back_its_revert(w: World) -> None:
    picked = w.pick(w.master("fix", FIX))
    w.revert("release", w.revert("release", picked))


@stories.tell("reverted-upstream/trailer")
def reverted_by_hand_with_only_a_title(w: World) -> None:
    fix = w.master("fix the thing", FIX)
    w.master('Revert "fix the thing" (#77)\n\nReverts x/y#76', {"app.txt": lines()})
    w.pick(fix)


@stories.tell("reverted-upstream/trailer")
def origin_came_by_a_merge_that_was_reverted(w: World) -> None:
    w.on("master").git("switch", "-q", "-c", "topic")
    fix = w.repo.commit("fix", FIX)
    w.on("master").git("merge", "-q", "--no-ff", "-m", "Merge branch 'topic'", "topic")
    w.revert("master", w.repo.rev("HEAD"), "-m", "1")
    w.pick(fix)


@stories.tell("reverted-upstream/trailer")
def reverted_before_the_branches_parted(w: World) -> None:
    fix = w.master("fix", FIX)
    w.base = w.revert("master", fix)
    w.on("release").git("reset", "-q", "--hard", "master")
    w.pick(fix)


@stories.tell("equivalent/trailer")
def taken_back_by_the_release_alone_and_picked_again(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("release").git("reset", "-q", "--hard", "master")
    w.base = w.revert("release", fix)
    w.pick(fix)


@stories.tell("reverted-upstream/trailer", "reverted-upstream/trailer")
def several_reverted_at_once(w: World) -> None:
    one, two = w.master("one", FIX), w.master("two", {"lib.txt": lines((9, "two"))})
    w.master(
        f"Take two back\n\nThis reverts commits {one[:10]} and\n{two}.\n",
        {"app.txt": lines(), "lib.txt": lines()},
    )
    w.pick(one)
    w.pick(two)


@stories.tell("reverted/revert")
def a_pick_of_the_target_reverted_as_upstream_did(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.base = w.pick(fix)
    w.revert("release", w.base)


@stories.tell("reverted/revert")
def a_revert_whose_files_come_to_equal_upstreams(w: World) -> None:
    w.master("before", {"app.txt": lines((5, "before"))})
    fix = w.master("fix", {"app.txt": lines((5, "before and fixed"))})
    picked = w.release(f"fix\n\n(cherry picked from commit {fix})\n", {"app.txt": lines((5, "by hand"))})
    w.base = picked
    w.revert("master", fix)
    w.release(f'Revert "fix"\n\nThis reverts commit {picked}.\n', {"app.txt": lines((5, "before"))})


@stories.tell("missing")
def a_revert_that_takes_another_file_from_upstream_besides(w: World) -> None:
    w.master("before", {"app.txt": lines((5, "before")), "lib.txt": lines((9, "upstream's"))})
    fix = w.master("fix", {"app.txt": lines((5, "before and fixed"))})
    picked = w.release(f"fix\n\n(cherry picked from commit {fix})\n", {"app.txt": lines((5, "by hand"))})
    w.base = picked
    w.revert("master", fix)
    both = {"app.txt": lines((5, "before")), "lib.txt": lines((9, "upstream's"))}
    w.release(f'Revert "fix"\n\nThis reverts commit {picked}.\n', both)


@stories.tell("missing")
def a_revert_that_slips_something_in(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.base = w.pick(fix)
    w.revert("release", w.base)
    w.amend({"lib.txt": lines((9, "slipped in"))})


@stories.tell("missing")
def a_revert_that_slips_something_into_the_same_file(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.base = w.pick(fix)
    w.revert("release", w.base)
    w.amend({"app.txt": lines((30, "slipped in"))})


@stories.tell("equivalent/patch-id")
def landed_again_on_master_under_another_name(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.master("fix, take two", FIX)
    w.master("more", {"app.txt": lines((5, "fixed more"))})
    w.on("release").git("cherry-pick", fix)


@stories.tell("equivalent/trailer")
def landed_again_on_master_without_a_word(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.master("fix, and more", {"app.txt": lines((5, "fixed"), (20, "more"))})
    w.pick(fix)


@stories.tell("equivalent/trailer", "missing", "missing")
def revert_of_a_revert_with_a_hand_in_it(w: World) -> None:
    picked = w.pick(w.master("fix", FIX))
    w.revert("release", w.revert("release", picked))
    w.amend({"lib.txt": lines((9, "slipped in"))})


@pytest.mark.parametrize("format", SHAPES)
@pytest.mark.parametrize("story", stories.told)
def test_verdicts(tmp_path: Path, story: Story, format: str) -> None:
    story.check(World(tmp_path, f"--object-format={format}"))
