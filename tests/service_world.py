"""A guarded project on a double of GitLab or GitHub, with the real service for it, asked over real HTTP."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import uvicorn

from guard.adapters.http_outbox import HttpOutbox
from guard.core.claims import Claim, EvidenceSubmitted
from guard.core.facts import Wake
from guard.core.model import Commit
from guard.core.policy import GROUPS
from guard.journeys.statements import Sender, Sent, send
from guard.ports import Entry
from guard.wiring_service import Service, open_service
from tests.doubles.github import deliveries as github_deliveries
from tests.doubles.github.double import GitHubDouble
from tests.doubles.github.handlers import TOKEN
from tests.doubles.github.state import Pull
from tests.doubles.gitlab import deliveries as gitlab_deliveries
from tests.doubles.gitlab.double import GitLabDouble
from tests.doubles.gitlab.state import Access, MergeRequest
from tests.doubles.server import Server
from tests.gitrepo import Repo
from tests.people import KeySigner, signer_line
from webhook_app.app import create_app
from webhook_app.worker import Worker

BRANCH = "release/platform-control"
CONTEXT = f"guard/promotion ({BRANCH})"
CHECK = "scripts/ci/check.sh"
SECRET = "a webhook's secret"
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


@dataclass(frozen=True)
class Said:
    """A status as it stands on a commit."""

    state: str
    description: str


class Side(Protocol):
    """One forge's double: what people do there, what the guard left there, and the deliveries that follow."""

    name: str
    repository: str
    url: str
    token: str

    def propose(self, head: str, *, by: str = "dev", title: str = "A release", fork: bool = False) -> str: ...
    def push(self, proposal: str, head: str) -> None: ...
    def close(self, proposal: str) -> None: ...
    def approve(self, proposal: str, *, by: str) -> None: ...
    def withdraw(self, proposal: str, *, by: str) -> None: ...
    def comment(self, proposal: str, body: str, *, by: str) -> None: ...
    def statuses(self, commit: str) -> list[Said]:
        """All that were ever posted on the commit under the guard's context, oldest first."""
        ...

    def comments(self, proposal: str) -> list[tuple[str, str]]:
        """Author and body, oldest first."""
        ...

    def deliver(self, url: str, *, times: int = 1, backwards: bool = False) -> list[int]:
        """Send what happened since the last time; the answers."""
        ...

    def server(self) -> Server:
        """The double's door, where faults are switched on."""
        ...

    def close_double(self) -> None: ...


class GitLabSide:
    name, repository = "gitlab", "gpuaas/platform"

    def __init__(self, bare: Repo) -> None:
        self.double = GitLabDouble(bare.path)
        self.state = self.double.state
        self.url, self.token = self.double.url, self.double.token
        self.state.group("gpuaas/platform-owners", "ann", "pat")
        self.state.group("gpuaas/security-owners", "sam")
        for person in ("dev", "ann", "pat", "sam"):
            self.state.join(person)
        guard = self.state.user("guard", bot=True)
        self.state.protect(BRANCH, push=(Access(user=guard),), merge=(Access(user=guard),))
        self._waiting: list[gitlab_deliveries.Delivery] = []

    def propose(self, head: str, *, by: str = "dev", title: str = "A release", fork: bool = False) -> str:
        request = self.state.propose(head, BRANCH, by=by, title=title, fork=fork)
        self._said(request, "open")
        return str(request.iid)

    def push(self, proposal: str, head: str) -> None:
        request = self._request(proposal)
        before = request.head or ""
        self.state.push(request, head)
        self._said(request, "update", oldrev=before)

    def close(self, proposal: str) -> None:
        self._request(proposal).state = "closed"
        self._said(self._request(proposal), "close")

    def approve(self, proposal: str, *, by: str) -> None:
        self.state.approve(self._request(proposal), by=by)
        self._said(self._request(proposal), "approved", by=by)

    def withdraw(self, proposal: str, *, by: str) -> None:
        self.state.unapprove(self._request(proposal), by=by)
        self._said(self._request(proposal), "unapproved", by=by)

    def comment(self, proposal: str, body: str, *, by: str) -> None:
        self.state.note(self._request(proposal), by, body)

    def statuses(self, commit: str) -> list[Said]:
        found = [one for one in self.state.statuses if one.sha == commit and one.name == CONTEXT]
        return [Said(STATES.get(one.state, one.state), one.description or "") for one in found]

    def comments(self, proposal: str) -> list[tuple[str, str]]:
        return [(one.author.username, one.body) for one in self._request(proposal).notes if not one.system]

    def deliver(self, url: str, *, times: int = 1, backwards: bool = False) -> list[int]:
        waiting, self._waiting = self._waiting, []
        return gitlab_deliveries.send_all(f"{url}/webhooks/gitlab", waiting, times=times, backwards=backwards)

    def server(self) -> Server:
        return self.double

    def close_double(self) -> None:
        self.double.close()

    def _request(self, proposal: str) -> MergeRequest:
        request = self.state.request(proposal)
        assert request is not None
        return request

    def _said(self, request: MergeRequest, action: str, *, by: str = "dev", oldrev: str = "") -> None:
        who = self.state.user(by)
        body = gitlab_deliveries.merge_request(self.state, request, action, by=who, oldrev=oldrev)
        hook = gitlab_deliveries.Hook(token=SECRET)
        self._waiting.append(hook.deliver("Merge Request Hook", body))


