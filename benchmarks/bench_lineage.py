"""What `guard lineage` costs beside `git cherry`, in interleaved runs:

python benchmarks/bench_lineage.py [--repo DIR --upstream REF --target REF --head REF] [--runs N]

Without `--repo` it makes a repository (`--history`, `--upstream-commits`, `--picks`). Medians of the wall time and of
the processor time (this machine may be shared), and their ratios to `git cherry`. Exit status 1 when a
target is missed by the wall time.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from guard.adapters.database import open_database
from guard.adapters.git import GitRepo
from guard.adapters.lineage.memory import Memory
from guard.adapters.lineage_facts import KeptFacts
from guard.core.model import Commit
from guard.core.policy_branch import Lineage
from guard.core.rules.lineage import judge_commits

BASELINE = "git cherry"
LINES, FILES = 400, 300

MEASURE = """
import resource, subprocess, sys
started = []
class Counting(subprocess.Popen):
    def __init__(self, command, **rest):
        started.append(command)
        super().__init__(command, **rest)
subprocess.Popen = Counting
from guard.adapters.git import GitRepo
with GitRepo(sys.argv[1]) as git:
    before = len(started)
    git.lineage(*sys.argv[2:5], upstream_name="upstream")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, len(started) - before)
"""


@dataclass(frozen=True)
class Range:
    repo: Path
    upstream: Commit
    target: Commit
    head: Commit


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repo", type=Path)
    parser.add_argument("--upstream", default="master")
    parser.add_argument("--target", help="where the branches parted [default: the merge base]")
    parser.add_argument("--head", default="HEAD")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--history", type=int, default=2_000, help="commits before the merge base")
    parser.add_argument("--upstream-commits", type=int, default=1_500)
    parser.add_argument("--picks", type=int, default=100)
    options = parser.parse_args()
    print(subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip())
    with tempfile.TemporaryDirectory(prefix="bench-lineage-") as folder:
        missed = compare(find_range(options, Path(folder)), Path(folder), options.runs)
        missed += histories(options, Path(folder))
    return 1 if missed else 0


def find_range(options: argparse.Namespace, folder: Path) -> Range:
    if options.repo is None:
        return generate(folder / "made", options, history=options.history)
    with GitRepo(options.repo) as git:
        upstream, head = (git.resolve(name) for name in (options.upstream, options.head))
        if upstream is None or head is None:
            raise SystemExit("no such upstream or head")
        target = git.resolve(options.target) if options.target else git.merge_base(upstream, head)
        if target is None:
            raise SystemExit("no such target")
    return Range(options.repo, upstream, target, head)


def compare(asked: Range, folder: Path, runs: int) -> int:
    sizes = (count(asked, f"{asked.target}..{end}") for end in (asked.upstream, asked.head))
    print(
        f"{count(asked, asked.upstream)} commits on upstream, {next(sizes)} since the target; {next(sizes)} to judge"
    )
    kept = KeptFacts(open_database(folder / "ledger.sqlite3"))
    commands: Mapping[str, Callable[[], object]] = {
        BASELINE: lambda: git_cherry(asked),
        "python start-up": lambda: call([sys.executable, "-c", "pass"]),
        "guard lineage, cold": lambda: call(guard_lineage(asked, "json")),
        "guard lineage, cold, with differences": lambda: call(guard_lineage(asked, "text")),
        "in process, cold": lambda: judge(asked, None),
        "in process, warm": lambda: judge(asked, kept),
    }
    medians = measure(commands, runs)
    megabytes, processes = call_out([sys.executable, "-c", MEASURE, str(asked.repo), *names(asked)]).split()
    print(f"peak memory of our own process {megabytes} MiB (at most 150), {processes} git processes")
    wanted = {"guard lineage, cold": 1.25, "in process, warm": 0.1}
    return sum(told(name, medians, most) for name, most in wanted.items()) + (int(megabytes) > 150)


def told(name: str, medians: Mapping[str, tuple[float, float]], most: float) -> bool:
    ratio = medians[name][0] / medians[BASELINE][0]
    print(f"{'ok    ' if ratio <= most else 'MISSED'} {name}: {ratio:.2f} of {BASELINE}, at most {most}")
    return ratio > most


def histories(options: argparse.Namespace, folder: Path) -> int:
    """The same range behind a history, and behind one ten times as long."""
    ranges = {
        f"{history} commits before": generate(folder / str(history), options, history=history)
        for history in (options.history, 10 * options.history)
    }
    short, long = measure(
        {name: (lambda one=one: judge(one, None)) for name, one in ranges.items()}, options.runs
    ).values()
    ratio = long[0] / short[0]
    print(f"{'ok    ' if ratio <= 1.1 else 'MISSED'} ten times the history: {ratio:.2f}, at most 1.1")
    return int(ratio > 1.1)


def measure(commands: Mapping[str, Callable[[], object]], runs: int) -> dict[str, tuple[float, float]]:
    """Medians of (wall, processor) seconds; the commands take turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            wall, cpu = time.perf_counter(), processor()
            command()
            if turn:  # the first one warms the disk's cache
                times[name].append((time.perf_counter() - wall, processor() - cpu))
    medians = {
        name: (statistics.median(one for one, _ in some), statistics.median(one for _, one in some))
        for name, some in times.items()
    }
    first = next(iter(medians.values()))
    print(f"{'median of ' + str(runs):<40} {'wall ms':>9} {'ratio':>6} {'cpu ms':>9} {'ratio':>6}")
    for name, (wall, cpu) in medians.items():
        print(
            f"{name:<40} {wall * 1e3:>9.1f} {wall / first[0]:>6.2f} {cpu * 1e3:>9.1f} {cpu / first[1]:>6.2f}"
        )
    return medians


