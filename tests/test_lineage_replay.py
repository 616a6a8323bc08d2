"""Replaying picks: what is told without merging, or without looking for renames, is what a merge with renames gives."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from guard.adapters.git import GitRepo
from guard.adapters.lineage.changes import Changes
from guard.adapters.lineage.memory import Forgetful
from guard.adapters.lineage.merges import single_base
from guard.adapters.lineage.replay import Pick, Replay
from guard.core.model import Commit
from tests.gitrepo import Repo
from tests.lineage_world import lines

BASE = {f"{folder}/{name}": lines((1, f"{folder} {name}")) for folder in ("one", "two") for name in "abc"}

Edit = dict[str, str | None]
"""path → new content, or None to delete it; `>other` moves the file there, `@other` makes it a symlink, and `+x` before
the content (or alone) makes it executable."""

THEIRS: dict[str, Edit] = {
    "edits": {"one/a": lines((1, "one a"), (20, "theirs"))},
    "adds-in-folder": {"one/new": "new\n"},
    "adds-in-deep-folder": {"one/deep/new": "new\n"},
    "adds-at-the-top": {"new": "new\n"},
    "deletes": {"one/a": None},
    "moves": {"one/a": ">one/moved"},
    "moves-and-adds": {"one/a": ">three/a", "one/new": "new\n"},
    "moves-a-folder": {"one/a": ">three/a", "one/b": ">three/b", "one/c": ">three/c"},
    "same-edit": {"two/b": lines((1, "two b"), (30, "ours"))},
    "makes-executable": {"one/a": "+x"},
    "makes-executable-and-edits": {"one/a": "+x" + lines((1, "one a"), (20, "theirs"))},
    "adds-executable": {"one/new": "+xnew\n"},
    "makes-a-link": {"one/a": "@b"},
    "adds-a-link": {"one/new": "@b"},
    "binary": {"one/a": "\0theirs"},
}
OURS: dict[str, Edit] = {
    "nothing-near": {"two/c": lines((1, "two c"), (30, "ours"))},
    "edits": {"one/a": lines((1, "one a"), (35, "ours"))},
    "edits-the-same-place": {"one/a": lines((1, "one a"), (20, "ours"))},
    "deletes": {"one/a": None},
    "moves": {"one/a": ">one/elsewhere"},
    "moves-to-the-same": {"one/a": ">one/moved"},
    "moves-a-folder": {"one/a": ">four/a", "one/b": ">four/b", "one/c": ">four/c"},
    "moves-a-folder-and-adds": {
        "one/a": ">four/a", "one/b": ">four/b", "one/c": ">four/c", "one/other": "other\n",
    },
    "adds-the-same": {"one/new": "new\n", "new": "new\n"},
    "adds-another": {"one/new": "another\n", "new": "another\n"},
    "same-edit": {"two/b": lines((1, "two b"), (30, "ours"))},
    "makes-executable": {"one/a": "+x"},
    "edits-and-makes-executable": {"one/a": "+x" + lines((1, "one a"), (35, "ours"))},
    "makes-a-link": {"one/a": "@c"},
    "makes-the-same-link": {"one/a": "@b", "one/new": "@b"},
    "makes-a-folder": {"one/a": None, "one/a/deep": "deep\n", "one/new/deep": "deep\n"},
    "binary": {"one/a": "\0ours"},
}  # fmt: skip


def change(repo: Repo, name: str, edit: Edit) -> str:
    """A branch on the base with this edit; its tree."""
    repo.git("switch", "-q", "-C", name, "base")
    for path, content in edit.items():
        file = repo.path / path
        if content is None:
            file.unlink()
            continue
        target = repo.path / content[1:] if content.startswith(">") else file
        target.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith(">"):
            file.rename(target)
        elif content.startswith("@"):
            file.unlink(missing_ok=True)
            file.symlink_to(content[1:])
        else:
            body = content.removeprefix("+x")
            file.write_text(body or file.read_text())
            file.chmod(0o755 if content.startswith("+x") else file.stat().st_mode)
    repo.git("add", "-A")
    repo.git("commit", "-q", "--allow-empty", "-m", name)
    return repo.git("rev-parse", f"{name}^{{tree}}")


def test_every_short_way_leads_where_the_long_one_does(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "repo")
    repo.commit("base", BASE)
    repo.git("branch", "base")
    base = repo.git("rev-parse", "base^{tree}")
    theirs = {name: change(repo, f"theirs-{name}", edit) for name, edit in THEIRS.items()}
    ours = {name: change(repo, f"ours-{name}", edit) for name, edit in OURS.items()}
    named = {
        Pick(base, ours[one], theirs[other]): f"{other} onto {one}" for one, other in product(OURS, THEIRS)
    }
    with GitRepo(repo.path) as git:
        replay = Replay(git.scratch, git.objects, Changes(git.scratch), Forgetful())
        merges = replay.merges([replay._sides(pick) for pick in named])
        hoped = {pick: outcome.tree for pick, outcome in zip(named, merges, strict=True) if outcome.clean}
        tellings = [replay.picks(named, hoped=hoped)]
        for tree in (*ours.values(), *theirs.values()):
            again = Replay(git.scratch, git.objects, Changes(git.scratch), Forgetful())
            tellings.append(again.picks(named, hoped=dict.fromkeys(named, tree)))
    for told in tellings:
        for (pick, name), merged in zip(named.items(), merges, strict=True):
            assert told[pick].clean == merged.clean, name
            assert not merged.clean or told[pick].tree == merged.tree, name


A, B, C, D, E, F = (Commit(letter * 40) for letter in "abcdef")


@pytest.mark.parametrize(
    ("known", "base"),
    [
        pytest.param({B: (A,), C: (A,)}, A, id="both-on-the-target"),
        pytest.param({B: (A,), C: (B,)}, B, id="on-top-of-it"),
        pytest.param({B: (C,), C: (A,)}, C, id="brings-nothing"),
        pytest.param({B: (A,), C: (D,), D: (A,)}, A, id="a-chain-of-two"),
        pytest.param({B: (A,), C: (F,)}, None, id="from-before-the-target"),
        pytest.param({B: (A,), C: (D, E), D: (A,), E: (A,)}, None, id="a-side-with-a-merge"),
        pytest.param({B: (D, C), C: (A,), D: (A,)}, C, id="merged-already"),
        pytest.param({B: (A,), C: ()}, None, id="unrelated"),
        pytest.param({B: (E, D), C: (D,), D: (F,), E: (A,)}, D, id="a-common-commit-off-the-target"),
    ],
)
def test_the_only_base_of_a_merge(known: dict[Commit, tuple[Commit, ...]], base: Commit | None) -> None:
    assert single_base(B, C, known) == base
