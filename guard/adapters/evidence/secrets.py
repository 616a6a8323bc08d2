"""Evidence kind `secrets`: gitleaks or detect-secrets found nothing that upstream has not looked into and accepted."""

from __future__ import annotations

from collections.abc import Iterator

from guard.adapters.evidence.gitleaks import gitleaks_saw_nothing
from guard.adapters.evidence.secret_reports import Report, Secret, report_of
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received, exit_problems
from guard.adapters.evidence.untrusted import Unreadable, shown
from guard.core.evidence import Absent, Observation, Reading
from guard.core.model import Finding, Known
from guard.core.report_kinds import Secrets

NAMED = 10
"""How many secrets are named one by one; never their text."""

OWN_CONFIGURATION = (".gitleaks.toml", ".gitleaksignore", "gitleaks.toml")
"""Files of the tree that make gitleaks pass over secrets: https://github.com/gitleaks/gitleaks#configuration."""


def read_secrets(received: Received, spec: Secrets, sources: EvidenceSources) -> Reading:
    """Passes when the scanner looked at something and found nothing that is not known and looked into on upstream."""
    envelope = received.envelope
    report = report_of(received.needed_report("scanner's report"), f"the report of {spec.source}")
    baseline = _baseline(spec, sources, report)
    if isinstance(baseline, Absent):
        return baseline
    problems = (
        *_nothing(spec, received, report, baseline, sources),
        *_own_configuration(spec, sources, report),
        *_found(spec, received, report, baseline),
        *exit_problems(received, explained=bool(report.secrets)),
    )
    known = f" ({len(report.secrets)} known and accepted)" if report.secrets else ""
    observation = Observation(
        summary=f"clean{known}",
        problems=problems,
        subject=envelope.subject,
        dated=envelope.received_at,
        digest=envelope.digest,
    )
    return Known(observation, received.source, sources.now)


def _baseline(spec: Secrets, sources: EvidenceSources, report: Report) -> dict[str, Secret] | Absent:
    """What is known on upstream, by its key. A baseline that the proposal brings does not count."""
    if spec.baseline is None:
        return {}
    data = sources.git.read(sources.upstream, spec.baseline)
    if data is None:
        return Absent(
            f"the baseline {spec.baseline} is not on upstream ({sources.upstream[:10]})",
            fix=f"let {report.tool} write {spec.baseline}, look into what it lists, and land it on upstream",
            who=("author",),
        )
    what = f"the baseline {spec.baseline} on upstream"
    baseline = report_of(data, what)
    if baseline.tool != report.tool:
        raise Unreadable(
            f"{what} is one of {baseline.tool}, and the report of {spec.source} is one of {report.tool}"
        )
    return {secret.key: secret for secret in baseline.secrets}


def _found(
    spec: Secrets, received: Received, report: Report, baseline: dict[str, Secret]
) -> Iterator[Finding]:
    bad = [(secret, why) for secret in report.secrets if (why := _why(secret, baseline.get(secret.key)))]
    fix = "take the secret out and revoke it; where it is none, mark it so in the baseline on upstream"
    for secret, why in sorted(bad, key=lambda one: (one[0].where, one[0].rule))[:NAMED]:
        message = f"{spec.source}: {secret.rule} {why}"
        yield Finding(
            "secrets.found", message, secret.where, f"{fix}; then: {received.again}", ("author", "security")
        )
    if len(bad) > NAMED:
        yield Finding("secrets.found", f"{spec.source}: {len(bad) - NAMED} more", fix=fix, who=("author",))


def _why(secret: Secret, known: Secret | None) -> str:
    """Why it counts, "" where it does not: only upstream's word that it is no secret excuses one."""
    if secret.is_verified:
        return "is a live secret, as the scanner verified"
    if known is None:
        return "is new: no baseline on upstream holds it"
    if known.is_verified or known.is_secret is True:
        return "is a real secret, as upstream's baseline says"
    return "" if known.is_secret is False else "stands in upstream's baseline, and nobody has looked into it"


def _nothing(
    spec: Secrets, received: Received, report: Report, baseline: dict[str, Secret], sources: EvidenceSources
) -> Iterator[Finding]:
    """An empty list is no evidence unless something shows that there was something to look at."""
    why, remedy = report.nothing, "let it scan the repository"
    if report.tool == "gitleaks" and not report.secrets:
        why, remedy = gitleaks_saw_nothing(received.envelope)
    elif report.tool == "detect-secrets" and not report.secrets and not why:
        why = _missed(baseline, sources)
    if why:
        message = f"{spec.source}: {report.tool} does not show that it looked at anything: {why}"
        yield Finding(
            "secrets.nothing-scanned", message, fix=f"{remedy}, then: {received.again}", who=("ci",)
        )


def _missed(baseline: dict[str, Secret], sources: EvidenceSources) -> str:
    """Files that are as on upstream still hold what upstream's baseline lists: a scan that sees none of it saw no
    files."""
    if not baseline:
        return ""
    changed = set(sources.git.changed(sources.upstream, sources.candidate.new))
    there = {
        secret.file
        for secret in baseline.values()
        if secret.file not in changed and sources.git.read(sources.upstream, secret.file) is not None
    }
    return (
        f"{shown(min(there), limit=120)} still holds what the baseline lists, and the report has none"
        if there
        else ""
    )


def _own_configuration(spec: Secrets, sources: EvidenceSources, report: Report) -> Iterator[Finding]:
    """A proposal that brings its own list of what to pass over decides for itself what is a secret."""
    if report.tool != "gitleaks":
        return
    changed = set(sources.git.changed(sources.upstream, sources.candidate.new))
    paths = sorted(changed & {*OWN_CONFIGURATION, *([spec.baseline] if spec.baseline else [])})
    if paths:
        message = (
            f"{spec.source}: gitleaks did not scan by upstream's configuration: {', '.join(paths)} differ"
        )
        fix = "land the change on upstream first"
        yield Finding("secrets.configuration", message, fix=fix, who=("author",))
