"""What the fronts start: `python -ISE hooks/run.py HOOK FOLDER ARGUMENTS`, FOLDER being the compiled policy's.

It runs without site-packages and sets its own path; every failure here is a refusal, never a pass.
"""

from __future__ import annotations

import sys

# First only while our own package is found: what it imports is the standard library's.
sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])
import hooks  # noqa: F401

sys.path.append(sys.path.pop(0))

from hooks.say import Stop, stop


def main(arguments: list[str]) -> int:
    """Run one hook: 0 allowed, 1 refused, 2 could not decide (git takes both for a no)."""
    hook, folder, *rest = arguments
    try:
        if hook in {"pre-commit", "pre-merge-commit"}:
            from hooks.client import judge_commit

            return judge_commit(folder, merging=hook == "pre-merge-commit")
        if hook == "pre-push":
            from hooks.client import judge_push

            return judge_push(folder, sys.stdin.buffer.read(), remote=tuple(rest))
        if hook == "reference-transaction":
            return _transaction(folder, rest[0])
        if hook == "prepare-commit-msg":
            from hooks.client import judge_message

            return judge_message(folder)
        if hook == "stamp":
            from hooks.stamps import stamp_commit

            return stamp_commit()
        if hook == "pre-receive":
            from hooks.server import judge_receive

            return judge_receive(folder, sys.stdin.buffer.read())
        raise Stop("hooks.unknown", f"this version knows no hook {hook}", 'run "guard install" again')
    except Stop as reason:
        return stop(reason)
    except Exception as bug:  # the door: whatever goes wrong behind it, the protected ref stays where it is
        return stop(
            Stop("hooks.failed", f"{type(bug).__name__}: {bug}", "please report it; nothing was changed")
        )


def _transaction(folder: str, state: str) -> int:
    """Only what is prepared can be refused, and only what is committed is done; git may add states at any time."""
    if state == "prepared":
        from hooks.moves import judge_moves

        return judge_moves(folder, sys.stdin.buffer.read())
    if state == "committed":
        from hooks.tracking import look_after

        return look_after(folder, sys.stdin.buffer.read())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
