"""Whether a comment of the guard's does anything on a forge, besides saying something."""

from __future__ import annotations

import re

from guard.render.comment import LIMIT, MARKER


def harmless(body: str) -> None:
    assert len(body) <= LIMIT
    for line in body.splitlines():
        assert not re.match(r"(?:[\s>*+-]|\d+[.)]|\[[ xX]\])*/", line), line
    assert not re.search(r"[@#!]\w", body)
    assert not re.search(r"(?i)\bwww\.", body)
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\u200b-\u200f]", body)
    assert "![" not in body
    assert not re.search(r"\w://", body)
    spoken = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", body)
    tags = set(re.findall(r"<[^>]*>?", spoken))
    assert tags <= {MARKER, "<details>", "</details>", "<summary>", "</summary>"}
    assert spoken.count("<details>") == spoken.count("</details>")
    assert spoken.count("<!--") == 1
