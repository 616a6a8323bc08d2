"""The inbox and the mirror: work claimed by one at a time, lost leases, credentials that show nowhere."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from guard.adapters.database import open_database
from guard.adapters.inbox import KEEP_BODIES, Delivery, DeliveryInbox
from guard.adapters.mirror import Mirror
from guard.adapters.told import ToldMemory
from guard.core.errors import GitError, SettingsError
from guard.core.facts import Proposal
from guard.core.forge_facts import Wake
from guard.core.model import Commit
from guard.ports import Telling
from tests.gitrepo import Repo
from webhook_app.intake import coalesced

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LEASE = timedelta(minutes=1)
SEVEN = Wake("proposal", "7")
EVERYTHING = Wake("everything", "")


@pytest.fixture
def inbox(tmp_path: Path) -> DeliveryInbox:
    return DeliveryInbox(open_database(tmp_path / "ledger.sqlite3"), repository="gpuaas/platform")


def delivery(id: str = "d-1") -> Delivery:
    return Delivery("gitlab", id, "merge_request", "gpuaas/platform", {"x-gitlab-event": "x"}, b"{}")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_delivery_is_taken_once_and_comes_back(inbox: DeliveryInbox) -> None:
    assert inbox.take(delivery(), [SEVEN], now=NOW)
    assert not inbox.take(delivery(), [EVERYTHING], now=NOW)
    assert inbox.deliveries() == (delivery(),)
    assert inbox.waiting() == 1


def test_the_same_delivery_from_many_senders_at_once_is_taken_once(tmp_path: Path) -> None:
    def take(number: int) -> bool:
        inbox = DeliveryInbox(open_database(tmp_path / "ledger.sqlite3"), repository="r")
        return inbox.take(delivery(), [SEVEN], now=NOW)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(take, range(16))) == [False] * 15 + [True]


def test_one_wake_is_one_job(inbox: DeliveryInbox) -> None:
    for number in range(5):
        inbox.take(delivery(f"d-{number}"), [SEVEN, SEVEN], now=NOW)
    assert inbox.waiting() == 1
    job = inbox.claim(now=NOW, lease=LEASE, token="a")
    assert job is not None
    assert (job.wake, job.tries) == (SEVEN, 1)
    inbox.done(job, now=NOW)
    assert inbox.waiting() == 0


def test_a_job_is_one_workers_until_its_lease_ends(inbox: DeliveryInbox) -> None:
    inbox.wake([SEVEN], now=NOW)
    first = inbox.claim(now=NOW, lease=LEASE, token="a")
    assert first is not None
    assert inbox.claim(now=later(59), lease=LEASE, token="b") is None
    second = inbox.claim(now=later(61), lease=LEASE, token="b")
    assert second is not None
    assert second.tries == 2, "a try that was killed is a try"
    assert not inbox.renew(first, now=later(62), lease=LEASE)
    inbox.done(first, now=later(62))
    inbox.retry(first, at=later(62), why="late")
    assert inbox.claim(now=later(63), lease=LEASE, token="c") is None, "the second worker has it"
    inbox.done(second, now=later(64))
    assert inbox.waiting() == 0


def test_a_renewed_lease_holds(inbox: DeliveryInbox) -> None:
    inbox.wake([SEVEN], now=NOW)
    job = inbox.claim(now=NOW, lease=LEASE, token="a")
    assert job is not None
    assert inbox.renew(job, now=later(50), lease=LEASE)
    assert inbox.claim(now=later(100), lease=LEASE, token="b") is None


def test_what_is_asked_for_while_it_is_worked_on_is_due_again(inbox: DeliveryInbox) -> None:
    inbox.wake([SEVEN], now=NOW)
    job = inbox.claim(now=NOW, lease=LEASE, token="a")
    assert job is not None
    inbox.wake([SEVEN], now=later(1))
    inbox.done(job, now=later(2))
    again = inbox.claim(now=later(2), lease=LEASE, token="b")
    assert again is not None
    assert again.tries == 1


def test_a_retry_waits_unless_it_is_asked_for(inbox: DeliveryInbox) -> None:
    inbox.wake([SEVEN], now=NOW)
    job = inbox.claim(now=NOW, lease=LEASE, token="a")
    assert job is not None
    inbox.retry(job, at=later(30), why="HTTP 502")
    assert inbox.claim(now=later(29), lease=LEASE, token="b") is None
    inbox.wake([SEVEN], now=later(10))
    again = inbox.claim(now=later(10), lease=LEASE, token="c")
    assert again is not None
    assert again.tries == 2
    inbox.retry(again, at=later(11), why="busy", counts=False)
    third = inbox.claim(now=later(11), lease=LEASE, token="d")
    assert third is not None
    assert third.tries == 2


def test_the_oldest_job_comes_first_and_each_once(tmp_path: Path) -> None:
    inbox = DeliveryInbox(open_database(tmp_path / "ledger.sqlite3"), repository="r")
    for number in range(20):
        inbox.wake([Wake("proposal", str(number))], now=later(number))
    with ThreadPoolExecutor(4) as pool:
        jobs = list(pool.map(lambda n: inbox.claim(now=later(60), lease=LEASE, token=f"t{n}"), range(20)))
    assert sorted(int(job.wake.key) for job in jobs if job) == list(range(20))
    assert inbox.claim(now=later(60), lease=LEASE, token="x") is None


def test_old_bodies_go_and_ids_stay(inbox: DeliveryInbox) -> None:
    inbox.take(delivery(), [], now=NOW)
    inbox.forget(now=NOW + KEEP_BODIES + timedelta(seconds=1))
    assert [one.body for one in inbox.deliveries()] == [b""]
    assert not inbox.take(delivery(), [], now=NOW)


def test_repositories_do_not_see_each_others_work(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "ledger.sqlite3")
    DeliveryInbox(engine, repository="one").wake([SEVEN], now=NOW)
    assert DeliveryInbox(engine, repository="two").claim(now=NOW, lease=LEASE, token="a") is None


def test_what_was_told_is_remembered(tmp_path: Path) -> None:
    memory = ToldMemory(open_database(tmp_path / "ledger.sqlite3"), repository="r")
    first = Telling("release/x", "7", Commit("a" * 40), 1)
    memory.remember(first)
    memory.remember(replace(first, count=2))
    assert memory.told("release/x") == (replace(first, count=2),)
    assert memory.told("release/y") == ()
    memory.forget(first)
    assert memory.told("release/x") == ()


@pytest.mark.parametrize(
    ("wakes", "left"),
    [
        pytest.param([SEVEN, Wake("commit", "a")], (SEVEN,), id="a-proposal-covers-its-commits"),
        pytest.param([SEVEN, Wake("branch", "b"), EVERYTHING], (EVERYTHING,), id="everything-covers-all"),
        pytest.param(
            [Wake("commit", "a"), Wake("commit", "b")],
            (Wake("commit", "a"), Wake("commit", "b")),
            id="commits-are-many",
        ),
        pytest.param([], (), id="none"),
    ],
)
def test_wakes_that_say_the_same_are_one(wakes: list[Wake], left: tuple[Wake, ...]) -> None:
    assert coalesced(wakes) == left


# The mirror


class Remote:
    """A bare repository with two branches and a proposal's head, and a mirror of it."""

    def __init__(self, folder: Path) -> None:
        self.work = Repo.init(folder / "work")
        self.first = Commit(self.work.commit("first"))
        self.bare = Repo.init(folder / "forge.git", "--bare")
        self.work.git("push", "-q", str(self.bare.path), "master", "master:release/x")
        self.head = Commit(self.work.commit("a fix"))
        self.work.git("push", "-q", str(self.bare.path), f"{self.head}:refs/merge-requests/7/head")
        self.path = folder / "home" / "mirror.git"
        self.mirror = Mirror(self.path, str(self.bare.path), head_ref="refs/merge-requests/{id}/head")

    def ref(self, name: str) -> str:
        done = Repo(self.path).run("rev-parse", "--verify", "--quiet", name)
        return done.stdout.decode().strip()


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


