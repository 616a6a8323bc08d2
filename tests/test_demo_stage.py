"""What the demo starts beside itself does not outlive it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import guard.cli.demo

PLATFORM = Path(guard.cli.demo.__file__).parent / "platform"
DEMO = """
import sys, time
from pathlib import Path
from guard.cli.demo.stage import Stage
stage = Stage(Path(sys.argv[1]), colour=False)
print(stage.start("python", "-m", "platform_control.observe", "ops", cwd=sys.argv[2]), flush=True)
time.sleep(60)
"""


def test_a_demo_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-c", DEMO, str(tmp_path), str(PLATFORM)], stdout=subprocess.PIPE
    )
    assert demo.stdout is not None
    port = int(demo.stdout.readline())
    assert _answers(port)
    os.kill(demo.pid, signal.SIGKILL)
    demo.wait(10)
    demo.stdout.close()
    ends = time.monotonic() + 10
    while _answers(port):
        assert time.monotonic() < ends, "it still answers"
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True
