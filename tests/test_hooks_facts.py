"""What git and the pre-commit framework do, which the hooks build on: a change in one of them shows here first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guard.adapters.gitdir import git_version
from tests.gitrepo import Repo, clean_environment

ZERO = "0" * 40
HOOKS = (
    "pre-commit", "pre-merge-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-push",
    "reference-transaction",
)  # fmt: skip


class Watched:
    """A repository whose hooks write down that they ran, with their first argument and standard input."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.repo = Repo.init(folder / "r")
        self.remote = Repo.init(folder / "remote.git", "--bare")
        self.repo.commit("Start", {"a": "1\n", "b": "1\n"})
        self.repo.git("remote", "add", "origin", str(self.remote.path))
        for hook in HOOKS:
            file = self.repo.path / ".git/hooks" / hook
            stdin = "cat" if hook in {"pre-push", "reference-transaction"} else ":"
            text = f"#!/bin/sh\n{{ printf '%s\\n' \"> {hook} $1\"; {stdin}; }} >>'{self.log}'\n"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            file.chmod(0o755)

    def ran(self, *words: str, **extra: str) -> list[str]:
        """What was written down while git ran: hooks as `> name argument`, and their input."""
        self.log.unlink(missing_ok=True)
        done = Repo(self.repo.path, env={"GIT_EDITOR": "true", **extra}).run(*words)
        assert done.returncode in {0, 1}, done.stderr
        return self.log.read_text().splitlines() if self.log.exists() else []

    def hooks(self, *words: str) -> list[str]:
        return [line.split()[1] for line in self.ran(*words) if line.startswith("> ")]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def branched(watched: Watched) -> None:
    """A branch `side` that master can take without a conflict, and one, `clash`, that it cannot."""
    repo = watched.repo
    repo.git("switch", "-q", "-c", "side")
    repo.commit("Side", {"b": "2\n"})
    repo.git("switch", "-q", "-c", "clash", "master")
    repo.commit("Clash", {"a": "clash\n"})
    repo.git("switch", "-q", "master")
    repo.commit("Master", {"a": "2\n"})


@pytest.mark.parametrize(
    "words",
    [["cherry-pick", "side"], ["revert", "--no-edit", "HEAD"], ["rebase", "side"], ["am", "../side.patch"]],
    ids=lambda words: words[0],
)
def test_a_clean_pick_runs_no_pre_commit(watched: Watched, words: list[str]) -> None:
    branched(watched)
    (watched.repo.path.parent / "side.patch").write_text(
        watched.repo.git("format-patch", "-1", "--stdout", "side") + "\n"
    )
    ran = watched.hooks(*words)
    assert not {"pre-commit", "pre-merge-commit"} & set(ran), ran
    assert "reference-transaction" in ran


@pytest.mark.parametrize("verb", ["cherry-pick", "revert"])
def test_a_pick_continued_after_a_conflict_does(watched: Watched, verb: str) -> None:
    branched(watched)
    repo = watched.repo
    if verb == "revert":
        repo.commit("Later", {"a": "3\n"})
    words = {"cherry-pick": ["clash"], "revert": ["--no-edit", "HEAD~1"]}[verb]
    assert repo.run(verb, *words).returncode == 1
    (repo.path / "a").write_text("both\n")
    repo.git("add", "a")
    ran = watched.hooks(verb, "--continue")
    assert {"pre-commit", "commit-msg"} <= set(ran), ran


def test_a_rebase_continued_does_not_but_its_head_is_detached(watched: Watched) -> None:
    """What becomes of the branch in the end, reference-transaction judges."""
    branched(watched)
    repo = watched.repo
    assert repo.run("rebase", "clash").returncode == 1
    assert repo.run("symbolic-ref", "-q", "HEAD").returncode == 1
    (repo.path / "a").write_text("both\n")
    repo.git("add", "a")
    lines = watched.ran("rebase", "--continue")
    assert "> pre-commit " not in lines
    assert any(line.endswith(" refs/heads/master") for line in transactions(lines, "prepared"))


def test_a_clean_revert_leaves_no_state_file(watched: Watched) -> None:
    """So that the exemption goes by the ancestors' command lines."""
    branched(watched)
    file = watched.repo.path / ".git/hooks/prepare-commit-msg"
    file.write_text(f"#!/bin/sh\nls .git >'{watched.log}'\n")
    watched.repo.git("revert", "--no-edit", "HEAD")
    assert "REVERT_HEAD" not in watched.log.read_text().split()


def test_a_failing_prepare_commit_msg_aborts_the_commit(watched: Watched) -> None:
    (watched.repo.path / ".git/hooks/prepare-commit-msg").write_text("#!/bin/sh\nexit 1\n")
    head = watched.repo.rev("HEAD")
    assert watched.repo.run("commit", "--no-verify", "--allow-empty", "-m", "x").returncode != 0
    assert watched.repo.rev("HEAD") == head


def transactions(lines: list[str], state: str) -> list[str]:
    """The lines of all transactions in this state."""
    found, inside = [], False
    for line in lines:
        if line.startswith("> "):
            inside = line == f"> reference-transaction {state}"
        elif inside:
            found.append(line)
    return found


