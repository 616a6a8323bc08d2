"""Who says whether a permit is good: a service that is asked, its refusals and silences; the public keys alone; and
what forges' own merge buttons bring."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from guard.adapters.keys import create_signing_key
from guard.core.errors import SettingsError
from guard.core.model import Decision
from guard.core.permit import sign
from guard.journeys import rechecking
from guard.journeys.gather import gather_and_decide
from guard.journeys.sources import Range, Sources
from guard.settings import load_home
from guard.wiring_service import open_service
from tests.gitrepo import Repo
from tests.hook_world import BRANCH, REF, World, build, guard
from tests.service_world import call, serving
from tests.verifying import OLD_SECRET, SECRET, by_ledger, by_service, offline

GITLAB = {"GL_ID": "user-7", "GL_PROTOCOL": "ssh", "GL_REPOSITORY": "project-1", "GL_USERNAME": "ann"}


def push(
    world: World, *words: str, tokens: tuple[str, ...] = (), server: Mapping[str, str] | None = None
) -> tuple[bool, str]:
    """Push past the client's hooks; a push to a folder hands its environment to the server's hooks."""
    options = [word for token in tokens for word in ("-o", f"guard-permit={token}")]
    dev = Repo(world.dev.path, env={**world.dev.env, **(server or {})})
    done = dev.run("push", "--no-verify", *options, "origin", *words)
    return done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server that asks a service; for pushes that are refused, and so change nothing."""
    with by_service(tmp_path_factory.mktemp("asked") / "w", "--web-merges", "ask") as world:
        yield world


def refused_tokens(world: World, tmp_path: Path) -> dict[str, str]:
    now = int(time.time())
    issue, permit = world.issue, world.permit
    spent, revoked = permit(), permit()
    stranger = create_signing_key(tmp_path / "keys", tmp_path / "jwks.json")
    tokens = {
        "permit.malformed": "garbage",
        "permit.expired": issue(permit(issued=now - 900, expires=now - 1)),
        "permit.other-ref": issue(permit(ref="refs/heads/release/other")),
        "permit.other-new": issue(permit(new=world.side)),
        "permit.other-old": issue(permit(old=world.new)),
        "permit.other-repository": issue(permit(repository="demo/other")),
        "permit.unknown-key": issue(permit(), key=stranger),
        "permit.not-yet-valid": issue(permit(issued=now + 100, expires=now + 200)),
        "permit.not-issued": sign(permit(), world.key),
        "permit.spent": issue(spent),
        "permit.revoked": issue(revoked),
    }
    world.record("permit.spent", spent, {"permit": spent.id, "ref": REF, "old": world.old, "new": world.new})
    world.record("permit.revoked", revoked, {"permit": revoked.id, "why": "the security owner withdrew"})
    return tokens


def test_every_reason_of_the_service_is_told(asked: World, tmp_path: Path) -> None:
    for code, token in refused_tokens(asked, tmp_path).items():
        taken, said = push(asked, f"{asked.new}:{REF}", tokens=(token,))
        assert not taken, code
        assert f"remote: {code}: " in said, said
        assert token == "garbage" or token not in said
    assert asked.head() == asked.old


def test_what_is_taken_back_between_the_permit_and_the_push(tmp_path: Path) -> None:
    with by_service(tmp_path / "w") as world:
        permit = world.permit()
        token = world.issue(permit)
        world.record("permit.revoked", permit, {"permit": permit.id, "why": "SEV-1 was opened"})
        taken, said = push(world, f"{world.new}:{REF}", tokens=(token,))
        assert not taken
        assert (
            "permit.revoked: release/platform-control was not moved: the permit was taken back: SEV-1" in said
        )
        token, proposal = world.issue(world.permit()), f"refs/proposals/{BRANCH}/1"
        world.bare.git("update-ref", "-d", proposal)
        taken, said = push(world, f"{world.new}:{REF}", tokens=(token,))
        assert not taken, "no event told of it, and it is no GO any more"
        assert "permit.revoked: " in said, said
        assert "it is NO-GO now: " in said, said
        world.bare.git("update-ref", proposal, world.new)
        assert "permit.revoked: " in push(world, f"{world.new}:{REF}", tokens=(token,))[1], (
            "it is never good again"
        )
        assert push(world, f"{world.new}:{REF}", tokens=("garbage", world.issue(world.permit())))[0]


