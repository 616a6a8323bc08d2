"""What the double's state looks like as GitHub's JSON.

Everything starts from GitHub's own example of the answer (MIT, npm @octokit/openapi); what stands here in words is
what the guard reads or writes, with the page that explains it.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.doubles.github.contract import HOST, example
from tests.doubles.github.state import (
    Account,
    Activity,
    CheckRun,
    Comment,
    Dismissal,
    GitHubState,
    Group,
    Issue,
    Labelled,
    Protected,
    Pull,
    Retargeting,
    Review,
    Ruleset,
    Status,
    WorkflowRun,
)

Json = dict[str, Any]


def user(account: Account | None) -> Json | None:
    """https://docs.github.com/en/rest/users/users; null for a deleted account, "ghost" on the pages."""
    if account is None:
        return None
    return {
        **example("simple-user-items")[0],
        "login": account.login,  # the name that mentions, reviews and teams go by
        "id": account.id,  # stays when the account is renamed
        "type": account.type,  # User, Bot or Organization
    }


def current_user(account: Account) -> Json:
    """https://docs.github.com/en/rest/users/users#get-the-authenticated-user"""
    base = example("private-user-response-with-public-profile-information")
    named = {"login": account.login, "id": account.id, "type": account.type}
    return {**base, **named, "user_view_type": "public"}  # which of two shapes this is


def installation_token(token: str) -> Json:
    """https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app"""
    base: Json = example("installation-token")
    kept: Json = {name: base[name] for name in ("permissions", "repository_selection") if name in base}
    return {**kept, "token": token, "expires_at": "2099-01-01T00:00:00Z"}  # in truth an hour from now


def repository(state: GitHubState) -> Json:
    """https://docs.github.com/en/rest/repos/repos#get-a-repository (the example misses required fields)"""
    base: Json = example("full-repository-default-response")
    found = {
        key: value for key, value in base.items() if key not in {"parent", "source", "template_repository"}
    }
    return {**found, "language": None, **_identity(state.full_name)}


def ref(name: str, sha: str) -> Json:
    """https://docs.github.com/en/rest/git/refs#get-a-reference"""
    found: Json = example("git-ref")
    return {
        **found,
        "ref": name,  # full, such as refs/heads/main
        "object": {
            **found["object"],
            "type": "commit",
            "sha": sha,
        },  # a tag ref may name an object of type tag
    }


def pull(state: GitHubState, one: Pull) -> Json:
    """https://docs.github.com/en/rest/pulls/pulls#list-pull-requests"""
    found: Json = example("pull-request-simple-items")[0]
    return {**found, **_pull(state, one, found)}


def whole_pull(state: GitHubState, one: Pull) -> Json:
    """https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request"""
    found: Json = example("pull-request")
    return {**found, **_pull(state, one, found)}


def activity(one: Activity) -> Json:
    """https://docs.github.com/en/rest/repos/repos#list-repository-activities (its example is of an older form)"""
    return {
        "id": one.id,
        "node_id": f"activity{one.id}",
        "before": one.before,  # zeros where the branch was made
        "after": one.after,  # what stands there since
        "ref": one.ref,  # full, such as refs/heads/main
        "timestamp": one.at,
        "activity_type": one.type,  # push, force_push, branch_creation, pr_merge ...
        "actor": user(one.by),  # null where it is no account's
    }


def dismissal(one: Dismissal) -> Json:
    """https://docs.github.com/en/rest/issues/events#list-issue-events"""
    found: Json = {
        key: value for key, value in example("issue-event-for-issue-items")[0].items() if key != "label"
    }
    return {
        **found,
        "id": one.id,
        "event": "review_dismissed",
        "actor": user(one.by),  # who dismissed it
        "created_at": one.at,
        "dismissed_review": {
            "state": one.state.lower(),  # what it said before
            "review_id": one.review.id,
            "dismissal_message": None,
        },
    }


def retargeting(one: Retargeting) -> Json:
    """https://docs.github.com/en/rest/issues/events#list-issue-events"""
    found: Json = {
        key: value for key, value in example("issue-event-for-issue-items")[0].items() if key != "label"
    }
    return {**found, "id": one.id, "event": one.kind, "actor": user(one.by), "created_at": one.at}


