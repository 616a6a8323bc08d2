"""A guarded project on a double of GitLab or GitHub, with the real service for it, asked over real HTTP."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from guard.adapters.http_outbox import HttpOutbox
from guard.core.claims import Claim, EvidenceSubmitted
from guard.core.forge_facts import Wake
from guard.core.model import Commit
from guard.core.policy_names import GROUPS
from guard.journeys.replaying import replay_entry
from guard.journeys.statements import Sender, Sent, send
from guard.ports import Entry
from guard.wiring_service import Service, open_service
from tests.doubles.server import Answer, Request
from tests.gitrepo import Repo
from tests.people import KeySigner, signer_line
from tests.service_sides import BRANCH, SECRET, SIDES, Said, Side
from webhook_app.app import create_app
from webhook_app.worker import Worker

CHECK = "scripts/ci/check.sh"
CI = "ci"


def policy(forge: str, repository: str, *, more: str = "", branch: str = "") -> str:
    owner = repository.partition("/")[0]
    evidence = f'{{ kind = "script", source = "check", script = "{CHECK}", max_age = "7d" }}'
    gates = "".join(
        f'[[gates]]\nid = "{group}.check"\ngroup = "{group}"\ntitle = "The check"\nevidence = {evidence}\n'
        for group in GROUPS
    )
    return f"""\
