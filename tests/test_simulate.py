"""`guard simulate`: the decision that would be, from a file and from both forges; nothing is recorded or said."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from guard.cli.main import status_of
from tests.gitrepo import clean_process
from tests.policy_texts import people_policy
from tests.service_sides import BRANCH
from tests.service_world import ServiceWorld

POLICY = people_policy(
    "gitlab",
    "gpuaas/platform",
    BRANCH,
    platform="@gpuaas/platform-owners",
    security="@gpuaas/security-owners",
)
FILE = {
    "target": BRANCH,
    "head": "master",
    "proposer": "dev",
    "members": {"@gpuaas/platform-owners": ["ann"], "@gpuaas/security-owners": ["sam"]},
    "incidents": [],
}


def run(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
    """The command within this process; what starting another one shows is shown elsewhere."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(cwd), clean_process(NO_COLOR="1", **(env or {})), redirect_stdout(out), redirect_stderr(err):
        status = status_of(["simulate", *arguments])
    return Done(status, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def world(tmp_path: Path) -> ServiceWorld:
    made = ServiceWorld(tmp_path, "gitlab", policy_text=POLICY)
    made.commit("a fix", {"app": "2\n"})
    made.work.git("branch", "-q", BRANCH, made.first)
    return made


def described(world: ServiceWorld, **more: object) -> str:
    file = world.home / "proposal.json"
    file.write_text(json.dumps({**FILE, **more}))
    return str(file)


def test_more_approvals_another_policy_another_time(world: ServiceWorld) -> None:
    where, clone = described(world), world.work.path
    alone = run("--mr", where, cwd=clone)
    assert alone.returncode == 1, alone.stderr
    assert alone.stdout.startswith("SIMULATION: nothing is recorded")
    assert "approvals.security.missing" in alone.stdout or "security owner" in alone.stdout
    both = run("--mr", where, "--approve", "ann", "--approve", "sam", cwd=clone)
    assert both.returncode == 0, both.stdout
    assert "DECISION: GO" in both.stdout
    own = run("--mr", where, "--approve", "dev", "--approve", "sam", cwd=clone)
    assert own.returncode == 1
    strict = world.home / "strict.toml"
    strict.write_text(POLICY + '[incidents]\nlabels = ["SEV-3"]\n')
    told = described(
        world, incidents=[{"id": "#1", "label": "SEV-3", "title": "x"}], approvals=["ann", "sam"]
    )
    assert run("--mr", told, cwd=clone).returncode == 0
    harder = run("--mr", told, "--policy", str(strict), "--format", "json", cwd=clone)
    assert harder.returncode == 1
    document = json.loads(harder.stdout)
    assert document["simulation"].startswith("SIMULATION")
    assert document["assumed"]["policy"] == "strict.toml"
    assert document["decision"]["decision"] == "NO-GO"
    later = run("--mr", told, "--at", "2031-01-01T00:00:00Z", "--format", "json", cwd=clone)
    assert json.loads(later.stdout)["decision"]["decided_at"].startswith("2031-01-01T00:00:00")


def test_what_the_file_does_not_tell_is_unknown(world: ServiceWorld) -> None:
    file = world.home / "proposal.json"
    file.write_text(json.dumps({"target": BRANCH, "head": "master", "proposer": "dev"}))
    done = run("--mr", str(file), "--approve", "ann", cwd=world.work.path)
    assert done.returncode == 2
    assert "does not tell" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--mr", "nonsense"), "neither a file nor the address", id="no-place"),
        pytest.param(("--mr", "https://x.example/a/b/-/merge_requests/1"), "GUARD_GITLAB_TOKEN", id="no-token"),
        pytest.param(("--mr", "F", "--at", "tomorrow"), "no time with a zone", id="no-time"),
        pytest.param(("--mr", "BROKEN"), "no JSON", id="broken-file"),
        pytest.param(("--mr", "EMPTY"), "does not describe a proposal", id="empty-file"),
        pytest.param(("--mr", "GONE"), "does not have the head", id="no-head"),
    ],
)  # fmt: skip
def test_wrong_usage(world: ServiceWorld, arguments: tuple[str, ...], said: str) -> None:
    files = {
        "F": json.dumps(FILE),
        "BROKEN": "{",
        "EMPTY": "{}",
        "GONE": json.dumps({**FILE, "head": "e" * 40}),
    }
    for name, text in files.items():
        (world.home / name).write_text(text)
    given = [str(world.home / one) if one in files else one for one in arguments]
    done = run(*given, cwd=world.work.path)
    assert done.returncode == 64, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("forge", ["gitlab", "github"])
def test_on_a_forge_nothing_is_written(tmp_path: Path, forge: str) -> None:
    world = ServiceWorld(tmp_path, forge, policy_text=POLICY.replace("gitlab", forge))
    head = world.commit("a fix", {"app": "2\n"})
    world.work.git("branch", "-q", BRANCH, world.first)
    proposal = world.side.propose(head)
    world.side.approve(proposal, by="ann")
    path = {"gitlab": "-/merge_requests", "github": "pull"}[forge]
    where = f"https://{forge}.example/gpuaas/platform/{path}/{proposal}"
    env = {f"GUARD_{forge.upper()}_TOKEN": world.side.token}
    options = ("--mr", where, "--api", world.side.url)
    assert run(*options, cwd=world.work.path, env=env).returncode == 1
    done = run(*options, "--approve", "sam", cwd=world.work.path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DECISION: GO" in done.stdout
    assert world.side.statuses(head) == []
    assert world.side.comments(proposal) == []
    assert {one.method for one in world.side.server().requests if "graphql" not in one.path} == {"GET"}
    missing = run(
        "--mr", where.replace(f"/{proposal}", "/99"), "--api", world.side.url, cwd=world.work.path, env=env
    )
    assert missing.returncode == 64
    world.close()