def test_what_is_taken_back_while_the_service_decides_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with by_service(tmp_path / "w") as world:
        permit = world.permit()
        token = world.issue(permit)

        def slow(asked: Range, sources: Sources) -> Decision:
            decision = gather_and_decide(asked, sources)
            world.record("permit.revoked", permit, {"permit": permit.id, "why": "SEV-1 was opened"})
            return decision

        monkeypatch.setattr(rechecking, "gather_and_decide", slow)
        taken, said = push(world, f"{world.new}:{REF}", tokens=(token,))
        assert not taken
        assert "permit.revoked: " in said, said


def test_a_branch_whose_policy_is_broken_is_judged_by_the_operators(tmp_path: Path) -> None:
    """As at the permit: the push that mends it needs what the operator's bootstrap policy asks for, no other thing."""
    with by_service(tmp_path / "w") as world:
        text = world.dev.git("show", f"{world.old}:guard.toml")
        broken = world.dev.commit("Break it", {"guard.toml": "version = ?\n"})
        mended = world.dev.commit("Mend it", {"guard.toml": text})
        world.dev.git("push", "-q", "--no-verify", "origin", "master")
        world.bare.git("update-ref", REF, broken)
        world.bare.git("update-ref", f"refs/proposals/{BRANCH}/1", mended)
        load_home(world.home).bootstrap_policy.write_text(text)
        tree = world.dev.git("rev-parse", f"{mended}^{{tree}}")
        token = world.issue(world.permit(old=broken, new=mended, tree=tree))
        taken, said = push(world, f"{mended}:{REF}", tokens=(token,))
        assert not taken
        assert "nobody knows who opened proposal 1" in said, said


def test_a_hook_without_the_secret_lets_nothing_in(tmp_path: Path) -> None:
    with by_service(tmp_path / "w") as world:
        token = world.issue(world.permit())
        secret = next((tmp_path / "w").rglob("verify.secret"))
        assert secret.stat().st_mode & 0o077 == 0
        kept = secret.read_text()
        for bad, told in (
            ("another-secret-than-the-services", "does not know this server"),
            ("a\x07b", "no secret"),
        ):
            secret.write_text(bad)
            taken, said = push(world, f"{world.new}:{REF}", tokens=(token,))
            assert not taken
            assert "permit.unverifiable: " in said, said
            assert told in said, said
        secret.unlink()
        assert "does not know this server" in push(world, f"{world.new}:{REF}", tokens=(token,))[1]
        secret.write_text(kept)
        secret.chmod(0o644)
        assert "can be read by everybody" in push(world, f"{world.new}:{REF}", tokens=(token,))[1]
        secret.chmod(0o600)
        taken, said = push(world, f"{world.new}:{REF}", tokens=(token,))
        assert taken, said
        assert kept.strip() not in said


class TestOffline:
    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return offline(tmp_path / "w")

    def short(self, world: World, **changed: object) -> str:
        now = int(time.time())
        return sign(world.permit(**{"issued": now, "expires": now + 120, **changed}), world.key)

    def test_only_a_short_permit_is_believed_and_once(self, world: World) -> None:
        now = int(time.time())
        taken, said = push(world, f"{world.new}:{REF}", tokens=(self.short(world, expires=now + 121),))
        assert not taken
        assert "permit.too-long: " in said
        token = self.short(world)
        assert push(world, f"{world.new}:{REF}", tokens=(token,))[0]
        world.bare.git("update-ref", REF, world.old)
        taken, said = push(world, f"{world.new}:{REF}", tokens=(token,))
        assert not taken
        assert "permit.spent: " in said

    def test_a_push_that_fails_spends_nothing(self, world: World) -> None:
        token = self.short(world)
        assert not push(world, f"{world.new}:{REF}", f":{REF}x", "--delete", tokens=(token,))[0]
        assert not push(world, "--atomic", f"{world.new}:{REF}", f"master:{REF}/x", tokens=(token,))[0]
        assert push(world, f"{world.new}:{REF}", tokens=(token,))[0]

    def test_a_foreign_key(self, world: World, tmp_path: Path) -> None:
        stranger = create_signing_key(tmp_path / "keys", tmp_path / "jwks.json")
        now = int(time.time())
        token = sign(world.permit(issued=now, expires=now + 60), stranger)
        taken, said = push(world, f"{world.new}:{REF}", tokens=(token,))
        assert not taken
        assert "permit.unknown-key: " in said

    def test_the_guards_own_refs_are_not_kept_there(self, world: World) -> None:
        taken, said = push(world, "master:refs/guard/statements/" + "0" * 64)
        assert not taken
        assert "refs.guard: " in said

    def test_without_keys_it_is_not_installed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world = build(tmp_path / "w")
        assert guard("install", "--server", world.bare.path, "--offline") == 64
        assert "--jwks FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ask", "http://guard.example.com"], "without TLS"),
        (["--ask", "ftp://guard.example.com"], "expected https://HOST"),
        (["--ask", "https://ann:secret@guard.example.com"], "without a name or password"),
        (["--offline", "--web-merges", "ask"], "needs by"),
    ],
)
def test_what_is_no_verifier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    world = build(tmp_path / "w")
    assert guard("install", "--server", world.bare.path, *options) == 2
    assert said in capsys.readouterr().err


