"""What `guard readiness` costs: `python benchmarks/bench_readiness.py [--runs N] [--world DIR]`.

A guarded repository with the demo's whole catalogue of 28 gates, its evidence really made and signed, 40 runbooks and
60 decision records, judged on the server side and, without its ledger, in a clone. Beside it, in turns, a script that
imports pydantic, validates the same policy and prints one line. Probes are left out: the operator names no system.
`--world` keeps what was built, so that a later run only measures. Last, a decision over 500 gates in this process.

Exit status 1 when a target is missed: twice the script's time (medians), 20 ms for the decision.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from guard.cli.demo import story, world
from guard.cli.demo.stage import Stage
from guard.core.model import Known
from tests.decide_worlds import full_world

ROOT = Path(__file__).resolve().parent.parent
RUNBOOKS, RECORDS, GATES = 40, 60, 500
LIMIT, LIMIT_MS = 2.0, 20.0
SCRIPT = """
import sys
import pydantic
from guard.core.policy_text import parse_policy
with open(sys.argv[1], "rb") as file:
    loaded = parse_policy(file.read(), where="guard.toml")
print(f"pydantic {pydantic.VERSION}: {len(loaded.policy.gates)} gates")
"""
RECORD = """# {number}. Decision {number} about the platform

Status: Accepted
Date: 2026-01-10

## Context
Two services need the same numbers, and each has computed them in its own way until now.

## Decision
Service {number} owns them. Others ask it, and nobody keeps a copy for longer than a request.

## Consequences
One more call for each request; one place to mend when the numbers are wrong.
"""
RUNBOOK = """# When part {number} of the platform stops

Reviewed: {day}

1. Look at the dashboard of part {number}, and at what was deployed last.
2. Take the part out of the load balancer, and restart it with what was deployed before.
3. Tell who is on call what was done, and write down when it happened.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument(
        "--world", type=Path, help="build it in this folder, or measure in the one that is there"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-readiness-") as folder:
        place = (options.world or Path(folder)).resolve()
        if not (place / "dev").exists():
            build(place)
        missed = readiness(place, options.runs)
    missed += deciding(options.runs)
    return 1 if missed else 0


def build(folder: Path) -> None:
    """The demo's repository with many more documents; the last commit is proposed, proved, signed off and approved."""
    stage = Stage(folder, colour=False)
    with contextlib.redirect_stdout(io.StringIO()):
        world.build(stage)
        stage.must("guard", "install", "--server", "platform.git", cwd=".")
        world.give_settings(stage)
        stage.must("guard", "adopt", "--server", "platform.git", "--branch", world.BRANCH, cwd=".")
        world.commit(stage, "Many documents", documents(stage))
        candidate = world.commit(stage, "Only known commands", {"platform_control/support.py": story.MENDED})
        stage.must("git", "push", "-q", "origin", "master", cwd="dev")
        story.propose(stage, "r1", "Release 1.2.0")
        story.run_the_tools(stage, scan_status=0)
        story.run_the_checks(stage)
        sign(stage, candidate)
    settings = folder / "platform.git" / "guard" / "settings.toml"
    settings.write_text(settings.read_text().partition("[probes.")[0])


def documents(stage: Stage) -> dict[str, str]:
    day = (
        (stage.folder / "dev/doc/operations/runbooks/ledger-drift.md")
        .read_text()
        .partition("Reviewed: ")[2][:10]
    )
    records = {
        f"architecture/adrs/{n:04}-decision.md": RECORD.format(number=n) for n in range(3, RECORDS + 1)
    }
    runbooks = {
        f"doc/operations/runbooks/part-{n}.md": RUNBOOK.format(number=n, day=day) for n in range(3, RUNBOOKS)
    }
    return {**records, **runbooks}


def sign(stage: Stage, candidate: str) -> None:
    owner, security = "owner@demo.example", "security@demo.example"
    for gate, person in (
        ("security.threat-model", security),
        ("security.control-verification", security),
        ("architecture.adrs", owner),
        ("reliability.restore-drill", owner),
    ):
        stage.must("guard", "signoff", gate, "--commit", candidate, *story.who(stage, person), cwd="dev")
    for person in (owner, security):
        stage.must("guard", "approve", "--head", "master", *story.who(stage, person), cwd="dev")


def readiness(folder: Path, runs: int) -> int:
    guard = [
        str(Path(sys.executable).with_name("guard")),
        "readiness",
        "--target",
        world.BRANCH,
        "--head",
        "master",
    ]
    script = folder / "script.py"
    script.write_text(SCRIPT)
    commands = {
        "script with pydantic": [sys.executable, str(script), "guard.toml"],
        "guard readiness, server side": [*guard, "--server", str(folder / "platform.git")],
        "guard readiness, clone": [*guard[:3], f"origin/{world.BRANCH}", *guard[4:]],
    }
    medians = measure(commands, runs, cwd=folder / "dev")
    return sum(verdict(medians, name) for name in commands if name.startswith("guard"))


def measure(commands: Mapping[str, Sequence[str]], runs: int, *, cwd: Path) -> dict[str, float]:
    """The median of each command's wall time; the commands take turns, after one round that is not counted. Python
    keeps its bytecode, as it does for what is installed."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    for name in ("GUARD_SERVER", "PYTHONDONTWRITEBYTECODE"):
        env.pop(name, None)
    walls: dict[str, list[float]] = {name: [] for name in commands}
    used: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL)
            _, _, usage = os.wait4(process.pid, 0)
            if turn:
                walls[name].append(time.perf_counter() - began)
                used[name].append(usage.ru_utime + usage.ru_stime)
    print(f"{runs} runs, medians")
    for name in commands:
        wall, cpu = statistics.median(walls[name]), statistics.median(used[name])
        print(f"    {name:<30} {wall * 1000:6.0f} ms, of which processors {cpu * 1000:6.0f} ms")
    return {name: statistics.median(times) for name, times in walls.items()}


def verdict(medians: Mapping[str, float], name: str) -> bool:
    """Whether the target is missed, with a line that says so."""
    ratio = medians[name] / medians["script with pydantic"]
    missed = ratio > LIMIT
    print(f"    {name} / script = {ratio:.2f} (at most {LIMIT:.1f}){' MISSED' if missed else ''}")
    return missed


def deciding(runs: int) -> int:
    """`decide` as a whole over many gates, each of two pieces of evidence, in a world in which everything is asked."""
    given = full_world()
    assert isinstance(given.policy, Known)
    policy, readings = given.table, given.facts.readings
    model = next(gate for gate in policy.gates if gate.id == "architecture.g")
    more = [model.model_copy(update={"id": f"architecture.g{n}"}) for n in range(GATES - len(policy.gates))]
    for gate in more:
        readings = {
            **readings,
            f"{gate.id}/0": readings["architecture.g/0"],
            f"{gate.id}/1": readings["architecture.g/1"],
        }
    large = policy.model_copy(update={"gates": (*policy.gates, *more)})
    loaded = replace(given.policy, value=replace(given.policy.value, policy=large))
    asked = replace(given, policy=loaded, facts=replace(given.facts, readings=readings))
    times = []
    for _ in range(max(runs, 20)):
        began = time.perf_counter()
        decision = asked.decided()
        times.append(time.perf_counter() - began)
    assert decision.allowed
    median = statistics.median(times) * 1000
    missed = median > LIMIT_MS
    print(
        f"decide over {len(large.gates)} gates: {median:.1f} ms (at most {LIMIT_MS:.0f}){' MISSED' if missed else ''}"
    )
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
