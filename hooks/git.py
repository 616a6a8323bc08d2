"""The few questions that a hook asks git, in the environment that git gave the hook (index, quarantine)."""

from __future__ import annotations

import os

from hooks.say import Stop

PATIENCE = 120
"""Seconds that git may take to answer."""


class Question:
    """What git was asked and has not answered yet."""

    __slots__ = ("_child", "_complained", "_said", "_what")

    def __init__(self, *arguments: str) -> None:
        """Raises Stop where git cannot be run."""
        self._what = arguments[0]
        try:
            self._child, self._said, self._complained = _start(["git", "--no-replace-objects", *arguments])
        except OSError as error:
            raise self._stop(f"could not be run: {error}") from None

    def answer(self, accept: tuple[int, ...] = (0,)) -> tuple[int, str]:
        """Exit status and output, without the last newline. Raises Stop for a status that is not in `accept`."""
        try:
            said, complained = _read_all(self._said, self._complained)
        except TimeoutError as error:
            os.kill(self._child, 9)
            os.waitpid(self._child, 0)
            raise self._stop(str(error)) from None
        status = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
        if status not in accept:
            raise self._stop(complained.decode("utf-8", "replace").strip() or "no reason given")
        return status, said.decode("utf-8", "surrogateescape").removesuffix("\n")

    def _stop(self, why: str) -> Stop:
        return Stop("hooks.git", f"git {self._what}: {why}", "try again")


def ask(*arguments: str, accept: tuple[int, ...] = (0,)) -> tuple[int, str]:
    """Exit status and output, without the last newline. Raises Stop for a status that is not in `accept`."""
    return Question(*arguments).answer(accept)


def _start(words: list[str]) -> tuple[int, int, int]:
    """A program's process number, and where its output and its complaints are to be read. Raises OSError.

    What `subprocess.Popen` does, without its import, which takes longer than most of git's answers.
    """
    said, say = os.pipe()
    complained, complain = os.pipe()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, say, 1), (os.POSIX_SPAWN_DUP2, complain, 2)]
        return os.posix_spawnp(words[0], words, os.environ, file_actions=actions), said, complained
    except OSError:
        os.close(said)
        os.close(complained)
        raise
    finally:
        os.close(say)
        os.close(complain)


def _read_all(*pipes: int) -> list[bytes]:
    """What comes out of the pipes until all are closed at the other end. Raises TimeoutError."""
    import select
    from time import monotonic

    texts = {pipe: bytearray() for pipe in pipes}
    waiting = select.poll()
    for pipe in pipes:
        waiting.register(pipe, select.POLLIN)
    opened, end = len(pipes), monotonic() + PATIENCE
    try:
        while opened:
            ready = waiting.poll(max(end - monotonic(), 0) * 1000)
            if not ready:
                raise TimeoutError(f"no answer within {PATIENCE} seconds")
            for pipe, _ in ready:
                if chunk := os.read(pipe, 65536):
                    texts[pipe] += chunk
                else:
                    waiting.unregister(pipe)
                    opened -= 1
    finally:
        for pipe in pipes:
            os.close(pipe)
    return [bytes(text) for text in texts.values()]
