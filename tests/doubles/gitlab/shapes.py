"""The JSON that GitLab shows of each thing; the page that describes it stands beside each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.doubles.gitlab.state import (
    LEVELS,
    Access,
    Group,
    Issue,
    Job,
    Labelled,
    Membership,
    MergeRequest,
    Note,
    Pipeline,
    Push,
    Review,
    Rule,
    State,
    Status,
    User,
    Version,
)

Json = dict[str, Any]

WEB = "https://gitlab.example.com"
TITLES = {LEVELS["developer"]: "Developers + Maintainers", LEVELS["maintainer"]: "Maintainers", 0: "No one"}


def when(time: datetime) -> str:
    """ISO 8601 to the millisecond: https://docs.gitlab.com/api/rest/#iso-8601-dates."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def user(one: User) -> Json:
    """https://docs.gitlab.com/api/users/#list-all-users."""
    return {
        "id": one.id,
        "username": one.username,
        "name": one.username.title(),
        "state": one.state,
        "locked": False,
        "avatar_url": None,
        "web_url": f"{WEB}/{one.username}",
    }


def member(one: Membership) -> Json:
    """https://docs.gitlab.com/api/group_members/#list-all-members-of-a-group."""
    return {
        **user(one.user),
        "access_level": one.level,
        "created_at": "2025-01-01T00:00:00.000Z",
        "expires_at": one.expires_at,
        "membership_state": one.state,
    }


def group(one: Group) -> Json:
    """https://docs.gitlab.com/api/groups/#retrieve-a-group."""
    name = one.path.rpartition("/")[2]
    return {
        "id": one.id,
        "name": name,
        "path": name,
        "full_path": one.path,
        "web_url": f"{WEB}/groups/{one.path}",
    }


def project(state: State) -> Json:
    """https://docs.gitlab.com/api/projects/#retrieve-a-project."""
    name = state.project.rpartition("/")[2]
    return {
        "id": state.project_id,
        "name": name,
        "path": name,
        "path_with_namespace": state.project,
        "default_branch": "master",
        "web_url": f"{WEB}/{state.project}",
    }


def merge_request(state: State, one: MergeRequest) -> Json:
    """https://docs.gitlab.com/api/merge_requests/#retrieve-a-merge-request."""
    return {
        "id": one.id,
        "iid": one.iid,
        "project_id": state.project_id,
        "title": one.title,
        "description": "",
        "state": one.state,
        "created_at": when(one.created_at),
        "updated_at": when(one.versions[-1].created_at) if one.versions else when(one.created_at),
        "target_branch": one.target_branch,
        "source_branch": one.source_branch,
        "author": user(one.author),
        "assignees": [],
        "assignee": None,
        "reviewers": [],
        "source_project_id": one.source_project,
        "target_project_id": state.project_id,
        "labels": one.labels,
        "draft": one.title.startswith("Draft:"),
        "sha": one.head,
        "merge_commit_sha": None,
        "web_url": f"{WEB}/{state.project}/-/merge_requests/{one.iid}",
    }


def version(request: MergeRequest, one: Version) -> Json:
    """https://docs.gitlab.com/api/merge_requests/#list-merge-request-diff-versions."""
    return {
        "id": one.id,
        "head_commit_sha": one.head,
        "base_commit_sha": one.base,
        "start_commit_sha": one.start,
        "created_at": when(one.created_at),
        "merge_request_id": request.id,
        "state": "collected",
        "real_size": "1",
        "patch_id_sha": None,
    }


def approvals(one: MergeRequest, me: User) -> Json:
    """https://docs.gitlab.com/api/merge_request_approvals/#retrieve-approval-state-for-a-merge-request."""
    given = [{"user": user(who), "approved_at": when(at)} for who, at in one.approvals.values()]
    return {
        "user_has_approved": me.id in one.approvals,
        "user_can_approve": me.id not in one.approvals,
        "approved": bool(given),
        "approved_by": given,
    }


def push(one: Push) -> Json:
    """https://docs.gitlab.com/api/events/#list-all-visible-events-for-a-project."""
    data = {
        "commit_count": 1,
        "action": one.action,  # created, pushed or removed
        "ref_type": "branch",
        "commit_from": None,
        "commit_to": one.head,  # what stands there since; null for many branches at once
        "ref": one.branch,  # without refs/heads/
        "commit_title": None,
        "ref_count": None if one.branch else 4,
    }
    return {
        "id": one.id,
        "project_id": one.project,
        "action_name": "pushed to",
        "target_type": None,
        "author_id": one.by.id,
        "author_username": one.by.username,  # who pushed
        "author": user(one.by),
        "created_at": when(one.created_at),
        "push_data": data,
    }


def review(one: Review) -> Json:
    """https://docs.gitlab.com/api/merge_requests/#retrieve-merge-request-reviewers."""
    return {"user": user(one.user), "state": one.state, "created_at": when(one.created_at)}


