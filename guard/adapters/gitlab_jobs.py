"""What GitLab knows of a commit's CI: the jobs of its pipelines; and who put a label on a merge request.

Statuses that somebody posted make no jobs, so they are not among them.
"""

from __future__ import annotations

from urllib.parse import quote

from guard.adapters.gitlab_calls import Calls, Record, Rejected
from guard.adapters.gitlab_reading import flag, moment, number, part, text
from guard.core.errors import ForgeError
from guard.core.facts import Job
from guard.core.model import Commit

READS = "the role Reporter on the project"

STATES = {
    "success": "success",
    "failed": "failed",
    "canceled": "cancelled",
    "canceling": "cancelled",
    "skipped": "skipped",
    "manual": "manual",
    "created": "running",
    "waiting_for_resource": "running",
    "preparing": "running",
    "waiting_for_callback": "running",
    "pending": "running",
    "running": "running",
    "scheduled": "running",
}
"""https://docs.gitlab.com/api/jobs/#list-all-jobs-for-a-project: `scope`."""


def read_jobs(calls: Calls, project: str, commit: Commit) -> tuple[Job, ...]:
    """Every run of every job, retried ones too. Raises ForgeError.

    Child pipelines are left out of the list unless they are asked for:
    https://docs.gitlab.com/api/pipelines/#list-project-pipelines.
    """
    path = f"{project}/pipelines"
    pipelines = [
        *calls.every(path, READS, sha=commit),
        *calls.every(path, READS, sha=commit, source="parent_pipeline"),
    ]
    mine = {number(one, "id"): one for one in pipelines if text(one, "sha") == commit}
    protected: dict[str, bool] = {}
    found: list[Job] = []
    for pipeline in mine.values():
        jobs = calls.every(f"{path}/{number(pipeline, 'id')}/jobs", READS, include_retried=True)
        ref = text(pipeline, "ref")
        if jobs and ref not in protected:
            protected[ref] = _is_protected(calls, project, ref)
        found += [_job(one, pipeline, is_protected=protected[ref]) for one in jobs]
    return tuple(found)


def _is_protected(calls: Calls, project: str, ref: str) -> bool:
    """Whether it is a protected branch now; a tag, a merge request's own ref and a branch that is gone are none."""
    try:
        branch = calls.one(f"{project}/repository/branches/{quote(ref, safe='')}", READS)
    except Rejected as error:
        if error.status == 404 and "branch not found" in error.said.lower():
            return False
        raise
    return text(branch, "name") == ref and flag(branch, "protected")


def _job(record: Record, pipeline: Record, *, is_protected: bool) -> Job:
    state = STATES.get(text(record, "status"), text(record, "status"))
    if state == "failed" and flag(record, "allow_failure"):
        state = "allowed-failure"
    return Job(
        name=text(record, "name"),
        state=state,
        number=number(record, "id"),
        source=text(pipeline, "source"),
        ref=text(pipeline, "ref"),
        is_protected=is_protected and record.get("tag") is False,
        finished_at=moment(record, "finished_at") if record.get("finished_at") is not None else None,
        url=text(record, "web_url"),
    )


def read_labeller(calls: Calls, request: str, label: str) -> str | None:
    """Who put the label on the merge request that bears it now. Raises ForgeError.

    https://docs.gitlab.com/api/resource_label_events/#list-project-merge-request-label-events. The labels are read
    before the events, so that one taken away in between is seen to be gone.
    """
    labels = calls.one(request, READS).get("labels")
    if not isinstance(labels, list):
        raise ForgeError("GitLab's answer has no list in the field labels")
    if label not in labels:
        return None
    events = [
        event
        for event in calls.every(f"{request}/resource_label_events", READS)
        if isinstance(event.get("label"), dict) and text(part(event, "label"), "name") == label
    ]
    newest = max(events, key=lambda event: number(event, "id"), default=None)
    if newest is None:
        raise ForgeError(f"GitLab does not say who put the label {label} there", fix="set the label anew")
    return text(part(newest, "user"), "username") if text(newest, "action") == "add" else None
