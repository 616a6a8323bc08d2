"""The decision page and the local forge's service; the protection report; policies that only observe."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from guard.adapters.keys import create_signing_key, public_keys
from guard.core.claims import ApprovalGiven
from guard.core.forge_facts import Protection
from guard.core.model import Fact, Known, Unknown
from guard.journeys.publish import protection_warnings
from guard.journeys.records import open_record
from guard.journeys.replaying import replay_entry
from guard.wiring_service import open_service
from tests.builders import NOW
from tests.doubles.gitlab.state import Access
from tests.gitrepo import clean_environment
from tests.local_world import PEOPLE, REPOSITORY, TARGET, LocalWorld
from tests.people import signer_line
from tests.service_sides import BRANCH, GitHubSide, GitLabSide
from tests.service_world import ServiceWorld, call, policy, serving
from webhook_app.pages import HEADERS, page
from webhook_app.worker import Sweeper, Worker


@pytest.fixture
def local(tmp_path: Path) -> LocalWorld:
    """The local forge's world with the server side of a service beside its ledger."""
    world = LocalWorld(tmp_path)
    (tmp_path / "settings.toml").write_text(
        f'repository = "{REPOSITORY}"\ngit_dir = "{world.bare.path}"\nprotect = ["{TARGET}"]\n'
        '[groups]\n"@gpuaas/platform-owners" = ["ann@example.com"]\n"@gpuaas/security-owners" = ["bob@example.com"]\n'
    )
    (tmp_path / "allowed_signers").write_text("".join(f"{signer_line(name)}\n" for name in PEOPLE))
    (tmp_path / "service.toml").write_text('forge = "local"\npages = true\n')
    world.work.commit("policy", {"guard.toml": policy("local", REPOSITORY)})
    world.work.git("push", "-q", str(world.bare.path), f"master:{TARGET}", "master")
    return world


HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


def test_the_page_shows_the_decision_and_runs_nothing(local: LocalWorld) -> None:
    head = local.commit(f"{HOSTILE} as a subject")
    local.propose("r1", head, by="ann@example.com", title=HOSTILE)
    service = open_service(local.work.path.parent, {})
    with serving(service) as url:
        before = call(f"{url}/", method="GET")[2].decode()
        assert "Not decided yet" in before
        service.inbox.wake([], now=service.clock.now())
        sweep(local)
        status, headers, body = call(f"{url}/", method="GET")
        assert call(f"{url}/style.css", method="GET")[1]["content-type"].startswith("text/css")
        assert call(f"{url}/webhooks/local")[0] == 404
    html = body.decode()
    assert status == 200
    assert "NO-GO" in html
    assert "approvals.platform.missing" in html
    assert "decision.recorded" in html
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert not re.search(r"\son\w+=|javascript:", html.replace("onerror=alert(1)&gt;", ""))
    assert HEADERS["X-Content-Type-Options"] == headers["x-content-type-options"]


def test_the_page_offers_the_signed_record(local: LocalWorld) -> None:
    folder = local.work.path.parent
    head = local.commit("a fix")
    local.propose("r1", head, by="ann@example.com")
    service = open_service(folder, {})
    with serving(service) as url:
        service.inbox.wake([], now=service.clock.now())
        sweep(local)
        there = f"/decisions/{quote(TARGET, safe='')}/{head}"
        assert f'href="{there}/record"' in call(f"{url}{there}", method="GET")[2].decode()
        assert call(f"{url}{there}/record", method="GET")[0] == 503  # there is no key yet
        create_signing_key(folder / "keys", folder / "jwks.json")
        status, headers, data = call(f"{url}{there}/record", method="GET")
        for nothing in (f"/decisions/{TARGET}/{'0' * 40}", f"/decisions/other/{head}", "/decisions/x/../y"):
            assert call(f"{url}{nothing}/record", method="GET")[0] == 404
    assert (status, headers["content-type"]) == (200, "application/vnd.dsse.envelope.v1+json")
    assert headers["content-disposition"] == f'attachment; filename="decision-{head[:10]}.intoto.json"'
    record = open_record(data, public_keys(folder / "jwks.json"))
    (entry,) = local.ledger.entries("decision.recorded")
    assert record.digest == entry.body["digest"]
    assert (record.inputs, record.document["candidate"]["new"]) == (None, head)
    assert replay_entry(entry, local.ledger.part, engine="0.1.0").same


def test_a_branch_without_a_policy_is_replayed_too(local: LocalWorld) -> None:
    local.work.commit("no policy", {"guard.toml": "version = 1\nno policy\n"})
    local.work.git("push", "-q", str(local.bare.path), f"master:{TARGET}", "master")
    local.propose("r1", local.commit("a fix"), by="ann@example.com")
    service = open_service(local.work.path.parent, {})
    service.inbox.wake([], now=service.clock.now())
    sweep(local)
    (entry,) = local.ledger.entries("decision.recorded")
    again = replay_entry(entry, local.ledger.part, engine="0.1.0")
    assert (again.same, again.said) == (True, "NO-GO")