STATES = {"failed": "failure"}
"""GitLab's words for a status, in the guard's."""


class GitHubSide:
    name, repository = "github", "gpuaas/platform"

    def __init__(self, bare: Repo) -> None:
        self.double = GitHubDouble(bare, self.repository)
        self.state = self.double.state
        self.url, self.token = self.double.server.url, TOKEN
        self.state.team("platform-owners", "ann", "pat")
        self.state.team("security-owners", "sam")
        self.state.labels += ["SEV-1", "SEV-2"]
        self.double.deliveries.clear()

    def propose(self, head: str, *, by: str = "dev", title: str = "A release", fork: bool = False) -> str:
        branch = f"change-{head[:10]}-{len(self.state.pulls)}"
        if not fork:
            self.state.push(branch, head)
        source = "stranger/platform" if fork else ""
        pull = self.state.open_pull(head if fork else branch, BRANCH, by=by, title=title, fork=source)
        return str(pull.number)

    def push(self, proposal: str, head: str) -> None:
        self.state.push(self._pull(proposal).head, head)

    def close(self, proposal: str) -> None:
        self.state.close_pull(self._pull(proposal))

    def approve(self, proposal: str, *, by: str) -> None:
        self.state.review(self._pull(proposal), by=by)

    def withdraw(self, proposal: str, *, by: str) -> None:
        found = [
            one for one in self.state.reviews if one.by and one.by.login == by and one.state == "APPROVED"
        ]
        self.state.dismiss(found[-1])

    def comment(self, proposal: str, body: str, *, by: str) -> None:
        self.state.comment(int(proposal), body, by=by)

    def statuses(self, commit: str) -> list[Said]:
        found = [one for one in self.state.statuses if one.commit == commit and one.context == CONTEXT]
        return [Said(one.state, one.description) for one in found]

    def comments(self, proposal: str) -> list[tuple[str, str]]:
        found = [one for one in self.state.comments if one.issue == int(proposal)]
        return [(one.by.login if one.by else "", one.body) for one in found]

    def deliver(self, url: str, *, times: int = 1, backwards: bool = False) -> list[int]:
        waiting = list(self.double.deliveries) * times
        self.double.deliveries.clear()
        if backwards:
            waiting.reverse()
        return github_deliveries.send(f"{url}/webhooks/github", waiting, secret=SECRET)

    def server(self) -> Server:
        return self.double.server

    def close_double(self) -> None:
        self.double.close()

    def _pull(self, proposal: str) -> Pull:
        return self.state.pulls[int(proposal)]


SIDES: dict[str, type[GitLabSide] | type[GitHubSide]] = {"gitlab": GitLabSide, "github": GitHubSide}