version = 1
[project]
forge = "{forge}"
repository = "{repository}"
[branches."{BRANCH}"]
upstream = "master"
{branch}
[roles.platform]
members = ["@{owner}/platform-owners"]
[roles.security]
members = ["@{owner}/security-owners"]
[evidence]
submitters = ["{CI}"]
{gates}{more}"""


class Hands:
    """A clock that a test puts forward instead of waiting."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class ServiceWorld:
    """A project with one commit on both branches and a check; the service's worker is stepped by the test."""

    def __init__(
        self,
        folder: Path,
        forge: str,
        *,
        policy_text: str | None = None,
        branch: str = "",
        database: str | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.work = Repo.init(folder / "work")
        repository = SIDES[forge].repository
        text = policy(forge, repository, branch=branch) if policy_text is None else policy_text
        self.first = self.work.commit("first", {"guard.toml": text, CHECK: "#!/bin/sh\ntrue\n", "app": "1\n"})
        self.bare = Repo.init(folder / "forge.git", "--bare")
        self.work.git("push", "-q", str(self.bare.path), "master", f"master:refs/heads/{BRANCH}")
        self.side: Side = SIDES[forge](self.bare)
        self.home = folder / "home"
        self.clock = Hands()
        self.pages = ""
        self._write_home(repository, database)
        self.service = self.open()

    def _write_home(self, repository: str, database: str | None) -> None:
        self.home.mkdir()
        mirror = self.home / "mirror.git"
        (self.home / "settings.toml").write_text(
            f'repository = "{repository}"\ngit_dir = "{mirror}"\nprotect = ["{BRANCH}"]\n'
            + (f'database = "{database}"\n' if database else "")
        )
        self._write_service(self.bare.path)
        (self.home / "allowed_signers").write_text(signer_line(CI) + "\n" + signer_line("sam") + "\n")

    def _write_service(self, git_url: Path | str, more: str = "") -> None:
        (self.home / "service.toml").write_text(
            f'forge = "{self.side.name}"\nurl = "{self.side.url}"\ngit_url = "{git_url}"\n'
            f'lease = "2s"\nbackoff = "1s"\ntries = 3\nsweep = "1h"\n{self.pages}{more}'
        )

    def show_pages(self) -> None:
        self.pages = 'pages = true\npublic_url = "https://guard.example.com"\n'
        self.fetch_from(self.bare.path)

    def fetch_from(self, git_url: Path | str, more: str = "") -> None:
        """From now on the mirror is fetched from there; `more` are further lines of service.toml."""
        self._write_service(git_url, more)
        self.service = self.open()

    def hide_heads(self, ref: str) -> None:
        """The forge's git gives neither this ref nor any object besides those of master's first commit."""
        other = Repo.init(self.bare.path.with_name("behind.git"), "--bare")
        for branch in ("master", BRANCH):
            self.bare.git("push", "-q", str(other.path), f"{self.first}:refs/heads/{branch}")
        assert other.run("rev-parse", "--verify", ref).returncode
        self.fetch_from(other.path)

    def show_heads(self) -> None:
        self.fetch_from(self.bare.path)

    def environ(self) -> dict[str, str]:
        prefix = f"GUARD_{self.side.name.upper()}"
        return {f"{prefix}_TOKEN": self.side.token, f"{prefix}_WEBHOOK_SECRET": SECRET}

    def open(self) -> Service:
        return open_service(self.home, self.environ(), clock=self.clock)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The door on a port of its own; its URL."""
        with serving(self.service) as url:
            yield url

    def commit(
        self, message: str, files: Mapping[str, str | bytes] | None = None, *, push: bool = True, **extra: str
    ) -> str:
        """A commit on the clone's branch, known to the forge; on master it is pushed there."""
        made = self.work.commit(message, files, **extra)
        name = self.work.git("symbolic-ref", "--short", "HEAD")
        target = "master" if name == "master" else f"work-{made[:10]}"
        if push:
            self.work.git("push", "-q", str(self.bare.path), f"{made}:refs/heads/{target}")
        return made

    def publish(self) -> str:
        """The clone's head, known to the forge by a branch that nothing is proposed from."""
        head = self.work.rev("HEAD")
        self.work.git("push", "-q", str(self.bare.path), f"{head}:refs/heads/work-{head[:10]}")
        return head

    def submit(self, url: str, commit: str, *, exit_code: int = 0, by: str = CI) -> Sent:
        """CI's part: the check's result, signed and sent over HTTP."""
        claim = EvidenceSubmitted("check", Commit(commit), CHECK, "sh", "1", exit_code, (CHECK,), "")
        return self.say(url, claim, by=by)

    def say(self, url: str, claim: Claim, *, by: str, key: str = "", report: bytes | None = None) -> Sent:
        sender = Sender(self.side.repository, by, KeySigner(key or by), HttpOutbox(url))
        now = datetime.now(UTC).replace(microsecond=0)
        return send(claim, sender, now=now, nonce=secrets.token_hex(16), report=report)

    def work_off(self, *, most: int = 40) -> None:
        """Work until nothing waits, retries included: their time comes by the clock's hands. `most` is how often work
        may be looked for."""
        worker = Worker(self.service, stop=threading.Event())
        for _ in range(most):
            if not self.service.inbox.waiting():
                return
            if not worker.step():
                self.clock.ahead += timedelta(seconds=1)
        raise AssertionError("the work does not end")

    def step(self) -> bool:
        return Worker(self.service, stop=threading.Event()).step()

    def wake(self) -> None:
        self.service.inbox.wake([Wake("everything", "")], now=self.service.clock.now())

    def settle(self, url: str) -> None:
        """Deliver what happened and work it off, until nothing more happens."""
        while self.side.deliver(url):
            self.work_off()
        self.work_off()

    def meanwhile(self, path: str, happens: Callable[[], object]) -> None:
        """It happens when the guard first posts to a path like this."""
        server = self.side.server()
        answer, done = server.answer, list[bool]()

        def answered(request: Request) -> Answer:
            if request.method == "POST" and path in request.path and not done:
                done.append(True)
                happens()
            return answer(request)

        server.answer = answered

    def status(self, commit: str) -> Said:
        return self.side.statuses(commit)[-1]

    def comment(self, proposal: str) -> str:
        """The one comment of the guard's."""
        (body,) = [body for _, body in self.side.comments(proposal) if "release-guard:promotion" in body]
        return body

    def recorded(self) -> list[Entry]:
        return list(self.service.ledger.entries("decision.recorded"))

    def close(self) -> None:
        """The end of a story: whatever was decided in it is made again from what the ledger kept of it."""
        self.side.close_double()
        for entry in self.recorded():
            again = replay_entry(entry, self.service.ledger.part, engine=str(entry.body["engine"]))
            assert again.same, again.differences


@contextmanager
def serving(service: Service) -> Iterator[str]:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(service, ready=lambda: ""), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


def call(
    url: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, method: str = "POST"
) -> tuple[int, dict[str, str], bytes]:
    """One request: status, headers (lower-case), body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request(method, parts.path or "/", body or None, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def as_json(body: bytes) -> dict[str, str]:
    found = json.loads(body)
    assert isinstance(found, dict)
    return found
