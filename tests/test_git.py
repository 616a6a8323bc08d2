"""The Git adapter on real repositories: plain, bare, worktrees, SHA-256, shallow, partial and hostile ones."""

from __future__ import annotations

import gc
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guard.adapters import git_objects
from guard.adapters.git import GitRepo
from guard.core.errors import GitError
from guard.core.facts import Authorship, Hand
from guard.core.model import Commit
from guard.ports import Git
from tests.gitrepo import Repo

NOWHERE = Commit("1" * 40)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo.init(tmp_path / "repo")
    made.commit("first", {"a.txt": "one\n", "docs/b.txt": "two\n", "docs/deep/c.txt": "three\n"})
    made.commit("second", {"a.txt": "one and a half\n"})
    return made


@pytest.fixture
def git(repo: Repo) -> Iterator[GitRepo]:
    with GitRepo(repo.path) as opened:
        yield opened


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("name", ["master", "refs/heads/master", "HEAD", "HEAD^0", "v1", "@", "heads/master"])
def test_names_stand_for_the_commit(repo: Repo, git: GitRepo, name: str) -> None:
    repo.git("tag", "-a", "-m", "tag", "v1")
    assert git.resolve(name) == repo.rev("HEAD")


def test_object_names_and_abbreviations_stand_for_their_commit(repo: Repo, git: GitRepo) -> None:
    full = repo.rev("HEAD~1")
    assert git.resolve(full) == git.resolve(full[:9]) == git.resolve("master~1") == full


@pytest.mark.parametrize("name", ["nope", "master~9", "1" * 40, "HEAD:a.txt", "HEAD^{tree}", "v1.."])
def test_what_is_no_commit_is_none(git: GitRepo, name: str) -> None:
    assert git.resolve(name) is None


@pytest.mark.parametrize("name", ["", "-h", "--all", "--output=x", "a\nb", "a\0b", "x" * 5000])
def test_a_name_that_could_be_an_option_is_refused(git: GitRepo, name: str) -> None:
    with pytest.raises(GitError) as raised:
        git.resolve(name)
    assert raised.value.code == "ref.malformed"


def test_a_tag_cannot_stand_in_for_a_branch(repo: Repo, git: GitRepo) -> None:
    repo.git("tag", "master", "HEAD~1")
    with pytest.raises(GitError) as raised:
        git.resolve("master")
    assert raised.value.code == "ref.ambiguous"
    assert git.resolve("refs/heads/master") == repo.rev("HEAD")


def test_a_branch_cannot_stand_in_for_an_abbreviation(repo: Repo, git: GitRepo) -> None:
    short = repo.rev("HEAD~1")[:8]
    repo.git("branch", short)
    with pytest.raises(GitError) as raised:
        git.resolve(short)
    assert raised.value.code == "ref.ambiguous"


def test_files_are_read_at_a_commit(repo: Repo, git: GitRepo) -> None:
    old, new = Commit(repo.rev("HEAD~1")), Commit(repo.rev("HEAD"))
    assert git.read(old, "a.txt") == b"one\n"
    assert git.read(new, "a.txt") == b"one and a half\n"
    assert git.read(new, "docs/deep/c.txt") == b"three\n"


@pytest.mark.parametrize(
    "path",
    [
        "docs",
        "none.txt",
        "",
        ".",
        "../a.txt",
        "docs/../a.txt",
        "./a.txt",
        "/a.txt",
        "link",
        "linked/b.txt",
        "sub",
    ],
)
def test_only_regular_files_are_read(repo: Repo, git: GitRepo, path: str) -> None:
    (repo.path / "link").symlink_to("a.txt")
    (repo.path / "linked").symlink_to("docs")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.rev('HEAD')},sub")
    repo.git("add", "link", "linked")
    repo.git("commit", "-q", "-m", "links")
    assert git.read(Commit(repo.rev("HEAD")), path) is None


def test_listing_a_folder(repo: Repo, git: GitRepo) -> None:
    head = Commit(repo.rev("HEAD"))
    assert git.list(head, "docs") == git.list(head, "docs/") == ("docs/b.txt", "docs/deep/c.txt")
    assert git.list(head, "") == ("a.txt", "docs/b.txt", "docs/deep/c.txt")
    assert git.list(head, "none") == git.list(head, "a.txt") == ()


