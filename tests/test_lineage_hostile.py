"""What surrounds a repository takes no part in a judgement: configuration, environment, attributes, grafts, caches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.gitrepo import clean_environment
from tests.lineage_world import FIX, World, lines

SETTINGS = {
    "blame.ignoreRevsFile": "/dev/null",
    "color.ui": "always",
    "commit.encoding": "latin1",
    "core.abbrev": "4",
    "core.attributesFile": "EVIL",
    "core.autocrlf": "true",
    "core.commitGraph": "true",
    "core.eol": "crlf",
    "core.filemode": "false",
    "core.ignoreCase": "true",
    "core.logAllRefUpdates": "always",
    "core.notesRef": "refs/notes/evil",
    "core.precomposeUnicode": "true",
    "core.quotePath": "false",
    "core.symlinks": "false",
    "core.useReplaceRefs": "true",
    "core.warnAmbiguousRefs": "false",
    "core.whitespace": "cr-at-eol",
    "diff.algorithm": "patience",
    "diff.context": "0",
    "diff.evil.command": "DRIVER",
    "diff.evil.textconv": "DRIVER",
    "diff.external": "DRIVER",
    "diff.ignoreSubmodules": "all",
    "diff.indentHeuristic": "false",
    "diff.interHunkContext": "9",
    "diff.mnemonicPrefix": "true",
    "diff.noprefix": "true",
    "diff.orderFile": "/dev/null",
    "diff.relative": "true",
    "diff.renameLimit": "1",
    "diff.renames": "copies",
    "diff.submodule": "diff",
    "diff.suppressBlankEmpty": "true",
    "diff.wordRegex": ".",
    "filter.evil.clean": "DRIVER",
    "filter.evil.smudge": "DRIVER",
    "i18n.commitEncoding": "latin1",
    "i18n.logOutputEncoding": "utf-16",
    "init.defaultObjectFormat": "sha256",
    "log.date": "relative",
    "log.diffMerges": "first-parent",
    "log.follow": "true",
    "log.mailmap": "true",
    "log.showRoot": "false",
    "log.showSignature": "true",
    "merge.conflictStyle": "zdiff3",
    "merge.default": "evil",
    "merge.directoryRenames": "true",
    "merge.evil.driver": "DRIVER %A",
    "merge.renameLimit": "1",
    "merge.renames": "false",
    "merge.renormalize": "true",
    "merge.verbosity": "5",
    "patchid.stable": "true",
    "patchid.verbatim": "false",
    "trailer.separators": "#",
}
"""Whatever might steer a diff, a merge, a walk or a message; EVIL is an attributes file, DRIVER a program."""

ENVIRONMENT = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES": "/nonexistent",
    "GIT_ATTR_SOURCE": "master",
    "GIT_CEILING_DIRECTORIES": "/",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "diff.external",
    "GIT_CONFIG_PARAMETERS": "'diff.renames=copies'",
    "GIT_CONFIG_VALUE_0": "DRIVER",
    "GIT_DEFAULT_HASH": "sha256",
    "GIT_DIFF_OPTS": "-u0",
    "GIT_DIR": "/nonexistent",
    "GIT_EXTERNAL_DIFF": "DRIVER",
    "GIT_GLOB_PATHSPECS": "1",
    "GIT_INDEX_FILE": "/nonexistent",
    "GIT_MERGE_VERBOSITY": "5",
    "GIT_NAMESPACE": "evil",
    "GIT_OBJECT_DIRECTORY": "/nonexistent",
    "GIT_PAGER": "DRIVER",
    "GIT_REPLACE_REF_BASE": "refs/heads/",
    "GIT_SHALLOW_FILE": "/nonexistent",
    "GIT_TRACE": "1",
    "GIT_WORK_TREE": "/nonexistent",
    "LANG": "de_DE.UTF-8",
    "LC_ALL": "tr_TR.UTF-8",
    "TZ": "Pacific/Kiritimati",
}


def history(world: World) -> None:
    """A pick, an altered one, an adapted one, one that needs a content merge, an edited merge, odd paths."""
    world.master("before", {"app.txt": lines((5, "before"))})
    fix = world.master("fix", {"app.txt": lines((5, "before and fixed"))})
    world.release(f"fix\n\n(cherry picked from commit {fix})\n", FIX)
    world.pick(world.master("other", {"lib.txt": lines((5, "other")).encode(), "\udce9.bin": b"\0\1\r\n"}))
    world.pick(world.master("third", {"lib.txt": lines((5, "other"), (20, "third\r"))}))
    world.amend({"new.txt": "slipped in\r\n"})
    world.release("own", {"lib.txt": lines((5, "other"), (20, "third\r"), (38, "own"))})
    world.pick(world.master("fourth", {"lib.txt": lines((5, "other"), (20, "third\r"), (28, "fourth"))}))
    world.master("fifth", {"fifth.txt": "fifth\n"})
    world.on("release").git("merge", "-q", "--no-ff", "-m", "merge", "-X", "ours", "master")
    world.amend({"hidden.txt": "hidden\n"})


def ask(
    world: World, env: Mapping[str, str], *, repo: Path | None = None, form: str = "json"
) -> tuple[int, str]:
    command = [sys.executable, "-m", "guard.cli.main", "lineage", "--repo", str(repo or world.repo.path)]
    names = [world.repo.rev(name) for name in ("master", world.base, "release")]
    told = [word for pair in zip(("--upstream", "--target", "--head"), names, strict=True) for word in pair]
    done = subprocess.run([*command, *told, "--format", form], env=env, capture_output=True, check=False)
    return done.returncode, done.stdout.decode()


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    history(made)
    return made


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture
def driver(tmp_path: Path, flag: Path) -> str:
    file = tmp_path / "driver.sh"
    file.write_text(f"#!/bin/sh\ntouch '{flag}'\ncat >/dev/null\nexit 0\n")
    file.chmod(0o755)
    return str(file)


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    file = tmp_path / "attributes"
    file.write_text("* merge=evil diff=evil filter=evil -text\n*.txt merge=union binary\n")
    return file


def config(settings: Mapping[str, str], driver: str, evil: Path) -> str:
    """The settings as a configuration file."""
    rows = []
    for key, value in settings.items():
        section, _, name = key.rpartition(".")
        head, _, sub = section.partition(".")
        told = value.replace("DRIVER", driver).replace("EVIL", str(evil))
        rows.append(f'[{head} "{sub}"]\n' if sub else f"[{head}]\n")
        rows.append(f'\t{name} = "{told}"\n')
    return "".join(rows)


def test_user_repository_and_environment_take_no_part(
    world: World, tmp_path: Path, driver: str, evil: Path, flag: Path
) -> None:
    """Three forms: JSON, and the two that show differences."""
    plain = {form: ask(world, clean_environment(), form=form) for form in ("json", "text", "markdown")}
    counts = json.loads(plain["json"][1])["counts"]
    assert {name: number for name, number in counts.items() if number} == {
        "on-upstream": 6, "equivalent": 2, "adapted": 1, "altered": 1, "missing": 2,
    }  # fmt: skip
    home = tmp_path / "home"
    (home / ".config/git").mkdir(parents=True)
    (home / ".gitconfig").write_text(config(SETTINGS, driver, evil))
    (home / ".config/git/attributes").write_bytes(evil.read_bytes())
    git_dir = world.repo.path / ".git"
    with (git_dir / "config").open("a") as file:
        file.write(config(SETTINGS, driver, evil))
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info/attributes").write_bytes(evil.read_bytes())
    hostile = {name: value.replace("DRIVER", driver) for name, value in ENVIRONMENT.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env = {**kept, **hostile, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    assert {form: ask(world, env, form=form) for form in plain} == plain
    assert not flag.exists()


def _replace(world: World) -> None:
    world.repo.git("replace", world.repo.rev("release~2"), world.repo.rev("master"))


def _graft(world: World) -> None:
    info = world.repo.path / ".git/info"
    info.mkdir(exist_ok=True)
    (info / "grafts").write_text(f"{world.repo.rev('release')} {world.repo.rev('master')}\n")


def _commit_graph_that_lies(world: World) -> None:
    world.repo.git("commit-graph", "write", "--reachable")
    graph = world.repo.path / ".git/objects/info/commit-graph"
    content = bytearray(graph.read_bytes())
    graph.chmod(0o644)
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    graph.write_bytes(content)


def _notes(world: World) -> None:
    world.repo.git(
        "notes", "add", "-m", f"(cherry picked from commit {world.repo.rev('master')})", "release~1"
    )


def _packed(world: World) -> None:
    world.repo.git("gc", "-q", "--prune=now")


def _mailmap(world: World) -> None:
    (world.repo.path / ".mailmap").write_text("Other <other@example.com> <dev@example.com>\n")


@pytest.mark.parametrize("trick", [_replace, _graft, _commit_graph_that_lies, _notes, _packed, _mailmap])
def test_what_stands_beside_the_objects_takes_no_part(world: World, trick: Callable[[World], None]) -> None:
    plain = ask(world, clean_environment())
    trick(world)
    assert ask(world, clean_environment()) == plain


@pytest.mark.parametrize("relative", [False, True])
def test_objects_that_another_repository_holds_are_seen(world: World, tmp_path: Path, relative: bool) -> None:
    plain = ask(world, clean_environment())
    shared, again = tmp_path / "shared", tmp_path / "again"
    world.repo.git("clone", "-q", "--bare", "--shared", str(world.repo.path), str(shared))
    world.repo.git("clone", "-q", "--bare", "--shared", str(shared), str(again))
    if relative:
        (again / "objects/info/alternates").write_text("../../shared/objects\n")
    assert ask(world, clean_environment(), repo=again) == plain


def test_a_bare_repository_and_a_work_tree_answer_alike(world: World, tmp_path: Path) -> None:
    plain = ask(world, clean_environment())
    bare, tree = tmp_path / "bare.git", tmp_path / "tree"
    world.repo.git("clone", "-q", "--bare", str(world.repo.path), str(bare))
    world.repo.git("worktree", "add", "-q", "--detach", str(tree), "master")
    assert ask(world, clean_environment(), repo=bare) == ask(world, clean_environment(), repo=tree) == plain