def people(state: GitHubState, oid: str) -> Json | None:
    """A commit as GraphQL shows it: https://docs.github.com/en/graphql/reference/commits. `authors` are the author and
    then the co-authors; `user` is null where the address is no account's."""
    made = state.made(oid)
    if made is None:
        return None

    def actor(address: str) -> Json:
        owner = state.addresses.get(address.lower())
        return {"email": address, "user": {"login": owner.login} if owner else None}

    authors = [actor(address) for address in (made.author, *made.co_authors)]
    return {"oid": oid, "authors": {"nodes": authors}, "committer": actor(made.committer)}


def _pull(state: GitHubState, one: Pull, base: Json) -> Json:
    head = {**base["head"], "ref": one.head, "sha": state.head_of(one)}
    head["repo"] = (
        None if one.fork_gone else {**base["head"]["repo"], **_identity(one.fork or state.full_name)}
    )
    target = {**base["base"], "ref": one.base, "repo": {**base["base"]["repo"], **_identity(state.full_name)}}
    target["sha"] = state.tip(one.base) or base["base"]["sha"]
    return {
        "number": one.number,  # shared with issues; comments are posted under it
        "id": 5000 + one.number,
        "url": f"{HOST}/repos/{state.full_name}/pulls/{one.number}",
        "state": one.state,  # open or closed; a merged one is closed
        "draft": one.draft,
        "title": one.title,
        "user": user(one.by),  # who opened it
        "html_url": f"https://github.com/{state.full_name}/pull/{one.number}",
        "head": head,  # `repo` is null when the fork was deleted
        "base": target,
        "requested_teams": [],  # those of the example miss a required field
        "created_at": one.at,
        "updated_at": one.at,
    }


def review(state: GitHubState, one: Review) -> Json:
    """https://docs.github.com/en/rest/pulls/reviews#list-reviews-for-a-pull-request"""
    found: Json = example("pull-request-review-items")[0]
    url = f"https://github.com/{state.full_name}/pull/{one.pull}#pullrequestreview-{one.id}"
    shown = {
        **found,
        "id": one.id,
        "user": user(one.by),
        "state": one.state,  # APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED or PENDING
        "commit_id": one.commit,  # what was reviewed; null once the commit is gone
        "html_url": url,
        "submitted_at": one.at,  # absent while pending
    }
    if one.state == "PENDING":
        del shown["submitted_at"]
    return shown


def issue(state: GitHubState, one: Issue | Pull) -> Json:
    """https://docs.github.com/en/rest/issues/issues#list-repository-issues"""
    found: Json = copy.deepcopy(example("issue"))
    kind = "pull" if isinstance(one, Pull) else "issues"
    url = f"https://github.com/{state.full_name}/{kind}/{one.number}"
    found |= {
        "number": one.number,
        "title": one.title,
        "state": one.state,  # open or closed
        "user": user(one.by),
        "body": getattr(one, "body", ""),
        "labels": [label(state, name) for name in one.labels],
        "html_url": url,
        "closed_by": user(getattr(one, "closed_by", None)),  # null while open, or when the account is gone
        "closed_at": None if one.state == "open" else one.at,
    }
    if not isinstance(one, Pull):
        del found["pull_request"]  # what tells a pull request from an issue
    return found


def label(state: GitHubState, name: str) -> Json:
    """https://docs.github.com/en/rest/issues/labels#get-a-label"""
    url = f"{HOST}/repos/{state.full_name}/labels/{name}"
    return {**example("label"), "name": name, "url": url}


def comment(state: GitHubState, one: Comment) -> Json:
    """https://docs.github.com/en/rest/issues/comments#list-issue-comments"""
    return {
        **example("issue-comment"),
        "id": one.id,  # ascending with time, and in lists
        "user": user(one.by),
        "body": one.body,
        "html_url": f"https://github.com/{state.full_name}/pull/{one.issue}#issuecomment-{one.id}",
        "created_at": one.at,
        "updated_at": one.edited_at or one.at,
        "performed_via_github_app": {**example("integration"), "slug": one.app} if one.app else None,
    }


