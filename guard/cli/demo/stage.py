"""The demo's stage: a folder of its own, isolated from the user's settings, where real commands run and are checked."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from guard.core.errors import GuardError
from guard.render.safe import plain

SHOWN_LINES = 60


class DemoFailed(GuardError):
    """A step did not do what the demo claims."""

    code = "demo.failed"
    exit_status = 1


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to."""

    status: int
    output: str


class Stage:
    """Runs commands in the demo's folder, shows them as a reader would type them, and checks what they did."""

    def __init__(self, folder: Path, *, colour: bool) -> None:
        self.folder = folder
        self._colour = colour
        self._step = 0
        self.checked = 0
        (folder / "home").mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "GUARD_", "SSH_AUTH"))}
        self.env = {
            **kept,
            "HOME": str(folder / "home"),
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHON": sys.executable,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }

    def heading(self, text: str) -> None:
        self._step += 1
        click.echo(f"\n{self._paint(f'{self._step}. {text}', '1')}")

    def run(self, *command: str, cwd: str, **env: str) -> Done:
        """Run quietly. `guard` and `python` mean this very installation."""
        done = subprocess.run(
            self._resolved(command),
            cwd=self.folder / cwd,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode("utf-8", errors="replace"))

    def start(self, *command: str, cwd: str) -> str:
        """Start something that runs until its standard input ends, which it does with the demo, even a killed one; the
        first line that it says."""
        process = subprocess.Popen(
            self._resolved(command),
            cwd=self.folder / cwd,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        weakref.finalize(self, _end, process)
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise DemoFailed(f"{shlex.join(command)} does not start")
        return line.decode("utf-8", errors="replace").strip()

    def must(self, *command: str, cwd: str, **env: str) -> str:
        """Run quietly something that has to work; its output."""
        done = self.run(*command, cwd=cwd, **env)
        if done.status:
            raise DemoFailed(f"{shlex.join(command)} ended with {done.status}:\n{done.output}")
        return done.output.strip()

    def show(
        self,
        *command: str,
        cwd: str,
        status: int | Sequence[int] = 0,
        says: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        lines: int = SHOWN_LINES,
        quiet: bool = False,
    ) -> str:
        """Run before the reader's eyes; fail the demo unless it ends as `status` says and its output `says` these."""
        click.echo(self._paint(f"{cwd}$ {_readable(command)}", "36"))
        done = self.run(*command, cwd=cwd, **(env or {}))
        if not quiet:
            self._print(done.output, lines)
        allowed = (status,) if isinstance(status, int) else tuple(status)
        if done.status not in allowed:
            wanted = " or ".join(map(str, allowed))
            raise DemoFailed(f"exit status {done.status}, but the demo claims {wanted}:\n{done.output}")
        for text in says:
            if text not in done.output:
                raise DemoFailed(f"the output lacks {text!r}:\n{done.output}")
        self.checked += 1
        return done.output

    def claim(self, text: str, holds: bool) -> None:  # noqa: FBT001  a claim and its truth read in this order
        """State something that was checked; fail the demo when it is not so."""
        if not holds:
            raise DemoFailed(f"this does not hold: {text}")
        self.checked += 1
        click.echo(f"  {self._paint('✓', '32')} {text}")

    def write(self, cwd: str, files: Mapping[str, str]) -> None:
        for name, content in files.items():
            file = self.folder / cwd / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")

    def _resolved(self, command: Sequence[str]) -> list[str]:
        own = {"guard": [sys.executable, "-m", "guard.cli.main"], "python": [sys.executable]}
        return [*own.get(command[0], [command[0]]), *command[1:]]

    def _print(self, output: str, lines: int) -> None:
        shown = output.rstrip().splitlines()
        for line in shown[:lines]:
            click.echo(f"  {plain(line, limit=400)}")
        if len(shown) > lines:
            click.echo(f"  … {len(shown) - lines} more lines")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.communicate()


def _readable(command: Sequence[str]) -> str:
    return shlex.join(word if len(word) < 200 else f"{word[:60]}…" for word in command)
