"""kill -9 of the worker at every step of a command from a comment: carried out once ever, answered once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.gitrepo import clean_environment
from tests.service_sides import BOTH
from tests.service_world import ServiceWorld
from tests.stories import REVIEW, opened, proposed

STEPS = (
    "statement.signoff",  # it is on record, and not answered
    "command.answered",  # answered on record, and no reaction yet
    "before:command.reacted",  # the reaction stands, and nobody knows
)


@contextmanager
def dying(world: ServiceWorld) -> Iterator[Callable[[str, int], None]]:
    """Gives what has a worker killed at a step, its clock so many seconds ahead."""
    command = [sys.executable, "-m", "tests.dying_worker", str(world.home)]
    env = clean_environment(**world.environ())
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        command, env=env, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def killed_at(step: str, seconds: int) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{step} {seconds}\n")
            process.stdin.flush()
            assert process.stdout.readline().strip() == str(int(signal.SIGKILL)), step

        yield killed_at
        process.communicate(timeout=20)


@pytest.mark.parametrize("forge", BOTH)
def test_killed_at_every_step_a_command_is_carried_out_once(forge: str, tmp_path: Path) -> None:
    with opened(forge, tmp_path, more=REVIEW) as world, world.serving() as url, dying(world) as killed_at:
        proposal, _ = proposed(world, url)
        comment = world.side.comment(proposal, "/guard signoff security.threat-model Looked at it", by="sam")
        world.side.deliver(url)
        for number, step in enumerate(STEPS, 1):
            killed_at(step, 20 * number)
            assert len(list(world.service.ledger.entries("statement.signoff"))) == 1, step
            reactions = world.side.reactions(proposal, comment)
            assert reactions == (["thumbsup"] if number == len(STEPS) else []), step
        world.clock.ahead += timedelta(seconds=20 * (len(STEPS) + 1))
        world.settle(url)
        world.wake()
        world.settle(url)
        for kind in ("statement.signoff", "command.answered", "command.reacted"):
            assert len(list(world.service.ledger.entries(kind))) == 1, kind
        assert world.side.reactions(proposal, comment) == ["thumbsup"]
        assert world.comment(proposal).count("(sam): done, signed off for this head") == 1
        assert world.service.ledger.verify()