def test_what_differs_between_two_trees(repo: Repo, git: GitRepo) -> None:
    before = Commit(repo.rev("HEAD"))
    (repo.path / "docs/b.txt").chmod(0o755)
    (repo.path / "a.txt").unlink()
    (repo.path / "a.txt").symlink_to("docs/b.txt")
    after = Commit(repo.commit("other modes", {"new[1].txt": "x"}))
    assert git.changed(before, after) == git.changed(after, before) == ("a.txt", "docs/b.txt", "new[1].txt")
    assert git.changed(after, after) == ()


def test_paths_that_are_not_utf8(repo: Repo, git: GitRepo) -> None:
    name = os.fsdecode(b"caf\xe9/\x01 x\n")
    head = Commit(repo.commit("odd", {name: "odd\n"}))
    assert git.list(head, os.fsdecode(b"caf\xe9")) == (name,)
    assert git.read(head, name) == b"odd\n"


def test_ancestry(repo: Repo, git: GitRepo) -> None:
    old, new = Commit(repo.rev("HEAD~1")), Commit(repo.rev("HEAD"))
    assert git.descends(new, old)
    assert git.descends(new, new)
    assert not git.descends(old, new)


def test_ancestry_of_commits_that_are_dated_before_their_ancestors(repo: Repo, git: GitRepo) -> None:
    """As when a clock was wrong: git's own walk by dates gives up on the way to a much later one."""
    old = repo.rev("HEAD")
    for number in range(12):
        date = f"{1_000_000_000 + number} +0000"
        repo.commit(f"early {number}", {"a.txt": f"{number}\n"}, GIT_COMMITTER_DATE=date)
    new = Commit(repo.rev("HEAD"))
    assert git.descends(new, Commit(old))
    assert not git.descends(Commit(old), new)


def test_what_a_range_brings_is_the_newest_and_whatever_breaks_something(repo: Repo, git: GitRepo) -> None:
    old = Commit(repo.rev("HEAD"))
    for subject in ("feat!: a break", "fix: old", "fix: older news", "fix: news"):
        repo.commit(subject)
    found, count = git.bringing(old, Commit(repo.rev("HEAD")), limit=2)
    assert [one.subject for one in found] == ["fix: news", "fix: older news", "feat!: a break"]
    assert count == 4


def test_people_of_a_range(repo: Repo, git: GitRepo) -> None:
    base = Commit(repo.rev("HEAD"))
    repo.commit(
        "x\n\nCo-Authored-By: Cora <Cora@Example.com>\n", {"a.txt": "x"},
        GIT_AUTHOR_EMAIL="Ann@example.com", GIT_COMMITTER_EMAIL="carl@example.com",
    )  # fmt: skip
    head = Commit(repo.rev("HEAD"))
    assert git.authorship(base, head) == Authorship(
        (head,),
        (
            Hand("author", "ann@example.com", head),
            Hand("co-author", "cora@example.com", head),
            Hand("committer", "carl@example.com", head),
        ),
    )


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda git: git.tree_of(NOWHERE), id="tree"),
        pytest.param(lambda git: git.read(NOWHERE, "a.txt"), id="file"),
        pytest.param(lambda git: git.descends(NOWHERE, NOWHERE), id="ancestry"),
        pytest.param(lambda git: git.authorship(NOWHERE, git.resolve("HEAD")), id="people"),
    ],
)
def test_a_missing_object_is_an_error(git: GitRepo, ask: Callable[[GitRepo], object]) -> None:
    with pytest.raises(GitError):
        ask(git)


