"""A project on a double of GitLab or GitHub whose git is served over HTTP with accounts, and whose release branch only
the guard may push to: promotions are asked for as people do, signed and over HTTP."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from guard.adapters.ledger import SqlLedger
from guard.core.claims import Claim, PromotionPlanned, PromotionRequested
from guard.core.model import Commit
from guard.core.statements import Statement, encode_statement
from guard.journeys.adopt import Baseline, adopt
from tests.people import KeySigner, signer_line
from tests.service_sides import BRANCH
from tests.service_world import ServiceWorld, call, serving
from tests.transports import over_http

REF = f"refs/heads/{BRANCH}"
SCRIPT = "scripts/ci/promote.sh"
PROTECTION = f"""\
#!/bin/sh
while read -r old new ref; do
  if [ "$ref" = "{REF}" ] && [ "$REMOTE_USER" != guard ]; then
    echo "GL-HOOK-ERR: You are not allowed to push code to protected branches on this project." >&2
    exit 1
  fi
done
"""
USERS = {"gitlab": "oauth2", "github": "x-access-token"}


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of the service."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))

    @property
    def permit(self) -> str:
        return str(self.body.get("permit") or "")


class Hosted(ServiceWorld):
    """`git_url` is the forge's git over HTTP, `url` the service's."""

    git_url = ""
    url = ""

    def ask(self, claim: Claim, *, by: str = "ann", key: str = "", ago: timedelta = timedelta(0)) -> Said:
        """One signed request to the address that its claim is for."""
        return self.send(claim, self.signed(claim, by=by, key=key, ago=ago))

    def signed(self, claim: Claim, *, by: str = "ann", key: str = "", ago: timedelta = timedelta(0)) -> bytes:
        at = datetime.now(UTC).replace(microsecond=0) - ago
        data = encode_statement(Statement(self.side.repository, by, at, secrets.token_hex(16), claim))
        parts = {"statement": data, "sig": KeySigner(key or by).sign(data)}
        return json.dumps({name: base64.b64encode(one).decode() for name, one in parts.items()}).encode()

    def send(self, claim: Claim, body: bytes) -> Said:
        place = "/plan" if isinstance(claim, PromotionPlanned) else ""
        return self.post(place, body)

    def post(self, place: str, body: bytes, **headers: str) -> Said:
        status, _, answer = call(f"{self.url}/api/v1/promotions{place}", body, headers)
        return Said(status, json.loads(answer))

    def state(self, promotion: str) -> Said:
        status, _, answer = call(f"{self.url}/api/v1/promotions/{promotion}", method="GET")
        return Said(status, json.loads(answer))

    def present(self, promotion: str, what: str, permit: str) -> Said:
        return self.post(f"/{promotion}/{what}", json.dumps({"permit": permit}).encode())

    def request(self, head: str, *, request: str = "", **changed: Any) -> PromotionRequested:
        """What is asked for after a look at the plan."""
        policy = self.plan(head).body["policy"]
        made = PromotionRequested(
            BRANCH, Commit(self.head()), Commit(head), policy, request or secrets.token_hex(16), ()
        )
        return replace(made, **changed)

    def plan(self, head: str | None = None, *, by: str = "ann") -> Said:
        return self.ask(PromotionPlanned(BRANCH, Commit(head) if head else None), by=by)

    def head(self) -> str:
        return self.bare.rev(REF)

    def go(self) -> tuple[str, str]:
        """A proposal that is a GO, and its head."""
        head = self.commit("a fix", {"app": f"{secrets.token_hex(4)}\n"})
        proposal = self.side.propose(head)
        self.side.approve(proposal, by="ann")
        self.side.approve(proposal, by="sam")
        self.submit(self.url, head)
        return proposal, head

    def kinds(self, *, since: int = 0) -> list[str]:
        """The ledger's kinds in order, without people's statements and what is told on the forge."""
        telling = ("statement.", "owners.told", "command.")
        return [
            entry.kind
            for entry in self.ledger.entries()
            if not entry.kind.startswith(telling) and entry.seq > since and "proposal" not in entry.body
        ]

    @property
    def ledger(self) -> SqlLedger:
        return self.service.ledger


@contextmanager
def hosted(
    folder: Path,
    forge: str,
    *,
    branch: str = "",
    more: str = "",
    database: str | None = None,
    adopted: bool = True,
) -> Iterator[Hosted]:
    """The world with its service listening, its branch adopted."""
    world = Hosted(folder, forge, branch=branch, database=database)
    hook = world.bare.path / "hooks" / "pre-receive"
    hook.write_text(PROTECTION)
    hook.chmod(0o755)
    accounts = {f"{USERS[forge]}:{world.side.token}": "guard", "dev:dev": "dev", "root:root": "admin"}
    with over_http(world.bare.path, folder / "http", {}, accounts=accounts) as (git_url, _):
        world.git_url = git_url
        with (world.home / "allowed_signers").open("a") as file:
            file.writelines(f"{signer_line(name)}\n" for name in ("ann", "pat", "dev"))
        world.fetch_from(git_url, more)
        if adopted:
            head = Commit(world.head())
            baseline = Baseline(REF, head, "master", head, (), by="ann")
            adopt(world.ledger, baseline, now=datetime.now(UTC))
        with serving(world.service) as url:
            world.url = url
            try:
                yield world
            finally:
                world.close()
