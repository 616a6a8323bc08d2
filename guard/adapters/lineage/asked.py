"""What a judgement of lineage is asked about."""

from __future__ import annotations

from dataclasses import dataclass

from guard.core.model import Commit


@dataclass(frozen=True, slots=True)
class Asked:
    """What a judgement is about. `trailers` are the keys whose values link commits; `details` asks to be shown how
    commits differ from what they are linked to."""

    upstream: Commit
    target: Commit
    head: Commit
    upstream_name: str
    trailers: tuple[str, ...] = ("Change-Id",)
    details: bool = True
