"""The decision page: rendered on the server from the ledger, without scripts; every word from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from guard.core.facts import Proposal
from guard.core.model import Outcome, Unknown
from guard.core.policy import GROUPS
from guard.ports import Entry, Forge, Ledger
from guard.render.board import RULE_TITLES
from guard.render.safe import plain
from guard.wiring_service import Service

TAIL = 25
"""Entries of the ledger that the page shows."""

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
    """Put the page at `/`."""

    @app.get("/")
    def decisions() -> HTMLResponse:
        def quiet(_line: str) -> None:
            return None

        with service.office(check=lambda: None, tell=quiet) as office:
            html = page(service.repository, service.branches, office.forge, service.ledger, refresh=True)
        return HTMLResponse(html, headers=HEADERS)

    @app.get("/style.css")
    def style() -> Response:
        source, _, _ = _templates.loader.get_source(_templates, "style.css")  # type: ignore[union-attr]
        return Response(source, media_type="text/css", headers=HEADERS)


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
    for entry in islice(ledger.entries("decision.recorded", newest_first=True), 1000):
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
        "id": proposal.id, "title": proposal.title, "head": proposal.head, "decision": None,
    }  # fmt: skip
    document: Any = entry.body.get("decision") if entry else None
    if entry is None or document["candidate"]["new"] != proposal.head:
        return row
    digest = str(entry.body.get("digest"))
    return {
        **row,
        "decision": document,
        "digest": digest,
        "sections": _sections(document),
        "actions": _actions(document),
    }


def _actions(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The unblock plan with the reasons behind each action."""
    told = (one for verdict in document["verdicts"] for one in verdict["findings"])
    # Two gates may have the same reason; it is said once.
    findings = {(one["code"], one["message"], one["where"]): one for one in told}.values()
    return [
        {
            **action,
            "reasons": [
                one
                for one in findings
                if one["code"] in action["codes"] and (one["fix"] or one["message"]) == action["text"]
            ][:5],
        }
        for action in document["unblock"]
    ]


def _sections(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The gate groups that were judged, in their order, then the rules."""
    verdicts = document["verdicts"]
    groups = [(title, [one for one in verdicts if one["group"] == name]) for name, title in GROUPS.items()]
    rules = [(RULE_TITLES.get(one["id"], one["title"]), [one]) for one in verdicts if not one["group"]]
    return [
        {"title": title, "verdicts": [_verdict(one) for one in found]}
        for title, found in (*groups, *rules)
        if found
    ]


def _verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    good = Outcome(verdict["outcome"]).allows
    first = verdict["findings"][0]["message"] if verdict["findings"] and not good else ""
    title, said = verdict["title"], first or verdict["summary"]
    return {
        **verdict,
        "good": good,
        "line": said if good and said else ": ".join(filter(None, (title, said))),
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
