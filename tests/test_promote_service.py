"""`guard promote` with a permit of the service where server hooks verify it, and what a person is asked."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from guard.adapters.promotion_note import Note, PromotionNote
from guard.core.promotion_api import Promotion
from guard.wiring_service import Service, open_service
from tests.gitrepo import Repo, clean_environment
from tests.promotion_world import BRANCH, NAME, POLICY, READ_FIRST, SCRIPT, Server, make_server
from tests.service_world import serving

EXAMPLE = Path(__file__).parent.parent / "examples" / "platform_control_promote_release_branch.sh"
ROLES = '[roles.platform]\nmembers = ["ann@example.com"]\n'
RULES = POLICY.replace('require = ["lineage"]', 'require = ["lineage"]\npromoters = ["platform"]') + ROLES


@dataclass(frozen=True, slots=True)
class Place:
    """A guarded repository whose hooks verify by the same ledger as the service's, which listens at `url`."""

    server: Server
    service: Service
    url: str

    @property
    def words(self) -> list[str]:
        return ["promote", "--service", self.url, "--branch", BRANCH]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    server = make_server(tmp_path_factory.mktemp("service"), policy=RULES, script=EXAMPLE.read_text())
    home = server.bare.path / "guard"
    (home / "service.toml").write_text('forge = "local"\n')
    service = open_service(home, {})
    with serving(service) as url:
        yield Place(server, service, url)


def at_a_terminal(place: Place, answers: list[tuple[str, str]], *arguments: str) -> tuple[int, str]:
    """The command on a terminal; each question is waited for, for at most a minute, and answered."""
    ours, theirs = pty.openpty()
    env = clean_environment(GUARD_SSH_KEY=str(place.server.folder / "key"), NO_COLOR="1", TERM="dumb")
    run = subprocess.Popen(
        [sys.executable, "-m", "guard.cli.main", *place.words, *arguments],
        cwd=place.server.dev.path, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, waiting, until = "", list(answers), time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([ours], [], [], 1.0)[0]:
            continue
        try:
            said += os.read(ours, 65536).decode("utf-8", "replace")
        except OSError:
            break
        if waiting and waiting[0][0] in said:
            os.write(ours, f"{waiting.pop(0)[1]}\n".encode())
    os.close(ours)
    assert not waiting, said
    return run.wait(timeout=30), said


def test_a_person_is_shown_the_plan_and_the_documents_and_may_say_no(made: Place) -> None:
    made.server.ok("propose", "--head", made.server.fix)
    document = f"Have you read {READ_FIRST}?"
    status, said = at_a_terminal(made, [(document, "n")])
    assert status == 1
    assert "promotion.unread: " in said
    assert "Read me." in said, "the document itself is shown"
    assert "step: staging → production" in said
    status, said = at_a_terminal(made, [(document, "y"), (f"Move {BRANCH} to", "n")])
    assert (status, "promotion.declined: " in said) == (1, True)
    assert made.server.head() == made.server.old
    assert not list(made.server.ledger.entries("promotion.asked"))


def test_the_script_pushes_and_the_hook_lets_it_in(made: Place) -> None:
    """With the permit as a push option; the whole of it is on record once, by the hook and by the service."""
    server = made.server
    if server.head() == server.old and not list(server.ledger.entries("statement.proposal-opened")):
        server.ok("propose", "--head", server.fix)
    done = server.guard(*made.words, "--yes")
    assert done.status == 0, done.out + done.err
    assert f"promoted: {BRANCH} stands at {server.fix}" in done.out
    assert f"moved by: {SCRIPT}" in done.out
    assert server.head() == server.fix
    assert [kind for kind in server.kinds() if kind != "baseline.adopted"][-8:] == [
        "promotion.asked", "promotion.requested", "decision.recorded", "permit.issued", "promotion.started",
        "permit.spent", "branch.moved", "promotion.finished",
    ]  # fmt: skip
    [spent] = server.ledger.entries("permit.spent")
    asked = next(server.ledger.entries("promotion.requested"))
    assert (spent.body["new"], asked.body["by"]) == (server.fix, "ann@example.com")
    assert asked.body["read"] == [READ_FIRST]
    done = server.guard(*made.words, "--yes")
    assert (done.status, "nothing to promote" in done.out) == (0, True)


def test_the_policy_names_the_service(tmp_path: Path) -> None:
    """Where the server side is not on this machine and nobody named a service."""
    bare = Repo.init(tmp_path / "elsewhere.git", "--bare")
    dev = bare.clone(tmp_path / "dev")
    named = RULES.replace("[branches", 'service = "http://127.0.0.1:9/guard/"\n[branches', 1)
    dev.commit("start", {"guard.toml": named})
    dev.git("push", "-q", "origin", f"HEAD:refs/heads/{BRANCH}", "HEAD:refs/heads/master")
    dev.git("fetch", "-q")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    command = [sys.executable, "-m", "guard.cli.main", "promote", "--yes", "--as", "ann@example.com"]
    env = clean_environment(GUARD_SSH_KEY=str(key))
    done = subprocess.run(command, cwd=dev.path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert (
        "service.unreachable: the guard's service at http://127.0.0.1:9/guard cannot be asked" in done.stderr
    )


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"service": 1}', b'{"read": 5}'],
    ids=["empty", "cut", "list", "less", "wrong"],
)
def test_a_note_that_cannot_be_read_stops_it(tmp_path: Path, damage: bytes) -> None:
    """Better than forgetting a permit that is out."""
    from guard.core.errors import GuardError

    note = PromotionNote(tmp_path)
    assert note.read() is None
    kept = Note(
        "https://guard.example.com", NAME, BRANCH, "1" * 40, "2" * 40, "sha256:" + "0" * 64, "a" * 32, ("a",)
    )
    note.write(kept)
    assert note.read() == kept
    (tmp_path / "guard" / "promotion.json").write_bytes(damage)
    with pytest.raises(GuardError, match=r"promotion\.json"):
        note.read()
    note.forget()
    note.forget()


def test_a_permit_is_in_no_text_of_an_answer() -> None:
    """`repr` of what came from the service may end in a traceback or a log."""
    fields = {
        "promotion": "x" * 24, "repository": NAME, "ref": f"refs/heads/{BRANCH}", "old": "1" * 40, "new": "2" * 40,
        "state": "permitted", "by": "ann", "requested_at": "", "expires": "", "note": "", "moved_by": "script",
    }  # fmt: skip
    assert "eyJ" not in repr(Promotion.model_validate({**fields, "permit": "eyJ.eyJ.sig"}))
