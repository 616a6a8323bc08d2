"""Globs of paths: `*` and `?` stay within one folder, `**` crosses folders; everything else stands for itself."""

from __future__ import annotations

import re
from functools import lru_cache


def matches(path: str, glob: str) -> bool:
    """Whether the whole path, from the root of the repository, fits the glob."""
    return _pattern(glob).fullmatch(path) is not None


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    words = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts), re.DOTALL)
