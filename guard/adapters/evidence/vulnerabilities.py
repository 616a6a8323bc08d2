"""Evidence kind `vulnerabilities`: a dependency scanner's own JSON, without anything at or above a severity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from guard.adapters.evidence.passing_over import own_configuration
from guard.adapters.evidence.scanners import Advisory, Scan, scan_of
from guard.adapters.evidence.severity import SEVERITIES, UNKNOWN, at_or_above
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received, exit_problems
from guard.core.evidence import Observation, Reading
from guard.core.model import Finding, Known
from guard.core.report_kinds import Ignored, Vulnerabilities

NAMED = 10
"""How many advisories are named one by one."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """What counts, and which entries of `ignore` keep the rest from counting."""

    counted: tuple[Advisory, ...]
    unlooked: tuple[str, ...]
    ignored: int
    used: tuple[Ignored, ...]
    over: dict[str, Ignored]


def read_vulnerabilities(received: Received, spec: Vulnerabilities, sources: EvidenceSources) -> Reading:
    """Passes when the scanner looked at something, at all of it, and found nothing at or above `fail_at`."""
    envelope = received.envelope
    scan = scan_of(received.needed_report("scanner's report"), f"the report of {spec.source}")
    judged = _judge(spec, scan, today=sources.now.astimezone(UTC).date())
    observation = Observation(
        summary=_summary(spec, judged),
        problems=(
            *_nothing(spec, scan, received.again),
            *_problems(spec, judged, received.again),
            *_own_configuration(spec, scan, sources),
            *exit_problems(received, explained=bool(scan.advisories), found=scan.found_codes),
        ),
        subject=envelope.subject,
        dated=envelope.received_at,
        digest=envelope.digest,
        holds_until=min((_end(entry.until) for entry in judged.used), default=None),
    )
    return Known(observation, received.source, sources.now)


def _judge(spec: Vulnerabilities, scan: Scan, *, today: date) -> _Judged:
    standing = {entry.id.casefold(): entry for entry in spec.ignore if entry.until >= today}
    over = {entry.id.casefold(): entry for entry in spec.ignore if entry.until < today}
    matters = [one for one in scan.advisories if at_or_above(one.severity, spec.fail_at)]
    excused = {one: entry for one in matters if (entry := _entry(standing, one.ids)) is not None}
    passed_over = {name: standing[name.casefold()] for name in scan.unlooked if name.casefold() in standing}
    return _Judged(
        counted=tuple(one for one in matters if one not in excused),
        unlooked=tuple(name for name in scan.unlooked if name not in passed_over),
        ignored=sum(one in excused for one in matters) + len(passed_over),
        used=(*excused.values(), *passed_over.values()),
        over=over,
    )


def _entry(entries: dict[str, Ignored], ids: Sequence[str]) -> Ignored | None:
    """Of several entries that name one advisory, the one that ends last."""
    found = [entries[name.casefold()] for name in ids if name.casefold() in entries]
    return max(found, key=lambda entry: entry.until, default=None)


def _end(until: date) -> datetime:
    """The first moment at which it is not ignored any more."""
    try:
        return datetime.combine(until + timedelta(days=1), time(), UTC)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _summary(spec: Vulnerabilities, judged: _Judged) -> str:
    """`0 critical, 0 high`, down to the severity that fails, and what is ignored until when at the earliest."""
    counted = [
        f"{sum(one.severity == severity for one in judged.counted)} {severity}"
        for severity in SEVERITIES
        if at_or_above(severity, spec.fail_at)
    ]
    first = min((entry.until for entry in judged.used), default=None)
    return ", ".join(counted) + (f" ({judged.ignored} ignored until {first})" if first else "")


def _nothing(spec: Vulnerabilities, scan: Scan, again: str) -> Iterator[Finding]:
    """A clean report of a scanner that looked at nothing is no evidence."""
    if scan.nothing:
        message = f"{spec.source}: {scan.tool} looked at nothing: {scan.nothing}"
        fix = f"{scan.remedy or 'let it see the dependencies and its database'}, then: {again}"
        yield Finding("vulnerabilities.nothing-scanned", message, fix=fix, who=("ci",))


def _problems(spec: Vulnerabilities, judged: _Judged, again: str) -> Iterator[Finding]:
    order = (UNKNOWN, *SEVERITIES)
    bad = sorted(judged.counted, key=lambda one: (order.index(one.severity), one.package, one.ids))
    for one in bad[:NAMED]:
        entry = _entry(judged.over, one.ids)
        over = f" (it was ignored until {entry.until}, which is over)" if entry else ""
        severity = "of unknown severity" if one.severity == UNKNOWN else one.severity
        message = f"{spec.source}: {one.ids[0]} in {one.package} is {severity}{over}"
        fix = f"{one.fix or 'replace or patch it'}; then scan again: {again}"
        yield Finding("vulnerabilities.found", message, fix=fix, who=("author",), detail=one.title)
    if len(bad) > NAMED:
        message = f"{spec.source}: {len(bad) - NAMED} more at or above {spec.fail_at}"
        yield Finding("vulnerabilities.found", message, fix="see the whole report", who=("author",))
    if judged.unlooked:
        names = ", ".join(sorted(judged.unlooked)[:NAMED])
        more = f" and {len(judged.unlooked) - NAMED} more" if len(judged.unlooked) > NAMED else ""
        message = f"{spec.source}: these were not looked at: {names}{more}"
        fix = (
            "let the scanner find them, or put them into the gate's ignore list with a reason and a last day"
        )
        yield Finding("vulnerabilities.not-scanned", message, fix=fix, who=("ci", "release-owner"))


def _own_configuration(spec: Vulnerabilities, scan: Scan, sources: EvidenceSources) -> Iterator[Finding]:
    """A proposal that brings its own list of what to pass over decides for itself what is vulnerable."""
    if own := own_configuration([scan.tool], sources):
        message = f"{spec.source}: {scan.tool} did not scan by upstream's configuration: {own} differ"
        yield Finding(
            "vulnerabilities.configuration", message, fix="land the change on upstream first", who=("author",)
        )
