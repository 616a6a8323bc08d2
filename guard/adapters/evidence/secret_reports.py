"""The reports of gitleaks and detect-secrets: where something that looks like a secret stands, never the secret."""

from __future__ import annotations

from dataclasses import dataclass

from guard.adapters.evidence.untrusted import Unreadable, list_of, load_json, shown, table_of, text_of


@dataclass(frozen=True, slots=True)
class Secret:
    """`key` is the same for the same secret in a report and in a baseline; `is_secret` is what an audit said, None
    where there was none; `is_verified` where the scanner tried it and it worked."""

    key: str
    rule: str
    file: str
    where: str
    is_secret: bool | None = None
    is_verified: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What a scanner found. `nothing` says why the report proves nothing ("" where it may)."""

    tool: str
    secrets: tuple[Secret, ...]
    nothing: str = ""


def report_of(data: bytes, what: str) -> Report:
    """A list is gitleaks', a table with `results` detect-secrets'. Raises Unreadable for anything else."""
    report = load_json(data, what)
    if isinstance(report, list):
        return Report("gitleaks", tuple(_leak(table_of(item, "a leak")) for item in report))
    table = table_of(report, what)
    if not isinstance(table.get("results"), dict) or "plugins_used" not in table:
        raise Unreadable(
            f"{what} is neither a JSON report of gitleaks nor one of detect-secrets",
            fix="submit what gitleaks -f json or detect-secrets scan wrote",
        )
    plugins = list_of(table["plugins_used"], "plugins_used")
    secrets = tuple(
        _potential(file, table_of(item, "a secret"))
        for file, items in table_of(table["results"], "results").items()
        for item in list_of(items, "a file's secrets")
    )
    return Report("detect-secrets", secrets, "" if plugins else "no plugin was used")


def _leak(item: dict[str, object]) -> Secret:
    """https://github.com/gitleaks/gitleaks#reporting; in a baseline a leak is known by its fingerprint, and counts as
    looked into."""
    file, line = text_of(item.get("File")), item.get("StartLine")
    rule = shown(text_of(item.get("RuleID")) or "a secret without a rule", limit=80)
    if not file and not text_of(item.get("RuleID")):
        raise Unreadable("a leak names neither its rule nor its file, so this is no report of gitleaks")
    key = text_of(item.get("Fingerprint")) or f"{file}:{text_of(item.get('RuleID'))}:{line!r}"
    commit = text_of(item.get("Commit"))
    where = f"{file}:{line}" if isinstance(line, int) else file
    return Secret(key, rule, file, shown(f"{where} in {commit[:10]}" if commit else where), is_secret=False)


def _potential(file: str, item: dict[str, object]) -> Secret:
    """https://github.com/Yelp/detect-secrets#auditing-a-baseline: `is_secret` is there once somebody has looked."""
    kind, hashed = text_of(item.get("type")), text_of(item.get("hashed_secret"))
    if not kind or not hashed:
        raise Unreadable("a secret lacks its type or its hash, so this is no report of detect-secrets")
    line, audited = item.get("line_number"), item.get("is_secret")
    return Secret(
        key="\0".join((file, kind, hashed)),
        rule=shown(kind, limit=80),
        file=file,
        where=shown(f"{file}:{line}" if type(line) is int else file),
        is_secret=audited if isinstance(audited, bool) else None,
        is_verified=item.get("is_verified") is True,
    )
