"""What GitHub knows of a commit's CI: the jobs of its workflow runs, and the check runs that other apps reported.

A workflow's token may create check runs of any name in the name of GitHub Actions, so a check run of that app counts
only where it is the one of a real job.
"""

from __future__ import annotations

from guard.adapters.github_answers import CheckRun, WorkflowJob, WorkflowRun
from guard.adapters.github_api import Api
from guard.core.facts import Job
from guard.core.model import Commit

ACTIONS = "github-actions"
"""The slug of the app that workflows run under, on github.com and on servers of one's own."""


def read_jobs(api: Api, repo: str, commit: Commit) -> tuple[Job, ...]:
    """Every run of every job, retried ones too. Raises GitHubError."""
    checks = api.listed(f"{repo}/commits/{commit}/check-runs", "check_runs", CheckRun, filter="all")
    apps = {check.id: check.app.id for check in checks if check.app}
    runs = api.listed(f"{repo}/actions/runs", "workflow_runs", WorkflowRun, head_sha=commit)
    jobs = [
        _of_job(job, run, app_id=apps.get(job.id))
        for run in runs
        if run.head_sha == commit
        for job in api.listed(f"{repo}/actions/runs/{run.id}/jobs", "jobs", WorkflowJob, filter="all")
        if job.head_sha == commit
    ]
    others = [
        _of_check(check)
        for check in checks
        if check.head_sha == commit and check.app is not None and check.app.slug != ACTIONS
    ]
    return (*jobs, *others)


def _of_job(job: WorkflowJob, run: WorkflowRun, *, app_id: int | None) -> Job:
    return Job(
        name=job.name,
        state=_state(job.status, job.conclusion),
        number=job.id,
        source=run.event,
        ref=run.head_branch or "",
        workflow=run.path.partition("@")[0],
        app_id=app_id,
        finished_at=job.completed_at,
        url=job.html_url or "",
    )


def _of_check(check: CheckRun) -> Job:
    return Job(
        name=check.name,
        state=_state(check.status, check.conclusion),
        number=check.id,
        app_id=check.app.id if check.app else None,
        finished_at=check.completed_at,
        url=check.html_url or "",
    )


def _state(status: str, conclusion: str | None) -> str:
    """https://docs.github.com/en/rest/checks/runs: there is a conclusion only once it is completed."""
    if status != "completed":
        return "running"
    return {"failure": "failed", None: "running"}.get(conclusion, conclusion or "")
