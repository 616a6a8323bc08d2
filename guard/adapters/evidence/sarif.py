"""Evidence kind `sarif`: a scanner's SARIF 2.1.0 report without an unsuppressed result at or above a severity."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import islice

from guard.adapters.evidence.gitleaks import gitleaks_saw_nothing
from guard.adapters.evidence.passing_over import own_configuration
from guard.adapters.evidence.sarif_result import Result, result_of, rules_of
from guard.adapters.evidence.sarif_stream import Run, read_results, read_runs
from guard.adapters.evidence.severity import SEVERITIES, at_or_above
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received, exit_problems
from guard.adapters.evidence.untrusted import list_of, shown, table_of, text_of
from guard.core.evidence import Observation, Reading
from guard.core.model import Finding, Known
from guard.core.report_kinds import Sarif

NAMED = 10
"""How many results, and how many faults of the runs, are named one by one."""

WITHOUT_LEVEL = {"gitleaks": "error", "trufflehog": "error", "detect-secrets": "error"}
"""The level of what a tool finds that gives none: what looks like a secret is no mere warning."""

NO_FILES = re.compile(r"\bRan \d+ rules? on 0 files\b")
"""How semgrep tells on standard error that it looked at nothing."""

ENDED_BADLY = ("exitSignalName", "exitSignalNumber", "processStartFailureMessage")
"""What an invocation says of a tool that did not end by itself (SARIF 3.20.8 to 3.20.10)."""


def read_sarif(received: Received, spec: Sarif, sources: EvidenceSources) -> Reading:
    """Passes when scanners ran to their end and report nothing unsuppressed at or above `fail_at`."""
    envelope, what = received.envelope, f"the SARIF report of {spec.source}"
    data = received.needed_report("SARIF report")
    runs = read_runs(data, what)
    tally = _tally(spec, runs, read_results(data, runs, what))
    observation = Observation(
        summary=_summary(spec, tally),
        problems=(
            *islice(_run_problems(spec, runs, received), NAMED),
            *_result_problems(spec, tally),
            *_own_configuration(spec, runs, sources),
            *exit_problems(received, explained=bool(tally.counted)),
        ),
        subject=envelope.subject,
        dated=envelope.received_at,
        digest=envelope.digest,
    )
    return Known(observation, received.source, sources.now)


@dataclass(slots=True)
class _Tally:
    """How many results there are of each severity, suppressed or not, and the worst ones that count."""

    counted: Counter[tuple[str, bool]] = field(default_factory=Counter)
    worst: list[Result] = field(default_factory=list)


def _tally(spec: Sarif, runs: Sequence[Run], results: Iterator[tuple[int, dict[str, object]]]) -> _Tally:
    """Counted one by one, so that a log of any length takes the same memory."""
    rules = [rules_of(run.table) for run in runs]
    levels = [WITHOUT_LEVEL.get(_tool(run).casefold(), "warning") for run in runs]
    tally = _Tally()

    def bad() -> Iterator[Result]:
        for number, item in results:
            result = result_of(item, rules[number], otherwise=levels[number])
            if result is None:
                continue
            tally.counted[(result.severity, result.suppressed)] += 1
            if not result.suppressed and at_or_above(result.severity, spec.fail_at):
                yield result

    tally.worst = nsmallest(
        NAMED, bad(), key=lambda one: (SEVERITIES.index(one.severity), one.rule, one.where, one.message)
    )
    return tally


def _summary(spec: Sarif, tally: _Tally) -> str:
    """`0 critical, 0 high`, down to the severity that fails, and how many results are suppressed."""
    severities = [severity for severity in SEVERITIES if at_or_above(severity, spec.fail_at)]
    counted = [f"{tally.counted[(severity, False)]} {severity}" for severity in severities]
    suppressed = sum(tally.counted[(severity, True)] for severity in severities)
    return ", ".join(counted) + (f" ({suppressed} suppressed)" if suppressed else "")


def _result_problems(spec: Sarif, tally: _Tally) -> Iterator[Finding]:
    """The worst ones by name, and how many more there are."""
    fix = f"mend it, or suppress it with a reason that the tool records; then scan again for {spec.source}"
    for result in tally.worst:
        message = (
            f"{spec.source}: {result.severity} {result.rule}{': ' if result.message else ''}{result.message}"
        )
        yield Finding("sarif.result", message, where=result.where, fix=fix, who=("author",))
    more = -len(tally.worst) + sum(
        count
        for (severity, suppressed), count in tally.counted.items()
        if not suppressed and at_or_above(severity, spec.fail_at)
    )
    if more:
        message = f"{spec.source}: {more} more results at or above {spec.fail_at}"
        yield Finding("sarif.result", message, fix=fix, who=("author",))


def _run_problems(spec: Sarif, runs: Sequence[Run], received: Received) -> Iterator[Finding]:
    """Why a report without results would prove nothing: nothing ran, not to its end, or not the wanted tool."""
    fix = f"let the scanner run to its end, then: {received.again}"
    if not runs:
        yield Finding(
            "sarif.no-run", f"the report of {spec.source} holds no run of any tool", fix=fix, who=("ci",)
        )
    for run in runs:
        tool = _tool(run)
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
        for code, message in (*_unfinished(run, received), *_failed_invocations(run.table)):
            yield Finding(code, f"{name} {message}", fix=fix, who=("ci",))


def _own_configuration(spec: Sarif, runs: Sequence[Run], sources: EvidenceSources) -> Iterator[Finding]:
    """A proposal that brings its own list of what to pass over decides for itself what is a flaw."""
    if own := own_configuration(map(_tool, runs), sources):
        message = f"{spec.source} was not scanned by upstream's configuration: {own} differ"
        yield Finding(
            "sarif.configuration", message, fix="land the change on upstream first", who=("author",)
        )


def _tool(run: Run) -> str:
    tool = table_of(run.table.get("tool"), "a run's tool")
    return text_of(table_of(tool.get("driver"), "a tool's driver").get("name")).strip()


def _unfinished(run: Run, received: Received) -> Iterator[tuple[str, str]]:
    """A run without a list of results computed none (SARIF 3.14.23); bandit says itself how much it looked at, and
    gitleaks and semgrep say it on standard error alone."""
    table = run.table
    external = table_of(table.get("externalPropertyFileReferences"), "externalPropertyFileReferences")
    if run.results is None or external.get("results"):
        yield "sarif.no-results", "gives no list of results in its report"
    metrics = table_of(table_of(table.get("properties"), "properties").get("metrics"), "metrics")
    totals = table_of(metrics.get("_totals"), "metrics")
    if totals.get("loc") == 0 or table.get("artifacts") == []:
        yield "sarif.nothing-scanned", "looked at nothing: no files and no lines"
    tool = _tool(run).casefold()
    if not run.results and tool == "gitleaks" and (why := gitleaks_saw_nothing(received.envelope)[0]):
        yield "sarif.nothing-scanned", f"does not show that it looked at anything: {why}"
    if not run.results and tool.startswith("semgrep") and NO_FILES.search(received.envelope.said):
        yield "sarif.nothing-scanned", "looked at nothing: it ran on 0 files"


def _failed_invocations(run: dict[str, object]) -> Iterator[tuple[str, str]]:
    for item in list_of(run.get("invocations"), "a run's invocations"):
        invocation = table_of(item, "an invocation")
        if invocation.get("executionSuccessful") is not True:
            yield "sarif.failed", "does not say that it ran successfully"
        elif any(invocation.get(key) for key in ENDED_BADLY):
            yield "sarif.failed", "was not started, or was ended by a signal"
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
