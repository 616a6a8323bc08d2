"""The demo's story, act by act: each shows real commands and checks what they did."""

from __future__ import annotations

import json

from guard.cli.demo import world
from guard.cli.demo.stage import Stage
from guard.cli.demo.world import BRANCH, signing

FLAWED = '''"""What support may run on a node."""

import subprocess


def run_on_node(node: str, command: str) -> str:
    return subprocess.run(f"ssh {node} {command}", shell=True, capture_output=True, text=True).stdout
'''
MENDED = '''"""What support may run on a node."""

import subprocess

ALLOWED = {"uptime": ["uptime"], "disk": ["df", "-h"]}


def run_on_node(node: str, command: str) -> str:
    done = subprocess.run(["ssh", "--", node, *ALLOWED[command]], capture_output=True, text=True, check=True)
    return done.stdout
'''
CHECKS = (
    ("contracts", "contracts_validate", "contracts.json"),
    ("breaking-changes", "contracts_breaking_change", ""),
    ("dast", "dast_scan", "dast.sarif"),
    ("dependencies", "dependencies_check", ""),
    ("secrets", "secrets_scan", ""),
    ("ci", "all", ""),
    ("release-notes", "release_notes_check", ""),
    ("compatibility-notes", "compatibility_notes_check", ""),
)
"""The source that a gate names, the script that makes its evidence, and the report that the script writes."""

HOTFIX = "# Health\n\n`GET /healthz` answers 200 while the ledger can be read.\n"


def tell(stage: Stage) -> str:
    """The whole story; how the promoted candidate was decided. Raises DemoFailed at the first step that did not
    do what it claims."""
    _guard_the_branch(stage)
    _go_round_it(stage)
    _hotfix_without_master(stage)
    _whole_catalogue(stage)
    candidate = _candidate_with_a_flaw(stage)
    candidate = _supply_what_is_missing(stage, candidate)
    _promote(stage, candidate)
    return _afterwards(stage, candidate)


def _guard_the_branch(stage: Stage) -> None:
    stage.heading("A bare repository and a developer's clone get their guard")
    world.build(stage)
    server = ("guard", "install", "--server", "platform.git")
    stage.show(*server, cwd=".", says=["pre-receive"])
    world.give_settings(stage)
    stage.show("guard", "adopt", "--server", "platform.git", "--branch", BRANCH, cwd=".")
    stage.show("guard", "install", cwd="dev", says=["pre-push"])


def _go_round_it(stage: Stage) -> None:
    stage.heading("The release branch takes no commit and no push, whichever way")
    before = world.head_of_release(stage)
    stage.must("git", "switch", "-q", "-c", BRANCH, "--track", f"origin/{BRANCH}", cwd="dev")
    stage.write("dev", {"doc/HEALTH.md": HOTFIX})
    stage.must("git", "add", "-A", cwd="dev")
    stage.show("git", "commit", "-m", "Quick fix", cwd="dev", status=1, says=["refs.protected", BRANCH])
    stage.must("git", "switch", "-q", "-c", "hotfix", cwd="dev")
    world.commit(stage, "Describe the health check")
    push = ("push", "origin", f"hotfix:{BRANCH}")
    stage.show("git", *push, cwd="dev", status=1, says=["refs.protected", "guard promote"])
    stage.show("git", *push, "--no-verify", cwd="dev", status=1, says=["remote:", "refs.protected"])
    stage.claim("the release branch has not moved", world.head_of_release(stage) == before)


def _hotfix_without_master(stage: Stage) -> None:
    stage.heading("A proposal with a fix that is not on master first")
    propose(stage, "hotfix", "Describe the health check")
    stage.show(
        *check(stage, "hotfix", "--only", "lineage"), cwd="dev", status=1, says=["lineage.missing", "PARTIAL"]
    )
    stage.show(*promote("--to", "hotfix"), cwd="dev", status=1, says=["DECISION: NO-GO"], quiet=True)
    stage.claim("guard promote refuses it with a NO-GO", holds=True)
    stage.must("guard", "propose", "--close", "hotfix", *who(stage, "dev@demo.example"), cwd="dev")


