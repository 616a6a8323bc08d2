"""Master first on constructed histories: one story for each way in which a commit can be, or seem to be, upstream's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lineage_world import Story, World, lines

STORIES: list[tuple[str, Story, list[str]]] = []


def story(*verdicts: str) -> Callable[[Story], Story]:
    def add(tell: Story) -> Story:
        STORIES.append((tell.__name__, tell, list(verdicts)))
        return tell

    return add


FIX = {"app.txt": lines((5, "fixed"))}


@story("equivalent/trailer")
def plain_pick(w: World) -> None:
    w.pick(w.master("fix", FIX))


@story("equivalent/patch-id")
def pick_without_a_trailer(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("release").git("cherry-pick", fix)


@story("equivalent/trailer")
def pick_onto_other_content(w: World) -> None:
    fix = w.master("fix", FIX)
    w.master("other", {"lib.txt": lines((9, "other"))})
    w.on("release")
    w.pick(fix)


@story("missing")
def fix_made_on_the_release_branch(w: World) -> None:
    w.release("fix", FIX)


@story("altered/trailer")
def one_slipped_in_line(w: World) -> None:
    w.pick(w.master("fix", FIX))
    w.amend({"app.txt": lines((5, "fixed"), (30, "slipped in"))})


@story("altered/trailer")
def one_slipped_in_file(w: World) -> None:
    w.pick(w.master("fix", FIX))
    w.amend({"backdoor.txt": "hello\n"})


@story("altered/trailer")
def changed_indentation_of_a_pick(w: World) -> None:
    w.pick(w.master("fix", {"app.txt": lines((5, "    fixed"))}))
    w.amend({"app.txt": lines((5, "  fixed"))})


@story("missing")
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


@story("missing")
def same_hunk_in_another_function(w: World) -> None:
    _two_functions(w)
    w.master("fix", {"two.py": IN_ONE})
    w.release("fix", {"two.py": IN_TWO})


@story("altered/trailer")
def same_hunk_in_another_function_with_a_trailer(w: World) -> None:
    _two_functions(w)
    fix = w.master("fix", {"two.py": IN_ONE})
    w.release(f"fix\n\n(cherry picked from commit {fix})", {"two.py": IN_TWO})


@story("reverted-upstream/trailer")
def origin_reverted_on_master(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.pick(fix)


@story("reverted-upstream/patch-id")
def origin_reverted_on_master_and_no_trailer(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.on("release").git("cherry-pick", fix)


@story("equivalent/trailer", "equivalent/trailer")
def origin_reverted_on_master_and_the_revert_picked_too(w: World) -> None:
    fix = w.master("fix", FIX)
    revert = w.revert("master", fix)
    w.pick(fix)
    w.pick(revert)


@story("equivalent/trailer", "equivalent/trailer", "reverted-upstream/trailer")
def picked_again_after_the_revert(w: World) -> None:
    fix = w.master("fix", FIX)
    revert = w.revert("master", fix)
    w.pick(fix)
    w.pick(revert)
    w.pick(fix)


@story("equivalent/trailer", "reverted/revert")
def pick_reverted_here_as_upstream_did(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    picked = w.pick(fix)
    w.revert("release", picked)


@story("equivalent/trailer", "missing")
def pick_reverted_here_alone(w: World) -> None:
    picked = w.pick(w.master("fix", FIX))
    w.revert("release", picked)


@story("equivalent/trailer")
def revert_of_a_revert_on_master(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", w.revert("master", fix))
    w.master("more", {"app.txt": lines((5, "fixed more"))})
    w.pick(fix)


@story("reverted-upstream/trailer")
def said_to_revert_the_revert_and_does_not(w: World) -> None:
    fix = w.master("fix", FIX)
    revert = w.revert("master", fix)
    w.master(
        f'Reapply "fix"\n\nThis reverts commit {revert}.\n', {"lib.txt": lines((1, "nothing of the kind"))}
    )
    w.pick(fix)


@story("reverted-upstream/trailer")
def third_revert(w: World) -> None:
    fix = w.master("fix", FIX)
    again = w.revert("master", w.revert("master", fix))
    w.revert("master", again)
    w.pick(fix)


@story("equivalent/trailer", "missing", "equivalent/revert")
def release_reverts_and_takes_back_its_revert(w: World) -> None:
    picked = w.pick(w.master("fix", FIX))
    w.revert("release", w.revert("release", picked))


@story("reverted-upstream/trailer")
def reverted_by_hand_with_only_a_title(w: World) -> None:
    fix = w.master("fix the thing", FIX)
    w.master('Revert "fix the thing" (#77)\n\nReverts x/y#76', {"app.txt": lines()})
    w.pick(fix)


@story("reverted-upstream/trailer")
def origin_came_by_a_merge_that_was_reverted(w: World) -> None:
    w.on("master").git("switch", "-q", "-c", "topic")
    fix = w.repo.commit("fix", FIX)
    w.on("master").git("merge", "-q", "--no-ff", "-m", "Merge branch 'topic'", "topic")
    w.revert("master", w.repo.rev("HEAD"), "-m", "1")
    w.pick(fix)


@story("reverted-upstream/trailer")
def reverted_before_the_branches_parted(w: World) -> None:
    fix = w.master("fix", FIX)
    w.base = w.revert("master", fix)
    w.on("release").git("reset", "-q", "--hard", "master")
    w.pick(fix)


@story("equivalent/trailer")
def taken_back_by_the_release_alone_and_picked_again(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("release").git("reset", "-q", "--hard", "master")
    w.base = w.revert("release", fix)
    w.pick(fix)


@story("equivalent/trailer")
def pick_of_a_pick(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("master").git("switch", "-q", "-c", "newer", w.base)
    middle = w.repo.pick(fix)
    w.pick(middle)


@story("equivalent/trailer")
def pick_of_a_pick_that_names_only_the_pick(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("master").git("switch", "-q", "-c", "newer", w.base)
    middle = w.repo.pick(fix)
    w.on("release").git("cherry-pick", middle)
    w.amend(message=f"fix\n\n(cherry picked from commit {middle})\n")


@story("missing")
def trailer_names_a_commit_on_another_release_branch(w: World) -> None:
    w.on("master").git("switch", "-q", "-c", "newer", w.base)
    w.pick(w.repo.commit("fix", FIX))


@story("equivalent/patch-id")
def on_another_release_branch_first_and_on_master_later(w: World) -> None:
    w.on("master").git("switch", "-q", "-c", "newer", w.base)
    fix = w.repo.commit("fix", FIX)
    w.on("master").git("cherry-pick", fix)
    w.pick(fix)


@story("altered/trailer")
def forged_trailer_of_an_unrelated_commit(w: World) -> None:
    other = w.master("other", {"lib.txt": lines((9, "other"))})
    w.release(f"my own\n\n(cherry picked from commit {other})\n", {"app.txt": lines((7, "mine"))})


@story("altered/change-id")
def forged_change_id(w: World) -> None:
    w.master(f"other\n\nChange-Id: I{'a' * 40}\n", {"lib.txt": lines((9, "other"))})
    w.release(f"my own\n\nChange-Id: I{'a' * 40}\n", {"app.txt": lines((7, "mine"))})


@story("equivalent/change-id")
def change_id(w: World) -> None:
    fix = w.master(f"fix\n\nChange-Id: I{'b' * 40}\n", FIX)
    w.on("release").git("cherry-pick", fix)


@story("missing")
def trailer_of_a_commit_that_is_nowhere(w: World) -> None:
    w.release(f"my own\n\n(cherry picked from commit {'d' * 40})\n", FIX)


@story("missing")
def trailer_in_prose(w: World) -> None:
    other = w.master("other", {"lib.txt": lines((9, "other"))})
    w.release(f"my own\n\nas was\n(cherry picked from commit {other})\nwhich we all know.\n", FIX)


@story("missing")
def trailer_in_the_title(w: World) -> None:
    other = w.master("other", {"lib.txt": lines((9, "other"))})
    w.release(f"(cherry picked from commit {other})", FIX)


@story("equivalent/trailer")
def abbreviated_trailer(w: World) -> None:
    fix = w.master("fix", FIX)
    w.on("release").git("cherry-pick", fix)
    w.amend(message=f"fix\n\n(cherry picked from commit {fix[:9]})\n")


@story("adapted/trailer")
def conflict_resolved_by_hand(w: World) -> None:
    w.master("before", {"app.txt": lines((5, "before"))})
    fix = w.master("fix", {"app.txt": lines((5, "before and fixed"))})
    w.release(f"fix\n\n(cherry picked from commit {fix})\n\nConflicts:\n\tapp.txt\n", FIX)


@story("missing")
def upstream_force_pushed(w: World) -> None:
    fix = w.master("fix", FIX)
    w.pick(fix)
    w.on("master").git("reset", "-q", "--hard", w.base)
    w.master("another", {"lib.txt": lines((9, "other"))})


@story("missing")
def the_targets_own_history_is_no_upstream(w: World) -> None:
    here = w.release("fix", FIX)
    w.base = w.revert("release", here)
    w.pick(here)


@story("on-upstream/ancestor", "clean-merge/merge")
def clean_merge_of_master(w: World) -> None:
    w.base = w.release("own", {"own.txt": "own\n"})
    w.master("fix", FIX)
    w.on("release").git("merge", "-q", "--no-ff", "-m", "merge", "master")


@story("on-upstream/ancestor", "missing")
def merge_that_hides_an_edit(w: World) -> None:
    clean_merge_of_master(w)
    w.amend({"lib.txt": lines((3, "hidden"))})


@story("on-upstream/ancestor", "missing")
def merge_that_drops_a_side(w: World) -> None:
    w.base = w.release("own", {"own.txt": "own\n"})
    w.master("fix", FIX)
    w.on("release").git("merge", "-q", "--no-ff", "-s", "ours", "-m", "merge", "master")


@story("on-upstream/ancestor", "missing")
def merge_with_a_conflict_resolved(w: World) -> None:
    w.base = w.release("own", {"app.txt": lines((5, "own"))})
    w.master("fix", FIX)
    w.on("release").run("merge", "-q", "--no-ff", "-m", "merge", "master")
    w.repo.commit("merge", {"app.txt": lines((5, "own and fixed"))})


@story("on-upstream/ancestor", "clean-merge/merge")
def conflict_resolved_to_exactly_upstreams_tree(w: World) -> None:
    w.base = w.release("own", {"app.txt": lines((5, "own"))})
    w.master("fix", FIX)
    w.on("release").run("merge", "-q", "--no-ff", "-m", "merge", "master")
    w.repo.commit("merge", FIX)


@story("equivalent/trailer", "missing")
def edited_merge_that_happens_to_equal_upstream(w: World) -> None:
    w.base = w.release("own", {"own.txt": "own\n"})
    fix = w.master("fix", FIX)
    w.on("release").git("switch", "-q", "-c", "topic")
    w.repo.pick(fix)
    w.on("release").git("merge", "-q", "--no-ff", "-m", "merge", "topic")
    (w.repo.path / "own.txt").unlink()
    w.amend()


@story("equivalent/trailer", "equivalent/trailer", "clean-merge/merge")
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


@story("equivalent/trailer", "equivalent/trailer", "equivalent/trailer", "clean-merge/merge")
def octopus(w: World) -> None:
    _octopus(w)


@story("equivalent/trailer", "equivalent/trailer", "equivalent/trailer", "missing")
def octopus_that_hides_an_edit(w: World) -> None:
    _octopus(w)
    w.amend({"app.txt": lines((3, "hidden"))})


def _three(w: World) -> list[str]:
    return [
        w.master("one", FIX),
        w.master("two", {"app.txt": lines((5, "fixed"), (20, "two"))}),
        w.master("three", {"lib.txt": lines((9, "three"))}),
    ]


@story("equivalent/squash")
def squash_of_three_with_trailers(w: World) -> None:
    picks = _three(w)
    w.on("release").git("cherry-pick", "-n", *picks)
    w.repo.commit("three\n\n" + "".join(f"(cherry picked from commit {pick})\n" for pick in picks))


@story("equivalent/squash")
def squash_of_three_without_a_word(w: World) -> None:
    picks = _three(w)
    w.on("release").git("cherry-pick", "-n", *picks)
    w.repo.commit("three")


@story("missing")
def squash_of_three_with_a_line_slipped_in(w: World) -> None:
    picks = _three(w)
    w.on("release").git("cherry-pick", "-n", *picks)
    w.repo.commit("three", {"lib.txt": lines((9, "three"), (30, "slipped in"))})


@story("equivalent/squash", "equivalent/squash")
def squashed_on_master(w: World) -> None:
    w.release("one", FIX)
    w.release("two", {"app.txt": lines((5, "fixed"), (20, "two"))})
    w.master("both", {"app.txt": lines((5, "fixed"), (20, "two"))})


@story("reverted-upstream/squash", "reverted-upstream/squash")
def squashed_on_master_and_reverted(w: World) -> None:
    squashed_on_master(w)
    w.revert("master", w.repo.rev("master"))


@story("missing")
def empty_commit(w: World) -> None:
    w.release("start the pipeline", {})


@story("equivalent/trailer")
def empty_pick_of_an_empty_commit(w: World) -> None:
    empty = w.master("empty", {})
    w.on("release").git("cherry-pick", "-x", "--allow-empty", empty)


@story("altered/trailer")
def empty_commit_that_claims_a_fix(w: World) -> None:
    fix = w.master("fix", FIX)
    w.release(f"fix\n\n(cherry picked from commit {fix})\n", {})


@story("equivalent/trailer")
def binary_file(w: World) -> None:
    w.pick(w.master("binary", {"logo.png": b"\x89PNG\0\1\2\3"}))


@story("altered/trailer")
def binary_file_changed_after_a_nul(w: World) -> None:
    w.pick(w.master("binary", {"logo.png": b"\x89PNG\0\1\2\3"}))
    w.amend({"logo.png": b"\x89PNG\0\1\2\4"})


@story("missing")
def binary_file_changed_and_no_trailer(w: World) -> None:
    w.master("binary", {"logo.png": b"\x89PNG\0\1\2\3"})
    w.release("binary", {"logo.png": b"\x89PNG\0\1\2\4"})


def _chmod(w: World, branch: str, message: str) -> str:
    w.on(branch).git("update-index", "--chmod=+x", "app.txt")
    w.repo.git("commit", "-q", "-F", "-", stdin=message.encode())
    commit = w.repo.rev("HEAD")
    w.repo.git("reset", "-q", "--hard")
    return commit


@story("equivalent/trailer")
def mode_change(w: World) -> None:
    w.pick(_chmod(w, "master", "executable"))


@story("altered/trailer")
def slipped_in_mode_change(w: World) -> None:
    fix = w.master("fix", FIX)
    w.pick(fix)
    w.repo.git("update-index", "--chmod=+x", "lib.txt")
    w.repo.git("commit", "-q", "--amend", "--no-edit")
    w.repo.git("reset", "-q", "--hard")


@story("equivalent/trailer", "altered/trailer")
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


@story("equivalent/trailer", "altered/trailer")
def submodules(w: World) -> None:
    first = _gitlink(w, "master", "1", "sub")
    second = _gitlink(w, "master", "2", "sub again")
    _gitlink(w, "release", "1", f"sub\n\n(cherry picked from commit {first})\n")
    _gitlink(w, "release", "3", f"sub again\n\n(cherry picked from commit {second})\n")


@story("equivalent/trailer")
def renamed_file(w: World) -> None:
    w.on("master").git("mv", "app.txt", "moved.txt")
    w.pick(w.repo.commit("move"))


@story("equivalent/trailer")
def fix_to_a_file_that_master_had_renamed(w: World) -> None:
    w.on("master").git("mv", "app.txt", "moved.txt")
    w.repo.commit("move")
    w.pick(w.master("fix", {"moved.txt": lines((5, "fixed"))}))


@story("equivalent/trailer")
def message_and_path_that_are_not_utf8(w: World) -> None:
    name = b"caf\xe9.txt".decode(errors="surrogateescape")
    w.on("master")
    (w.repo.path / name).write_bytes(b"x\n")
    w.repo.git("add", "-A")
    w.repo.git(
        "-c", "i18n.commitEncoding=latin1", "commit", "-q", "-F", "-", stdin="caf\xe9".encode("latin1")
    )
    w.pick(w.repo.rev("HEAD"))


@story("equivalent/trailer")
def pick_of_a_merge(w: World) -> None:
    w.on("master").git("switch", "-q", "-c", "topic")
    w.repo.commit("one", FIX)
    w.repo.commit("two", {"lib.txt": lines((9, "two"))})
    w.on("master").git("merge", "-q", "--no-ff", "-m", "merge topic", "topic")
    merge = w.repo.rev("HEAD")
    w.on("release").git("cherry-pick", "-x", "-m", "1", merge)


@story("equivalent/patch-id", "clean-merge/merge")
def unrelated_history_merged(w: World) -> None:
    w.on("master").git("switch", "-q", "--orphan", "other")
    root = w.repo.commit("root", {"other.txt": "other\n"})
    w.on("master").git("merge", "-q", "--allow-unrelated-histories", "-m", "other", "other")
    w.on("release").git("switch", "-q", "--orphan", "again")
    w.repo.commit("another root", {"other.txt": "other\n"})
    assert w.repo.rev("HEAD") != root
    w.on("release").git("merge", "-q", "--allow-unrelated-histories", "-m", "other", "again")


@story("missing", "clean-merge/merge")
def unknown_root_commit_merged(w: World) -> None:
    w.on("release").git("switch", "-q", "--orphan", "again")
    w.repo.commit("root", {"other.txt": "other\n"})
    w.on("release").git("merge", "-q", "--allow-unrelated-histories", "-m", "other", "again")


@story("on-upstream/ancestor", "on-upstream/ancestor", "missing")
def edited_merge_that_claims_a_fix_it_has_already(w: World) -> None:
    fix = w.master("fix", FIX)
    w.base = w.pick(fix)
    w.master("another", {"lib.txt": lines((9, "another"))})
    w.on("release").git("merge", "-q", "--no-ff", "-s", "ours", "-m", "merge", "master")
    w.amend(message=f"merge\n\n(cherry picked from commit {fix})\n")


@story("missing", "missing", "equivalent/trailer", "clean-merge/merge")
def parts_of_a_squash_that_get_out_by_another_way(w: World) -> None:
    other = w.master("other", {"lib.txt": lines((9, "other"))})
    w.master("both", {"app.txt": lines((5, "fixed"), (20, "two"))})
    first = w.release("one, with a backdoor", {"app.txt": lines((5, "fixed"), (30, "backdoor"))})
    w.release("two, and the backdoor gone", {"app.txt": lines((5, "fixed"), (20, "two"))})
    w.repo.git("switch", "-q", "-c", "around", first)
    w.repo.pick(other)
    w.on("release").git("merge", "-q", "--no-ff", "-m", "merge", "around")


@story("reverted-upstream/squash")
def squash_with_a_part_that_upstream_took_back(w: World) -> None:
    picks = _three(w)
    w.on("release").git("cherry-pick", "-n", *picks)
    w.repo.commit("three")
    w.revert("master", picks[2])


@story("reverted-upstream/trailer", "reverted-upstream/trailer")
def several_reverted_at_once(w: World) -> None:
    one, two = w.master("one", FIX), w.master("two", {"lib.txt": lines((9, "two"))})
    w.master(
        f"Take two back\n\nThis reverts commits {one[:10]} and\n{two}.\n",
        {"app.txt": lines(), "lib.txt": lines()},
    )
    w.pick(one)
    w.pick(two)


@story("reverted/revert")
def a_pick_of_the_target_reverted_as_upstream_did(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.base = w.pick(fix)
    w.revert("release", w.base)


@story("reverted/revert")
def a_revert_whose_files_come_to_equal_upstreams(w: World) -> None:
    w.master("before", {"app.txt": lines((5, "before"))})
    fix = w.master("fix", {"app.txt": lines((5, "before and fixed"))})
    picked = w.release(f"fix\n\n(cherry picked from commit {fix})\n", {"app.txt": lines((5, "by hand"))})
    w.base = picked
    w.revert("master", fix)
    w.release(f'Revert "fix"\n\nThis reverts commit {picked}.\n', {"app.txt": lines((5, "before"))})


@story("missing")
def a_revert_that_slips_something_in(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.base = w.pick(fix)
    w.revert("release", w.base)
    w.amend({"lib.txt": lines((9, "slipped in"))})


@story("missing")
def a_revert_that_slips_something_into_the_same_file(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.base = w.pick(fix)
    w.revert("release", w.base)
    w.amend({"app.txt": lines((30, "slipped in"))})


@story("equivalent/patch-id")
def landed_again_on_master_under_another_name(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.master("fix, take two", FIX)
    w.master("more", {"app.txt": lines((5, "fixed more"))})
    w.on("release").git("cherry-pick", fix)


@story("equivalent/trailer")
def landed_again_on_master_without_a_word(w: World) -> None:
    fix = w.master("fix", FIX)
    w.revert("master", fix)
    w.master("fix, and more", {"app.txt": lines((5, "fixed"), (20, "more"))})
    w.pick(fix)


@story("altered/trailer")
def case_of_a_path_differs(w: World) -> None:
    fix = w.master("new", {"New.txt": "new\n"})
    w.release(f"new\n\n(cherry picked from commit {fix})\n", {"new.txt": "new\n"})


@story("altered/trailer")
def line_endings_differ(w: World) -> None:
    fix = w.master("fix", FIX)
    w.release(
        f"fix\n\n(cherry picked from commit {fix})\n",
        {"app.txt": FIX["app.txt"].replace("fixed\n", "fixed\r\n")},
    )


@story("altered/trailer")
def missing_newline_at_the_end(w: World) -> None:
    fix = w.master("new", {"new.txt": "new\n"})
    w.release(f"new\n\n(cherry picked from commit {fix})\n", {"new.txt": "new"})


@story("missing")
def names_itself(w: World) -> None:
    w.release("fix", FIX)
    w.amend(message=f"fix\n\n(cherry picked from commit {w.repo.rev('HEAD')})\n")


@pytest.mark.parametrize("format", ["sha1", "sha256"])
@pytest.mark.parametrize(("tell", "verdicts"), [pytest.param(t, v, id=name) for name, t, v in STORIES])
def test_verdicts(tmp_path: Path, tell: Story, verdicts: list[str], format: str) -> None:
    world = World(tmp_path, f"--object-format={format}")
    tell(world)
    assert world.standings() == verdicts
