"""Whether gitleaks looked at anything: its clean report says nothing, so what it wrote to standard error has to."""

from __future__ import annotations

import re

from guard.core.facts import Submission

LOOKED_AT = re.compile(r"\b(\d+) commits? scanned|\bscanned ~(\d+) bytes")
"""How gitleaks 8 tells on standard error what it looked at."""


def gitleaks_saw_nothing(envelope: Submission) -> tuple[str, str]:
    """Why its report without a leak proves nothing, and what would help; both "" where it does prove something."""
    words = " ".join((envelope.tool, *envelope.command))
    if "gitleaks" not in words or not envelope.tool_version:
        return (
            "the envelope does not name gitleaks and its version",
            "name --tool gitleaks and its --tool-version",
        )
    counts = [int(one or other) for one, other in LOOKED_AT.findall(envelope.said)]
    if not counts:
        run = "run it by guard evidence run, or add what it wrote to standard error with --log"
        return "nothing tells how much it scanned", run
    if 0 in counts:
        return "it scanned 0 commits or 0 bytes", "run it in a clone with its history"
    return "", ""
