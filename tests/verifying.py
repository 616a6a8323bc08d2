"""Servers whose hooks verify permits in each of the three ways: their own ledger, a service, the public keys alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from guard.wiring_service import open_service
from tests.hook_world import BRANCH, World, build, guard
from tests.service_world import serving

SECRET, OLD_SECRET = "a-secret-of-this-guards-servers", "the-secret-that-it-takes-the-place-of"


def by_ledger(folder: Path) -> World:
    world = build(folder)
    assert guard("install", "--server", world.bare.path) == 0
    return world


def offline(folder: Path) -> World:
    """The hook knows the public keys and nothing else."""
    world = _guarded_elsewhere(folder)
    assert guard("install", "--server", world.bare.path, "--offline", "--jwks", world.home / "jwks.json") == 0
    return world


@contextmanager
def by_service(folder: Path, *options: str) -> Iterator[World]:
    """The hook asks the real service, on a port of its own, which has the ledger."""
    world = _guarded_elsewhere(folder)
    (world.home / "service.toml").write_text('forge = "local"\n')
    # The service decides once more when it is shown a permit: what it is for has to be a GO.
    world.bare.git("update-ref", f"refs/proposals/{BRANCH}/1", world.new)
    (folder / "secret").write_text(f"{SECRET}\n")
    with serving(open_service(world.home, {"GUARD_VERIFY_SECRET": f"{OLD_SECRET}\n{SECRET}"})) as url:
        told = ("--ask", url, "--secret", folder / "secret")
        assert guard("install", "--server", world.bare.path, *told, *options) == 0
        yield world


def _guarded_elsewhere(folder: Path) -> World:
    """A guard with its ledger in a folder beside the repository; its hooks are not the repository's any more."""
    world = build(folder, rules='"lineage"')
    home = folder / "service"
    assert guard("install", "--server", world.bare.path, "--home", home, "--protect", BRANCH) == 0
    return replace(world, elsewhere=home)