def reaction(one: tuple[int, str, Account], at: str) -> Json:
    """https://docs.github.com/en/rest/reactions/reactions#create-reaction-for-an-issue-comment"""
    number, content, by = one
    return {**example("reaction"), "id": number, "user": user(by), "content": content, "created_at": at}


def permission(state: GitHubState, account: Account) -> Json:
    """https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user"""
    base = example("repository-collaborator-permission-response-if-user-has-admin-permissions")
    level = state.permissions.get(account.login, "read")
    return {
        **base,
        "permission": level,
        "role_name": level,
        "user": {**base["user"], **(user(account) or {}), "role_name": level},
    }


def merge_group(one: Group) -> Json:
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#merge_group"""
    return {"head_sha": one.head, "head_ref": one.ref, "base_ref": one.base}


def status(one: Status) -> Json:
    """https://docs.github.com/en/rest/commits/statuses#list-commit-statuses-for-a-reference"""
    return {
        **example("status"),
        "id": one.id,
        "state": one.state,  # error, failure, pending or success
        "context": one.context,
        "description": one.description,  # at most 140 characters
        "target_url": one.url,
        "creator": user(one.by),
        "created_at": one.at,
        "updated_at": one.at,
    }


def combined(state: GitHubState, sha: str, newest: list[Status]) -> Json:
    """https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference"""
    states = {one.state for one in newest}
    found: Json = example("combined-commit-status")
    worst = (
        "failure"
        if states & {"failure", "error"}
        else "pending"
        if "pending" in states or not states
        else "success"
    )
    simple = [{key: value for key, value in status(one).items() if key != "creator"} for one in newest]
    return {**found, "sha": sha, "state": worst, "statuses": simple, "total_count": len(newest)}


def check_run(one: CheckRun) -> Json:
    """https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference"""
    return {
        **example("check-run-paginated")["check_runs"][0],
        "id": one.id,
        "name": one.name,
        "head_sha": one.commit,
        "status": one.status,  # queued, in_progress or completed
        "conclusion": one.conclusion,  # null until completed
        "started_at": one.at,
        "completed_at": one.at if one.conclusion else None,
        "app": {**example("integration"), "id": one.app[0], "slug": one.app[1]},
    }


def workflow_run(state: GitHubState, one: WorkflowRun) -> Json:
    """https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository"""
    base: Json = example("workflow-run-paginated")["workflow_runs"][0]
    done = all(job.conclusion for job in one.jobs)
    ended = {job.conclusion for job in one.jobs} - {"success", "skipped"}
    return {
        **base,
        "id": one.id,
        "name": "CI",  # whatever the file says
        "head_sha": one.commit,
        "head_branch": one.branch or None,
        "path": one.path,  # of the file; a required workflow's ends in @ and a ref
        "event": one.event,
        "status": "completed" if done else "in_progress",
        "conclusion": ("failure" if ended else "success") if done else None,
        "created_at": one.at,
    }


def workflow_job(run: WorkflowRun, one: CheckRun) -> Json:
    """https://docs.github.com/en/rest/actions/workflow-jobs#list-jobs-for-a-workflow-run"""
    return {
        **example("job-paginated")["jobs"][0],
        "id": one.id,
        "run_id": run.id,
        "name": one.name,
        "head_sha": one.commit,
        "head_branch": run.branch or None,
        "status": one.status,
        "conclusion": one.conclusion,
        "created_at": one.at,
        "started_at": one.at,
        "completed_at": one.at if one.conclusion else None,
        "steps": [],
    }


def labelling(one: Labelled) -> Json:
    """https://docs.github.com/en/rest/using-the-rest-api/issue-event-types#labeled"""
    return {
        **{key: example("issue-event-for-issue-items")[0][key] for key in ("node_id", "url")},
        "id": one.id,
        "actor": user(one.by),  # null where the account is gone
        "event": "labeled" if one.is_added else "unlabeled",
        "commit_id": None,
        "commit_url": None,
        "created_at": one.at,
        "performed_via_github_app": None,
        "label": {"name": one.label, "color": "d73a4a"},
    }


