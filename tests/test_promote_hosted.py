"""`guard promote` and `guard push` on a hosted forge: the real command, the ready script, the service over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from guard.cli.main import status_of
from tests.gitrepo import Repo, clean_environment
from tests.hosted_world import REF, Hosted, hosted
from tests.people import key_of, write_key
from tests.service_sides import BOTH, BRANCH

EXAMPLE = Path(__file__).parent.parent / "examples" / "platform_control_promote_release_branch.sh"
PATH = "scripts/ci/platform_control_promote_release_branch.sh"
DOCUMENT = "doc/Platform_Control_Release_Promotion_Policy.md"
RULES = f'promote = "{PATH}"\nread_first = ["{DOCUMENT}"]'


IN_FRONT = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from guard.cli.main import run
run()
"""
"""`guard` as a shell starts it in the foreground: what runs in its background inherits that SIGINT is ignored."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A release owner's clone, and the command in it."""

    world: Hosted
    clone: Repo
    key: Path

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        env = clean_environment(NO_COLOR="1", **extra)
        words = ["--service", self.world.url, "--as", "ann", "--key", str(self.key), *arguments]
        return subprocess.Popen(
            [sys.executable, "-c", IN_FRONT, "promote", *words],
            cwd=self.clone.path, env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def promote(self, *arguments: str, **extra: str) -> tuple[int, str, str]:
        run = self.start(*arguments, **extra)
        out, err = run.communicate(timeout=120)
        assert "Traceback" not in err, err
        return run.returncode, out, err


def desk_of(world: Hosted, folder: Path, *, script: str | None = None) -> Desk:
    """Upstream has the script and the document, and the branch has them too; then one fix waits."""
    text = EXAMPLE.read_text() if script is None else script
    world.commit("the promote script", {PATH: text, DOCUMENT: "Promote on weekdays.\n"})
    clone = Repo.init(folder / "owner")
    clone.git("remote", "add", "origin", world.git_url.replace("http://", "http://dev:dev@"))
    clone.git("fetch", "-q", "origin")
    clone.git("checkout", "-q", "-b", "work", "origin/master")
    return Desk(world, clone, write_key(folder / "keys/ann", key_of("ann")))


@pytest.fixture(params=BOTH)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    with hosted(tmp_path, request.param, branch=RULES) as world:
        yield desk_of(world, tmp_path)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Desk]:
    with hosted(tmp_path, "gitlab", branch=RULES) as world:
        yield desk_of(world, tmp_path)


def test_from_no_go_to_promoted_and_recorded(desk: Desk) -> None:
    world = desk.world
    status, out, _ = desk.promote("--dry-run")
    assert (status, "nothing to promote" in out) == (0, True)
    head = world.commit("a fix", {"app": "2\n"})
    proposal = world.side.propose(head)
    status, out, _ = desk.promote("--yes")
    assert status == 1
    assert "NO-GO" in out
    assert "What blocks it, and what would unblock it:" in out

    world.side.approve(proposal, by="ann")
    world.side.approve(proposal, by="sam")
    world.submit(world.url, head)
    status, out, _ = desk.promote("--dry-run")
    assert status == 0
    for told in (
        "2 commits",
        "a fix",
        "step: staging → production",
        f"moved by: {PATH}",
        DOCUMENT,
        "DECISION: GO",
    ):
        assert told in out, out
    assert world.head() == world.first
    status, _, err = desk.promote()
    assert (status, "nobody is there to confirm" in err) == (64, True)

    notify = desk.clone.path.parent / "notify"
    notify.write_text(f'#!/bin/sh\necho "$1 $2 ${{GUARD_PERMIT:-no permit}}" > {notify}.out\n')
    notify.chmod(0o755)
    status, out, err = desk.promote("--yes", "--", "--notify", str(notify))
    assert status == 0, out + err
    assert f"promoted: {BRANCH} stands at {head} (before: {world.first[:10]})" in out
    assert Path(f"{notify}.out").read_text() == f"{BRANCH} {head} no permit\n"
    assert world.head() == head
    assert world.kinds()[-9:] == [
        "promotion.asked", "promotion.requested", "decision.recorded", "permit.issued", "promotion.started",
        "promotion.pushing", "permit.spent", "branch.moved", "promotion.finished",
    ]  # fmt: skip
    status, out, _ = desk.promote("--yes")
    assert (status, "nothing to promote" in out) == (0, True)
    world.side.deliver(world.url)
    world.work_off()
    after = world.kinds()
    assert (after.count("branch.moved"), after.count("promotion.finished")) == (1, 1)
    assert "alarm.raised" not in after, "the push event of the guard's own move is no news"


def test_the_permit_and_the_token_are_in_no_argument_and_no_output(one: Desk) -> None:
    """Every process of the promotion is looked at, from the script and at the service's push, while it runs."""
    world = one.world
    world.go()
    seen: set[str] = set()
    stop = threading.Event()
    watcher = threading.Thread(target=watch, args=(seen, stop, (world.git_url, str(world.home))))
    watcher.start()
    status, out, err = one.promote("--yes", "--format", "json", GIT_TRACE="1")
    stop.set()
    watcher.join()
    assert status == 0, err
    assert json.loads(out)["result"] == "promoted"
    assert any("push" in line and "force-with-lease" in line for line in seen), "the push was seen"
    issued = next(world.ledger.entries("permit.issued", newest_first=True))
    for text in (*seen, out, err):
        assert world.side.token not in text
        assert "guard-permit" not in text
        assert "eyJ" not in text, text
    assert str(issued.body["permit"]) not in out + err


def watch(seen: set[str], stop: threading.Event, ours: tuple[str, ...]) -> None:
    """The command lines of all processes that have to do with this world."""
    while not stop.is_set():
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                except OSError:
                    continue
                if any(one in line for one in ours):
                    seen.add(line)
        time.sleep(0.002)


