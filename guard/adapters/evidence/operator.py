"""What the operator of a server side knows and allows: nothing of it comes from a repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from guard.adapters.evidence.fetching import Target
from guard.core.model import Fact, Unknown

if TYPE_CHECKING:
    from guard.core.allowed_signers import AllowedSigners

NOT_HERE = Unknown(
    "the operator's settings are not here: this is a clone, not the server side",
    fix="ask the server side: guard check --server BARE.git, or the service",
    who=("operator",),
)


@dataclass(frozen=True, slots=True)
class Operator:
    """`keys` is the name of an attestation key → the file with its public half, in PEM; `targets` the name of a
    running system → where it may be asked; both are None where there are no operator's settings at all. `signers`
    says whose commits are signed with which key."""

    keys: Mapping[str, Path] | None = None
    targets: Mapping[str, Target] | None = None
    signers: Fact[AllowedSigners] = field(default=NOT_HERE)


NO_OPERATOR = Operator()