def note(state: State, request: MergeRequest, one: Note) -> Json:
    """https://docs.gitlab.com/api/notes/#list-all-merge-request-notes."""
    return {
        "id": one.id,
        "type": None,
        "body": one.body,
        "author": user(one.author),
        "created_at": when(one.created_at),
        "updated_at": when(one.updated_at),
        "system": one.system,
        "noteable_id": request.id,
        "noteable_type": "MergeRequest",
        "noteable_iid": request.iid,
        "project_id": state.project_id,
        "resolvable": False,
        "confidential": False,
        "internal": False,
    }


def reaction(note: Note, one: tuple[int, str, User]) -> Json:
    """https://docs.gitlab.com/api/emoji_reactions/#list-all-emoji-reactions-for-a-comment."""
    number, name, who = one
    at = when(note.updated_at)
    named = {"id": number, "name": name, "user": user(who), "created_at": at, "updated_at": at}
    return {**named, "awardable_id": note.id, "awardable_type": "Note"}


def status(one: Status) -> Json:
    """https://docs.gitlab.com/api/commits/#list-all-commit-statuses."""
    finished = None if one.state in ("pending", "running") else when(one.created_at)
    return {
        "id": one.id,
        "sha": one.sha,
        "ref": one.ref,
        "status": one.state,
        "name": one.name,
        "target_url": one.target_url,
        "description": one.description,
        "created_at": when(one.created_at),
        "started_at": None,
        "finished_at": finished,
        "allow_failure": False,
        "coverage": None,
        "pipeline_id": one.pipeline,
        "author": user(one.author),
    }


def issue(state: State, one: Issue) -> Json:
    """https://docs.gitlab.com/api/issues/#list-project-issues."""
    return {
        "id": one.id,
        "iid": one.iid,
        "project_id": state.project_id,
        "title": one.title,
        "description": one.description,
        "state": one.state,
        "labels": one.labels,
        "author": user(one.author),
        "created_at": when(one.created_at),
        "confidential": one.confidential,
        "web_url": f"{WEB}/{state.project}/-/issues/{one.iid}",
    }


def pipeline(state: State, one: Pipeline) -> Json:
    """https://docs.gitlab.com/api/merge_requests/#list-merge-request-pipelines."""
    return {
        "id": one.id,
        "project_id": state.project_id,
        "sha": one.sha,
        "ref": one.ref,
        "status": one.status,
        "source": one.source,
        "created_at": when(one.created_at),
        "web_url": f"{WEB}/{state.project}/-/pipelines/{one.id}",
    }


def job(state: State, of: Pipeline, one: Job) -> Json:
    """https://docs.gitlab.com/api/jobs/#list-pipeline-jobs."""
    return {
        "id": one.id,
        "status": one.status,
        "stage": "test",
        "name": one.name,
        "ref": of.ref,
        "tag": False,
        "allow_failure": one.allow_failure,
        "created_at": when(of.created_at),
        "finished_at": when(one.finished_at) if one.finished_at else None,
        "pipeline": pipeline(state, of),
        "web_url": f"{WEB}/{state.project}/-/jobs/{one.id}",
    }


def labelling(request: MergeRequest, one: Labelled) -> Json:
    """https://docs.gitlab.com/api/resource_label_events/#list-project-merge-request-label-events."""
    return {
        "id": one.id,
        "user": user(one.by),
        "created_at": when(one.created_at),
        "resource_type": "MergeRequest",
        "resource_id": request.id,
        "label": {"id": 1, "name": one.label, "color": "#dc143c", "description": None},
        "action": one.action,
    }


def branch(state: State, name: str, sha: str) -> Json:
    """https://docs.gitlab.com/api/branches/#retrieve-a-repository-branch."""
    return {"name": name, "commit": {"id": sha}, "protected": any(rule.name == name for rule in state.rules)}


def access(one: Access) -> Json:
    """https://docs.gitlab.com/api/protected_branches/: who may push or merge."""
    words = (
        one.user.username.title() if one.user
        else one.group.path.rpartition("/")[2].title() if one.group
        else "Deploy key" if one.deploy_key
        else TITLES[one.level or 0]
    )  # fmt: skip
    return {
        "id": one.user.id
        if one.user
        else one.group.id
        if one.group
        else one.deploy_key or 100 + (one.level or 0),
        "access_level": None if one.user or one.group else one.level,
        "access_level_description": words,
        "deploy_key_id": one.deploy_key,
        "user_id": one.user.id if one.user else None,
        "group_id": one.group.id if one.group else None,
    }


def rule(one: Rule) -> Json:
    """https://docs.gitlab.com/api/protected_branches/#list-protected-branches."""
    return {
        "id": one.id,
        "name": one.name,
        "push_access_levels": [access(level) for level in one.push],
        "merge_access_levels": [access(level) for level in one.merge],
        "allow_force_push": one.force_push,
        "code_owner_approval_required": False,
    }
