"""What reading a large report costs: `python benchmarks/bench_evidence.py [--megabytes N]`.

A SARIF log of so many megabytes (10^6 bytes) as a blob of a bare repository, read from there and judged in a process
of its own, with its time and its peak memory (VmHWM); beside it the same over a tenth of it, and a process that imports
the same and reads nothing. Twice: the keys in the order in which tools write them, and with the rules at the end.
Exit status 1 when the target is missed: peak memory under 200 MiB at 100 MB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

MEBIBYTES = 200

CHILD = """
import sys
from pathlib import Path
from guard.adapters.parcels import BareRepo, File
from tests.evidence_fakes import asks, read, sources, submission
from guard.adapters.evidence.untrusted import digest_of
from guard.core.model import Known
from tests.builders import NOW
import guard.adapters.evidence.sarif_stream, ijson
repo, blob, size = sys.argv[1:]
if blob:
    data = BareRepo(Path(repo)).read(File(blob, int(size)))
    sent = submission(b"", digest=digest_of(data), exit_code=1)
    reading = read(asks(kind="sarif", source="sast", fail_at="high"), sources(sent, reports={"s1": data}))
    assert isinstance(reading, Known), reading
    print(reading.value.summary, len(reading.value.problems))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak.split()[1], file=sys.stderr)
"""


def write(file: Path, size: int, *, rules_last: bool) -> int:
    """A log of this many bytes; how many results it has."""
    rules = [
        {"id": f"R{n}", "defaultConfiguration": {"level": ("note", "warning", "error")[n % 3]}}
        for n in range(300)
    ]
    tool = json.dumps({"driver": {"name": "CodeQL", "rules": rules}})
    count = 0
    with file.open("w", encoding="utf-8") as out:
        out.write('{"runs": [{' + ("" if rules_last else f'"tool": {tool}, ') + '"results": [')
        while out.tell() < size:
            out.write(f"{',' if count else ''}{json.dumps(result(count))}")
            count += 1
        out.write("]" + (f', "tool": {tool}' if rules_last else "") + '}], "version": "2.1.0"}')
    return count


def result(number: int) -> dict[str, object]:
    """About 1 kB, in the shape of CodeQL's."""
    place = {
        "artifactLocation": {
            "uri": f"services/billing/src/module_{number % 997}.py",
            "uriBaseId": "%SRCROOT%",
        },
        "region": {"startLine": number % 5000 + 1, "startColumn": 9, "endColumn": 60},
    }
    flow = [
        {"location": {"physicalLocation": place, "message": {"text": "the value flows through here"}}}
    ] * 3
    return {
        "ruleId": f"R{number % 300}",
        "ruleIndex": number % 300,
        "message": {
            "text": f"This value depends on a user-provided value ({number}) and is used without a check."
        },
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"primaryLocationLineHash": f"{number:016x}:1"},
        "codeFlows": [{"threadFlows": [{"locations": flow}]}],
    }


def measure(repo: Path, blob: str, size: int) -> tuple[float, float]:
    """Seconds and mebibytes."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(repo), blob, str(size)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    print(f"    {done.stdout.strip() or 'nothing read'}")
    return time.perf_counter() - started, int(done.stderr.split()[-1]) / 1024


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--megabytes", type=int, default=100)
    megabytes = options.parse_args().megabytes
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        repo, file = Path(folder) / "bare.git", Path(folder) / "log.sarif"
        subprocess.run(["git", "init", "-q", "--bare", str(repo)], check=True)
        print(f"imports alone: {measure(repo, '', 0)[1]:.0f} MiB")
        for rules_last in (False, True):
            for size in (megabytes * 100_000, megabytes * 1_000_000):
                count = write(file, size, rules_last=rules_last)
                made = subprocess.run(
                    ["git", f"--git-dir={repo}", "hash-object", "-w", str(file)],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                seconds, peak = measure(repo, made.stdout.strip(), file.stat().st_size)
                order = "rules behind the results" if rules_last else "rules first"
                print(f"{size / 1e6:.0f} MB, {count} results, {order}: {seconds:.1f} s, peak {peak:.0f} MiB")
                worst = max(worst, peak)
    print(f"peak {worst:.0f} MiB; asked is under {MEBIBYTES} at 100 MB")
    return 1 if worst >= MEBIBYTES else 0


if __name__ == "__main__":
    raise SystemExit(main())
