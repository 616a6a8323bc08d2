"""kill -9 before and after every effect of a promotion, then a clean run: one move, nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guard.journeys.promotion import promote
from tests.gitrepo import clean_environment
from tests.promoting import REF, World, make_world, request_of, tools_of

EFFECTS = ["requested", "decision", "issued", "sign", "started", "move", "spent", "moved", "finished"]
"""What a promotion does to the world, in order; without a server hook the last three are its own too."""


class Fuse:
    """Kills this process before or after its n-th effect."""

    def __init__(self, blow_at: int, *, after: bool) -> None:
        self.left = blow_at
        self.after = after

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def fused(*args: Any, **kwargs: Any) -> Any:
            if self.left == 0 and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            value = effect(*args, **kwargs)
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
            return value

        return fused


def promote_until(folder: Path, old: str, new: str, *, step: int, after: bool) -> None:
    """In a process of its own: a promotion whose ports are fused."""
    world = World(folder, old, new)
    fuse = Fuse(step, after=after)
    tools = tools_of(world)
    tools.ledger.append = fuse.around(tools.ledger.append)  # type: ignore[method-assign]
    promote(
        request_of(world),
        tools_of(world, ledger=tools.ledger, sign=fuse.around(tools.sign), move=fuse.around(tools.move)),
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(len(EFFECTS)), ids=EFFECTS)
def test_killed_and_run_again(tmp_path: Path, step: int, *, after: bool) -> None:
    world = make_world(tmp_path)
    assert _in_a_process(world, step, after=after) == -signal.SIGKILL

    promoted = promote(request_of(world), tools_of(world))

    assert (promoted.old, promoted.new) in {(world.old, world.new), (world.new, world.new)}
    assert_promoted_once(world)


def test_killed_at_every_step_in_a_row(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    for step in range(len(EFFECTS)):
        _in_a_process(world, step, after=False)
    promote(request_of(world), tools_of(world))
    assert_promoted_once(world)


def test_without_a_crash_the_steps_are_these(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    assert _in_a_process(world, len(EFFECTS), after=True) == 0
    assert_promoted_once(world)


def assert_promoted_once(world: World) -> None:
    """The branch moved once from old to new, and the ledger says so exactly once and adds up."""
    ledger = world.ledger()
    ledger.verify()
    entries = list(ledger.entries())
    of = {kind: [e.body for e in entries if e.kind == kind] for kind in {e.kind for e in entries}}
    assert world.head() == world.new
    assert world.git("reflog", "show", "--format=%H", REF).split() == [world.new, world.old]
    [moved], [spent], [finished] = of["branch.moved"], of["permit.spent"], of["promotion.finished"]
    assert (moved["old"], moved["new"], moved["permit"]) == (world.old, world.new, spent["permit"])
    revoked = {body["permit"] for body in of.get("permit.revoked", [])}
    assert spent["permit"] not in revoked
    assert {body["permit"] for body in of["permit.issued"]} == revoked | {spent["permit"]}
    ended = [str(body["promotion"]) for body in [*of.get("promotion.failed", []), finished]]
    assert sorted(ended) == sorted(str(body["promotion"]) for body in of["promotion.requested"])


def _in_a_process(world: World, step: int, *, after: bool) -> int:
    code = (
        "from pathlib import Path; from tests.test_promotion_crash import promote_until; "
        f"promote_until(Path({str(world.folder)!r}), {world.old!r}, {world.new!r}, step={step}, after={after})"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=clean_environment(), capture_output=True, check=False
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
    return done.returncode
