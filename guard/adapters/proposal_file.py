"""A proposal described in a JSON file, with as much of its forge as the file tells; the rest is unknown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from guard.adapters.noforge import NoForge
from guard.core.errors import UsageError
from guard.core.facts import Approval, Hand, Incident, Objection, Proposal
from guard.core.model import Commit, Fact, Known

KEYS = frozenset(
    {"id", "target", "head", "title", "proposer", "draft", "approvals", "objections", "members", "incidents"}
)
SOURCE = "the file"


class ProposalFile(NoForge):
    """The ports Forge and Records by one file: `approvals` are names or {by, commit}, `members` people by `@group`,
    `incidents` {id, label, title}. What it does not tell is unknown."""

    def __init__(self, file: Path) -> None:
        """Raises UsageError naming what is wrong with the file."""
        super().__init__(f"{file.name} does not tell")
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(
                f"--mr: {file} is no JSON that can be read: {error}", fix="write a JSON object"
            ) from None
        if not isinstance(data, dict) or not {"target", "head"} <= data.keys() or data.keys() - KEYS:
            raise UsageError(
                f"--mr: {file} does not describe a proposal",
                fix=f"a JSON object with target and head, and perhaps {', '.join(sorted(KEYS - {'target', 'head'}))}",
            )
        self._data: Mapping[str, Any] = data
        self._at = datetime.now(UTC)

    @property
    def proposal(self) -> Proposal:
        found = self._data
        proposer = found.get("proposer")
        return Proposal(
            id=str(found.get("id", "1")),
            target=str(found["target"]),
            head=Commit(str(found["head"])),
            title=str(found.get("title", "")),
            proposer=str(proposer) if proposer else None,
            draft=found.get("draft") is True,
        )

    def resolved(self, head: Commit) -> None:
        """From now on the head is this commit, instead of the name that stands in the file."""
        self._data = {**self._data, "head": head}

    def proposals(self, target: str) -> Fact[tuple[Proposal, ...]]:
        mine = (self.proposal,) if self.proposal.target == target else ()
        return Known(mine, SOURCE, self._at)

    def approvals(self, proposal: Proposal) -> Fact[tuple[Approval, ...]]:
        return Known(tuple(self._approval(one) for one in self._list("approvals")), SOURCE, self._at)

    def objections(self, proposal: Proposal) -> Fact[tuple[Objection, ...]]:
        if "objections" in self._data and self._data["objections"] != []:
            return super().objections(proposal)
        return Known((), SOURCE, self._at)

    def accounts(self, proposal: Proposal, hands: tuple[Hand, ...]) -> Fact[Mapping[Hand, frozenset[str]]]:
        return Known({hand: frozenset[str]() for hand in hands}, SOURCE, self._at)

    def pushers(self, proposal: Proposal, commits: tuple[Commit, ...]) -> Fact[frozenset[str]]:
        people = {proposal.proposer} if proposal.proposer else set[str]()
        return Known(frozenset(people), SOURCE, self._at)

    def members(self, names: tuple[str, ...], *, inherited: bool = False) -> Fact[frozenset[str]]:
        table = self._data.get("members", {})
        missing = [name for name in names if name.startswith("@") and name not in table]
        if missing:
            return super().members(tuple(missing), inherited=inherited)
        people = (table[name] if name.startswith("@") else [name] for name in names)
        return Known(frozenset(str(one) for found in people for one in found), SOURCE, self._at)

    def incidents(
        self, labels: tuple[str, ...], *, closers: Fact[frozenset[str]]
    ) -> Fact[tuple[Incident, ...]]:
        if "incidents" not in self._data:
            return super().incidents(labels, closers=closers)
        watched = {label.casefold() for label in labels}
        found = (
            Incident(str(one.get("id")), str(one.get("label")), str(one.get("title", "")))
            for one in self._list("incidents")
            if isinstance(one, dict)
        )
        return Known(tuple(one for one in found if one.label.casefold() in watched), SOURCE, self._at)

    def _list(self, key: str) -> list[Any]:
        value = self._data.get(key, [])
        return value if isinstance(value, list) else []

    def _approval(self, one: object) -> Approval:
        given = one if isinstance(one, dict) else {"by": one}
        return Approval(
            str(given.get("by")), Commit(str(given.get("commit", self.proposal.head))), self._at, SOURCE
        )
