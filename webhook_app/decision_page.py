"""What the page of one decision shows, made of its entry in the ledger alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from guard.core.model import Outcome, worst
from guard.core.policy_names import GROUPS
from guard.ports import Entry
from guard.render.board import RULE_TITLES

REASONS = 5


def decision_view(entry: Entry, earlier: Sequence[Entry]) -> dict[str, Any]:
    """The words of the template `decision.html`."""
    document: Any = entry.body["decision"]
    beside: Any = entry.body.get("beside") or {}
    candidate = document["candidate"]
    return {
        "branch": candidate["ref"].removeprefix("refs/heads/"),
        "proposal": entry.body.get("proposal") or "–",
        "said": _said(entry),
        "allowed": document["allowed"],
        "observes": document["mode"] == "observe",
        "old": candidate["old"],
        "new": candidate["new"],
        "at": _time(document["decided_at"]),
        "until": _time(document["next_change_at"] or ""),
        "emergency": _emergency(document),
        "groups": _groups(document),
        "since": list(beside.get("since", ())),
        "sections": sections_of(document),
        "waivers": [
            {**one, "good": one["state"] != "refused", "until": _time(one["expires_at"])}
            for one in document.get("waivers", ())
        ],
        "changes": beside.get("changes"),
        "lineage": [{**row, "good": Outcome(row["outcome"]).allows} for row in beside.get("lineage", ())],
        "digest": str(entry.body.get("digest")),
        "policy": document["policy"]["digest"] or "none",
        "source": document["policy"]["source"] or "",
        "seq": entry.seq,
        "record": _record(candidate),
        "earlier": [{"seq": one.seq, "at": _time(one.at), "said": _said(one)} for one in earlier[:20]],
    }


def _record(candidate: Mapping[str, Any]) -> str:
    branch = quote(candidate["ref"].removeprefix("refs/heads/"), safe="")
    return f"/decisions/{branch}/{candidate['new']}/record"


def _said(entry: Entry) -> str:
    document: Any = entry.body["decision"]
    return str(entry.body.get("said") or document["decision"])


def _time(text: str) -> str:
    return text[:16].replace("T", " ")


def _emergency(document: Mapping[str, Any]) -> str:
    found = (one for one in document["verdicts"] if one["id"] == "break-glass" and one["outcome"] == "waived")
    return next((str(one["summary"]) for one in found), "")


def _groups(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The unblock plan, by who can do something."""
    found: dict[str, list[dict[str, Any]]] = {}
    for action in actions_of(document):
        found.setdefault(", ".join(action["who"]) or "anybody", []).append(action)
    return [{"who": who, "actions": actions} for who, actions in found.items()]


def actions_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
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
            ][:REASONS],
        }
        for action in document["unblock"]
    ]


def sections_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The gate groups that were judged, in their order, then the rules."""
    verdicts = document["verdicts"]
    groups = [(title, [one for one in verdicts if one["group"] == name]) for name, title in GROUPS.items()]
    rules = [(RULE_TITLES.get(one["id"], one["title"]), [one]) for one in verdicts if not one["group"]]
    return [_section(title, found) for title, found in (*groups, *rules) if found]


def _section(title: str, verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    outcome = worst(Outcome(one["outcome"]) for one in verdicts)
    return {
        "title": title,
        "outcome": outcome,
        "good": outcome.allows,
        "verdicts": [_verdict(one) for one in verdicts],
    }


def _verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    good = Outcome(verdict["outcome"]).allows
    blocking = [one["message"] for one in verdict["findings"] if not Outcome(one["outcome"]).allows]
    title, said = verdict["title"], (blocking[0] if blocking else "") or verdict["summary"]
    return {
        **verdict,
        "good": good,
        "line": said if good and said else ": ".join(filter(None, (title, said))),
    }