WAITS = """\
#!/bin/sh
sleep 60 &
echo $! > "$GUARD_TEST_FOLDER/child"
echo "$GUARD_PERMIT" > "$GUARD_TEST_FOLDER/permit"
mv "$GUARD_TEST_FOLDER/permit" "$GUARD_TEST_FOLDER/ready"
wait
"""


def waiting(tmp_path: Path, world: Hosted) -> tuple[Desk, subprocess.Popen[str], Path]:
    """A promotion whose script is in the middle of something, and the file that its child's number is in."""
    desk = desk_of(world, tmp_path, script=WAITS)
    world.go()
    run = desk.start("--yes", GUARD_TEST_FOLDER=str(tmp_path))
    until = time.monotonic() + 60
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < until, run.communicate(timeout=1)
        assert run.poll() is None, run.communicate()
        time.sleep(0.02)
    return desk, run, tmp_path / "child"


def is_gone(pid: int) -> bool:
    for _ in range(200):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C, or a CI job that is cancelled: the script's whole group ends, the permit is revoked, and it is said."""
    with hosted(tmp_path, "gitlab", branch=RULES) as world:
        _, run, child = waiting(tmp_path, world)
        permit = (tmp_path / "ready").read_text().strip()
        os.kill(run.pid, how)
        _, err = run.communicate(timeout=60)
        assert run.returncode == 1, err
        assert "promotion.failed: " in err
        assert "the permit is revoked" in err
        assert is_gone(int(child.read_text()))
        promotion = str(next(world.ledger.entries("permit.issued", newest_first=True)).body["promotion"])
        assert world.present(promotion, "push", permit).code == "permit.revoked"
        assert world.head() == world.first


def test_killed_at_any_point_it_is_simply_run_again(tmp_path: Path) -> None:
    """kill -9 of the promoter in the middle of its script: the next run ends that promotion and makes its own."""
    with hosted(tmp_path, "gitlab", branch=RULES) as world:
        desk, run, child = waiting(tmp_path, world)
        permit = (tmp_path / "ready").read_text().strip()
        group = os.getpgid(int(child.read_text()))
        os.kill(run.pid, signal.SIGKILL)
        os.killpg(group, signal.SIGKILL)
        run.communicate(timeout=30)
        note = desk.clone.path / ".git/guard/promotion.json"
        assert note.exists()
        assert permit not in note.read_text()
        world.commit("a script that pushes", {PATH: EXAMPLE.read_text()})
        status, out, err = desk.promote("--yes")
        assert "an earlier promotion to" in out, out + err
        assert "was cut off before it moved" in out
        first = str(next(world.ledger.entries("permit.issued")).body["promotion"])
        assert world.state(first).body["state"] == "failed"
        assert not note.exists()
        assert status == 0, out + err
        assert world.head() != world.first


def test_killed_after_the_branch_had_moved(one: Desk) -> None:
    """The service moved it, the promoter never heard of it: the next run says that it is promoted already."""
    world = one.world
    _, head = world.go()
    wanted = world.request(head, read=(DOCUMENT,))
    given = world.ask(wanted)
    assert given.status == 201, given
    folder = one.clone.path / ".git/guard"
    folder.mkdir(exist_ok=True)
    note = {
        "service": world.url, "repository": world.side.repository, "branch": BRANCH, "old": wanted.old, "new": head,
        "policy": wanted.policy, "request": wanted.request, "read": list(wanted.read),
    }  # fmt: skip
    (folder / "promotion.json").write_text(json.dumps(note))
    assert world.present(given.body["promotion"], "push", given.permit).body["state"] == "finished"
    status, out, err = one.promote("--yes")
    assert status == 0, err
    assert f"already promoted: {BRANCH} stands at {head}" in out
    assert not (folder / "promotion.json").exists()
    assert len(list(world.ledger.entries("branch.moved"))) == 1


def test_the_first_day_of_an_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is there but settings: the baseline is fetched and recorded, the key made, a promotion asked for."""
    with hosted(tmp_path, "gitlab", adopted=False) as world:
        _, head = world.go()
        assert world.plan(head).code == "promotion.no-baseline"
        for name, value in world.environ().items():
            monkeypatch.setenv(name, value)
        assert status_of(["adopt", "--server", str(world.home), "--branch", BRANCH]) == 0
        adopted = next(world.ledger.entries("baseline.adopted"))
        assert adopted.body["head"] == world.head()
        assert world.ask(world.request(head)).status == 201
        world.bare.git("update-ref", REF, head)
        assert status_of(["adopt", "--server", str(world.home), "--branch", BRANCH]) == 1
        assert status_of(["keys", "list", "--server", str(world.home)]) == 0


def test_documents_have_to_be_read(one: Desk) -> None:
    world = one.world
    _, head = world.go()
    refused = world.ask(world.request(head))
    assert (refused.status, refused.code) == (403, "promotion.unread")
    assert DOCUMENT in refused.body["message"]


def test_guard_push_is_for_promote_scripts(one: Desk) -> None:
    command = [sys.executable, "-m", "guard.cli.main", "push"]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert "run guard promote" in done.stderr
    env = clean_environment(GUARD_PERMIT="a.b.c", GUARD_PROMOTION="x" * 24, GUARD_SERVICE_URL=one.world.url)
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "promotion.unknown" in done.stderr
    env["GUARD_SERVICE_URL"] = "http://guard.example.com"
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "usage.service" in done.stderr) == (64, True)


def test_the_service_is_not_there(one: Desk) -> None:
    status, _, err = Desk(one.world, one.clone, one.key).promote("--yes", "--service", "http://127.0.0.1:9")
    assert (status, "service.unreachable" in err) == (2, True)
