"""The pages: rendered on the server from the ledger alone, without scripts; every word from outside is escaped.

What a page says of a decision is what was recorded with it, so that page, status and comment say the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from guard.core.facts import Proposal
from guard.core.model import Unknown
from guard.journeys.records import seal
from guard.journeys.replaying import statement_of
from guard.ports import Entry, Forge, Ledger
from guard.render.decision_record import MEDIA_TYPE
from guard.render.safe import plain
from guard.wiring import signing_key
from guard.wiring_service import Service
from webhook_app.decision_page import actions_of, decision_view, sections_of

TAIL = 25
"""Entries of the ledger that the page shows."""
KINDS = ("decision.recorded", "decision.undecided")
LOOKED_AT = 1000
"""Decisions on record that are looked through."""
HEAD = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_SHOWN = ("proposal", "ref", "outcome", "permit", "new", "statement")
_templates = Environment(
    loader=PackageLoader("webhook_app"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def add_pages(app: FastAPI, service: Service) -> None:
    """Put the overview at `/`, and a page for the decisions on each head below `/decisions/`."""

    @app.get("/")
    def decisions() -> HTMLResponse:
        def quiet(_line: str) -> None:
            return None

        with service.office(check=lambda: None, tell=quiet) as office:
            html = page(service.repository, service.branches, office.forge, service.ledger, refresh=True)
        return HTMLResponse(html, headers=HEADERS)

    @app.get("/decisions/{branch:path}/{head}/record")
    def record(branch: str, head: str) -> Response:
        data = signed_record(service, branch, head)
        if data is None:
            return HTMLResponse(_nothing(service.repository), status_code=404, headers=HEADERS)
        name = {"Content-Disposition": f'attachment; filename="decision-{head[:10]}.intoto.json"'}
        return Response(data, media_type=MEDIA_TYPE, headers={**HEADERS, **name})

    @app.get("/decisions/{branch:path}/{head}")
    def decision(branch: str, head: str) -> HTMLResponse:
        html = decision_page(service.repository, service.ledger, branch, head)
        if html is None:
            return HTMLResponse(_nothing(service.repository), status_code=404, headers=HEADERS)
        return HTMLResponse(html, headers=HEADERS)

    @app.get("/style.css")
    def style() -> Response:
        source, _, _ = _templates.loader.get_source(_templates, "style.css")  # type: ignore[union-attr]
        return Response(source, media_type="text/css", headers=HEADERS)


def decision_page(repository: str, ledger: Ledger, branch: str, head: str) -> str | None:
    """The page of the decisions on a head of a branch; None where there is none on record."""
    newest, found = _decisions(ledger, branch, head)
    if not found:
        return None
    latest = found[0]
    view = decision_view(latest, found[1:])
    view["undecided"] = _undecided(ledger, f"refs/heads/{branch}", head)
    view["newest"] = newest.get(str(latest.body.get("proposal"))) == head
    return _templates.get_template("decision.html").render(repository=repository, d=view)


def signed_record(service: Service, branch: str, head: str) -> bytes | None:
    """The signed record of the newest decision on a head; None where there is none. What it was made of is only named
    in it: that holds people's addresses, and whatever an issue says. Raises SettingsError, LedgerError."""
    _, found = _decisions(service.ledger, branch, head)
    if not found:
        return None
    return seal(statement_of(found[0], service.ledger.part, whole=False), signing_key(service.home))


def _decisions(ledger: Ledger, branch: str, head: str) -> tuple[dict[str, str], list[Entry]]:
    """Each proposal's newest head, and the decisions on this head of the branch, newest first."""
    ref, newest, found = f"refs/heads/{branch}", dict[str, str](), list[Entry]()
    if not HEAD.fullmatch(head):
        return newest, found
    for entry in islice(ledger.entries("decision.recorded", newest_first=True), LOOKED_AT):
        document: Any = entry.body.get("decision")
        if not isinstance(document, Mapping) or document["candidate"]["ref"] != ref:
            continue
        new = document["candidate"]["new"]
        newest.setdefault(str(entry.body.get("proposal")), new)
        if new == head:
            found.append(entry)
    return newest, found


def _undecided(ledger: Ledger, ref: str, head: str) -> str:
    """What the status says where the last thing on record about the head is that it could not be decided, else ""."""
    for entry in islice(ledger.entries(*KINDS, newest_first=True), LOOKED_AT):
        document: Any = entry.body.get("decision")
        new = document["candidate"]["new"] if isinstance(document, Mapping) else entry.body.get("new")
        if (entry.body.get("ref"), new) == (ref, head):
            return "" if document else str(entry.body["said"])
    return ""


def _nothing(repository: str) -> str:
    return _templates.get_template("nothing.html").render(repository=repository)


def page(
    repository: str, branches: tuple[str, ...], forge: Forge, ledger: Ledger, *, refresh: bool = False
) -> str:
    """The whole page; with `refresh` the browser asks for it again every few seconds."""
    latest = _latest(ledger)
    return _templates.get_template("page.html").render(
        repository=repository,
        fresh=refresh,
        branches=[_branch(name, forge, latest) for name in branches],
        entries=[
            {"seq": one.seq, "at": one.at, "kind": one.kind, "about": _about(one)}
            for one in islice(ledger.entries(newest_first=True), TAIL)
        ],
    )


def _latest(ledger: Ledger) -> dict[tuple[str, str], Entry]:
    """Branch and proposal → the newest decision on record, among the latest thousand entries of that kind."""
    found: dict[tuple[str, str], Entry] = {}
    for entry in islice(ledger.entries(*KINDS, newest_first=True), LOOKED_AT):
        if "proposal" in entry.body:
            branch = str(entry.body.get("ref")).removeprefix("refs/heads/")
            found.setdefault((branch, str(entry.body["proposal"])), entry)
    return found


def _branch(name: str, forge: Forge, latest: Mapping[tuple[str, str], Entry]) -> dict[str, Any]:
    fact = forge.proposals(name)
    if isinstance(fact, Unknown):
        return {"name": name, "unknown": fact.why, "proposals": []}
    rows = [_proposal(one, latest.get((name, one.id))) for one in fact.value]
    return {"name": name, "unknown": "", "proposals": rows}


def _proposal(proposal: Proposal, entry: Entry | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": proposal.id, "title": proposal.title, "head": proposal.head, "decision": None, "draft": proposal.draft,
        "undecided": "",
    }  # fmt: skip
    document: Any = entry.body.get("decision") if entry else None
    if entry is not None and not document and entry.body.get("new") == proposal.head:
        return {**row, "undecided": str(entry.body["said"])}
    if entry is None or not document or document["candidate"]["new"] != proposal.head:
        return row
    return {
        **row,
        "decision": document,
        "said": entry.body.get("said") or document["decision"],
        "link": f"/decisions/{quote(proposal.target, safe='')}/{proposal.head}",
        "digest": str(entry.body.get("digest")),
        "sections": sections_of(document),
        "actions": actions_of(document),
    }


def _about(entry: Entry) -> str:
    """A few words of the entry's body."""
    said = []
    for name in _SHOWN:
        value = entry.body.get(name)
        if isinstance(value, Mapping):
            value = ", ".join(str(value[key]) for key in ("by", "gate", "source", "proposal") if key in value)
        if value:
            said.append(f"{name} {str(value)[:60]}")
    return plain("; ".join(said), limit=200)
