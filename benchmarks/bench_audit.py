"""What checking the whole ledger costs: `python benchmarks/bench_audit.py [--entries N]`.

`guard audit verify` in a process of its own over a chain of so many entries, in a SQLite file and in PostgreSQL, with
its time and its peak memory; beside it, in turns, the same program over a tenth of the entries (constant memory?) and a
plain loop that reads the same rows and hashes their text (what anything at all would cost). Exit status 1 when a target
is missed: a million entries in 20 s, memory within 1.1 times that of a tenth.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sqlalchemy import insert  # noqa: E402

from guard.adapters.database import writing  # noqa: E402
from guard.adapters.keys import create_signing_key  # noqa: E402
from guard.adapters.ledger import SqlLedger, entries_table, rfc3339  # noqa: E402
from guard.adapters.postgresql import make_tables  # noqa: E402
from guard.core.chain import FIRST_PREV, entry_hash  # noqa: E402
from tests.postgres import fresh_database  # noqa: E402

NAME = "gpuaas/platform"
BODY = (
    '{{"new":"{0:040x}","old":"{1:040x}","permit":"{0:020d}","ref":"refs/heads/release/platform-control",'
    '"why":"evidence was renewed, and everything is looked at again"}}'
)
SECONDS = 20.0
GROWTH = 1.1

MEASURED = """
import sys
from guard.cli.main import status_of
status = status_of(sys.argv[1:])
"""

READ_ALL = """
import hashlib, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
for row in connection.execute("SELECT * FROM entries ORDER BY repository, seq"):
    hashlib.sha256(repr(row).encode()).hexdigest()
status = 0
"""

PEAK = """
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak.split()[1], file=sys.stderr)
raise SystemExit(status)
"""
"""What a process says about itself at its end: `wait4` would count the memory of who started it."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--postgresql", action="store_true", help="PostgreSQL, too")
    options = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as folder:
        whole, tenth = (home(Path(folder) / str(n), n) for n in (options.entries, options.entries // 10))
        commands = {
            f"guard audit verify, {options.entries} entries": verify(whole),
            f"guard audit verify, {options.entries // 10} entries": verify(tenth),
            "reading and hashing the same rows": program(READ_ALL, str(whole / "ledger.sqlite3")),
        }
        if options.postgresql:
            commands["guard audit verify, PostgreSQL"] = verify(
                in_postgresql(Path(folder) / "pg", options.entries)
            )
        measured = measure(commands, options.runs)
    (seconds, memory), (_, less), *_ = measured.values()
    per_million = seconds * 1_000_000 / options.entries
    print(f"a million entries: {per_million:.1f} s (asked {SECONDS:.0f} s)")
    print(f"memory of all / of a tenth: {memory / less:.2f} (asked {GROWTH})")
    missed = per_million > SECONDS or memory / less > GROWTH
    return 1 if missed else 0


def measure(commands: dict[str, list[str]], runs: int) -> dict[str, tuple[float, float]]:
    """Seconds (median) and peak MiB of each, run in turns."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            seen[name].append(run(command))
    found = {
        name: (statistics.median(s for s, _ in ones), max(m for _, m in ones)) for name, ones in seen.items()
    }
    for name, (seconds, memory) in found.items():
        print(f"{name:45} {seconds:8.2f} s {memory:8.1f} MiB")
    return found


def run(command: list[str]) -> tuple[float, float]:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, int(done.stderr.split()[-1]) / 1024


def program(text: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", text + PEAK, *arguments]


def verify(folder: Path) -> list[str]:
    return program(MEASURED, "audit", "verify", "--server", str(folder))


def home(folder: Path, count: int, *, database: str = "") -> Path:
    """A server side's folder whose ledger has so many entries."""
    folder.mkdir()
    more = f'database = "{database}"\n' if database else ""
    (folder / "settings.toml").write_text(f'repository = "{NAME}"\ngit_dir = "{folder}"\n{more}')
    create_signing_key(folder / "keys", folder / "jwks.json")
    ledger = SqlLedger(database or folder / "ledger.sqlite3", repository=NAME)
    with writing(ledger._engine) as connection:
        for page in pages(count):
            connection.execute(insert(entries_table), page)
    if not database:
        with sqlite3.connect(folder / "ledger.sqlite3") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return folder


def in_postgresql(folder: Path, count: int) -> Path:
    made = fresh_database()
    make_tables(made.owner, role=made.role, patience=timedelta(seconds=10))
    return home(folder, count, database=made.plain)


def pages(count: int, size: int = 10_000) -> Iterator[list[dict[str, Any]]]:
    prev, start = FIRST_PREV, datetime(2026, 1, 1, tzinfo=UTC)
    page: list[dict[str, Any]] = []
    for seq in range(1, count + 1):
        fields: dict[str, Any] = {
            "repository": NAME, "seq": seq, "at": rfc3339(start + timedelta(seconds=seq)), "kind": "permit.revoked",
            "body": BODY.format(seq, seq - 1), "once": f"permit.revoked:{seq}", "prev": prev,
        }  # fmt: skip
        prev = entry_hash(**fields)
        page.append({**fields, "hash": prev})
        if len(page) == size or seq == count:
            yield page
            page = []


if __name__ == "__main__":
    raise SystemExit(main())
