"""The names that a policy uses, and what is common to its tables."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

GROUPS: dict[str, str] = {
    "architecture": "Architecture & Contracts",
    "security": "Security",
    "data": "Data & Billing Integrity",
    "reliability": "Reliability & Operations",
    "delivery": "Delivery",
}
"""The five mandatory gate groups and their titles, in the order of the release readiness page."""


Group = Literal["architecture", "security", "data", "reliability", "delivery"]


Rule = Literal["lineage", "approvals", "readiness", "incidents"]


RULES: tuple[Rule, ...] = ("lineage", "approvals", "readiness", "incidents")


GATE_PATTERN = r"^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*$"


BRANCH_PATTERN = r"^[^\s~^:?*\[\\\x00-\x1f\x7f]+$"


TRAILER_PATTERN = r"^[A-Za-z][A-Za-z0-9-]*$"


ROLE_PATTERN = r"^[a-z][a-z0-9-]*$"


HOLD_PATTERN = r"[a-z]+-[0-9a-f]{12}"
"""The id of a hold: its kind (`hold` for those that people placed) and 12 hex digits."""


HOLD_KINDS = ("manual", "maintenance", "smoke", "drift", "alarm")
"""Why promotions are held. People place the first two, the guard itself the others."""


GateId = Annotated[str, StringConstraints(pattern=GATE_PATTERN, max_length=100)]


def _branch_name(name: str) -> str:
    """Refuse what git would not take as a branch (git-check-ref-format) and full ref names."""
    parts = name.split("/")
    bad = name.startswith(("refs/", "-")) or ".." in name or "@{" in name or name == "@"
    if bad or any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts):
        raise ValueError(f"expected a branch name such as 'release/platform-control', got {name!r}")
    return name


BranchName = Annotated[
    str,
    StringConstraints(pattern=BRANCH_PATTERN, max_length=200),
    AfterValidator(_branch_name),
]


RoleName = Annotated[str, StringConstraints(pattern=ROLE_PATTERN, max_length=50)]


class Table(BaseModel):
    """A table of the policy; a key nobody knows is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
