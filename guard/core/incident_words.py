"""How severities are spelt: `SEV-1`, `sev1` and `Sev 1` are one word; `P1` is another."""

from __future__ import annotations

import re

_BETWEEN = re.compile(r"[\s_:.-]+")


def severity_key(word: str) -> str:
    """What two spellings of one severity have in common."""
    return _BETWEEN.sub("", word.casefold())
