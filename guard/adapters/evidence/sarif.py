"""Evidence kind `sarif`: a scanner's SARIF 2.1.0 report without an unsuppressed result at or above a severity."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from guard.adapters.evidence.sarif_result import Result, results_of
from guard.adapters.evidence.severity import SEVERITIES, at_or_above
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received, exit_problems, receive
from guard.adapters.evidence.untrusted import Unreadable, list_of, load_json, shown, table_of, text_of
from guard.core.evidence import Observation, Reading, Sarif
from guard.core.model import Finding, Known

VERSION = "2.1.0"
NAMED = 10
"""How many results, and how many faults of the runs, are named one by one."""


def read_sarif(gate_id: str, spec: Sarif, sources: EvidenceSources) -> Reading:
    """Passes when scanners ran to their end and report nothing unsuppressed at or above `fail_at`."""
    del gate_id
    received = receive(spec, sources)
    if not isinstance(received, Received):
        return received
    envelope = received.envelope
    runs = sarif_runs(received.needed_report("SARIF report"), f"the SARIF report of {spec.source}")
    results = [result for run in runs for result in results_of(run)]
    observation = Observation(
        summary=_summary(spec, results),
        problems=(
            *islice(_run_problems(spec, runs, received.again), NAMED),
            *_result_problems(spec, results),
            *exit_problems(received, explained=bool(results)),
        ),
        subject=envelope.subject,
        dated=envelope.received_at,
        digest=envelope.digest,
    )
    return Known(observation, received.source, sources.now)


def sarif_runs(data: bytes, what: str) -> tuple[dict[str, object], ...]:
    """The runs of a SARIF log. Raises Unreadable for what is none, or is of another version."""
    log = table_of(load_json(data, what), what)
    if log.get("version") != VERSION:
        raise Unreadable(
            f"{what} says version {shown(repr(log.get('version')))}; only {VERSION} is read",
            fix=f"let the tool write SARIF {VERSION}",
        )
    return tuple(table_of(run, "a run") for run in list_of(log.get("runs"), "runs"))


def _summary(spec: Sarif, results: list[Result]) -> str:
    """`0 critical, 0 high`, down to the severity that fails, and how many results are suppressed."""
    counted = [
        f"{sum(result.severity == severity and not result.suppressed for result in results)} {severity}"
        for severity in SEVERITIES
        if at_or_above(severity, spec.fail_at)
    ]
    suppressed = sum(result.suppressed and at_or_above(result.severity, spec.fail_at) for result in results)
    return ", ".join(counted) + (f" ({suppressed} suppressed)" if suppressed else "")


def _result_problems(spec: Sarif, results: list[Result]) -> Iterator[Finding]:
    """The worst ones by name, and how many more there are."""
    bad = [
        result for result in results if not result.suppressed and at_or_above(result.severity, spec.fail_at)
    ]
    bad.sort(
        key=lambda result: (SEVERITIES.index(result.severity), result.rule, result.where, result.message)
    )
    fix = f"mend it, or suppress it with a reason that the tool records; then scan again for {spec.source}"
    for result in bad[:NAMED]:
        message = (
            f"{spec.source}: {result.severity} {result.rule}{': ' if result.message else ''}{result.message}"
        )
        yield Finding("sarif.result", message, where=result.where, fix=fix, who=("author",))
    if len(bad) > NAMED:
        message = f"{spec.source}: {len(bad) - NAMED} more results at or above {spec.fail_at}"
        yield Finding("sarif.result", message, fix=fix, who=("author",))


def _run_problems(spec: Sarif, runs: tuple[dict[str, object], ...], again: str) -> Iterator[Finding]:
    """Why a report without results would prove nothing: nothing ran, not to its end, or not the wanted tool."""
    fix = f"let the scanner run to its end, then: {again}"
    if not runs:
        yield Finding(
            "sarif.no-run", f"the report of {spec.source} holds no run of any tool", fix=fix, who=("ci",)
        )
    for run in runs:
        driver = table_of(table_of(run.get("tool"), "a run's tool").get("driver"), "a tool's driver")
        tool = text_of(driver.get("name")).strip()
        if not tool:
            yield Finding(
                "sarif.no-tool", f"a run of {spec.source} does not say which tool ran", fix=fix, who=("ci",)
            )
        elif spec.tools and tool not in spec.tools:
            message = (
                f"{spec.source} was to come from {' or '.join(spec.tools)}, and comes from {shown(tool)}"
            )
            yield Finding("sarif.other-tool", message, fix=fix, who=("ci",))
        name = shown(tool or spec.source)
        for code, message in (*_unfinished(run), *_failed_invocations(run)):
            yield Finding(code, f"{name} {message}", fix=fix, who=("ci",))


def _unfinished(run: dict[str, object]) -> Iterator[tuple[str, str]]:
    """A run without a list of results computed none (SARIF 3.14.23); bandit says itself how much it looked at."""
    external = table_of(run.get("externalPropertyFileReferences"), "externalPropertyFileReferences")
    if run.get("results") is None or external.get("results"):
        yield "sarif.no-results", "gives no list of results in its report"
    metrics = table_of(table_of(run.get("properties"), "properties").get("metrics"), "metrics")
    totals = table_of(metrics.get("_totals"), "metrics")
    if totals.get("loc") == 0 or run.get("artifacts") == []:
        yield "sarif.nothing-scanned", "looked at nothing: no files and no lines"


def _failed_invocations(run: dict[str, object]) -> Iterator[tuple[str, str]]:
    for item in list_of(run.get("invocations"), "a run's invocations"):
        invocation = table_of(item, "an invocation")
        if invocation.get("executionSuccessful") is not True:
            yield "sarif.failed", "does not say that it ran successfully"
        yield from (
            ("sarif.error", f"reports an error: {text}") for text in islice(_errors(invocation), NAMED)
        )


def _errors(invocation: dict[str, object]) -> Iterator[str]:
    for key in ("toolExecutionNotifications", "toolConfigurationNotifications"):
        for item in list_of(invocation.get(key), key):
            notification = table_of(item, "a notification")
            if notification.get("level") == "error":
                yield (
                    shown(text_of(table_of(notification.get("message"), "a message").get("text")))
                    or "without a word"
                )
