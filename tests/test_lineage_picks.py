"""Picks, honest and forged: trailers, Change-Ids, patch-ids, and content that is not what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lineage_world import FIX, SHAPES, Stories, Story, World, lines

stories = Stories()


@stories.tell("equivalent/trailer")
def plain_pick(w: World) -> None:
    w.pick(w.master("fix", FIX))


@stories.tell("equivalent/patch-id")
def pick_without_a_trailer(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("release").git("cherry-pick", fix)


@stories.tell("equivalent/trailer")
def pick_onto_other_content(w: World) -> None:
    fix = w.master("fix", FIX)
    w.master("other", {"lib.txt": lines((9, "other"))})
    w.on("release")
    w.pick(fix)


@stories.tell("missing")
def fix_made_on_the_release_branch(w: World) -> None:
    w.release("fix", FIX)


@stories.tell("altered/trailer")
def one_slipped_in_line(w: World) -> None:
    w.pick(w.master("fix", FIX))
    w.amend({"app.txt": lines((5, "fixed"), (30, "slipped in"))})


@stories.tell("altered/trailer")
def one_slipped_in_file(w: World) -> None:
    w.pick(w.master("fix", FIX))
    w.amend({"backdoor.txt": "hello\n"})


@stories.tell("altered/trailer")
def changed_indentation_of_a_pick(w: World) -> None:
    w.pick(w.master("fix", {"app.txt": lines((5, "    fixed"))}))
    w.amend({"app.txt": lines((5, "  fixed"))})


@stories.tell("missing")
def changed_indentation_without_a_trailer(w: World) -> None:
    fix = w.master("fix", {"app.txt": lines((5, "    fixed"))})
    w.on("release").git("cherry-pick", fix)
    w.amend({"app.txt": lines((5, "  fixed"))})


BODY = "".join(f"    {letter}\n" for letter in "abcdef")
TWO_FUNCTIONS = f"def one():\n{BODY}\n\ndef two():\n{BODY}"
IN_ONE = f"def one():\n{BODY.replace('c', 'C')}\n\ndef two():\n{BODY}"
IN_TWO = f"def one():\n{BODY}\n\ndef two():\n{BODY.replace('c', 'C')}"


def _two_functions(w: World) -> None:
    w.base = w.master("two functions", {"two.py": TWO_FUNCTIONS})
    w.on("release").git("reset", "-q", "--hard", "master")


@stories.tell("missing")
def same_hunk_in_another_function(w: World) -> None:
    _two_functions(w)
    w.master("fix", {"two.py": IN_ONE})
    w.release("fix", {"two.py": IN_TWO})


@stories.tell("altered/trailer")
def same_hunk_in_another_function_with_a_trailer(w: World) -> None:
    _two_functions(w)
    fix = w.master("fix", {"two.py": IN_ONE})
    w.release(f"fix\n\n(cherry picked from commit {fix})", {"two.py": IN_TWO})


@stories.tell("equivalent/trailer")
def pick_of_a_pick(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("master").git("switch", "-q", "-c", "newer", w.base)
    middle = w.repo.pick(fix)
    w.pick(middle)


@stories.tell("equivalent/trailer")
def pick_of_a_pick_that_names_only_the_pick(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("master").git("switch", "-q", "-c", "newer", w.base)
    middle = w.repo.pick(fix)
    w.on("release").git("cherry-pick", middle)
    w.amend(message=f"fix\n\n(cherry picked from commit {middle})\n")


@stories.tell("missing")
def trailer_names_a_commit_on_another_release_branch(w: World) -> None:
    w.on("master").git("switch", "-q", "-c", "newer", w.base)
    w.pick(w.repo.commit("fix", FIX))


@stories.tell("equivalent/patch-id")
def on_another_release_branch_first_and_on_master_later(w: World) -> None:
    w.on("master").git("switch", "-q", "-c", "newer", w.base)
    fix = w.repo.commit("fix", FIX)
    w.on("master").git("cherry-pick", fix)
    w.pick(fix)


@stories.tell("altered/trailer")
def forged_trailer_of_an_unrelated_commit(w: World) -> None:
    other = w.master("other", {"lib.txt": lines((9, "other"))})
    w.release(f"my own\n\n(cherry picked from commit {other})\n", {"app.txt": lines((7, "mine"))})


@stories.tell("altered/change-id")
def forged_change_id(w: World) -> None:
    w.master(f"other\n\nChange-Id: I{'a' * 40}\n", {"lib.txt": lines((9, "other"))})
    w.release(f"my own\n\nChange-Id: I{'a' * 40}\n", {"app.txt": lines((7, "mine"))})


@stories.tell("equivalent/change-id")
def change_id(w: World) -> None:
    fix = w.master(f"fix\n\nChange-Id: I{'b' * 40}\n", FIX)
    w.on("release").git("cherry-pick", fix)


@stories.tell("missing")
def trailer_of_a_commit_that_is_nowhere(w: World) -> None:
    w.release(f"my own\n\n(cherry picked from commit {'d' * 40})\n", FIX)


@stories.tell("missing")
def trailer_in_prose(w: World) -> None:
    other = w.master("other", {"lib.txt": lines((9, "other"))})
    w.release(f"my own\n\nas was\n(cherry picked from commit {other})\nwhich we all know.\n", FIX)


@stories.tell("missing")
def trailer_in_the_title(w: World) -> None:
    other = w.master("other", {"lib.txt": lines((9, "other"))})
    w.release(f"(cherry picked from commit {other})", FIX)


@stories.tell("equivalent/trailer")
def abbreviated_trailer(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("release").git("cherry-pick", fix)
    w.amend(message=f"fix\n\n(cherry picked from commit {fix[:9]})\n")


@stories.tell("adapted/trailer")
def conflict_resolved_by_hand(w: World) -> None:
    w.master("before", {"app.txt": lines((5, "before"))})
    fix = w.master("fix", {"app.txt": lines((5, "before and fixed"))})
    w.release(f"fix\n\n(cherry picked from commit {fix})\n\nConflicts:\n\tapp.txt\n", FIX)


@stories.tell("missing")
def upstream_force_pushed(w: World) -> None:
    fix = w.master("fix", FIX)
    w.pick(fix)
    w.on("master").git("reset", "-q", "--hard", w.base)
    w.master("another", {"lib.txt": lines((9, "other"))})


@stories.tell("missing")
def the_targets_own_history_is_no_upstream(w: World) -> None:
    here = w.release("fix", FIX)
    w.base = w.revert("release", here)
    w.pick(here)


@stories.tell("missing")
def names_itself(w: World) -> None:
    w.release("fix", FIX)
    w.amend(message=f"fix\n\n(cherry picked from commit {w.repo.rev('HEAD')})\n")


@stories.tell("equivalent/trailer", "equivalent/trailer")
def picked_twice(w: World) -> None:
    fix = w.master("fix", FIX)
    w.pick(fix)
    w.on("release").git("cherry-pick", "-x", "--allow-empty", "--keep-redundant-commits", fix)


@stories.tell("missing", "equivalent/trailer")
def pick_that_became_empty(w: World) -> None:
    w.release("fix, and more", {"app.txt": lines((5, "fixed"), (30, "more"))})
    fix = w.master("fix", FIX)
    w.on("release").git("cherry-pick", "-x", "--keep-redundant-commits", fix)
    assert w.repo.git("rev-parse", "release^{tree}") == w.repo.git("rev-parse", "release~1^{tree}")


@stories.tell("equivalent/trailer")
def on_upstream_twice_and_picked_from_the_branch_it_came_by(w: World) -> None:
    w.on("master").git("switch", "-q", "-c", "topic")
    fix = w.repo.commit("fix", FIX)
    w.master("between", {"lib.txt": lines((9, "between"))})
    w.repo.git("cherry-pick", fix)
    w.repo.git("merge", "-q", "--no-ff", "-m", "merge", "topic")
    w.pick(fix)


@stories.tell("missing")
def trailer_of_a_commit_that_upstream_dropped_by_force(w: World) -> None:
    """What was on upstream once and is still here, on no branch, is no proof."""
    fix = w.master("fix", FIX)
    w.repo.git("reset", "-q", "--hard", w.base)
    w.pick(fix)


@stories.tell("missing")
def trailer_of_a_commit_on_a_fork(w: World) -> None:
    w.on("master").git("switch", "-q", "--orphan", "fork")
    w.repo.git("reset", "-q", "--hard", w.base)
    fix = w.repo.commit("fix", FIX)
    w.repo.git("update-ref", "refs/pull/1/head", fix)
    w.pick(fix)


@stories.tell("altered/trailer")
def two_trailers_of_which_neither_is_the_whole(w: World) -> None:
    one = w.master("one", FIX)
    two = w.master("two", {"lib.txt": lines((9, "two"))})
    both = {**FIX, "lib.txt": lines((9, "two"), (30, "slipped in"))}
    w.release(f"both\n\n(cherry picked from commit {one})\n(cherry picked from commit {two})\n", both)


@stories.tell("equivalent/trailer")
def picked_onto_content_that_both_sides_changed(w: World) -> None:
    """The file is another one here and there, and git merges it."""
    w.base = w.release("own", {"app.txt": lines((30, "own"))})
    w.master("theirs", {"app.txt": lines((18, "theirs"))})
    w.pick(w.master("fix", {"app.txt": lines((18, "theirs"), (5, "fixed"))}))


@stories.tell("altered/trailer")
def merged_content_with_a_line_slipped_in(w: World) -> None:
    picked_onto_content_that_both_sides_changed(w)
    w.amend({"app.txt": lines((30, "own"), (5, "fixed"), (12, "slipped in"))})


@pytest.mark.parametrize("format", SHAPES)
@pytest.mark.parametrize("story", stories.told)
def test_verdicts(tmp_path: Path, story: Story, format: str) -> None:
    story.check(World(tmp_path, f"--object-format={format}"))
