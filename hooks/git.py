"""The few questions that a hook asks git, in the environment that git gave the hook (index, quarantine)."""

from __future__ import annotations

import os

from hooks.say import Stop

PATIENCE = 120
"""Seconds that git may take to answer."""


def ask(*arguments: str, accept: tuple[int, ...] = (0,)) -> tuple[int, str]:
    """Exit status and output, without the last newline. Raises Stop for a status that is not in `accept`."""
    try:
        status, said, complained = run(["git", "--no-replace-objects", *arguments])
    except OSError as error:
        raise Stop("hooks.git", f"git {arguments[0]} could not be run: {error}", "try again") from None
    if status not in accept:
        words = complained.decode("utf-8", "replace").strip()
        raise Stop("hooks.git", f"git {arguments[0]}: {words or 'no reason given'}", "try again")
    return status, said.decode("utf-8", "surrogateescape").removesuffix("\n")


def run(words: list[str]) -> tuple[int, bytes, bytes]:
    """Exit status, output and complaints of a program. Raises OSError, TimeoutError among them.

    What `subprocess.run` does, without its import, which takes longer than most of git's answers.
    """
    said, say = os.pipe()
    complained, complain = os.pipe()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, say, 1), (os.POSIX_SPAWN_DUP2, complain, 2)]
        child = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
    except OSError:
        os.close(said)
        os.close(complained)
        raise
    finally:
        os.close(say)
        os.close(complain)
    try:
        output, complaints = _read_all(said, complained)
    except TimeoutError:
        os.kill(child, 9)
        os.waitpid(child, 0)
        raise
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output, complaints


def _read_all(*pipes: int) -> tuple[bytes, ...]:
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
    return tuple(bytes(text) for text in texts.values())
