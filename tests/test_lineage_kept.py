"""What may lie between an approved head and the next one without the approval becoming stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.adapters.git import GitRepo
from guard.core.model import Commit
from tests.gitrepo import Repo


class World:
    """A release branch, and two commits proposed on top of it."""

    def __init__(self, path: Path) -> None:
        self.repo = repo = Repo.init(path)
        repo.commit("first", {"a": "1\n2\n3\n4\n5\n", "b": "1\n"})
        repo.git("branch", "release")
        repo.git("switch", "-q", "-c", "proposal")
        self.one = repo.commit("one", {"a": "1\n2\n3\n4\nfive\n"}, GIT_AUTHOR_EMAIL="ann@example.com")
        self.two = repo.commit("two", {"c": "new\n"})

    def release(self, message: str, files: dict[str, str]) -> str:
        """The release branch moves on."""
        self.repo.git("switch", "-q", "release")
        return self.repo.commit(message, files)

    def rebased(self, *commits: str) -> None:
        """The commits (all of them unless given) picked onto the release branch."""
        self.repo.git("switch", "-q", "-C", "again", "release")
        for commit in commits or (self.one, self.two):
            self.repo.git("cherry-pick", commit)

    def kept(self, *, approved: str = "") -> str:
        with GitRepo(self.repo.path) as git:
            target, head = self.repo.rev("release"), self.repo.rev("HEAD")
            return git.kept(Commit(approved or self.two), Commit(head), target=Commit(target))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "repo")


def test_a_clean_rebase_is_a_re_pick(world: World) -> None:
    world.release("elsewhere", {"b": "2\n"})
    world.rebased()
    assert world.kept() == "re-pick"


def test_a_rebase_over_a_change_to_the_same_file_is_one_where_it_picks_cleanly(world: World) -> None:
    world.release("the top of it", {"a": "ONE\n2\n3\n4\n5\n"})
    world.rebased()
    assert world.kept() == "re-pick"


def test_a_message_that_was_reworded_changes_nothing(world: World) -> None:
    world.release("elsewhere", {"b": "2\n"})
    world.rebased()
    world.repo.git("commit", "-q", "--amend", "-m", "two, said better")
    assert world.kept() == "re-pick"


def test_one_line_more_is_no_re_pick(world: World) -> None:
    world.release("elsewhere", {"b": "2\n"})
    world.rebased()
    world.repo.git("reset", "-q", "--soft", "HEAD~1")
    world.repo.commit("two", {"c": "new\nand more\n"})
    assert world.kept() == ""


def test_a_commit_that_was_left_out_is_none(world: World) -> None:
    world.release("elsewhere", {"b": "2\n"})
    world.rebased(world.one)
    assert world.kept() == ""


def test_the_other_order_is_none(world: World) -> None:
    world.release("elsewhere", {"b": "2\n"})
    world.rebased(world.two, world.one)
    assert world.kept() == ""


def test_a_resolved_conflict_is_none(world: World) -> None:
    world.release("the same line", {"a": "1\n2\n3\n4\nFIVE\n"})
    world.repo.git("switch", "-q", "-C", "again", "release")
    assert world.repo.run("cherry-pick", world.one).returncode
    world.repo.git("cherry-pick", "--abort")
    world.repo.commit("one", {"a": "1\n2\n3\n4\nfive\n"}, GIT_AUTHOR_EMAIL="ann@example.com")
    world.repo.git("cherry-pick", world.two)
    assert world.kept() == ""


def test_an_author_who_vanished_is_none(world: World) -> None:
    """Or ann's approval of her own change, which did not count, would count from now on."""
    world.release("elsewhere", {"b": "2\n"})
    world.rebased(world.one)
    world.repo.git("commit", "-q", "--amend", "--author=Somebody <else@example.com>", "-C", "HEAD")
    world.repo.git("cherry-pick", world.two)
    assert world.kept() == ""


def test_a_commit_that_the_target_got_meanwhile_is_not_asked_for_again(world: World) -> None:
    world.repo.git("switch", "-q", "release")
    world.repo.git("merge", "-q", "--ff-only", world.one)
    world.release("elsewhere", {"b": "2\n"})
    world.rebased(world.two)
    assert world.kept() == "re-pick"


def test_the_target_merged_in_cleanly_keeps_it(world: World) -> None:
    world.release("elsewhere", {"b": "2\n"})
    world.repo.git("switch", "-q", "proposal")
    world.repo.git("merge", "-q", "--no-edit", "release")
    world.release("again", {"b": "3\n"})
    world.repo.git("switch", "-q", "proposal")
    world.repo.git("merge", "-q", "--no-edit", "release")
    assert world.kept() == "target-merge"


def test_a_merge_with_a_hand_in_it_does_not(world: World) -> None:
    world.release("elsewhere", {"b": "2\n"})
    world.repo.git("switch", "-q", "proposal")
    world.repo.git("merge", "-q", "--no-edit", "--no-commit", "release")
    world.repo.commit("merge", {"evil": "yes\n"})
    assert world.kept() == ""


def test_another_branch_merged_in_does_not(world: World) -> None:
    world.repo.git("switch", "-q", "-c", "other", "release")
    world.repo.commit("not the target's", {"other": "1\n"})
    world.repo.git("switch", "-q", "proposal")
    world.repo.git("merge", "-q", "--no-edit", "other")
    assert world.kept() == ""


def test_a_commit_beside_the_merge_does_not(world: World) -> None:
    world.release("elsewhere", {"b": "2\n"})
    world.repo.git("switch", "-q", "proposal")
    world.repo.git("merge", "-q", "--no-edit", "release")
    world.repo.commit("one more", {"d": "1\n"})
    assert world.kept() == ""


def test_a_head_that_is_not_here_any_more_keeps_nothing(world: World) -> None:
    assert world.kept(approved="f" * 40) == ""
