"""What the forges know of a commit's CI and of who labelled a proposal, over HTTP and within their contracts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.core.facts import Job
from guard.core.model import Commit, Unknown
from tests.doubles.gitlab.world import GitLabWorld, bare, double
from tests.doubles.gitlab.world import world as gitlab
from tests.forge_contract import TARGET, known
from tests.github_world import GitHubWorld

__all__ = ["bare", "double", "gitlab"]
LABEL = "BREAKING:"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubWorld]:
    world = GitHubWorld(tmp_path)
    yield world
    world.close()


def states(jobs: tuple[Job, ...]) -> list[tuple[str, str]]:
    return [(job.name, job.state) for job in sorted(jobs, key=lambda one: one.number)]


def test_gitlab_lists_every_run_of_every_job_of_the_commit(gitlab: GitLabWorld) -> None:
    state, head, other = gitlab.state, gitlab.commit(), gitlab.commit()
    state.repo.git("update-ref", "refs/heads/topic", head)
    state.protect("topic")
    pipeline = state.pipeline(head, test="failed", lint="success", slow="running", deploy="manual")
    pipeline.jobs.append(state.job("test", "success"))
    pipeline.jobs.append(state.job("flaky", "failed", allow_failure=True))
    state.pipeline(other, test="success")
    state.pipeline(head, source="web", test="canceled")
    state.pipeline(head, source="parent_pipeline", child="success")
    jobs = known(gitlab.forge.jobs(head))
    assert states(jobs) == [
        ("test", "failed"), ("lint", "success"), ("slow", "running"), ("deploy", "manual"), ("test", "success"),
        ("flaky", "allowed-failure"), ("test", "cancelled"), ("child", "success"),
    ]  # fmt: skip
    assert {job.source for job in jobs} == {"push", "web", "parent_pipeline"}
    assert {(job.ref, job.is_protected) for job in jobs} == {("topic", True)}
    assert all((job.finished_at is not None) == (job.state in {"success", "failed", "cancelled", "allowed-failure"})
               for job in jobs)  # fmt: skip
    assert known(gitlab.forge.jobs(gitlab.commit())) == ()


def test_a_status_that_somebody_posted_on_gitlab_is_no_job(gitlab: GitLabWorld) -> None:
    head = gitlab.commit()
    gitlab.state.repo.git("update-ref", "refs/heads/topic", head)
    client = gitlab.double.client(token=gitlab.state.token("mallory", "developer"))
    client.http_post(
        f"/projects/{gitlab.state.project_id}/statuses/{head}", post_data={"state": "success", "name": "test"}
    )
    assert gitlab.state.statuses
    assert known(gitlab.forge.jobs(head)) == ()


def test_gitlab_knows_a_branch_that_is_gone_for_unprotected(gitlab: GitLabWorld) -> None:
    head = gitlab.commit()
    gitlab.state.repo.git("update-ref", "refs/heads/topic", head)
    gitlab.state.pipeline(head, test="success")
    gitlab.state.repo.git("update-ref", "-d", "refs/heads/topic")
    (job,) = known(gitlab.forge.jobs(head))
    assert job.is_protected is False


def test_more_jobs_than_a_page_holds(gitlab: GitLabWorld, github: GitHubWorld) -> None:
    head = gitlab.commit()
    gitlab.state.repo.git("update-ref", "refs/heads/topic", head)
    gitlab.double.api.page_size = 3
    gitlab.state.pipeline(head, **{f"job{n}": "success" for n in range(8)})
    assert len(known(gitlab.forge.jobs(head))) == 8
    pull = github.pull()
    github.double.largest_page = 3
    github.state.workflow(github.state.head_of(pull), **{f"job{n}": "success" for n in range(8)})
    assert len(known(github.forge.jobs(Commit(github.state.head_of(pull))))) == 8


def test_github_lists_workflow_jobs_and_what_other_apps_reported(github: GitHubWorld) -> None:
    state = github.state
    head = Commit(state.head_of(github.pull()))
    run = state.workflow(head, test="failure", lint="skipped", slow=None)
    state.rerun(run, "test", "success")
    state.workflow(
        head, path=".github/workflows/nightly.yml@refs/heads/master", event="schedule", test="timed_out"
    )
    state.workflow(github.commit(), test="success")
    state.check(head, "jenkins", "success").app = (42, "jenkins")
    jobs = known(github.forge.jobs(head))
    assert states(jobs) == [
        ("test", "failed"), ("lint", "skipped"), ("slow", "running"), ("test", "success"), ("test", "timed_out"),
        ("jenkins", "success"),
    ]  # fmt: skip
    assert [(job.workflow, job.source, job.app_id) for job in jobs if job.name != "test"] == [
        (".github/workflows/ci.yml", "push", 15368),
        (".github/workflows/ci.yml", "push", 15368),
        ("", "", 42),
    ]
    assert {job.workflow for job in jobs if job.source == "schedule"} == {".github/workflows/nightly.yml"}


def test_neither_a_status_nor_a_check_that_a_workflow_made_up_is_a_job_on_github(github: GitHubWorld) -> None:
    """A workflow's token may create check runs in the name of GitHub Actions."""
    head = Commit(github.state.head_of(github.pull()))
    github.state.set_status(head, "test", "success", by="mallory")
    github.state.check(head, "test", "success")
    assert known(github.forge.jobs(head)) == ()


def test_who_labelled_a_pull_request(github: GitHubWorld) -> None:
    state, pull = github.state, github.pull()
    proposal = github.proposal(pull)
    assert known(github.forge.labeller(proposal, LABEL)) is None
    state.label(pull, LABEL, by="ann")
    assert known(github.forge.labeller(proposal, "breaking:")) == "ann"
    state.unlabel(pull, LABEL, by="bob")
    assert known(github.forge.labeller(proposal, LABEL)) is None
    state.label(pull, LABEL, by="mallory")
    assert known(github.forge.labeller(proposal, LABEL)) == "mallory"
    pull.labels.append("other")
    assert isinstance(github.forge.labeller(proposal, "other"), Unknown)


def test_who_labelled_a_merge_request(gitlab: GitLabWorld) -> None:
    proposal = gitlab.propose("r1", gitlab.commit(), by="ann")
    request = gitlab.request(proposal)
    assert known(gitlab.forge.labeller(proposal, LABEL)) is None
    gitlab.state.label(request, LABEL, by="ann")
    assert known(gitlab.forge.labeller(proposal, LABEL)) == "ann"
    assert known(gitlab.forge.labeller(proposal, "breaking:")) is None
    gitlab.state.unlabel(request, LABEL, by="bob")
    assert known(gitlab.forge.labeller(proposal, LABEL)) is None
    gitlab.state.label(request, LABEL, by="mallory")
    assert known(gitlab.forge.labeller(proposal, LABEL)) == "mallory"
    request.labels.append("other")
    assert isinstance(gitlab.forge.labeller(proposal, "other"), Unknown)
    assert request.target_branch == TARGET