def _whole_catalogue(stage: Stage) -> None:
    stage.heading("The complete catalogue of 28 gates, on a repository that has proved nothing yet")
    stage.must("git", "init", "-q", "-b", "master", "catalogue", cwd=".")
    stage.must("guard", "init", "--forge", "local", "--repository", "demo/catalogue", cwd="catalogue")
    stage.must("git", "add", "-A", cwd="catalogue")
    identity = ("-c", "user.name=Dev", "-c", "user.email=dev@demo.example")
    stage.must("git", *identity, "commit", "-q", "-m", "The whole policy", cwd="catalogue")
    stage.must("git", "branch", BRANCH, cwd="catalogue")
    output = stage.run("guard", "readiness", "--target", BRANCH, "--format", "json", cwd="catalogue").output
    gates = [verdict for verdict in json.loads(output)["verdicts"] if verdict["group"]]
    passing = [gate["id"] for gate in gates if gate["outcome"] == "pass"]
    stage.show(
        "guard",
        "check",
        "--target",
        BRANCH,
        cwd="catalogue",
        status=(1, 2),
        says=["DECISION: NO-GO"],
        lines=48,
    )
    stage.claim(
        f"{len(gates)} gates judged, {len(passing)} pass: no evidence, no permission",
        len(gates) == 28 and not passing,
    )


def _candidate_with_a_flaw(stage: Stage) -> str:
    stage.heading("The fix goes to master first, with a feature that has a flaw; its tools really run")
    stage.must("git", "switch", "-q", "master", cwd="dev")
    world.commit(stage, "Describe the health check", {"doc/HEALTH.md": HOTFIX})
    candidate = world.commit(
        stage, "Let support run commands on nodes", {"platform_control/support.py": FLAWED}
    )
    stage.must("git", "push", "-q", "origin", "master", cwd="dev")
    propose(stage, "r1", "Release 1.2.0")
    run_the_tools(stage, scan_status=1)
    board = stage.show(
        *check(stage, "master"), cwd="dev", status=1, says=["DECISION: NO-GO", "approvals.security.missing"]
    )
    stage.claim("the scanner's finding blocks", "sarif.result" in board)
    stage.show(*promote(), cwd="dev", status=1, says=["DECISION: NO-GO"], quiet=True)
    return candidate


def _supply_what_is_missing(stage: Stage, flawed: str) -> str:
    stage.heading("The flaw is mended on master; evidence, sign-offs and approvals come in")
    stage.must("guard", "propose", "--close", "r1", *who(stage, "dev@demo.example"), cwd="dev")
    candidate = world.commit(
        stage, "Run only commands that are known", {"platform_control/support.py": MENDED}
    )
    stage.must("git", "push", "-q", "origin", "master", cwd="dev")
    propose(stage, "r2", "Release 1.2.0")
    run_the_tools(stage, scan_status=0)
    run_the_checks(stage)
    signoff, owner, security = ("guard", "signoff"), "owner@demo.example", "security@demo.example"
    for gate, person in (
        ("security.threat-model", security),
        ("security.control-verification", security),
        ("architecture.adrs", owner),
        ("reliability.restore-drill", owner),
    ):
        stage.show(*signoff, gate, "--commit", "HEAD", *who(stage, person), cwd="dev")
    approve = ("guard", "approve", "--head", "master")
    stage.show(*approve, *who(stage, "owner@demo.example"), cwd="dev")
    stage.show(
        *check(stage, "master"),
        cwd="dev",
        status=1,
        says=["approvals.security.missing", "DECISION: NO-GO"],
        quiet=True,
    )
    stage.claim("one owner's approval is not enough", holds=True)
    stage.show(*approve, *who(stage, "security@demo.example"), cwd="dev")
    stage.show(*check(stage, "master"), cwd="dev", says=["DECISION: GO"])
    stage.claim(
        "the flawed candidate is still refused", stage.run(*check(stage, flawed), cwd="dev").status == 1
    )
    return candidate


def _promote(stage: Stage, candidate: str) -> None:
    stage.heading("guard promote runs the promote script with a permit")
    stage.show(
        *promote(), cwd="dev", says=["DECISION: GO"], env={"GUARD_DEMO_KEEP": str(stage.folder / "permit")}
    )
    stage.claim("the release branch stands at the candidate", world.head_of_release(stage) == candidate)
    stage.show(*promote(), cwd="dev", says=["nothing to promote"])


