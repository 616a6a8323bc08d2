"""Run the promote script, or push, with a permit in the environment; fetch what has to be at hand for it."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from guard.core.errors import GitError, GuardError, UsageError

PATIENCE = 60
"""Seconds that a question to a remote may take."""

ENDING = 20
"""Seconds that an interrupted script gets to end by itself, and then once more when it is told to terminate."""

STEERING = frozenset(
    {
        "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH",
    }
)  # fmt: skip
"""What would make git work on another repository than the clone; it is set where the guard runs as a git alias."""


def permit_environment(
    base: Mapping[str, str],
    *,
    token: str,
    old: str,
    new: str,
    branch: str,
    remote: str,
    options: bool = True,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """`base` with the permit for scripts and hooks and, with `options`, as a push option of every push that is made
    below it (a remote without hooks of the guard's may refuse any option); `more` are further variables.

    Configuration that `base` already injects is kept (git-config(1), GIT_CONFIG_COUNT). Raises UsageError where
    `base` has a GIT_CONFIG_COUNT that is no number.
    """
    count = base.get("GIT_CONFIG_COUNT", "") or "0"
    if not count.isdecimal():
        raise UsageError(f"GIT_CONFIG_COUNT is {count!r}, which is no number", fix="unset GIT_CONFIG_COUNT")
    options_of_pushes = {
        "GIT_CONFIG_COUNT": str(int(count) + 1),
        f"GIT_CONFIG_KEY_{int(count)}": "push.pushOption",
        f"GIT_CONFIG_VALUE_{int(count)}": f"guard-permit={token}",
    }
    return {
        **{name: value for name, value in base.items() if name not in STEERING},
        "GUARD_PERMIT": token,
        "GUARD_OLD": old,
        "GUARD_NEW": new,
        "GUARD_BRANCH": branch,
        "GUARD_REMOTE": remote,
        **(more or {}),
        **(options_of_pushes if options else {}),
    }


def run_script(
    data: bytes,
    *,
    name: str,
    clone: Path,
    environment: Mapping[str, str],
    arguments: Sequence[str] = (),
    stdout: int | None = None,
) -> int:
    """Run these bytes as a program in `clone`, its output going where `stdout` says (None: ours), and return its
    exit status, negative for a signal. Without a `#!` line it is a script for sh. Raises GuardError when it
    cannot be started."""
    with tempfile.TemporaryDirectory(prefix="guard-promote-") as folder:
        file = Path(folder, PurePosixPath(name).name)
        file.write_bytes(data)
        file.chmod(0o700)
        command = [str(file)] if data.startswith(b"#!") else ["/bin/sh", str(file)]
        return _run([*command, *arguments], clone=clone, environment=environment, stdout=stdout)


def push(
    clone: Path, remote: str, *, ref: str, new: str, environment: Mapping[str, str], stdout: int | None = None
) -> int:
    """Push exactly this commit to exactly this ref, never by force, and return git's exit status."""
    command = ["git", "push", "--no-follow-tags", "--recurse-submodules=no", remote, f"{new}:{ref}"]
    return _run(command, clone=clone, environment=environment, stdout=stdout)


def push_back(bare: Path, *, ref: str, old: str, new: str, environment: Mapping[str, str]) -> str:
    """Move a branch of a bare repository from exactly `old` (all zeros: it is not there) to `new` by a push through the
    repository's own hooks: "" when it did, else why not, in their words. Raises GitError."""
    lease = f"--force-with-lease={ref}:{old if old.strip('0') else ''}"
    command = [
        "git",
        "-C",
        str(bare),
        "push",
        "--no-verify",
        "--no-follow-tags",
        lease,
        str(bare),
        f"{new}:{ref}",
    ]
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        raise GitError(f"git push did not end well: {error}", fix="look again") from None
    words = " ".join(done.stderr.decode(errors="replace").split())[:500]
    return "" if done.returncode == 0 else words or f"git push ended with {done.returncode}"


def fetch_commit(clone: Path, remote: str, commit: str, *, branch: str) -> None:
    """See to it that the clone has this commit, which is a proposal's head on the remote. Raises GitError."""
    if _has(clone, commit):
        return
    done = None
    # A server may refuse to give a bare commit; then it is among the proposals' heads.
    for wanted in (commit, f"refs/proposals/{branch}/*"):
        done = _git(clone, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, wanted)
        if _has(clone, commit):
            return
    said = done.stderr.decode(errors="replace").strip() if done else ""
    raise GitError(
        f"the commit {commit} could not be fetched from {remote}: {said}",
        fix=f"git fetch {remote}, then try again",
    )


def remote_head(clone: Path, remote: str, ref: str) -> str | None:
    """Where the remote says that this ref stands; None where it has no such ref. Raises GitError."""
    done = _git(clone, "ls-remote", "--", remote, ref)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise GitError(f"the remote {remote} could not be asked: {said}", fix=f"try: git ls-remote {remote}")
    pairs = (line.split("\t") for line in done.stdout.decode(errors="replace").splitlines())
    return next((pair[0] for pair in pairs if pair[1:] == [ref]), None)


def asker(clone: Path) -> str:
    """Who the clone's configuration says is asking (an e-mail address), else the login name; at most 200 printable
    characters. It proves nothing."""
    said = _git(clone, "config", "user.email").stdout.decode(errors="replace").strip()
    name = "".join(character for character in said or _login() if character.isprintable())
    return name[:200] or "unknown"


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that no user has.
        return f"uid {os.getuid()}"


def _has(clone: Path, commit: str) -> bool:
    return _git(clone, "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0


def _git(clone: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(clone), *arguments]
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise GitError(
            f"git {arguments[0]} did not answer within {PATIENCE} seconds", fix="try again"
        ) from None
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror}", fix="install git 2.39 or newer") from None


def _run(command: Sequence[str], *, clone: Path, environment: Mapping[str, str], stdout: int | None) -> int:
    """Run it in a process group of its own, which is ended as a whole when somebody interrupts or terminates us."""
    try:
        process = subprocess.Popen(command, cwd=clone, env=dict(environment), stdout=stdout, process_group=0)
    except OSError as error:
        raise GuardError(
            f"it cannot be started: {error.strerror}",
            fix="check its first line (#!) and that programs may be run from the temporary folder (TMPDIR)",
            code="promotion.script-not-runnable",
        ) from None
    with process, _terminal_of(process.pid), _told_to_end():
        try:
            return process.wait()
        except KeyboardInterrupt:
            return _interrupt(process)


@contextlib.contextmanager
def _terminal_of(group: int) -> Iterator[None]:
    """Lend the terminal to the program, as a shell does: it may ask questions, and Ctrl-C goes to all of it."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN) if _in_main_thread() else None
    try:
        with contextlib.suppress(OSError):
            if os.tcgetpgrp(terminal) == os.getpgrp():
                os.tcsetpgrp(terminal, group)
                os.killpg(group, signal.SIGCONT)
        yield
    finally:
        with contextlib.suppress(OSError):
            if os.tcgetpgrp(terminal) == group:
                os.tcsetpgrp(terminal, os.getpgrp())
        os.close(terminal)
        if before is not None:
            signal.signal(signal.SIGTTOU, before)


@contextlib.contextmanager
def _told_to_end() -> Iterator[None]:
    """While it runs, SIGTERM and SIGHUP (a CI job that is cancelled, a terminal that is closed) are an interruption."""
    if not _in_main_thread():
        yield
        return
    kept = {one: signal.signal(one, _interrupted) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, handler in kept.items():
            signal.signal(one, handler)


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _interrupt(process: subprocess.Popen[bytes]) -> int:
    """Let an interrupted program end by itself, then end what it started: only when nothing of it runs any more can
    the branch be trusted to stand still."""
    for step in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, step)
        # Whoever is impatient, and interrupts once more, gets the next step at once.
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(timeout=ENDING)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
