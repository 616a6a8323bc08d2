"""What the server's hooks cost, as ratios of interleaved runs: `python benchmarks/bench_server_hooks.py [--runs N]`.

Each hook is run as git runs it, on the same input and environment as an empty one beside it, and then as part of a
whole push. Exit status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.bench_hooks import EMPTY, Run, measure, silence, verdict
from tests.hook_world import REF, World, build, guard
from tests.verifying import by_ledger, by_service, offline

EMPTY_PYTHON = f"#!{sys.executable}\n"
ZERO = "0" * 40


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=61, help="of each command")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-server-hooks-") as name, ExitStack() as stack:
        folder = Path(name)
        with silence():
            worlds = {
                "ledger": by_ledger(folder / "ledger"),
                "offline": offline(folder / "offline"),
                "service": stack.enter_context(by_service(folder / "service")),
            }
        missed = hooks(worlds, folder, options.runs) + pushes(folder, options.runs)
    return 1 if missed else 0


def hooks(worlds: dict[str, World], folder: Path, runs: int) -> int:
    """The hook alone."""
    empty_sh, empty_python = (
        executable(folder / "empty-sh", EMPTY),
        executable(folder / "empty-py", EMPTY_PYTHON),
    )
    ledger = worlds["ledger"]
    feature = f"{ZERO} {ledger.new} refs/heads/feature/x\n"
    others: dict[str, Run] = {"empty sh": once(empty_sh, ledger, feature)}
    others |= {
        f"guard {hook}": once(ledger.bare.path / "hooks" / hook, ledger, feature)
        for hook in ("pre-receive", "post-receive")
    }
    medians = measure("hook alone, an unprotected ref", others, runs)
    missed = verdict(medians, "guard pre-receive", "empty sh", limit=1.2)
    commands = {"empty Python": once(empty_python, ledger, moved(ledger))}
    for name, world in worlds.items():
        commands[f"guard, {name}"] = once(
            world.bare.path / "hooks/pre-receive", world, moved(world), permitted(world)
        )
    medians = measure("pre-receive alone, a protected ref with its permit", commands, runs)
    return missed + sum(verdict(medians, f"guard, {name}", "empty Python", limit=2.5) for name in worlds)


def moved(world: World) -> str:
    return f"{world.old} {world.new} {REF}\n"


def permitted(world: World) -> dict[str, str]:
    life = 119 if world.bare.path.parent.name == "offline" else 3000
    token = world.issue(world.permit(expires=int(time.time()) - 1 + life))
    return {"GIT_PUSH_OPTION_COUNT": "1", "GIT_PUSH_OPTION_0": f"guard-permit={token}"}


def once(hook: Path, world: World, line: str, more: dict[str, str] | None = None) -> Run:
    env = {**os.environ, **(more or {})}

    def run(_: int) -> None:
        done = subprocess.run(
            [hook], input=line.encode(), cwd=world.bare.path, env=env, capture_output=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"what should have been let through was not: {done.stderr.decode()}")

    return run


def pushes(folder: Path, runs: int) -> int:
    """Whole pushes of an unprotected ref, to a folder."""
    worlds = {"empty sh hooks": build(folder / "push0"), "guard": build(folder / "push1")}
    for hook in ("pre-receive", "post-receive"):
        executable(worlds["empty sh hooks"].bare.path / "hooks" / hook, EMPTY)
    with silence():
        guard("install", "--server", worlds["guard"].bare.path)
    commands: dict[str, Run] = {name: push(world) for name, world in worlds.items()}
    return verdict(
        measure("push of an unprotected ref", commands, runs), "guard", "empty sh hooks", limit=1.2
    )


def push(world: World) -> Callable[[int], object]:
    return lambda number: world.dev.git("push", "-q", "origin", f"master:refs/heads/feature/{number}")


def executable(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


if __name__ == "__main__":
    sys.exit(main())
