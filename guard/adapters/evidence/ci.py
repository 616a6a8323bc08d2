"""Evidence kind `ci`: the named jobs ran on the candidate's very commit, by upstream's configuration, and succeeded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from guard.adapters.evidence.ci_config import differing_configuration
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.untrusted import digest_of, shown
from guard.core.evidence import Ci, Observation, Reading
from guard.core.facts import Job
from guard.core.model import Finding, Known, Outcome, Unknown

TRUSTED_STARTS = frozenset({"push", "merge_request_event", "merge_group"})
"""What starts a run that counts where the policy names nothing: a commit that came. Who starts one by hand, by
schedule or through an interface can choose its variables; a child pipeline runs what another job wrote; GitHub's
`pull_request` runs on a merge with the base and not on the commit itself."""

WORDS = {
    "failed": "failed",
    "allowed-failure": "failed, and was allowed to",
    "cancelled": "was cancelled",
    "skipped": "was skipped",
    "manual": "waits for somebody to start it",
    "running": "has not ended yet",
}

NAMED = 5
"""How many jobs or paths are named of one sort; the rest are counted."""


def read_ci(gate_id: str, spec: Ci, sources: EvidenceSources) -> Reading:
    """Passes when every name in `jobs` is matched by enough jobs, and the newest run of each matched one succeeded."""
    del gate_id
    fact = sources.forge.jobs(sources.candidate.new)
    if isinstance(fact, Unknown):
        return fact
    pinned = [job for job in fact.value if not _unpinned(spec, job)]
    newest = newest_runs(pinned)
    used = [job for job in newest if any(_fits(job, pattern) for pattern in spec.jobs)]
    ends = [job.finished_at for job in used if job.finished_at]
    observation = Observation(
        summary=f"{len(used)} job{'s' if len(used) != 1 else ''} green",
        problems=(
            *_configuration(spec, sources),
            *(found for pattern in spec.jobs for found in _problems(spec, pattern, newest, fact.value)),
        ),
        subject=sources.candidate.new,
        dated=min(ends, default=None) if len(ends) == len(used) else None,
        digest=_digest(used),
    )
    return Known(observation, f"the CI jobs of {sources.candidate.new[:10]}", sources.now)


def newest_runs(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """One run for each job: the newest that was not cancelled, since a cancelled one says nothing; a cancelled one
    where there is no other. Jobs of one name in two workflows, or by two apps, are two."""
    found: dict[tuple[str, str, int | None], Job] = {}
    for job in sorted(jobs, key=lambda one: (one.state != "cancelled", one.number)):
        found[(job.name, job.workflow, job.app_id)] = job
    return tuple(found.values())


def _fits(job: Job, pattern: str) -> bool:
    """By its very name, which may hold brackets (`deploy: [aws]`), or by a glob."""
    return job.name == pattern or fnmatchcase(job.name, pattern)


def _unpinned(spec: Ci, job: Job) -> str:
    """Why a job does not count, "" where it does."""
    if spec.app_id is not None and job.app_id != spec.app_id:
        return f"reported by the app {job.app_id}"
    if spec.app_id is None and not job.source:
        return f"reported by the app {job.app_id}, which the gate does not name as app_id"
    if spec.workflow is not None and spec.workflow not in {job.workflow, job.workflow.rpartition("/")[2]}:
        return f"of the workflow {shown(job.workflow, limit=80) or 'of no file'}"
    if spec.pipeline_source is not None and job.source != spec.pipeline_source:
        return f"started by {shown(job.source, limit=40) or 'an app'}"
    if spec.pipeline_source is None and job.source and job.source not in TRUSTED_STARTS:
        return f"started by {shown(job.source, limit=40)}, which the gate does not name as pipeline_source"
    if spec.protected_ref and job.is_protected is not True:
        return f"on {shown(job.ref, limit=80)}, which is no protected branch"
    return ""


def _problems(spec: Ci, pattern: str, newest: Sequence[Job], every: Sequence[Job]) -> Iterator[Finding]:
    found = [job for job in newest if _fits(job, pattern)]
    if not found:
        yield _absent(spec, pattern, every)
        return
    running = [job for job in found if job.state == "running"]
    bad = [job for job in found if job.state not in {"success", "running"}]
    if bad:
        message = f"{pattern}: {_named(f'{shown(job.name, limit=80)} {_ended(job)}' for job in bad)}"
        where = next((shown(job.url) for job in bad if job.url), "")
        fix = "mend what it complains about, or run it again on this commit"
        yield Finding("ci.not-green", message, where, fix, ("author", "ci"))
    if running:
        message = f"{pattern}: {_named(shown(job.name, limit=80) for job in running)} has not ended yet"
        yield Finding("ci.running", message, fix="wait for it", who=("ci",), outcome=Outcome.PENDING)
    if not bad and not running and len(found) < spec.minimum:
        message = f"{pattern}: {len(found)} green jobs, and at least {spec.minimum} are wanted"
        fix = "let the pipeline run all of them on this commit"
        yield Finding("ci.too-few", message, fix=fix, who=("ci", "author"), outcome=Outcome.MISSING)


def _ended(job: Job) -> str:
    return WORDS.get(job.state, f"ended as {shown(job.state, limit=40)!r}")


def _absent(spec: Ci, pattern: str, every: Sequence[Job]) -> Finding:
    """Nothing that counts: there may be jobs of the name that do not, and why they do not is told."""
    others = [job for job in every if _fits(job, pattern)]
    why = _named(dict.fromkeys(f"one {_unpinned(spec, job)}" for job in others))
    message = f"no job {pattern} that counts ran on this commit" + (f"; there is {why}" if why else "")
    fix = (
        "let the pipeline run it on exactly this commit, or correct the gate's jobs and what it pins them to"
    )
    return Finding("ci.absent", message, fix=fix, who=("ci", "release-owner"), outcome=Outcome.MISSING)


def _configuration(spec: Ci, sources: EvidenceSources) -> Iterator[Finding]:
    """What CI runs must be upstream's, or a proposal could let it check nothing."""
    candidate = sources.candidate
    paths = differing_configuration(sources.git, candidate.new, candidate.upstream, more=spec.config)
    if paths:
        names = _named(shown(path, limit=120) for path in paths)
        message = f"CI did not run by upstream's configuration: {names} differ at {candidate.new[:10]}"
        fix = "land the change on upstream first, and bring upstream's state of these files along"
        yield Finding("ci.configuration", message, fix=fix, who=("author",))


def _named(words: Iterator[str] | dict[str, None]) -> str:
    found = list(words)
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


def _digest(jobs: Sequence[Job]) -> str:
    rows = sorted([job.name, job.workflow, job.number, job.state, job.source] for job in jobs)
    return digest_of(json.dumps(rows).encode())