def proposal(head: Commit, id: str = "7") -> Proposal:
    return Proposal(id, "release/x", head, "t", "dev")


def test_only_what_is_asked_for_is_fetched(remote: Remote) -> None:
    remote.mirror.refresh(["release/x"], [proposal(remote.head)])
    assert remote.ref("refs/heads/release/x") == remote.first
    assert remote.ref("refs/guard/proposals/7") == remote.head
    assert remote.ref("refs/heads/master") == ""


def test_a_branch_that_went_is_gone_and_a_forced_push_is_followed(remote: Remote) -> None:
    remote.mirror.refresh(["release/x", "master"], [proposal(remote.head)])
    remote.bare.git("update-ref", "-d", "refs/heads/master")
    remote.bare.git("update-ref", "refs/merge-requests/7/head", remote.first)
    remote.mirror.refresh(["release/x", "master"], [proposal(remote.first)])
    assert remote.ref("refs/heads/master") == ""
    assert remote.ref("refs/guard/proposals/7") == remote.first


def test_statements_in_the_mirror_survive_every_fetch(remote: Remote) -> None:
    remote.mirror.refresh(["release/x"])
    Repo(remote.path).git("update-ref", "refs/guard/statements/x", remote.first)
    remote.bare.git("update-ref", "refs/guard/statements/x", remote.head)
    remote.mirror.refresh(["release/x"], [proposal(remote.head)])
    assert remote.ref("refs/guard/statements/x") == remote.first


