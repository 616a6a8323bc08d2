"""Reports about API contracts: what linters complain about, and which changes a comparison calls breaking.

The shape tells which tool wrote it, except that several write `[]` when there is nothing to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from guard.adapters.evidence.untrusted import Unreadable, decode, list_of, load_json, shown, table_of, text_of

Table = dict[str, object]

LEVELS = ("error", "warning", "information", "hint")
"""Worst first; spectral counts them from 0."""

NO_FILES = "No files found to lint"
"""What spectral says, and exits with 2, where its pattern fits no file."""

NO_CHANGES, CHANGES = "No changes found between", ("Breaking changes found", "Non breaking changes found")
"""What npm's openapi-diff writes instead of JSON, and before it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a linter complains about; `level` is one of LEVELS, or a word that nobody knows."""

    rule: str
    message: str
    where: str
    level: str


@dataclass(frozen=True, slots=True)
class Change:
    """A change that breaks clients, or (`is_classified` false) of which the tool cannot tell."""

    rule: str
    message: str
    where: str
    is_classified: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """`tools` are those that may have written it; `nothing` says why it proves nothing ("" where it may)."""

    tools: tuple[str, ...]
    faults: tuple[Fault, ...] = ()
    changes: tuple[Change, ...] = ()
    nothing: str = ""


def report_of(data: bytes, what: str) -> Report:
    """Raises Unreadable for what is no report of a tool that is known here."""
    head = data[:200].decode("utf-8", "replace").lstrip("\ufeff \r\n")
    if head.startswith(NO_FILES):
        return Report(("spectral",), nothing="it found no file to lint")
    if head.startswith(NO_CHANGES) and "{" not in decode(data, what):
        return Report(("openapi-diff",))
    if head.startswith(CHANGES):
        data = data[data.index(b"\n") + 1 :] if b"\n" in data else b""
    report = load_json(data, what)
    if isinstance(report, list):
        return _of_list([table_of(item, "an entry") for item in report], what)
    table = table_of(report, what)
    found = [read for key, read in TABLES.items() if key in table]
    if len(found) != 1:
        raise _unknown(what)
    return found[0](table)


def _unknown(what: str) -> Unreadable:
    return Unreadable(
        f"{what} is no report of spectral, redocly, asyncapi, oasdiff or openapi-diff",
        fix="submit what one of them wrote as JSON",
    )


def _of_list(items: list[Table], what: str) -> Report:
    if not items:
        return Report(("spectral", "asyncapi", "oasdiff"))
    if all("severity" in item and "code" in item for item in items):
        return _diagnostics(items)
    if all("level" in item and "id" in item for item in items):
        return _oasdiff(items)
    raise _unknown(what)


def _diagnostics(items: list[Table]) -> Report:
    """spectral and `asyncapi validate`: https://docs.stoplight.io/docs/spectral/9ffa04e052cc1-spectral-cli"""
    faults = tuple(
        Fault(
            shown(text_of(item["code"]), limit=80) or "a rule without a name",
            shown(text_of(item.get("message"))),
            _place(text_of(item.get("source")), list_of(item.get("path"), "path")),
            _level(item["severity"]),
        )
        for item in items
    )
    strange = any(item["code"] == "unrecognized-format" for item in items)
    nothing = "it knew the format of a document for none that it lints" if strange else ""
    return Report(("spectral", "asyncapi"), faults, nothing=nothing)


def _level(severity: object) -> str:
    return LEVELS[severity] if type(severity) is int and 0 <= severity < len(LEVELS) else "unknown"


def _place(file: str, path: list[object]) -> str:
    inside = ".".join(str(part) for part in path[:20] if isinstance(part, (str, int)))
    return shown(f"{file.rpartition('/')[2]}: {inside}" if file and inside else file or inside)


def _redocly(report: Table) -> Report:
    """https://redocly.com/docs/cli/commands/lint: what its ignore file holds is only counted."""
    faults = []
    for item in list_of(report.get("problems"), "problems"):
        problem = table_of(item, "a problem")
        places = list_of(problem.get("location"), "a location")
        place = table_of(places[0], "a location") if places else {}
        file = text_of(table_of(place.get("source"), "a source").get("ref"))
        word = text_of(problem.get("severity"))
        faults.append(
            Fault(
                shown(text_of(problem.get("ruleId")), limit=80) or "a rule without a name",
                shown(text_of(problem.get("message"))),
                shown(f"{file}{text_of(place.get('pointer'))}"),
                {"error": "error", "warn": "warning"}.get(word, "unknown"),
            )
        )
    totals = table_of(report["totals"], "totals")
    if totals.get("errors") and not any(fault.level == "error" for fault in faults):
        raise Unreadable("redocly counts errors, and its report names none")
    return Report(("redocly",), tuple(faults))


def _oasdiff(items: list[Table]) -> Report:
    """https://github.com/oasdiff/oasdiff: level 3 breaks, 2 may break, 1 does not."""
    return Report(
        ("oasdiff",),
        changes=tuple(
            Change(
                shown(text_of(item["id"]), limit=80) or "a change without a name",
                shown(text_of(item.get("text"))),
                shown(f"{text_of(item.get('operation'))} {text_of(item.get('path'))}".strip()),
            )
            for item in items
            if type(item["level"]) is not int or item["level"] != 1
        ),
    )


def _openapi_diff(report: Table) -> Report:
    """npm's openapi-diff: https://www.npmjs.com/package/openapi-diff"""
    breaking = [
        table_of(item, "a difference") for item in list_of(report.get("breakingDifferences"), "differences")
    ]
    unclear = [
        table_of(item, "a difference")
        for item in list_of(report.get("unclassifiedDifferences"), "differences")
    ]
    if report["breakingDifferencesFound"] is not False and not breaking:
        raise Unreadable("openapi-diff found breaking differences, and its report names none")
    changes = [_difference(item, is_classified=True) for item in breaking]
    return Report(
        ("openapi-diff",), changes=(*changes, *(_difference(one, is_classified=False) for one in unclear))
    )


def _difference(item: Table, *, is_classified: bool) -> Change:
    sides = [
        table_of(one, "a side")
        for key in ("sourceSpecEntityDetails", "destinationSpecEntityDetails")
        for one in list_of(item.get(key), key)
    ]
    where = text_of(sides[0].get("location")) if sides else ""
    message = f"{text_of(item.get('action'))} {text_of(item.get('entity'))}".strip()
    return Change(shown(text_of(item.get("code")), limit=80), shown(message), shown(where), is_classified)


def _asyncapi_diff(report: Table) -> Report:
    """`asyncapi diff -f json`: https://github.com/asyncapi/diff"""
    changes = []
    for item in list_of(report["changes"], "changes"):
        change = table_of(item, "a change")
        if change.get("type") != "non-breaking":
            action, path = text_of(change.get("action")), shown(text_of(change.get("path")))
            changes.append(Change(shown(action, limit=80), "", path, change.get("type") == "breaking"))
    return Report(("asyncapi",), changes=tuple(changes))


TABLES: dict[str, Callable[[Table], Report]] = {
    "totals": _redocly,
    "breakingDifferencesFound": _openapi_diff,
    "changes": _asyncapi_diff,
}
"""Each tool that writes a table, by the key that only its reports have."""