class ServiceWorld:
    """A project with one commit on both branches and a check; the service's worker is stepped by the test."""

    def __init__(self, folder: Path, forge: str, *, policy_text: str | None = None, branch: str = "") -> None:
        self.work = Repo.init(folder / "work")
        repository = SIDES[forge].repository
        text = policy(forge, repository, branch=branch) if policy_text is None else policy_text
        self.first = self.work.commit("first", {"guard.toml": text, CHECK: "#!/bin/sh\ntrue\n", "app": "1\n"})
        self.bare = Repo.init(folder / "forge.git", "--bare")
        self.work.git("push", "-q", str(self.bare.path), "master", f"master:refs/heads/{BRANCH}")
        self.side: Side = SIDES[forge](self.bare)
        self.home = folder / "home"
        self._write_home(repository)
        self.service = self.open()

    def _write_home(self, repository: str) -> None:
        self.home.mkdir()
        mirror = self.home / "mirror.git"
        (self.home / "settings.toml").write_text(
            f'repository = "{repository}"\ngit_dir = "{mirror}"\nprotect = ["{BRANCH}"]\n'
        )
        self._write_service(self.bare.path)
        (self.home / "allowed_signers").write_text(signer_line(CI) + "\n" + signer_line("sam") + "\n")

    def _write_service(self, git_url: Path) -> None:
        (self.home / "service.toml").write_text(
            f'forge = "{self.side.name}"\nurl = "{self.side.url}"\ngit_url = "{git_url}"\n'
            'lease = "2s"\nbackoff = "1s"\ntries = 3\nsweep = "1h"\n'
        )

    def fetch_from(self, git_url: Path) -> None:
        """From now on the mirror is fetched from there."""
        self._write_service(git_url)
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
        return open_service(self.home, self.environ())

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The door on a port of its own; its URL."""
        with serving(self.service) as url:
            yield url

    def commit(
        self, message: str, files: Mapping[str, str | bytes] | None = None, *, push: bool = True
    ) -> str:
        """A commit on the clone's branch, known to the forge; on master it is pushed there."""
        made = self.work.commit(message, files)
        name = self.work.git("symbolic-ref", "--short", "HEAD")
        target = "master" if name == "master" else f"work-{made[:10]}"
        if push:
            self.work.git("push", "-q", str(self.bare.path), f"{made}:refs/heads/{target}")
        return made

    def submit(self, url: str, commit: str, *, exit_code: int = 0, by: str = CI) -> Sent:
        """CI's part: the check's result, signed and sent over HTTP."""
        claim = EvidenceSubmitted("check", Commit(commit), CHECK, "sh", "1", exit_code, (CHECK,), "")
        return self.say(url, claim, by=by)

    def say(self, url: str, claim: Claim, *, by: str, key: str = "", report: bytes | None = None) -> Sent:
        sender = Sender(self.side.repository, by, KeySigner(key or by), HttpOutbox(url))
        now = datetime.now(UTC).replace(microsecond=0)
        return send(claim, sender, now=now, nonce=secrets.token_hex(16), report=report)

    def work_off(self, *, patience: float = 20.0) -> None:
        """Work until nothing waits, retries included."""
        worker = Worker(self.service, stop=threading.Event())
        until = time.monotonic() + patience
        while self.service.inbox.waiting():
            if not worker.step():
                time.sleep(0.05)
            assert time.monotonic() < until, "the work does not end"

    def step(self) -> bool:
        return Worker(self.service, stop=threading.Event()).step()

    def wake(self) -> None:
        self.service.inbox.wake([Wake("everything", "")], now=self.service.clock.now())

    def settle(self, url: str) -> None:
        """Deliver what happened and work it off, until nothing more happens."""
        while self.side.deliver(url):
            self.work_off()
        self.work_off()

    def status(self, commit: str) -> Said:
        return self.side.statuses(commit)[-1]

    def comment(self, proposal: str) -> str:
        """The one comment of the guard's."""
        (body,) = [body for _, body in self.side.comments(proposal) if "release-guard:promotion" in body]
        return body

    def recorded(self) -> list[Entry]:
        return list(self.service.ledger.entries("decision.recorded"))

    def close(self) -> None:
        self.side.close_double()


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