def processor() -> float:
    """Seconds of this process and of the children it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def judge(asked: Range, memory: Memory | None) -> None:
    with GitRepo(asked.repo, memory=memory) as git:
        facts = git.lineage(asked.upstream, asked.target, asked.head, upstream_name="upstream", details=False)
    judge_commits(facts, Lineage())


def guard_lineage(asked: Range, form: str) -> list[str]:
    upstream, target, head = names(asked)
    where = ["--repo", str(asked.repo), "--upstream", upstream, "--target", target, "--head", head]
    return [str(Path(sys.executable).with_name("guard")), "lineage", *where, "--format", form]


def git_cherry(asked: Range) -> None:
    call(["git", f"--git-dir={git_dir(asked.repo)}", "cherry", asked.upstream, asked.head, asked.target])


def count(asked: Range, what: str) -> int:
    return int(call_out(["git", f"--git-dir={git_dir(asked.repo)}", "rev-list", "--count", what]))


def git_dir(repo: Path) -> Path:
    return repo / ".git" if (repo / ".git").exists() else repo


def names(asked: Range) -> tuple[str, str, str]:
    return asked.upstream, asked.target, asked.head


def call(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, env=os.environ)


def call_out(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def generate(repo: Path, options: argparse.Namespace, *, history: int) -> Range:
    """A repository whose release branch picks some of what upstream did since they parted."""
    call_out(["git", "init", "-q", "--bare", str(repo)])
    files = [[f"file {name} line {line}" for line in range(LINES)] for name in range(FILES)]
    stream: list[str] = []
    last = history + options.upstream_commits

    def commit(ref: str, mark: int, message: str, changed: list[int], parent: int | None) -> None:
        later = last if ref == "release" else 0
        stamp = f"Ann <ann@example.com> {1_700_000_000 + later + mark} +0000"
        stream.append(f"commit refs/heads/{ref}\nmark :{mark}\nauthor {stamp}\ncommitter {stamp}\n")
        stream.append(f"data {len(message)}\n{message}\n" + (f"from :{parent}\n" if parent else ""))
        for name in changed:
            content = "\n".join(files[name]) + "\n"
            stream.append(f"M 100644 inline dir{name % 20}/f{name}.txt\ndata {len(content)}\n{content}\n")

    def edit(number: int) -> int:
        name, line = number * 7 % FILES, number * 13 % LINES
        files[name][line] = f"file {name} line {line} edited by {number}"
        return name

    commit("master", 1, "start", list(range(FILES)), None)
    for mark in range(2, history + 1):
        commit("master", mark, f"before {mark}", [edit(mark)], mark - 1)
    parted = [list(lines) for lines in files]
    for mark in range(history + 1, last + 1):
        commit("master", mark, f"fix {mark}\n\nTicket: {mark}\n", [edit(mark)], mark - 1)
    load(repo, stream)
    master = call_out(["git", f"--git-dir={repo}", "rev-list", "--reverse", "master"]).split()
    stream.clear()
    files[:] = parted
    stride = max(1, options.upstream_commits // options.picks)
    parent = master[history - 1]
    for mark, number in enumerate(range(history + 1, last + 1, stride), start=1):
        message = f"fix {number}\n\n(cherry picked from commit {master[number - 1]})\n"
        commit("release", mark, message, [edit(number)], mark - 1 if mark > 1 else None)
        if mark == 1:
            stream.insert(2, f"from {parent}\n")
    load(repo, stream)
    head = call_out(["git", f"--git-dir={repo}", "rev-parse", "release"]).strip()
    return Range(repo, Commit(master[-1]), Commit(parent), Commit(head))


def load(repo: Path, stream: list[str]) -> None:
    command = ["git", f"--git-dir={repo}", "fast-import", "--quiet"]
    subprocess.run(command, input="".join(stream).encode(), check=True)


if __name__ == "__main__":
    sys.exit(main())