def _afterwards(stage: Stage, candidate: str) -> str:
    stage.heading("Afterwards: the audit, and the spent permit tried again")
    stage.show("guard", "audit", "verify", "--server", "platform.git", cwd=".")
    permit = (stage.folder / "permit").read_text(encoding="utf-8").strip()
    old = stage.must("git", "rev-parse", f"{candidate}~3", cwd="dev")
    stage.must("git", "update-ref", f"refs/heads/{BRANCH}", old, cwd="platform.git")
    replay = (
        "git",
        "-c",
        f"push.pushOption=guard-permit={permit}",
        "push",
        "--no-verify",
        "origin",
        f"{candidate}:refs/heads/{BRANCH}",
    )
    stage.show(*replay, cwd="dev", status=1, says=["permit.spent"])
    stage.must("git", "update-ref", f"refs/heads/{BRANCH}", candidate, cwd="platform.git")
    stage.claim(
        "an administrator who forces the branch back does not bring a spent permit to life", holds=True
    )
    log = ("guard", "audit", "log", "--kind", "decision.recorded", "--limit", "1", "--format", "json")
    entry = json.loads(stage.must(*log, "--server", "platform.git", cwd="."))
    decision = entry["body"]["decision"]
    stage.claim(
        "the ledger holds the decision that moved the branch to where it stands",
        decision["candidate"]["new"] == candidate == world.head_of_release(stage),
    )
    replayed = stage.must(
        "guard", "audit", "replay", entry["body"]["digest"], "--server", "platform.git", cwd="."
    )
    stage.claim(
        "that decision is made again from what the ledger kept of it, to the same digest",
        entry["body"]["digest"] in replayed,
    )
    return f"{BRANCH} was promoted to {candidate}\nDECISION: {decision['decision']}"


def run_the_tools(stage: Stage, *, scan_status: int) -> None:
    """CI's part: the tools and scripts run on the checked-out candidate, and what they made is submitted."""
    run = ("guard", "evidence", "run", *who(stage, "ci@demo.example"), "--commit", "HEAD")
    reports = stage.folder / "reports"
    reports.mkdir(exist_ok=True)
    sarif, junit = str(reports / "sast.sarif"), str(reports / "acceptance.xml")
    scan = ("bandit", "-q", "-r", "platform_control", "-lll", "-f", "sarif", "-o", sarif)
    stage.show(
        *run,
        "--source",
        "sast",
        "--tool",
        "bandit",
        "--report",
        sarif,
        "--",
        "python",
        "-m",
        *scan,
        cwd="dev",
        status=scan_status,
        lines=4,
    )
    tests = ("pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}", "tests")
    stage.show(
        *run,
        "--source",
        "acceptance",
        "--tool",
        "pytest",
        "--report",
        junit,
        "--",
        "python",
        "-m",
        *tests,
        cwd="dev",
        lines=4,
    )


def run_the_checks(stage: Stage) -> None:
    """The rest of CI's part: every script whose result a gate asks for."""
    run = ("guard", "evidence", "run", *who(stage, "ci@demo.example"), "--commit", "HEAD")
    for source, script, report in CHECKS:
        file = str(stage.folder / "reports" / report)
        said = ("--report", file) if report else ()
        command = (f"scripts/ci/{script}.sh", *([file] if report else []))
        stage.show(*run, "--source", source, *said, "--", *command, cwd="dev", lines=4)


def propose(stage: Stage, name: str, title: str) -> None:
    stage.show(
        "guard",
        "propose",
        "--head",
        "HEAD",
        "--id",
        name,
        "--title",
        title,
        *who(stage, "dev@demo.example"),
        cwd="dev",
    )


def who(stage: Stage, name: str) -> tuple[str, ...]:
    return ("--target", BRANCH, *signing(stage, name))


def check(stage: Stage, head: str, *more: str) -> tuple[str, ...]:
    return (
        "guard",
        "check",
        "--server",
        str(stage.folder / "platform.git"),
        "--target",
        BRANCH,
        "--head",
        head,
        *more,
    )


def promote(*more: str) -> tuple[str, ...]:
    return ("guard", "promote", "--branch", BRANCH, "--yes", *more)