class TestReferenceTransaction:
    def test_old_is_zeros_when_the_caller_gave_none(self, watched: Watched) -> None:
        head = watched.repo.rev("HEAD")
        watched.repo.git("branch", "x")
        new = watched.repo.commit("More")
        assert f"{ZERO} {new} refs/heads/x" in transactions(
            watched.ran("update-ref", "refs/heads/x", new), "prepared"
        )
        given = transactions(watched.ran("update-ref", "refs/heads/x", head, new), "prepared")
        assert f"{new} {head} refs/heads/x" in given

    def test_packing_writes_what_is_and_takes_the_loose_one_away(self, watched: Watched) -> None:
        head = watched.repo.rev("HEAD")
        lines = transactions(watched.ran("pack-refs", "--all", "--prune"), "prepared")
        assert f"{ZERO} {head} refs/heads/master" in lines
        assert f"{head} {ZERO} refs/heads/master" in lines

    def test_a_deletion_begins_with_zeros_to_zeros(self, watched: Watched) -> None:
        watched.repo.git("branch", "x")
        lines = watched.ran("branch", "-D", "x")
        assert f"{ZERO} {ZERO} refs/heads/x" in lines

    def test_the_states(self, watched: Watched) -> None:
        states = {line.split()[2] for line in watched.ran("branch", "x") if line.startswith("> reference")}
        preparing = {"preparing"} if git_version() >= (2, 54) else set()
        assert states == {"prepared", "committed"} | preparing

    def test_how_often_it_runs_in_a_fetch(self, watched: Watched) -> None:
        watched.repo.git(
            "push", "-q", str(watched.remote.path), *(f"master:refs/heads/b{n}" for n in range(20))
        )
        ran = watched.ran("-c", "maintenance.auto=false", "-c", "gc.auto=0", "fetch", "-q", "origin")
        runs = ran.count("> reference-transaction prepared") + ran.count("> reference-transaction committed")
        if git_version() < (2, 51):
            assert runs >= 40, "twice for each ref"
        else:
            assert 2 <= runs < 20

    def test_it_runs_without_verification_and_without_a_hook_for_it(self, watched: Watched) -> None:
        assert "reference-transaction" in watched.hooks(
            "commit", "-q", "--no-verify", "--allow-empty", "-m", "x"
        )


class TestPrePush:
    @pytest.fixture
    def pushed(self, watched: Watched) -> Watched:
        watched.repo.git("push", "-q", "origin", "master", "master:refs/heads/gone", "master:refs/heads/kept")
        watched.repo.git("branch", "kept")
        watched.repo.commit("More")
        return watched

    def test_it_is_told_of_deletions_but_of_those_by_a_mirror(self, pushed: Watched) -> None:
        told = pushed.ran("push", "-q", "--dry-run", "origin", ":gone")
        assert any(line.startswith(f"(delete) {ZERO} refs/heads/gone ") for line in told)
        told = pushed.ran("push", "-q", "--dry-run", "--prune", "origin", "refs/heads/*:refs/heads/*")
        assert any("refs/heads/gone" in line for line in told)
        pushed.repo.git("config", "--unset-all", "remote.origin.fetch")
        told = pushed.ran("push", "-q", "--mirror", "origin")
        assert "> pre-push origin" in told
        assert not any("refs/heads/gone" in line for line in told), "and yet it is gone:"
        assert "refs/heads/gone" not in pushed.remote.git("for-each-ref")

    def test_no_verify_skips_it_and_the_reflog_says_push(self, pushed: Watched) -> None:
        pushed.repo.git("fetch", "-q")
        ran = pushed.hooks("push", "-q", "--no-verify", "origin", "master")
        assert "pre-push" not in ran
        assert "reference-transaction" in ran
        assert (
            pushed.repo.git("log", "-g", "-1", "--format=%gs", "refs/remotes/origin/master")
            == "update by push"
        )


class TestTheFramework:
    """pre-commit's pre-push: the first usable ref only, none for a deletion; what stood there runs first, with all."""

    def test_what_it_passes_on(self, watched: Watched) -> None:
        pytest.importorskip("pre_commit")
        repo = watched.repo
        seen, stdin = Path(f"{watched.log}.framework"), Path(f"{watched.log}.stdin")
        (repo.path / ".pre-commit-config.yaml").write_text(
            "repos:\n- repo: local\n  hooks:\n  - {id: x, name: x, language: system, always_run: true, verbose: true,\n"
            f"     entry: sh -c 'echo $PRE_COMMIT_REMOTE_BRANCH >>{seen}; cat >>{stdin}',\n"
            "     pass_filenames: false, stages: [pre-push]}\n"
        )
        repo.git("add", "-A")
        repo.git("commit", "-q", "--no-verify", "-m", "x")
        repo.git("push", "-q", "--no-verify", "origin", "master:refs/heads/gone")
        repo.git("commit", "-q", "--no-verify", "--allow-empty", "-m", "Something that the remote has not")
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {"PATH": path, "PRE_COMMIT_HOME": f"{watched.log}.cache", "CI": ""}
        command = [sys.executable, "-m", "pre_commit", "install", "-t", "pre-push"]
        subprocess.run(command, cwd=repo.path, env=clean_environment(**env), check=True, capture_output=True)
        assert (repo.path / ".git/hooks/pre-push.legacy").exists()
        told = watched.ran("push", "-q", "origin", "master:refs/heads/one", "master:refs/heads/two", **env)
        assert [line.split()[2] for line in told if line.startswith("refs/")] == [
            "refs/heads/one",
            "refs/heads/two",
        ]
        assert len(seen.read_text().split()) == 1, "one ref of two"
        assert stdin.read_text() == ""
        seen.unlink()
        told = watched.ran("push", "-q", "origin", ":gone", **env)
        assert any(line.startswith("(delete)") for line in told)
        assert not seen.exists(), "not at all for a deletion"
