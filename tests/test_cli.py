"""The door: help, exit statuses, one shape for every error, no traceback for a user's mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from guard.cli.main import COMMANDS
from tests.gitrepo import Repo, clean_environment

BRANCH = "release/platform-control"


def guard(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "guard.cli.main", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=clean_environment(**env), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", [name for name, (_, line) in COMMANDS.items() if line])
def test_every_command_explains_itself(name: str, tmp_path: Path) -> None:
    done = guard(name, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: guard {name}")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        pytest.param(["chek"], 64, "No such command 'chek'", id="unknown-command"),
        pytest.param(["check"], 64, "--target", id="option-missing"),
        pytest.param(["check", "--target", "nowhere"], 64, "ref.unknown: --target", id="unknown-ref"),
        pytest.param(["check", "--target", BRANCH, "--head", "nope"], 64, "ref.unknown: --head", id="unknown-head"),
        pytest.param(["check", "--target", BRANCH, "--only", "lineag"], 64, "no rule is called lineag", id="rule"),
        pytest.param(["check", "--target", BRANCH, "--only", ","], 64, "--only", id="no-rule-at-all"),
        pytest.param(["check", "--target", "--upload-pack=x"], 2, "ref.malformed", id="a-ref-like-an-option"),
        pytest.param(["check", "--target", "master"], 64, "does not name the branch master", id="other-branch"),
        pytest.param(["promote"], 2, "settings.no-server-side", id="no-server-side"),
        pytest.param(["audit", "log", "--server", "."], 2, "settings.invalid", id="not-guarded"),
        pytest.param(["policy", "validate", "gone.toml"], 64, "gone.toml", id="no-such-file"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line_with_its_fix(
    arguments: list[str], status: int, says: str, guarded: Repo
) -> None:
    done = guard(*arguments, cwd=guarded.path)
    assert done.returncode == status, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("namespace", ["tags", "remotes"])
def test_a_ref_named_like_the_policys_upstream_stops_nobody(guarded: Repo, namespace: str) -> None:
    other = guarded.git("commit-tree", "-m", "Another", "HEAD^{tree}")
    guarded.git("update-ref", f"refs/{namespace}/master", other)
    done = guard("check", "--target", BRANCH, "--only", "lineage", "--format", "json", cwd=guarded.path)
    assert done.stderr == ""
    assert json.loads(done.stdout)["candidate"]["upstream"] == guarded.rev("refs/heads/master")
    named = guard("check", "--target", BRANCH, "--upstream", "master", "--only", "lineage", cwd=guarded.path)
    assert "ref.ambiguous" in named.stderr


def test_outside_a_repository(tmp_path: Path) -> None:
    done = guard("check", "--target", BRANCH, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.fixture
def guarded(tmp_path: Path) -> Repo:
    """A repository whose master and release branch carry the whole catalogue."""
    repo = Repo.init(tmp_path / "repo")
    assert guard("init", "--forge", "local", "--repository", "a/b", cwd=repo.path).returncode == 0
    repo.commit("The policy")
    repo.git("branch", BRANCH)
    return repo


def test_without_a_forge_what_only_a_forge_knows_is_unknown_and_blocks(guarded: Repo) -> None:
    guarded.commit("A change", {"a": "1"})
    done = guard("check", "--target", BRANCH, "--head", "master", "--format", "json", cwd=guarded.path)
    document = json.loads(done.stdout)
    outcomes = {verdict["id"]: verdict["outcome"] for verdict in document["verdicts"]}
    assert (document["decision"], document["allowed"]) == ("NO-GO", False)
    assert outcomes["lineage"] == "pass"
    assert {outcomes[name] for name in ("approvals", "incidents", "candidate")} == {"error"}
    assert len([verdict for verdict in document["verdicts"] if verdict["group"]]) == 28
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        pytest.param(None, "carries no guard.toml", id="no-policy"),
        pytest.param("version = 1\nmode = 'enforced'\n", "cannot be used", id="invalid-policy"),
    ],
)
def test_without_a_usable_policy_only_lineage_can_be_asked(
    policy: str | None, says: str, tmp_path: Path
) -> None:
    repo = Repo.init(tmp_path / "repo")
    repo.commit("First", {"guard.toml": policy} if policy else {"a": "1"})
    repo.git("branch", BRANCH)
    asked = ("--upstream", "master", "--target", BRANCH, "--head", repo.commit("Second", {"b": "1"}))
    whole = guard("check", *asked, cwd=repo.path)
    assert (whole.returncode, "DECISION: NO-GO" in whole.stdout, says in whole.stdout) == (2, True, True)
    part = guard("lineage", *asked, cwd=repo.path)
    assert part.returncode == 0, part.stderr


def test_an_operators_policy_applies_only_where_the_branch_has_none(guarded: Repo, tmp_path: Path) -> None:
    other = tmp_path / "operator.toml"
    text = (guarded.path / "guard.toml").read_text(encoding="utf-8")
    other.write_text(
        text.replace('require = ["lineage"', 'mode = "x"\nrequire = ["lineage"'), encoding="utf-8"
    )
    kept = guard("check", "--target", BRANCH, "--policy", str(other), "--format", "json", cwd=guarded.path)
    assert json.loads(kept.stdout)["policy"]["source"].startswith(f"guard.toml at {BRANCH}")
    guarded.git("checkout", "-q", BRANCH)
    (guarded.path / "guard.toml").unlink()
    guarded.commit("The policy is lost")
    other.write_text(text, encoding="utf-8")
    used = guard("check", "--target", BRANCH, "--policy", str(other), "--format", "json", cwd=guarded.path)
    assert "bootstrap policy, because" in json.loads(used.stdout)["policy"]["source"]


def test_a_proposal_cannot_bring_its_own_policy(guarded: Repo) -> None:
    loose = (
        'version = 1\n[project]\nforge = "local"\nrepository = "a/b"\n[branches."release/platform-control"]\n'
    )
    head = guarded.commit(
        "Be kind to me", {"guard.toml": f'{loose}upstream = "master"\nrequire = ["lineage"]\n'}
    )
    done = guard("check", "--target", BRANCH, "--head", head, "--format", "json", cwd=guarded.path)
    document = json.loads(done.stdout)
    assert document["required"] == ["candidate", "lineage", "approvals", "readiness", "incidents"]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        pytest.param(None, "removes guard.toml", id="removed"),
        pytest.param("version = 1\nmode = 'x'\n", "cannot be used", id="broken"),
        pytest.param("", "does not name release/platform-control any more", id="another-branch"),
        pytest.param("# said better\n", "", id="harmless"),
    ],
)
def test_a_proposal_cannot_take_the_branchs_policy_away(guarded: Repo, rest: str | None, says: str) -> None:
    file = guarded.path / "guard.toml"
    text = file.read_text(encoding="utf-8")
    file.unlink()
    changed = {None: None, "": text.replace(BRANCH, "release/other"), "# said better\n": f"{text}{rest}"}
    content = changed.get(rest, rest)
    head = guarded.commit("Change the policy", {"guard.toml": content} if content else {})
    done = guard("check", "--target", BRANCH, "--head", head, "--format", "json", cwd=guarded.path)
    verdicts = {one["id"]: one["findings"] for one in json.loads(done.stdout)["verdicts"]}
    told = [one["message"] for one in verdicts["candidate"] if one["code"] == "candidate.policy-lost"]
    assert ([says in one for one in told], done.returncode) == ([True] if says else [], 1)


def test_an_answer_that_cannot_be_written_is_no_answer(guarded: Repo) -> None:
    command = [sys.executable, "-m", "guard.cli.main", "lineage", "--target", BRANCH, "--head", "master"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command,
            cwd=guarded.path,
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("asked", ["lineage --target {} --head master", "lineage --target {} --head nothing"])
def test_what_is_closed_is_written_to_nobody(guarded: Repo, closed: str, asked: str) -> None:
    """A process that is started without them would give the first file that it opens the number of its output."""
    command = f"{sys.executable} -m guard.cli.main {asked.format(BRANCH)}"

    def run(line: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            line, shell=True, cwd=guarded.path, env=clean_environment(), capture_output=True, check=False
        )

    done, open_ = run(f"{command} {closed}"), run(command)
    assert (done.returncode, b"Traceback" in done.stderr) == (open_.returncode, False)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, tmp_path: Path) -> None:
    done = guard("completion", shell, cwd=tmp_path)
    assert done.returncode == 0
    assert "_GUARD_COMPLETE" in done.stdout


def test_completion_offers_the_commands(tmp_path: Path) -> None:
    words = {"_GUARD_COMPLETE": "bash_complete", "COMP_WORDS": "guard pro", "COMP_CWORD": "1"}
    done = guard(cwd=tmp_path, **words)
    assert {"plain,promote", "plain,propose"} <= set(done.stdout.split())


def test_colours_only_where_wanted(guarded: Repo) -> None:
    done = guard("check", "--target", BRANCH, cwd=guarded.path, NO_COLOR="1")
    assert "\x1b" not in done.stdout + done.stderr


def test_readiness_is_check_by_another_name(guarded: Repo) -> None:
    asked = ["--target", BRANCH, "--format", "json"]
    one, other = (guard(name, *asked, cwd=guarded.path) for name in ("check", "readiness"))
    assert one.returncode == other.returncode
    board, same = (json.loads(done.stdout) for done in (one, other))
    for document in (board, same):
        document.pop("decided_at")
    assert board == same


@pytest.mark.parametrize(
    ("moment", "says"),
    [
        pytest.param("2001-01-01", "is past", id="past"),
        pytest.param("tomorrow", "is no date", id="no-date"),
        pytest.param("9999-12-31T23:59:59-23:00", "is no date", id="beyond-all-dates"),
    ],
)
def test_only_a_moment_to_come_can_be_asked_about(guarded: Repo, moment: str, says: str) -> None:
    done = guard("readiness", "--target", BRANCH, "--at", moment, cwd=guarded.path)
    assert (done.returncode, done.stdout) == (64, "")
    assert says in done.stderr


def test_a_later_moment_is_the_decisions_moment(guarded: Repo) -> None:
    asked = ["readiness", "--target", BRANCH, "--at", "9000-12-24"]
    done = guard(*asked, "--format", "json", cwd=guarded.path)
    assert json.loads(done.stdout)["decided_at"].startswith("9000-12-24T00:00:00")
    assert "as of 9000-12-24 00:00 UTC" in guard(*asked, cwd=guarded.path).stdout
    assert guard(*asked, "--format", "junit", cwd=guarded.path).stdout.startswith("<?xml ")
