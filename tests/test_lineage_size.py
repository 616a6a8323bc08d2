"""Thousands of commits: judged, in bounded memory of our own, by a dozen git processes; more than that is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guard.adapters.lineage import history
from guard.cli.main import status_of
from tests.gitrepo import Repo, clean_environment

MEASURED = """
import subprocess, sys
started = []
class Counting(subprocess.Popen):
    def __init__(self, command, **rest):
        started.append(command)
        super().__init__(command, **rest)
subprocess.Popen = Counting
from guard.cli.main import status_of
status = status_of(sys.argv[1:])
# Not what getrusage says: that begins with the memory of whoever started this process.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(status, len(started), int(peak.split()[1]) // 1024, file=sys.stderr)
"""


def tiny(path: Path, count: int, *, picked: int) -> Repo:
    """master with that many commits of one small file each; release as many, each `picked`-th of them a pick."""
    repo = Repo.init(path, "--bare")
    stream: list[str] = []

    def commit(ref: str, mark: int, text: str, file: str, parent: int) -> None:
        stream.append(
            f"commit refs/heads/{ref}\nmark :{mark}\ncommitter A <a@b> {1_700_000_000 + mark} +0000\n"
        )
        stream.append(f"data {len(text)}\n{text}\n" + (f"from :{parent}\n" if parent else ""))
        stream.append(f"M 100644 inline {file}\ndata {len(file)}\n{file}\n")

    commit("master", 1, "base", "base", 0)
    for number in range(count):
        commit("master", 2 + number, f"fix {number}", f"d{number % 100}/f{number}", 1 + number)
    for number in range(count):
        file = f"d{number % 100}/f{number}" if number % picked == 0 else f"own/f{number}"
        commit("release", 2 + count + number, f"here {number}", file, 1 + count + number if number else 1)
    repo.git("fast-import", "--quiet", stdin="".join(stream).encode())
    return repo


def ask(repo: Repo) -> list[str]:
    base = repo.git("merge-base", "master", "release")
    where = [
        "lineage",
        "--repo",
        str(repo.path),
        "--upstream",
        "master",
        "--target",
        base,
        "--head",
        "release",
    ]
    return [*where, "--format", "json"]


@pytest.mark.long
def test_thousands_of_tiny_commits(tmp_path: Path) -> None:
    """1,000; with GUARD_TEST_LONG the 10,000."""
    count = 10_000 if os.environ.get("GUARD_TEST_LONG") else 1_000
    command = [sys.executable, "-c", MEASURED, *ask(tiny(tmp_path / "tiny", count, picked=2))]
    done = subprocess.run(command, capture_output=True, check=True, env=clean_environment())
    status, processes, megabytes = map(int, done.stderr.split())
    counts = json.loads(done.stdout)["counts"]
    assert (counts["equivalent"], counts["missing"]) == (count // 2, count // 2)
    assert status == 1
    assert processes <= 14, "as many as for a hundred, and the patch-ids"
    assert megabytes < 150


def test_more_than_can_be_judged_is_an_error_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(history, "MAX_NEW", 10)
    assert status_of(ask(tiny(tmp_path / "tiny", 20, picked=2))) == 2
    told = capsys.readouterr().err
    assert "20 commits are not on upstream, and at most 10 are judged" in told.replace(
        "lineage.unknown: ", ""
    )
    assert "fix: check that target and upstream" in told
