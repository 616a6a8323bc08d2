"""kill -9 of the worker between recording and publishing, and what the next worker makes of it; forges that fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from guard.core.forge_facts import Wake
from tests.doubles.server import Answer, Fault
from tests.gitrepo import clean_environment
from tests.service_sides import BOTH
from tests.service_world import ServiceWorld
from tests.stories import go, opened, said
from webhook_app.worker import Worker


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    with opened(request.param, tmp_path) as made:
        yield made


PERMISSIONS = {"gitlab": "membership in the group", "github": "Members: read (organisation)"}
"""What has to be granted for the members of a role's group to be read."""
COMMENTS = {"gitlab": "/notes", "github": "/comments"}


def killed_while(world: ServiceWorld, *, path: str) -> None:
    """Run a worker in a process of its own and kill it while it waits for the answer to a POST of this path."""
    world.side.server().fail(Fault("slow", method="POST", path=path, seconds=120, times=1))
    env = clean_environment(**world.environ())
    command = [sys.executable, "-m", "guard.cli.main", "serve", "--home", str(world.home), "--role", "worker"]
    worker = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until, seen = time.monotonic() + 60, len(world.side.server().requests)
        while not any(
            one.method == "POST" and path in one.path for one in world.side.server().requests[seen:]
        ):
            assert worker.poll() is None, worker.stderr and worker.stderr.read().decode()
            assert time.monotonic() < until, "the worker never came to it"
            time.sleep(0.05)
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        if worker.stderr:
            worker.stderr.close()
    world.side.server().recover()


def test_killed_between_recording_and_publishing(world: ServiceWorld) -> None:
    """Before the status stands, and again, on the next head, before the comment is written."""
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.side.deliver(url)
        killed_while(world, path="/statuses/")
        assert len(world.recorded()) == 1, "it was recorded before it was published"
        assert len(world.side.comments(proposal)) == 0
        killed_while(world, path=COMMENTS[world.side.name])
        assert len(world.recorded()) == 1
        assert len(world.side.comments(proposal)) == 0
        world.work_off()
        assert [one.state for one in world.side.statuses(head)] == ["failure"]
        assert len(world.side.comments(proposal)) == 1
        assert len(world.recorded()) == 1


def test_what_cannot_be_read_to_the_last_try_is_said(world: ServiceWorld) -> None:
    """The members cannot be read: a GO is taken back at the first try, and after the last one it is told why."""
    with world.serving() as url:
        proposal, head = go(world, url)
        people = "members"
        denied = Answer(403, {"message": "403 Forbidden"})
        world.side.server().fail(Fault("status", path=people, answer=denied))
        world.service.members_changed()
        world.wake()
        world.work_off()
        assert "success" not in world.status(head).state
        assert "**NO-GO**" in world.comment(proposal)
        assert PERMISSIONS[world.side.name] in said(world, proposal)
        world.side.server().recover()
        world.wake()
        world.work_off()
        assert world.status(head).state == "success"
        assert len(world.side.comments(proposal)) == 1


def test_a_git_that_fails_to_the_last_try_is_said(world: ServiceWorld) -> None:
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.side.deliver(url)
        world.work_off()
        world.fetch_from(world.bare.path.with_name("nowhere.git"))
        world.wake()
        world.work_off()
        assert "could not decide: " in world.status(head).description
        assert world.status(head).state != "success"
        assert "could not decide" in world.comment(proposal)
        world.fetch_from(world.bare.path)
        world.wake()
        world.work_off()
        assert "could not decide" not in world.comment(proposal)


def test_a_head_that_is_not_there_yet_is_waited_for(world: ServiceWorld) -> None:
    """As during a forced push: the API names a head that git does not give yet."""
    with world.serving() as url:
        world.work.git("switch", "-q", "-c", "later")
        head = world.work.commit("a fix", {"app": "2\n"})
        world.work.git("push", "-q", str(world.bare.path), f"{head}:refs/heads/hidden")
        proposal = world.side.propose(head)
        kept = {"gitlab": f"refs/merge-requests/{proposal}/head", "github": f"refs/pull/{proposal}/head"}
        world.side.deliver(url)
        world.hide_heads(kept[world.side.name])
        assert world.step()
        assert world.side.statuses(head) == []
        world.show_heads()
        world.work_off()
        assert world.status(head).state == "failure"
        assert len(world.side.comments(proposal)) == 1


def test_many_workers_say_everything_once(world: ServiceWorld) -> None:
    """Four workers on proposals that share a branch and a head: one at a time decides and publishes."""
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposals = [world.side.propose(head, by=by) for by in ("dev", "pat", "ann")]
        world.side.deliver(url)
        for proposal in proposals:
            world.service.inbox.wake([Wake("proposal", proposal)], now=world.service.clock.now())
        world.wake()
        stop = threading.Event()
        workers = [Worker(world.service, stop=stop, idle=0.05) for _ in range(4)]
        for worker in workers:
            worker.start()
        until = time.monotonic() + 60
        while world.service.inbox.waiting():
            assert time.monotonic() < until, "the work does not end"
            time.sleep(0.05)
        stop.set()
        for worker in workers:
            worker.join()
        assert len(world.side.statuses(head)) == 1
        assert [len(world.side.comments(proposal)) for proposal in proposals] == [1, 1, 1]
        assert len(world.recorded()) == 3


def test_a_bug_leaves_no_status_that_nobody_stands_behind(world: ServiceWorld) -> None:
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.settle(url)
        world.service = replace(world.service, mirror=Broken())  # type: ignore[arg-type]
        world.wake()
        for _ in range(20):
            if not world.step():
                world.clock.ahead += timedelta(seconds=1)
        assert "could not decide" in world.status(head).description
        assert "the service failed inside" in world.comment(proposal)


class Broken:
    """A mirror with a bug."""

    def prepare(self) -> None:
        return

    def refresh(self, branches: object, proposals: object = ()) -> None:
        raise ZeroDivisionError
