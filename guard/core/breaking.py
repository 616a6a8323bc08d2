"""Does a commit's message say that it breaks something? The words of Conventional Commits, and `BREAKING:`."""

from __future__ import annotations

import re

_SUBJECT = re.compile(r"[A-Za-z]{1,30}(\([^()\n]{1,100}\))?!:")
_LINE = re.compile(r"BREAKING([ -]CHANGES?)?:", re.MULTILINE)


def is_breaking(message: str) -> bool:
    """https://www.conventionalcommits.org/en/v1.0.0/: `feat!:` in the title, `BREAKING CHANGE:` at the beginning of a
    line; and the release readiness page's label `BREAKING:`, anywhere in the title."""
    title, _, rest = message.lstrip("\n").partition("\n")
    labelled = "BREAKING:" in title or _SUBJECT.match(title) is not None
    return labelled or any(_LINE.match(line) for line in rest.splitlines())
