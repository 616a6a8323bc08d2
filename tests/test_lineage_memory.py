"""What a judgement remembers: the same facts, quicker, and never once what they rest on has changed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from guard.adapters.database import open_database, writing
from guard.adapters.git import GitRepo
from guard.adapters.lineage.memory import Memory, read, written
from guard.adapters.lineage_facts import MOST, KeptFacts
from guard.core.lineage_facts import CommitFacts, LineageFacts, Link
from guard.core.model import Commit
from tests.lineage_world import FIX, World, lines
from tests.test_lineage import _names_with_one_prefix

A, B, C = (Commit(letter * 40) for letter in "abc")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def kept(tmp_path: Path) -> KeptFacts:
    return KeptFacts(open_database(tmp_path / "ledger.sqlite3"))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line of every process that is started."""
    commands: list[str] = []

    class Counting(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], **rest: Any) -> None:
            commands.append(" ".join(command))
            super().__init__(command, **rest)

    monkeypatch.setattr(subprocess, "Popen", Counting)
    return commands


def gather(
    world: World, memory: Memory | None, *, trailers: tuple[str, ...] = ("Change-Id",)
) -> LineageFacts:
    names = [Commit(world.repo.rev(name)) for name in ("master", world.base, "release")]
    with GitRepo(world.repo.path, memory=memory) as git:
        return git.lineage(names[0], names[1], names[2], upstream_name="master", trailers=trailers)


def mixed(world: World) -> None:
    """A pick, an altered one, one that conflicts, one of its own, a merge, and a path that is not UTF-8."""
    world.master("before", {"app.txt": lines((5, "before"))})
    fix = world.master("fix", {"app.txt": lines((5, "before and fixed"))})
    world.release(f"fix\n\n(cherry picked from commit {fix})\n", FIX)
    world.pick(world.master("other", {"lib.txt": lines((5, "other"))}))
    world.pick(world.master("third", {"lib.txt": lines((5, "other"), (20, "third"))}))
    world.amend({"new.txt": "slipped in\n"})
    world.release("own", {"own.txt": "own\n", "\udcff": "odd\n"})


def test_facts_are_read_as_they_were_written() -> None:
    link = Link("trailer", A, "conflict", "- x\n+ \udcff", (A, B), C, "how")
    commit = CommitFacts(
        B,
        "sub\x00ject",
        (A, C),
        False,
        "different",
        (link,),
        ("note",),
        "why",
        True,
        "detail",
        "fix",
        ("a", "\udcff"),
    )
    facts = LineageFacts(A, B, C, "master", (commit, CommitFacts(C, "", (), True)), False, 3)
    names = {"abcdef1": (A, "commit"), B: (B, "missing")}
    assert read(written(facts, names)) == (facts, names)
    assert (
        read("{}") is read("no json") is read("[]") is read('{"facts": {"commits": []}, "names": {}}') is None
    )


def test_remembered_facts_are_the_same(world: World, kept: KeptFacts, started: list[str]) -> None:
    mixed(world)
    fresh = gather(world, None)
    assert gather(world, kept) == fresh
    assert kept.count("range") == 1
    started.clear()
    assert gather(world, kept) == fresh
    git = [command for command in started if "guard-git-" in command]
    assert len(git) <= 1, "only the names that may change are asked for again"


def test_what_a_new_head_shares_with_the_old_one_is_not_replayed(
    world: World, kept: KeptFacts, started: list[str]
) -> None:
    mixed(world)
    gather(world, kept)
    world.release("one more", {"more.txt": "more\n"})
    fresh = gather(world, None)
    started.clear()
    assert gather(world, kept) == fresh
    merged = [command for command in started if "merge-tree" in command]
    assert len(merged) <= 1, "only what the differences are shown with"


def test_other_questions_are_other_facts(world: World, kept: KeptFacts) -> None:
    world.master("fix\n\nTicket: PLATFORM-1234\n", FIX)
    world.release("fix\n\nTicket: PLATFORM-1234\n", {**FIX, "lib.txt": lines((9, "besides"))})
    assert not gather(world, kept).commits[0].links
    assert gather(world, kept, trailers=("Ticket",)).commits[0].links


def test_a_name_that_comes_to_stand_for_something_is_looked_at_again(world: World, kept: KeptFacts) -> None:
    """A pick of a pick: until the commit in between is fetched, its name leads nowhere."""
    fix = world.master("fix", FIX)
    world.on("release").git("switch", "-q", "-c", "other", world.base)
    between = world.repo.pick(fix)
    raw = world.repo.run("cat-file", "commit", between).stdout
    world.repo.git("switch", "-q", "release")
    world.repo.git("branch", "-q", "-D", "other")
    file = world.repo.path / ".git/objects" / between[:2] / between[2:]
    file.unlink()
    files = {**FIX, "lib.txt": lines((9, "besides"))}
    world.release(f"fix\n\n(cherry picked from commit {between})\n", files)
    assert not gather(world, kept).commits[0].links
    assert not gather(world, kept).commits[0].links
    assert world.repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw) == between
    assert gather(world, kept) == gather(world, None)
    assert gather(world, kept).commits[0].links[0].origin == fix


def test_a_short_name_that_became_ambiguous_is_looked_at_again(world: World, kept: KeptFacts) -> None:
    first, second = _names_with_one_prefix()
    short = world.repo.git("hash-object", "-w", "--stdin", stdin=first)[:7]
    world.release(f"fix\n\n(cherry picked from commit {short})\n", FIX)
    assert not gather(world, kept).commits[0].unknown
    world.repo.git("hash-object", "-w", "--stdin", stdin=second)
    assert "several objects" in gather(world, kept).commits[0].unknown


def test_nothing_is_remembered_of_a_shallow_history(world: World, kept: KeptFacts, tmp_path: Path) -> None:
    world.base = world.repo.commit("behind everything")
    world.on("release").git("merge", "-q", "master")
    world.pick(world.master("fix", FIX))
    cut = tmp_path / "cut"
    world.repo.git("clone", "-q", "--depth=2", "--no-single-branch", f"file://{world.repo.path}", str(cut))
    names = [Commit(world.repo.rev(name)) for name in ("master", world.base, "release")]
    with GitRepo(cut, memory=kept) as git:
        git.lineage(names[0], names[1], names[2], upstream_name="master")
    assert kept.count("range") == kept.count("pick") == 0


def test_a_damaged_fact_is_worked_out_anew(world: World, tmp_path: Path) -> None:
    mixed(world)

    class Damaged:
        def recall(self, kind: str, keys: Iterable[str]) -> Mapping[str, str]:
            return dict.fromkeys(keys, '{"facts"') if kind == "range" else {}

        def keep(self, kind: str, facts: Mapping[str, str]) -> None:
            return None

    assert gather(world, Damaged()) == gather(world, None)


def test_a_database_that_is_held_is_as_good_as_an_empty_one(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "ledger.sqlite3", patience=timedelta(milliseconds=10))
    kept = KeptFacts(engine)
    with writing(engine):
        kept.keep("pick", {"a": "b"})
    assert kept.recall("pick", ["a"]) == {}


def test_the_oldest_facts_go_first(kept: KeptFacts) -> None:
    kept.keep("range", {f"{number}": "x" for number in range(MOST["range"] + 5)})
    assert kept.count("range") == MOST["range"]
    assert kept.recall("range", ["0", "4", "5"]) == {"5": "x"}
    kept.keep("range", {"5": "another"})
    assert kept.recall("range", ["5"]) == {"5": "x"}, "facts never change"
