"""The few questions that a hook asks git, in the environment that git gave the hook (index, quarantine)."""

from __future__ import annotations

from hooks.say import Stop


def ask(*arguments: str, accept: tuple[int, ...] = (0,)) -> tuple[int, str]:
    """Exit status and output, without the last newline. Raises Stop for a status that is not in `accept`."""
    import subprocess  # a refused push mostly has nothing to ask, and should not wait for this

    try:
        done = subprocess.run(
            ["git", "--no-replace-objects", *arguments], capture_output=True, check=False, timeout=120
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Stop("hooks.git", f"git {arguments[0]} could not be run: {error}", "try again") from None
    if done.returncode not in accept:
        words = done.stderr.decode("utf-8", "replace").strip()
        raise Stop("hooks.git", f"git {arguments[0]}: {words or 'no reason given'}", "try again")
    return done.returncode, done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")
