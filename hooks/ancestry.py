"""Which git command runs this hook, as the ancestors' command lines say: git itself tells its hooks too little."""

from __future__ import annotations

import os

from hooks.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_WITH_VALUE = {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env", "--super-prefix"}
"""git's own options that take the next word."""

_FURTHEST = 50
"""Ancestors that are looked at."""


class Command(NamedTuple):
    """One git command: its name, the words after it, and the name of the git command that started it, if one did."""

    verb: str
    arguments: tuple[str, ...]
    parent: str


def running_command() -> Command:
    """The nearest git command above this process; its name is empty where the system does not say."""
    lines = iter(_command_lines(os.getppid()))
    for words in lines:
        verb, arguments = git_command(words)
        if verb:
            parent, _ = git_command(next(lines, ()))
            return Command(verb, arguments, parent)
    return Command("", (), "")


def git_command(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The git command in a command line and the words after it; ("", ()) where it is none."""
    name = words[0].rpartition("/")[2].removesuffix(".exe") if words else ""
    if name.startswith("git-"):
        return name.removeprefix("git-"), words[1:]
    if name != "git":
        return "", ()
    rest = list(words[1:])
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in _WITH_VALUE and rest:
            rest.pop(0)
    return (rest[0], tuple(rest[1:])) if rest else ("", ())


def _command_lines(pid: int) -> Iterator[tuple[str, ...]]:
    for _ in range(_FURTHEST):
        if pid <= 1:
            return
        found = _from_proc(pid) if os.path.exists("/proc/self/stat") else _from_ps(pid)
        if found is None:
            return
        pid, words = found
        yield words


def _from_proc(pid: int) -> tuple[int, tuple[str, ...]] | None:
    """The parent and the words of a process, from Linux's /proc (proc(5): the name in `stat` may hold anything)."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as said, open(f"/proc/{pid}/stat", "rb") as stat:
            words = said.read().split(b"\0")[:-1]
            parent = int(stat.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return parent, tuple(map(os.fsdecode, words))


def _from_ps(pid: int) -> tuple[int, tuple[str, ...]] | None:
    """The same from POSIX `ps`, which loses where one word ends: good enough for the words that matter here."""
    import subprocess

    try:
        done = subprocess.run(
            ["ps", "-o", "ppid=,args=", "-p", str(pid)], capture_output=True, check=False, timeout=10
        )
        parent, *words = os.fsdecode(done.stdout).split()
        return int(parent), tuple(words)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
