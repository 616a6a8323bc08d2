"""The wall behind real transports: ssh and smart HTTP, with pushes that bring new objects into quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hook_world import BRANCH, REF, World
from tests.transports import TRANSPORTS
from tests.verifying import by_ledger, by_service, offline


@pytest.fixture(scope="module", params=TRANSPORTS)
def wall(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For pushes that are refused, and so change nothing."""
    folder = tmp_path_factory.mktemp(request.param)
    world = by_ledger(folder / "world")
    with reached(world, request.param, folder):
        yield world


def reached(world: World, transport: str, folder: Path, **environment: str) -> Reached:
    return Reached(world, TRANSPORTS[transport](world.bare.path, folder / "transport", environment))


class Reached:
    """The clone's remote is reached over the transport while this lasts."""

    def __init__(self, world: World, transport: object) -> None:
        self.world, self.transport = world, transport

    def __enter__(self) -> World:
        url, env = self.transport.__enter__()  # type: ignore[attr-defined]
        self.world.dev.env.update(env)
        self.world.dev.git("remote", "set-url", "origin", url)
        return self.world

    def __exit__(self, *error: object) -> None:
        self.transport.__exit__(*error)  # type: ignore[attr-defined]


def push(world: World, *words: str, token: str = "") -> tuple[bool, str]:
    option = ["-o", f"guard-permit={token}"] if token else []
    done = world.dev.run("push", "--no-verify", *option, *words)
    return done.returncode == 0, done.stderr.decode()


REFUSED = [
    pytest.param(["origin", "{new}:{ref}"], "refs.protected", id="a-commit"),
    pytest.param(["origin", "{fresh}:{ref}"], "refs.protected", id="a-commit-in-quarantine"),
    pytest.param(["--force", "origin", "{side}:{ref}"], "refs.protected", id="forced"),
    pytest.param(["origin", ":{ref}"], "refs.deletion", id="deleted"),
    pytest.param(["origin", "{fresh}:refs/heads/f1", "{fresh}:{ref}"], "refs.protected", id="one-of-several"),
    pytest.param(
        ["--atomic", "origin", "{fresh}:refs/heads/f1", "{fresh}:{ref}"], "refs.protected", id="atomic"
    ),
    pytest.param(["origin", "{fresh}:refs/heads/RELEASE/Platform-Control"], "refs.case", id="another-case"),
    pytest.param(["origin", "{fresh}:refs/tags/{branch}"], "refs.lookalike", id="a-tag-like-a-branch"),
    pytest.param(["origin", "{fresh}:{ref}/x"], "refs.shadow", id="below-it"),
]


@pytest.mark.parametrize(("words", "code"), REFUSED)
def test_what_is_refused_leaves_nothing_behind(wall: World, words: list[str], code: str) -> None:
    fresh = wall.dev.git("commit-tree", "-p", wall.new, "-m", f"Fresh {words}", f"{wall.new}^{{tree}}")
    names = {"new": wall.new, "side": wall.side, "ref": REF, "branch": BRANCH, "fresh": fresh}
    before = wall.bare.git("for-each-ref")
    taken, said = push(wall, *(word.format(**names) for word in words))
    assert not taken
    assert f"remote: {code}" in said, said
    assert wall.bare.git("for-each-ref") == before
    assert wall.bare.run("cat-file", "-e", fresh).returncode != 0, "its objects stay in quarantine"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("verifier", ["ledger", "service", "offline"])
def test_from_no_permit_to_a_spent_one(tmp_path: Path, transport: str, verifier: str) -> None:
    """A commit that only the push brings (where a service decides once more, a proposed one), with its permit; then the
    same once more, and from a branch forced back."""
    if verifier == "service":
        with by_service(tmp_path / "w") as world, reached(world, transport, tmp_path):
            promote(world, proposed=True)
    else:
        world = by_ledger(tmp_path / "w") if verifier == "ledger" else offline(tmp_path / "w")
        with reached(world, transport, tmp_path):
            promote(world)


def promote(world: World, *, proposed: bool = False) -> None:
    assert push(world, "origin", "master:refs/heads/feature", "master:refs/tags/v1")[0]
    fresh = world.dev.commit("Fix", {"fix.txt": "1\n"})
    assert not push(world, "origin", f"{fresh}:{REF}")[0]
    if proposed:
        # With what it is judged by: upstream has it, and it is an open proposal's head.
        proposal = f"refs/proposals/{BRANCH}/2"
        world.bare.git(
            "fetch", "-q", str(world.dev.path), f"{fresh}:{proposal}", f"{fresh}:refs/heads/master"
        )
    tree = world.dev.git("rev-parse", f"{fresh}^{{tree}}")
    permit = world.permit(new=fresh, tree=tree)
    token = world.issue(
        world.permit(id=permit.id, new=fresh, tree=tree, issued=permit.issued, expires=permit.issued + 110)
    )
    other = world.issue(world.permit(new=world.new, expires=permit.issued + 110))
    taken, said = push(world, "origin", f"{fresh}:{REF}", token=other)
    assert not taken
    assert "permit.other-new" in said
    taken, said = push(world, "origin", f"{fresh}:{REF}", "master:refs/heads/more", token=token)
    assert taken, said
    assert token not in said
    assert world.head() == fresh
    world.bare.git("update-ref", REF, world.old)
    taken, said = push(world, "origin", f"{fresh}:{REF}", token=token)
    assert not taken, "forced back, and the permit is not good once more"
    assert "permit.spent" in said
