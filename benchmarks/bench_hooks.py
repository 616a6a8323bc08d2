"""What the hooks cost, as ratios of interleaved runs: `python benchmarks/bench_hooks.py [--runs N] [--fetches N]`.

Each line compares commands that take turns in one run, so that whatever else the machine does meets all of them. Other
tools take part when they are on the PATH (no-commit-to-branch, pre-commit, prek, lefthook); those that are not are
named as left out. Exit status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.gitrepo import Repo
from tests.hook_world import BRANCH, NO_HOOKS, REF, World, build, guard
from tests.transports import over_http

EMPTY = "#!/bin/sh\n"
EMPTY_PYTHON = f"#!{sys.executable}\nraise SystemExit(1)\n"
REFS = 1000

Run = Callable[[int], object]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=41, help="of each short command")
    parser.add_argument("--fetches", type=int, default=7, help=f"of {REFS} refs each")
    options = parser.parse_args()
    print(subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip())
    missed = 0
    with tempfile.TemporaryDirectory(prefix="bench-hooks-") as folder:
        missed += pushes(Path(folder), options.runs)
        missed += refusals(Path(folder), options.runs)
        missed += fetches(Path(folder), options.fetches)
        commits(Path(folder), options.runs)
    return 1 if missed else 0


def pushes(folder: Path, runs: int) -> int:
    """A push of one unprotected ref, to a folder: the quickest push there is, so that hooks weigh the most. "The same
    push with an empty sh hook" is one with an empty hook in each place in which git runs one of the guard's. What
    those places themselves cost, however empty, is said beside it."""
    both = {"pre-push": EMPTY, "reference-transaction": EMPTY}
    clones = {
        "no hooks": clone(folder / "push0"),
        "empty sh pre-push": clone(folder / "push1", {"pre-push": EMPTY}),
        "empty sh, same places": clone(folder / "push2", both, configured=tuple(both)),
        "guard": clone(folder / "push3", installed=True),
    }
    medians = measure(
        "push of an unprotected ref", {name: push(world) for name, world in clones.items()}, runs
    )
    alone = medians["empty sh pre-push"]
    price = medians["empty sh, same places"] / alone
    print(
        f"    guard / empty sh pre-push alone = {medians['guard'] / alone:.2f}, of which {price:.2f} is git's"
    )
    print("        price of running anything at all where local moves are refused (reference-transaction)")
    missed = verdict(medians, "guard", "empty sh, same places", limit=1.1)
    with ExitStack() as stack:
        for name, world in clones.items():
            url, _ = stack.enter_context(over_http(world.bare.path, folder / "http" / name, {}))
            world.dev.git("remote", "set-url", "origin", url)
        commands = {name: push(world, "http") for name, world in clones.items()}
        medians = measure("the same over smart HTTP on this machine", commands, max(runs // 2, 5))
    print(f"    guard / empty sh pre-push alone = {medians['guard'] / medians['empty sh pre-push']:.2f}")
    return missed


def push(world: World, kind: str = "feature") -> Run:
    def run(number: int) -> None:
        world.dev.git("push", "-q", "origin", f"master:refs/heads/{kind}/{number}")

    return run


def refusals(folder: Path, runs: int) -> int:
    """A push that is refused, by the guard and by a Python that does nothing else."""
    clones = {
        "empty Python pre-push": clone(folder / "refuse0", {"pre-push": EMPTY_PYTHON}),
        "guard": clone(folder / "refuse1", installed=True),
    }
    commands = {
        name: refused(world, "push", "-q", "origin", f"master:{REF}") for name, world in clones.items()
    }
    medians = measure("push that is refused", commands, runs)
    return verdict(medians, "guard", "empty Python pre-push", limit=3)


def refused(world: World, *words: str) -> Run:
    def run(_: int) -> None:
        if world.dev.run(*words).returncode != 1:
            raise SystemExit("what should have been refused was not")

    return run


def fetches(folder: Path, runs: int) -> int:
    """A fetch of very many new refs: git < 2.51 calls reference-transaction twice for each, and what newer gits tidy up
    after it three times; from 2.54 on in the folder and by the configuration."""
    clones = {
        "no hooks": clone(folder / "fetch0"),
        "empty sh": clone(folder / "fetch1", {"reference-transaction": EMPTY}),
        "empty sh, same places": clone(
            folder / "fetch2", {"reference-transaction": EMPTY}, configured=("reference-transaction",)
        ),
        "guard": clone(folder / "fetch3", installed=True),
    }
    for world in clones.values():
        refs = "".join(f"create refs/heads/many/{number} {world.new}\n" for number in range(REFS))
        world.bare.git("update-ref", "--stdin", stdin=refs.encode())
    medians = measure(f"fetch of {REFS} refs", {name: fetch(w) for name, w in clones.items()}, runs)
    print(f"    guard / empty sh in the folder alone = {medians['guard'] / medians['empty sh']:.2f}")
    return verdict(medians, "guard", "empty sh, same places", limit=1.3)


def fetch(world: World) -> Run:
    def run(number: int) -> None:
        world.dev.git("fetch", "-q", "origin", f"refs/heads/many/*:refs/remotes/origin/run{number}/*")

    return run


def commits(folder: Path, runs: int) -> None:
    """A commit on an ordinary branch and one on the protected branch, beside what other tools do to keep it off."""
    worlds = {"no hooks": clone(folder / "commit0"), "guard": clone(folder / "commit1", installed=True)}
    for name, prepare in OTHERS.items():
        world = clone(folder / f"commit-{len(worlds)}-{name.split()[0]}")
        if prepare(world.dev):
            worlds[name] = world
        else:
            print(f"left out, not installed: {name}")
    fewer = max(runs // 3, 5)
    compare("commit on an ordinary branch", {name: commit(world) for name, world in worlds.items()}, fewer)
    for world in worlds.values():
        world.dev.git(*NO_HOOKS, "switch", "-q", "-c", BRANCH)
        (world.dev.path / "app.py").write_text("refused\n")
    del worlds["no hooks"]
    words = ("commit", "-q", "-a", "-m", "x")
    compare("commit that is refused", {name: refused(world, *words) for name, world in worlds.items()}, fewer)


def compare(title: str, commands: dict[str, Run], runs: int) -> None:
    medians = measure(title, commands, runs)
    for name in commands:
        print(f"    {name}: {medians[name] / medians['guard']:.2f} x guard")


def commit(world: World) -> Run:
    def run(number: int) -> None:
        (world.dev.path / "app.py").write_text(f"{number}\n")  # lefthook does nothing without a file
        world.dev.git("commit", "-q", "-a", "-m", f"{number}")

    return run


def _direct(repo: Repo) -> bool:
    tool = shutil.which("no-commit-to-branch")
    if tool:
        write(repo, {"pre-commit": f"#!/bin/sh\nexec '{tool}' --branch release/platform-control\n"})
    return tool is not None


def _framework(command: str) -> Callable[[Repo], bool]:
    def prepare(repo: Repo) -> bool:
        tool, checker = shutil.which(command), shutil.which("no-commit-to-branch")
        if not tool or not checker:
            return False
        entry = f"{checker} --branch release/platform-control"
        text = f"repos:\n- repo: local\n  hooks:\n  - {{id: x, name: x, entry: {entry}, language: system, "
        (repo.path / ".pre-commit-config.yaml").write_text(
            text + "always_run: true, pass_filenames: false}\n"
        )
        repo.git("add", "-A")
        repo.git("commit", "-q", "-m", "Configure")
        done = subprocess.run(
            [tool, "install"], cwd=repo.path, capture_output=True, check=False, env=environment()
        )
        return done.returncode == 0

    return prepare


def _lefthook(repo: Repo) -> bool:
    tool, checker = shutil.which("lefthook"), shutil.which("no-commit-to-branch")
    if not tool or not checker:
        return False
    run = f"{checker} --branch release/platform-control"
    (repo.path / "lefthook.yml").write_text(f"pre-commit:\n  commands:\n    x:\n      run: {run}\n")
    done = subprocess.run(
        [tool, "install"], cwd=repo.path, capture_output=True, check=False, env=environment()
    )
    return done.returncode == 0


OTHERS: dict[str, Callable[[Repo], bool]] = {
    "no-commit-to-branch": _direct,
    "pre-commit with it": _framework("pre-commit"),
    "prek with it": _framework("prek"),
    "lefthook with it": _lefthook,
}


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GUARD_"))}
    return {**kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def clone(
    folder: Path,
    hooks: dict[str, str] | None = None,
    *,
    installed: bool = False,
    configured: tuple[str, ...] = (),
) -> World:
    """A bare repository and a clone of it, with these hooks or with the guard's; those `configured` are named in git's
    configuration as well, which git >= 2.54 runs."""
    world = build(folder)
    write(world.dev, hooks or {})
    for hook in configured:
        world.dev.git("config", f"hook.empty-{hook}.command", f". '{world.dev.path}/.git/hooks/{hook}'")
        world.dev.git("config", f"hook.empty-{hook}.event", hook)
    with silence():
        if installed and guard("install", "--repo", world.dev.path):
            raise SystemExit("guard install failed")
    return world


def write(repo: Repo, hooks: dict[str, str]) -> None:
    for name, text in hooks.items():
        file = repo.path / ".git/hooks" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)


@contextmanager
def silence() -> Iterator[None]:
    kept = sys.stdout
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = nowhere
        try:
            yield
        finally:
            sys.stdout = kept


def measure(title: str, commands: dict[str, Run], runs: int) -> dict[str, float]:
    """The median seconds of each command; they take turns, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, run in commands.items():
            start = time.perf_counter()
            run(number)
            if number:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{title} ({runs} runs each)")
    for name, median in medians.items():
        print(f"    {name:24} {median * 1000:9.1f} ms")
    return medians


def verdict(medians: dict[str, float], ours: str, other: str, *, limit: float) -> int:
    """Print the ratio; 1 when it is over the limit."""
    ratio = medians[ours] / medians[other]
    missed = ratio > limit
    print(f"    {ours} / {other} = {ratio:.2f}  (at most {limit}: {'MISSED' if missed else 'met'})")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