def protection(state: GitHubState, one: Protected) -> Json:
    """https://docs.github.com/en/rest/branches/branch-protection#get-branch-protection"""
    found: Json = copy.deepcopy(example("branch-protection"))
    reviews = found.pop("required_pull_request_reviews")
    restrictions = found.pop("restrictions")
    del (
        found["required_status_checks"],
        reviews["dismissal_restrictions"],
    )  # the example misses required fields
    found["enforce_admins"]["enabled"] = one.enforce_admins
    found["allow_force_pushes"] = {"enabled": one.force_push}
    found["allow_deletions"] = {"enabled": one.deletable}
    if one.checks is not None:
        listed = [{"context": name, "app_id": None} for name in one.checks]
        where = f"{HOST}/repos/{state.full_name}/branches/release/protection/required_status_checks"
        found["required_status_checks"] = {
            "url": where,
            "contexts_url": f"{where}/contexts",
            "strict": True,
            "contexts": list(one.checks),
            "checks": listed,
        }
    found["lock_branch"] = {"enabled": one.locked}
    if one.restrictions is not None:  # absent: everyone with write access
        found["restrictions"] = {**restrictions, **_names(state, one.restrictions, restrictions)}
    if one.reviews_bypass is not None:  # absent: nobody needs a pull request
        allowed = _names(state, one.reviews_bypass, restrictions)
        found["required_pull_request_reviews"] = {**reviews, "bypass_pull_request_allowances": allowed}
    return found


def _names(state: GitHubState, names: tuple[str, ...], base: Json) -> Json:
    teams = [name.partition("/")[2] for name in names if name.startswith("@")]
    apps = [name.removesuffix("[bot]") for name in names if name.endswith("[bot]")]
    people = [name for name in names if name[0] != "@" and not name.endswith("[bot]")]
    return {
        "users": [user(state.account(name)) for name in people],
        "teams": [{**base["teams"][0], "slug": slug, "name": slug, "type": "organization"} for slug in teams],
        "apps": [{**example("integration"), "slug": slug} for slug in apps],
    }


def rule(state: GitHubState, type: str, one: Ruleset) -> Json:
    """https://docs.github.com/en/rest/repos/rules#get-rules-for-a-branch"""
    source = ("Organization", state.owner) if one.organisation else ("Repository", state.full_name)
    return {
        **_rule(type),
        "ruleset_source_type": source[0],
        "ruleset_source": source[1],
        "ruleset_id": one.id,
    }


def ruleset(state: GitHubState, one: Ruleset, *, may_edit: bool) -> Json:
    """https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset"""
    found: Json = copy.deepcopy(example("repository-ruleset"))
    found |= {
        "id": one.id,
        "name": f"ruleset {one.id}",
        "source_type": "Organization" if one.organisation else "Repository",
        "source": state.owner if one.organisation else state.full_name,
        "rules": [_rule(kind) for kind in one.types],
        "bypass_actors": [
            {"actor_type": kind, "actor_id": number, "bypass_mode": mode} for kind, number, mode in one.bypass
        ],
    }
    if not may_edit:  # "only returned if the user making the request has write access to the ruleset"
        del found["bypass_actors"]
    return found


def _rule(type: str) -> Json:
    parameters: dict[str, Json] = {
        "update": {"update_allows_fetch_and_merge": False},
        "pull_request": {
            "dismiss_stale_reviews_on_push": True,
            "require_code_owner_review": False,
            "require_last_push_approval": True,
            "required_approving_review_count": 1,
            "required_review_thread_resolution": False,
        },
    }
    return {"type": type, **({"parameters": parameters[type]} if type in parameters else {})}


def _identity(full_name: str) -> Json:
    """What tells one repository from another: its number is the same whatever it is renamed to."""
    number = sum(full_name.encode()) * 1009 + len(full_name)
    return {"full_name": full_name, "name": full_name.partition("/")[2], "id": number}