class TestGitLab:
    """Custom server hooks: environment GL_*, messages that its interface shows, merges that bring no push option."""

    def test_messages_are_marked_for_its_interface(self, asked: World) -> None:
        taken, said = push(asked, f"master:{REF}", server=GITLAB)
        assert not taken
        told = [
            line.removeprefix("remote: ").strip() for line in said.splitlines() if line.startswith("remote: ")
        ]
        ours = [line for line in told if line and "hook declined" not in line]
        assert ours[0].startswith("GL-HOOK-ERR: refs.protected: ")
        assert all(line.startswith("GL-HOOK-ERR: ") for line in ours)

    def test_an_ordinary_branch(self, asked: World) -> None:
        assert push(asked, "master:refs/heads/feature", server=GITLAB)[0]

    def test_its_python_is_gone(self, tmp_path: Path) -> None:
        world = by_ledger(tmp_path / "w")
        file = world.bare.path / "hooks/pre-receive"
        line = next(x for x in file.read_text().splitlines() if x.startswith("guard_python="))
        file.write_text(file.read_text().replace(line, "guard_python=/nowhere/python"))
        taken, said = push(world, f"master:{REF}", server=GITLAB)
        assert not taken
        assert "GL-HOOK-ERR: hooks.broken: " in said

    @pytest.mark.parametrize(
        "via", [{**GITLAB, "GL_PROTOCOL": "web"}, {"GITHUB_VIA": "pull request merge button"}]
    )
    def test_a_merge_button_is_refused_unless_configured(self, tmp_path: Path, via: dict[str, str]) -> None:
        with by_service(tmp_path / "w") as world:
            world.issue(world.permit())
            taken, said = push(world, f"{world.new}:{REF}", server=via)
            assert not taken
            assert "takes no merge and no edit in the web interface" in said

    @pytest.mark.parametrize(
        "via", [{**GITLAB, "GL_PROTOCOL": "web"}, {"GITHUB_VIA": "pull request merge api"}]
    )
    def test_a_merge_button_is_looked_up(self, tmp_path: Path, via: dict[str, str]) -> None:
        with by_service(tmp_path / "w", "--web-merges", "ask") as world:
            taken, said = push(world, f"{world.new}:{REF}", server=via)
            assert not taken
            assert "permit.not-issued: " in said
            stale = world.permit(issued=int(time.time()) - 900, expires=int(time.time()) - 1)
            world.issue(stale)
            assert "permit." in push(world, f"{world.new}:{REF}", server=via)[1]
            permit = world.permit()
            ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(permit.expires))
            move = {"ref": REF, "old": world.old, "new": world.new}
            world.record("permit.issued", permit, {"permit": permit.id, **move, "expires": ends})
            taken, said = push(world, f"master:{REF}", server={**via, "GL_PROTOCOL": "ssh", "GITHUB_VIA": ""})
            assert not taken, "a push has to bring its permit"
            taken, said = push(world, f"{world.side}:{REF}", "--force", server=via)
            assert not taken, "for another commit there is none"
            taken, said = push(world, f"{world.new}:{REF}", server=via)
            assert taken, said

    def test_in_its_own_folder(self, tmp_path: Path) -> None:
        """GitLab runs REPOSITORY.git/custom_hooks/pre-receive, with the repository as the current folder."""
        world = build(tmp_path / "w")
        folder = world.bare.path / "custom_hooks"
        assert guard("install", "--server", world.bare.path, "--hooks", folder) == 0
        assert not (world.bare.path / "hooks/pre-receive").exists()
        line = f"{world.old} {world.new} {REF}\n".encode()
        done = subprocess.run(
            [folder / "pre-receive"], input=line, cwd=world.bare.path, env={**os.environ, **GITLAB},
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr.startswith(b"GL-HOOK-ERR: refs.protected: ")
        assert guard("uninstall", "--server", world.bare.path, "--hooks", folder) == 0
        assert not (folder / "pre-receive").exists()


@pytest.fixture(scope="module")
def url(asked: World) -> Iterator[str]:
    with serving(open_service(asked.home, {"GUARD_VERIFY_SECRET": f"{OLD_SECRET}\n{SECRET}\n"})) as url:
        yield f"{url}/api/v1/permits/verify"


class TestTheQuestion:
    """POST /api/v1/permits/verify."""

    def ask(
        self, url: str, body: object, *, says: str | None = f"Bearer {SECRET}"
    ) -> tuple[int, dict[str, str]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": says} if says else {})
        status, _, answer = call(url, data, headers)
        return status, json.loads(answer)

    def move(self, world: World, **more: str) -> dict[str, str]:
        return {"repository": "demo/platform", "ref": REF, "old": world.old, "new": world.new, **more}

    def test_a_good_permit(self, url: str, asked: World) -> None:
        permit = asked.permit()
        token = asked.issue(permit)
        assert self.ask(url, self.move(asked, permit=token)) == (
            200,
            {**self.move(asked), "permit": permit.id},
        )
        assert self.ask(url, self.move(asked, permit=token))[0] == 200, "asking does not spend it"
        status, said = self.ask(url, self.move(asked, permit=token, new=asked.side))
        assert (status, said["code"]) == (403, "permit.other-new")
        status, said = self.ask(url, self.move(asked, permit=token, repository="demo/other"))
        assert (status, said["code"]) == (403, "permit.other-repository")

    @pytest.mark.parametrize(
        "says", [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {SECRET}", f"Bearer {SECRET}x"]
    )
    def test_who_does_not_know_the_secret_learns_nothing(
        self, url: str, asked: World, says: str | None
    ) -> None:
        status, said = self.ask(url, self.move(asked), says=says)
        assert (status, said["code"]) == (401, "permit.caller-unknown")
        assert SECRET not in str(said)

    def test_while_one_secret_takes_the_place_of_another(self, url: str, asked: World) -> None:
        for secret in (SECRET, OLD_SECRET):
            assert self.ask(url, self.move(asked, repository="demo/other"), says=f"bearer {secret}")[0] == 403

    def test_nobody_is_answered_where_there_is_no_secret_unless_anyone_is(
        self, asked: World, tmp_path: Path
    ) -> None:
        shutil.copytree(asked.home, tmp_path / "home")
        with serving(open_service(tmp_path / "home", {})) as url:
            assert self.ask(f"{url}/api/v1/permits/verify", self.move(asked))[0] == 401
        (tmp_path / "home/service.toml").write_text('forge = "local"\nverify_callers = "anyone"\n')
        with serving(open_service(tmp_path / "home", {})) as url:
            assert self.ask(f"{url}/api/v1/permits/verify", self.move(asked), says=None)[0] == 403
        with pytest.raises(SettingsError, match="less than 20"):
            open_service(tmp_path / "home", {"GUARD_VERIFY_SECRET": "short"})

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"\xff", b"{}", b'{"ref": 1}', b'{"more": ""}', b"x" * 20_000]
    )
    def test_what_is_no_question(self, url: str, body: bytes) -> None:
        status, said = self.ask(url, body)
        assert status in {403, 413}
        assert said["code"] in {"permit.question", "delivery.too-large"}
