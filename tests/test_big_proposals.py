"""Proposals beyond what the forges' lists hold: 3,000 files and 250 commits, told in both voices, and nothing lost.

GitHub lists at most 250 commits and 3,000 files of a pull request
(https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request); GitLab cuts its diffs as well. The guard
reads both from git, and asks the forge for people alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_sides import BOTH
from tests.service_world import ServiceWorld
from tests.stories import opened, said

COMMITS, FILES = 260, 3010


@pytest.mark.parametrize("forge", BOTH)
def test_what_the_forges_lists_do_not_hold_is_judged_all_the_same(forge: str, tmp_path: Path) -> None:
    with opened(forge, tmp_path, pages=True) as world, world.serving() as url:
        world.side.address("sam", "sam@example.com")
        head = import_commits(world)
        proposal = world.side.propose(head)
        for person in ("ann", "sam"):
            world.side.approve(proposal, by=person)
        world.settle(url)
        body = said(world, proposal)
        assert len(world.comment(proposal)) <= 60_000
        assert f"{COMMITS} commits, {FILES + COMMITS - 1} files, 1 breaking" in body
        assert "Breaking changes:" in body
        assert "the oldest of them all" in body, "the first commit is beyond the 250 newest"
        assert f"and {FILES + COMMITS - 1 - 50} more" in body
        assert f"and {COMMITS - 50} more" in body
        assert "[see the whole decision](https://guard.example.com" in body
        # Who wrote the first commit has a hand in it, although no list of the forge's shows that commit.
        assert "sam is the change's author" in body
        assert f"Lineage: {COMMITS} commits" in body or "too long for a comment" in body
        assert len(world.status(head).description) <= 140


def import_commits(world: ServiceWorld) -> str:
    """Many commits with many files, none of them on master, in one go."""
    world.work.git("fast-import", "--quiet", stdin=b"".join(stream(world.first)))
    head = world.work.rev("big")
    world.work.git("push", "-q", str(world.bare.path), f"{head}:refs/heads/big")
    return head


def stream(first: str) -> Iterator[bytes]:
    for number in range(COMMITS):
        who = "Sam <sam@example.com>" if number == 0 else "Dev <dev@example.com>"
        subject = "feat!: the oldest of them all" if number == 0 else f"change {number} {'x' * 200}"
        yield f"commit refs/heads/big\nauthor {who} {1_700_000_000 + number} +0000\n".encode()
        yield f"committer Dev <dev@example.com> {1_700_000_000 + number} +0000\n".encode()
        yield f"data {len(subject)}\n{subject}\n".encode()
        if number == 0:
            yield f"from {first}\n".encode()
        names = [f"many/{at:04}" for at in range(FILES)] if number == 0 else [f"one/{number:03}"]
        for name in names:
            yield f"M 100644 inline {name}\ndata {len(name)}\n{name}\n".encode()