def test_a_local_forge_is_watched(local: LocalWorld) -> None:
    """Nobody sends events there: what changed is found by looking."""
    head = local.commit("a fix")
    local.propose("r1", head, by="ann@example.com")
    service = open_service(local.work.path.parent, {})
    first = service.fingerprint()
    assert service.fingerprint() == first
    local.say("bob@example.com", ApprovalGiven(TARGET, head))
    second = service.fingerprint()
    assert second != first
    local.commit("more")
    assert service.fingerprint() != second


def test_a_page_of_a_forge_that_cannot_be_read_says_so(local: LocalWorld) -> None:
    local.broken = True
    html = page(REPOSITORY, (TARGET,), local.forge, local.ledger)
    assert "cannot be read" in html


def sweep(local: LocalWorld) -> None:
    """One look and the work that it makes."""
    import threading

    stop = threading.Event()
    service = open_service(local.work.path.parent, {})
    sweeper = Sweeper(service, stop=stop, look=0.05)
    sweeper.start()
    until = time.monotonic() + 10
    while not service.inbox.waiting():
        assert time.monotonic() < until
        time.sleep(0.02)
    stop.set()
    sweeper.join()
    while service.inbox.waiting():
        assert Worker(service, stop=stop).step()


class Voice:
    """A forge that only knows its protection."""

    def __init__(self, fact: Fact[Protection | None]) -> None:
        self.fact = fact

    def me(self) -> str:
        return "guard"

    def protection(self, branch: str) -> Fact[Protection | None]:
        return self.fact


def shown(**fields: object) -> Known[Protection | None]:
    base = {"pushers": ("guard",), "mergers": ("@Guard",), "force_push": False, "deletable": False}
    return Known(Protection(BRANCH, **{**base, **fields}), "test", NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        pytest.param(shown(), [], id="only-the-guard"),
        pytest.param(shown(pushers=("guard", "Maintainers")), ["push to", "Maintainers"], id="others-push"),
        pytest.param(shown(mergers=("@all", "ann")), ["merge into", "@all, ann"], id="others-merge"),
        pytest.param(shown(force_push=True), ["forced push"], id="force"),
        pytest.param(shown(deletable=True), ["deleted"], id="deletable"),
        pytest.param(Known(None, "test", NOW), ["not protected at all"], id="unprotected"),
        pytest.param(Unknown("HTTP 403"), ["cannot be read: HTTP 403"], id="unknown"),
    ],
)
def test_who_else_may_move_the_branch_is_told(fact: Fact[Protection | None], said: list[str]) -> None:
    told = " ".join(protection_warnings(Voice(fact), BRANCH))  # type: ignore[arg-type]
    assert bool(told) == bool(said)
    assert all(part in told for part in said)


def test_the_protection_is_told_on_the_merge_request(tmp_path: Path) -> None:
    world = ServiceWorld(tmp_path, "gitlab")
    assert isinstance(world.side, GitLabSide)
    world.side.state.protect(BRANCH, push=(Access(level=40),), merge=(Access(level=40),))
    with world.serving() as url:
        proposal = world.side.propose(world.commit("a fix"))
        world.settle(url)
        assert "besides the guard, these may push to" in world.comment(proposal)
    world.close()


@pytest.mark.parametrize("forge", ["gitlab", "github"])
def test_a_policy_that_observes_blocks_nothing_and_says_so(tmp_path: Path, forge: str) -> None:
    text = policy(forge, GitHubSide.repository).replace("version = 1", 'version = 1\nmode = "observe"')
    world = ServiceWorld(tmp_path, forge, policy_text=text)
    with world.serving() as url:
        head = world.commit("a fix")
        proposal = world.side.propose(head)
        world.settle(url)
        assert world.status(head).state == "success"
        assert world.status(head).description.startswith("observed only: NO-GO: ")
        assert "The policy only observes" in world.comment(proposal)
    world.close()


def test_guard_serve_demo(tmp_path: Path) -> None:
    """The demo's repository, served; interrupted, it leaves nothing behind."""
    pytest.importorskip("bandit", reason="the demo's tools are not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "guard.cli.main", "serve", "--demo", "--port", str(port)]
    env = clean_environment(TMPDIR=str(tmp_path), NO_COLOR="1")
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        html, until = "", time.monotonic() + 120
        while "NO-GO" not in html and time.monotonic() < until and process.poll() is None:
            time.sleep(0.3)
            try:
                html = call(f"http://127.0.0.1:{port}/", method="GET")[2].decode()
            except OSError:
                continue
        process.send_signal(signal.SIGTERM)
        out = process.stdout.read().decode() if process.stdout else ""
    assert "NO-GO" in html, out
    assert "Proposal r1: Release 1.2.0" in html
    assert process.returncode == 0, out
    assert not list(tmp_path.glob("guard-demo-*"))


def test_guard_serve_without_settings_is_a_clear_error(tmp_path: Path) -> None:
    for arguments, status, said in (
        (["serve"], 64, "--home DIR, or --demo"),
        (["serve", "--home", str(tmp_path)], 2, "settings"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "guard.cli.main", *arguments],
            env=clean_environment(NO_COLOR="1"), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status
        assert said in done.stderr
        assert "fix: " in done.stderr
        assert "Traceback" not in done.stderr