def test_a_blob_lost_from_the_store_is_an_error_and_not_an_absent_file(repo: Repo, git: GitRepo) -> None:
    head = Commit(repo.rev("HEAD"))
    name = repo.git("rev-parse", "HEAD:a.txt")
    (repo.path / ".git/objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(GitError) as raised:
        git.read(head, "a.txt")
    assert raised.value.code == "git.missing-object"
    assert git.read(head, "docs/b.txt") == b"two\n", "the adapter must go on after an error"


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_no_repository_is_an_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(GitError) as raised:
        GitRepo(tmp_path / path)
    assert raised.value.code == "git.no-repository"


@pytest.mark.parametrize("shape", ["bare", "worktree", "subfolder", "shared", "quoted"])
def test_every_shape_of_repository(repo: Repo, tmp_path: Path, shape: str) -> None:
    place = tmp_path / 'odd "name\\' if shape == "quoted" else tmp_path / "other"
    if shape == "bare":
        repo.git("clone", "-q", "--bare", ".", str(place))
    elif shape == "worktree":
        repo.git("worktree", "add", "-q", "--detach", str(place))
    elif shape in {"shared", "quoted"}:
        repo.git("clone", "-q", *(["--shared"] if shape == "shared" else []), ".", str(place))
    else:
        place = repo.path / "docs"
    with GitRepo(place) as git:
        head = git.resolve("HEAD")
        assert head == repo.rev("HEAD")
        assert git.read(head, "a.txt") == b"one and a half\n"


def test_relative_alternates_of_alternates(repo: Repo, tmp_path: Path) -> None:
    for name, source in (("two", "../../../repo/.git/objects"), ("three", "../../../two/.git/objects")):
        other = Repo.init(tmp_path / name)
        (other.path / ".git/objects/info/alternates").write_text(source + "\n")
        other.git("update-ref", "refs/heads/master", repo.rev("HEAD"))
    with GitRepo(tmp_path / "three") as git:
        assert git.read(Commit(repo.rev("HEAD")), "a.txt") == b"one and a half\n"


def test_sha256(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "repo", "--object-format=sha256")
    old = Commit(repo.commit("one", {"a.txt": "one\n"}))
    new = Commit(repo.commit("two", {"a.txt": "two\n"}))
    with GitRepo(repo.path) as git:
        assert git.resolve("master") == new
        assert len(new) == 64
        assert git.read(old, "a.txt") == b"one\n"
        assert git.descends(new, old)


def test_shallow_history_is_an_error_only_where_it_matters(repo: Repo, tmp_path: Path) -> None:
    root = Commit(repo.rev("HEAD~1"))
    repo.commit("third", {"a.txt": "three\n"})
    repo.git("clone", "-q", "--depth=2", f"file://{repo.path}", str(tmp_path / "cut"))
    with GitRepo(tmp_path / "cut") as git:
        new, old = Commit(repo.rev("HEAD")), Commit(repo.rev("HEAD~1"))
        assert git.descends(new, old)
        with pytest.raises(GitError):
            git.descends(new, root)
        with pytest.raises(GitError) as raised:
            git.demand_complete([old])
        assert raised.value.code == "git.shallow"


def test_a_partial_clone_is_an_error_and_fetches_nothing(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git(
        "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repo.path}", str(tmp_path / "part")
    )
    before = snapshot(tmp_path / "part")
    with GitRepo(tmp_path / "part") as git:
        head = Commit(repo.rev("HEAD"))
        assert git.list(head, "docs") == ("docs/b.txt", "docs/deep/c.txt")
        with pytest.raises(GitError) as raised:
            git.read(head, "a.txt")
    assert raised.value.code == "git.missing-object"
    assert snapshot(tmp_path / "part") == before


def test_replace_refs_and_grafts_take_no_part(repo: Repo, git: GitRepo) -> None:
    old, new = Commit(repo.rev("HEAD~1")), Commit(repo.rev("HEAD"))
    repo.git("replace", new, old)
    (repo.path / ".git/info").mkdir(exist_ok=True)
    (repo.path / ".git/info/grafts").write_text(f"{new}\n")
    assert git.read(new, "a.txt") == b"one and a half\n"
    assert git.descends(new, old)
    assert git.resolve("HEAD~1") == old


def test_the_environment_takes_no_part(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Repo.init(tmp_path / "other")
    other.commit("other", {"z": "z"})
    hostile = tmp_path / "config"
    hostile.write_text(
        "[core]\n\tabbrev = 5\n[alias]\n\trev-list = !false\n[include]\n\tpath = /nonexistent/x\n[broken\n"
    )
    for name, value in {
        "GIT_DIR": str(other.path / ".git"), "GIT_OBJECT_DIRECTORY": str(tmp_path / "nowhere"),
        "GIT_CONFIG_GLOBAL": str(hostile), "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "nonsense", "GIT_INDEX_FILE": "/x", "GIT_NAMESPACE": "x", "GIT_TRACE": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with GitRepo(repo.path) as git:
        assert git.resolve("master") == repo.rev("HEAD")
        assert git.list(Commit(repo.rev("HEAD")), "docs/deep") == ("docs/deep/c.txt",)


def test_repository_configuration_runs_nothing(repo: Repo, tmp_path: Path) -> None:
    flag = tmp_path / "ran"
    script = tmp_path / "run.sh"
    script.write_text(f"#!/bin/sh\ntouch '{flag}'\n")
    script.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "core.editor",
        "core.sshCommand",
        "diff.x.textconv",
    ):
        repo.git("config", key, str(script))
    (repo.path / ".git/info").mkdir(exist_ok=True)
    (repo.path / ".git/info/attributes").write_text("* diff=x merge=x\n")
    head = Commit(repo.rev("HEAD"))
    with GitRepo(repo.path) as git:
        git.resolve("master~1")
        git.read(head, "a.txt")
        git.authorship(Commit(repo.rev("HEAD~1")), head)
    assert not flag.exists()


def test_nothing_is_written_into_the_judged_repository(repo: Repo) -> None:
    before = snapshot(repo.path)
    with GitRepo(repo.path) as git:
        head = Commit(repo.rev("HEAD"))
        git.objects.add("blob", b"scratch only")
        git.resolve("master"), git.read(head, "a.txt"), git.list(head, ""), git.descends(head, head)
        scratch = git.scratch.path
        assert scratch.exists()
    assert snapshot(repo.path) == before
    assert not scratch.exists()


def test_remotes_and_refs(repo: Repo, git: GitRepo) -> None:
    repo.git("remote", "add", "origin", "https://example.com/x y.git")
    repo.git("update-ref", "refs/proposals/release/1", "HEAD")
    assert git.remote_url("origin") == "https://example.com/x y.git"
    assert git.remote_url("none") is None
    assert git.remote_url("a\nb") is None
    assert git.refs("refs/proposals/") == {"refs/proposals/release/1": repo.rev("HEAD")}
    assert git.common_dir() == repo.path / ".git"


def test_messages_in_other_encodings(repo: Repo, git: GitRepo) -> None:
    repo.git("config", "i18n.commitEncoding", "ISO-8859-1")
    repo.git("commit", "-q", "--allow-empty", "-F", "-", stdin="caf\xe9".encode("latin-1"))
    assert git.commit(Commit(repo.rev("HEAD"))).subject == "café"
    raw = f"tree {repo.git('rev-parse', 'HEAD^{tree}')}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n".encode()
    name = repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw + b"bad \xff\xfe bytes\n")
    assert git.commit(Commit(name)).subject == "bad �� bytes"


@pytest.mark.parametrize("encoding", ["unicode_escape", "utf-7", "punycode", "idna", "utf-8\\", "rot13"])
def test_no_declared_encoding_lets_in_what_cannot_be_written(repo: Repo, git: GitRepo, encoding: str) -> None:
    person = "A <a@b> 1 +0000"
    head = f"tree {repo.git('rev-parse', 'HEAD^{tree}')}\nauthor {person}\ncommitter {person}\nencoding {encoding}\n\n"
    words = rb"\ud800 +2AA- " + b"b9" * 200_000
    name = repo.git(
        "hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=head.encode() + words
    )
    began = time.monotonic()
    git.commit(Commit(name)).message.encode("utf-8")
    assert time.monotonic() - began < 2


def test_it_is_the_port(git: GitRepo) -> None:
    port: Git = git
    assert port.resolve("HEAD")


def test_forgetting_it_leaves_nothing_behind(repo: Repo) -> None:
    forgotten = GitRepo(repo.path)
    forgotten.read(Commit(repo.rev("HEAD")), "a.txt")
    scratch = forgotten.scratch.path
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del forgotten
        gc.collect()
    assert not scratch.exists()


def test_many_objects_and_threads(repo: Repo, git: GitRepo) -> None:
    files = {f"many/{number}.txt": f"{number}\n" * number for number in range(300)}
    head = Commit(repo.commit("many", files))
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda name: git.read(head, name), files))
    assert read == [content.encode() for content in files.values()]


def test_no_room_for_the_scratch_is_an_error(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(GitError) as raised:
        GitRepo(repo.path)
    assert raised.value.code == "git.scratch"


def test_git_that_hangs_is_killed(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    head = Commit(repo.rev("HEAD"))
    with GitRepo(repo.path) as git:
        monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
        monkeypatch.setattr(git_objects, "TIMEOUT", 0.2)
        with pytest.raises(GitError):
            git.tree_of(head)
