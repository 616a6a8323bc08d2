"""Commit statuses as GitLab keeps them: a new row for each change, but for the row that is still pending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.doubles.gitlab import shapes
from tests.doubles.gitlab.state import Pipeline, State, Status, User
from tests.doubles.server import Answer

OPEN = ("pending", "running")


def create_status(state: State, me: User, sha: str, body: Mapping[str, Any]) -> Answer:
    """https://docs.gitlab.com/api/commits/#set-commit-pipeline-status, as Ci::CreateCommitStatusService does it:
    the status belongs to the newest pipeline of the commit, or to a new external one; a row by the same user with the
    same name that is pending or running is changed in place, and takes no second `pending`."""
    if not state.has_commit(sha):
        return Answer(404, {"message": "404 Commit Not Found"})
    pipelines = [one for one in state.pipelines if one.sha == sha]
    ref = body.get("ref") or (pipelines[-1].ref if pipelines else next(iter(state.branches_with(sha)), None))
    if not ref:
        return Answer(404, {"message": "404 References for commit Not Found"})
    if not pipelines:
        pipelines.append(Pipeline(state.id(), sha, ref, "external", state.now()))
        state.pipelines.append(pipelines[-1])
    name, wanted = body.get("name") or body.get("context") or "default", body["state"]
    row = _open_row(state, me, pipelines[-1], name)
    if row is not None and row.state == wanted == "pending":
        why = 'Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via "enqueue")'
        return Answer(400, {"message": why})
    if row is None:
        row = Status(state.id(), sha, ref, name, wanted, me, pipelines[-1].id, state.now())
        state.statuses.append(row)
    row.state = wanted
    row.description = body.get("description", row.description)
    row.target_url = body.get("target_url", row.target_url)
    return Answer(201, shapes.status(row))


def _open_row(state: State, me: User, pipeline: Pipeline, name: str) -> Status | None:
    found = (
        one for one in state.statuses
        if (one.pipeline, one.name, one.author) == (pipeline.id, name, me) and one.state in OPEN
    )  # fmt: skip
    return next(found, None)


def listed_statuses(state: State, sha: str, query: Mapping[str, str]) -> list[Status]:
    """https://docs.gitlab.com/api/commits/#list-all-commit-statuses: the newest of each name in each pipeline, or,
    with `all`, every row."""
    name = query.get("name", "")
    found = [one for one in state.statuses if one.sha == sha and name in ("", one.name)]
    if query.get("all", "").lower() != "true":
        found = list({(one.pipeline, one.name): one for one in found}.values())
    return sorted(found, key=lambda one: one.id, reverse=query.get("sort") == "desc")