def test_a_head_that_is_not_to_be_had_is_said_so(remote: Remote) -> None:
    with pytest.raises(GitError) as caught:
        remote.mirror.refresh(["release/x"], [proposal(Commit("e" * 40))])
    assert caught.value.code == "mirror.head-missing"


def test_an_id_that_is_no_number_makes_no_ref(remote: Remote) -> None:
    remote.mirror.refresh(["release/x"], [proposal(remote.first, "../../heads/master")])
    assert remote.ref("refs/heads/master") == ""


def test_a_remote_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "m.git", str(tmp_path / "nowhere"), head_ref="refs/pull/{id}/head")
    with pytest.raises(GitError) as caught:
        mirror.refresh(["master"])
    assert caught.value.code == "mirror.unreachable"


class AsksWho(BaseHTTPRequestHandler):
    """Says 401 to everybody and remembers what was said; sends whoever comes to /moved elsewhere."""

    heard: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        AsksWho.heard.append((self.path, self.headers.get("Authorization", "")))
        moved = self.path.startswith("/moved")
        self.send_response(301 if moved else 401)
        if moved:
            self.send_header("Location", f"http://{self.headers['Host']}/elsewhere")
        else:
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def asking() -> Iterator[str]:
    AsksWho.heard.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), AsksWho)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_credentials_go_to_the_forge_and_nowhere_else(tmp_path: Path) -> None:
    with asking() as url:
        for path in ("platform.git", "moved.git"):
            mirror = Mirror(
                tmp_path / "m.git", f"{url}/{path}", head_ref="x/{id}", credentials=("oauth2", "hunter2")
            )
            with pytest.raises(GitError) as caught:
                mirror.refresh(["master"])
            assert "hunter2" not in caught.value.message
    sent = "Basic " + base64.b64encode(b"oauth2:hunter2").decode()
    assert sent in {said for path, said in AsksWho.heard if path.startswith("/platform.git")}
    assert not [path for path, _ in AsksWho.heard if path.startswith("/elsewhere")]
    for file in (tmp_path / "m.git").rglob("*"):
        assert not file.is_file() or b"hunter2" not in file.read_bytes()


def test_a_url_with_a_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        Mirror(tmp_path, "https://me:hunter2@forge/x.git", head_ref="x/{id}")
    assert "hunter2" not in caught.value.message
