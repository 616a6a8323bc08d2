"""What the double answers to each operation of `operations.py`; each handler's page stands there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tests.doubles.github import shapes
from tests.doubles.github.operations import OPERATIONS, REPO, UNDESCRIBED
from tests.doubles.github.state import Issue, Protected, Pull
from tests.doubles.server import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.github.double import GitHubDouble

Values = Mapping[str, str]
NOT_FOUND = Answer(
    404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}
)
TOKEN = "ghp_double"
"""The only token that the double takes."""


def _user(double: GitHubDouble, values: Values, request: Request) -> Answer:
    if double.is_app:
        return Answer(
            403, {"message": "Resource not accessible by integration", "documentation_url": "https://docs"}
        )
    return Answer(body=shapes.current_user(double.state.me))


def _repository(double: GitHubDouble, values: Values, request: Request) -> Answer:
    return Answer(
        body={**shapes.repository(double.state), "full_name": double.moved_to or double.state.full_name}
    )


def _ref(double: GitHubDouble, values: Values, request: Request) -> Answer:
    sha = double.state.ref(f"refs/{values['ref']}")
    return Answer(body=shapes.ref(f"refs/{values['ref']}", sha)) if sha else NOT_FOUND


def _pulls(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """Without `state` only the open ones, without `direction` newest first."""
    state, base = request.one("state", "open"), request.one("base")
    pulls = [
        one for one in double.state.pulls.values() if state in {"all", one.state} and base in {"", one.base}
    ]
    if request.one("direction", "desc") == "desc":
        pulls.reverse()
    return double.page([shapes.pull(double.state, one) for one in pulls], request)


def _pull(double: GitHubDouble, values: Values, request: Request) -> Answer:
    one = double.state.pulls.get(int(values["pull_number"]))
    return Answer(body=shapes.whole_pull(double.state, one)) if one else NOT_FOUND


def _activity(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """Newest first unless `direction` says otherwise; a fork's is asked of the fork. The real one pages by cursors."""
    name, ref = f"{values['owner']}/{values['repo']}", request.one("ref")
    found = [one for one in double.state.activities if one.repository == name and ref in {"", one.ref}]
    if request.one("direction", "desc") == "desc":
        found.reverse()
    return double.page([shapes.activity(one) for one in found], request)


def _reviews(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """In the order of time."""
    number = int(values["pull_number"])
    if number not in double.state.pulls:
        return NOT_FOUND
    found = [one for one in double.state.reviews if one.pull == number]
    return double.page([shapes.review(double.state, one) for one in found], request)


def _issues(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """Pull requests are issues too; several `labels` must all be there, whatever their case."""
    state = request.one("state", "open")
    wanted = {name.casefold() for name in request.one("labels").split(",") if name}
    every: list[Issue | Pull] = [*double.state.issues.values(), *double.state.pulls.values()]
    found = [
        one
        for one in sorted(
            every, key=lambda one: one.number, reverse=request.one("direction", "desc") == "desc"
        )
        if state in {"all", one.state} and wanted <= {name.casefold() for name in one.labels}
    ]
    return double.page([shapes.issue(double.state, one) for one in found], request)


def _issue(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """A pull request is an issue too."""
    number = int(values["issue_number"])
    one = double.state.issues.get(number) or double.state.pulls.get(number)
    return Answer(body=shapes.issue(double.state, one)) if one else NOT_FOUND


def _open_issue(double: GitHubDouble, values: Values, request: Request) -> Answer:
    sent = json.loads(request.body)
    made = double.state.open_issue(
        sent["title"], *sent.get("labels", ()), by=double.state.me.login, body=sent.get("body") or ""
    )
    return Answer(201, shapes.issue(double.state, made))


def _edit_issue(double: GitHubDouble, values: Values, request: Request) -> Answer:
    found = double.state.issues.get(int(values["issue_number"]))
    if not found:
        return NOT_FOUND
    sent = json.loads(request.body)
    found.body = sent.get("body", found.body)
    if sent.get("state") == "closed" and found.state == "open":
        double.state.close_issue(found, by=double.state.me.login)
    elif sent.get("state") == "open" and found.state == "closed":
        double.state.reopen_issue(found)
    return Answer(body=shapes.issue(double.state, found))


def _comments(double: GitHubDouble, values: Values, request: Request) -> Answer:
    found = [one for one in double.state.comments if one.issue == int(values["issue_number"])]
    return double.page([shapes.comment(double.state, one) for one in found], request)


def _add_comment(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """GitHub takes up to 65,536 characters."""
    number, body = int(values["issue_number"]), json.loads(request.body)["body"]
    if number not in {**double.state.pulls, **double.state.issues}:
        return NOT_FOUND
    if len(body) > 65_536:
        return _invalid("body is too long (maximum is 65536 characters)")
    made = double.state.comment(number, body, by=double.state.me.login)
    return Answer(201, shapes.comment(double.state, made))


def _edit_comment(double: GitHubDouble, values: Values, request: Request) -> Answer:
    found = next((one for one in double.state.comments if one.id == int(values["comment_id"])), None)
    if not found:
        return NOT_FOUND
    double.state.edit(found, json.loads(request.body)["body"])
    return Answer(body=shapes.comment(double.state, found))


def _react(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """200 instead of 201 where the same reaction of the same account is there."""
    found = next((one for one in double.state.comments if one.id == int(values["comment_id"])), None)
    if not found:
        return NOT_FOUND
    content, me = json.loads(request.body)["content"], double.state.me
    for there in found.reactions:
        if there[1:] == (content, me):
            return Answer(200, shapes.reaction(there, found.at))
    found.reactions.append((len(found.reactions) + 1, content, me))
    return Answer(201, shapes.reaction(found.reactions[-1], found.at))


def _permission(double: GitHubDouble, values: Values, request: Request) -> Answer:
    account = double.state.accounts.get(values["username"])
    return Answer(body=shapes.permission(double.state, account)) if account else NOT_FOUND


def _label(double: GitHubDouble, values: Values, request: Request) -> Answer:
    names = {name.casefold(): name for name in double.state.labels}
    found = names.get(values["name"].casefold())
    shown = shapes.label(double.state, found) if found else {}
    if double.moved_to:
        shown["url"] = f"https://api.github.com/repos/{double.moved_to}/labels/{found}"
    return Answer(body=shown) if found else NOT_FOUND


def _statuses(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """Newest first."""
    found = [one for one in reversed(double.state.statuses) if one.commit == values["ref"]]
    return double.page([shapes.status(one) for one in found], request)


def _combined(double: GitHubDouble, values: Values, request: Request) -> Answer:
    newest = {one.context: one for one in double.state.statuses if one.commit == values["ref"]}
    return Answer(body=shapes.combined(double.state, values["ref"], list(newest.values())))


def _add_status(double: GitHubDouble, values: Values, request: Request) -> Answer:
    sent = json.loads(request.body)
    if double.state.ref(values["sha"]) != values["sha"]:
        return _invalid(f"No commit found for SHA: {values['sha']}")
    if len(sent.get("description") or "") > 140:
        return _invalid("description is too long (maximum is 140 characters)")
    made = double.state.set_status(
        values["sha"],
        sent.get("context", "default"),
        sent["state"],
        by=double.state.me.login,
        description=sent.get("description"),
        url=sent.get("target_url"),
    )
    return Answer(201, shapes.status(made))


def _checks(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """Only the newest of each name by an app, unless `filter` is `all`."""
    found = [one for one in double.state.checks if one.commit == values["ref"]]
    if request.one("filter", "latest") == "latest":
        found = list({(one.name, one.app): one for one in found}.values())
    return _counted(double, request, "check_runs", [shapes.check_run(one) for one in found])


def _runs(double: GitHubDouble, values: Values, request: Request) -> Answer:
    wanted = request.one("head_sha")
    found = [one for one in double.state.runs if wanted in {"", one.commit}]
    return _counted(
        double, request, "workflow_runs", [shapes.workflow_run(double.state, one) for one in found]
    )


def _jobs(double: GitHubDouble, values: Values, request: Request) -> Answer:
    run = next((one for one in double.state.runs if one.id == int(values["run_id"])), None)
    if not run:
        return NOT_FOUND
    jobs = (
        run.jobs if request.one("filter", "latest") == "all" else {one.name: one for one in run.jobs}.values()
    )
    return _counted(double, request, "jobs", [shapes.workflow_job(run, one) for one in jobs])


def _counted(double: GitHubDouble, request: Request, key: str, items: list[Any]) -> Answer:
    """A page of a list that stands beside its length."""
    paged = double.page(items, request)
    return Answer(body={"total_count": len(items), key: paged.body}, headers=paged.headers)


def _events(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """In the order of time."""
    number = int(values["issue_number"])
    if number not in {**double.state.pulls, **double.state.issues}:
        return NOT_FOUND
    shown = [(one.id, shapes.labelling(one)) for one in double.state.labellings if one.number == number]
    shown += [(one.id, shapes.dismissal(one)) for one in double.state.dismissals if one.review.pull == number]
    shown += [(one.id, shapes.retargeting(one)) for one in double.state.retargetings if one.number == number]
    return double.page([event for _, event in sorted(shown, key=lambda one: one[0])], request)


def _protection(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """The message tells whether there is none, or it is hidden."""
    if not double.may_administer:
        return NOT_FOUND
    if not double.state.tip(values["branch"]):
        return Answer(404, {**_body(NOT_FOUND), "message": "Branch not found"})
    found = double.state.protected.get(values["branch"])
    if not found:
        return Answer(404, {**_body(NOT_FOUND), "message": "Branch not protected"})
    return Answer(body=shapes.protection(double.state, found))


def _protect(double: GitHubDouble, values: Values, request: Request) -> Answer:
    """Everything is replaced; restrictions are for organisations' repositories."""
    if double.refuses_writes or not double.may_administer:
        return Answer(
            403, {"message": "Resource not accessible by personal access token", "documentation_url": "x"}
        )
    sent = json.loads(request.body)
    limits, checks = sent["restrictions"], sent["required_status_checks"]
    names = None
    if limits is not None:
        teams = [f"@{double.state.owner}/{team}" for team in limits["teams"]]
        names = (*limits["users"], *teams, *(f"{app}[bot]" for app in limits.get("apps", ())))
    made = Protected(
        restrictions=names,
        reviews_bypass=() if sent["required_pull_request_reviews"] is not None else None,
        enforce_admins=bool(sent["enforce_admins"]),
        force_push=bool(sent.get("allow_force_pushes")),
        deletable=bool(sent.get("allow_deletions")),
        checks=_named_checks(checks) if checks else None,
    )
    double.state.protected[values["branch"]] = made
    double.state.bare.git("config", "receive.denyNonFastForwards", str(not made.force_push).lower())
    return Answer(body=shapes.protection(double.state, made))


def _named_checks(sent: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(one["context"] for one in sent.get("checks", ())) or tuple(sent["contexts"])


def _rules(double: GitHubDouble, values: Values, request: Request) -> Answer:
    found = [
        shapes.rule(double.state, kind, one)
        for one in double.state.rulesets
        for kind in one.types
        if values["branch"] in one.branches
    ]
    return double.page(found, request)


def _ruleset(double: GitHubDouble, values: Values, request: Request) -> Answer:
    found = next((one for one in double.state.rulesets if one.id == int(values["ruleset_id"])), None)
    if not found:
        return NOT_FOUND
    return Answer(body=shapes.ruleset(double.state, found, may_edit=double.may_administer))


def _organisation(double: GitHubDouble, values: Values, request: Request) -> Answer:
    members = double.state.organisations.get(values["org"])
    if members is None:
        return NOT_FOUND
    return double.page([shapes.user(double.state.account(name)) for name in members], request)


def _team(double: GitHubDouble, values: Values, request: Request) -> Answer:
    if (values["org"], values["team_slug"]) not in double.state.teams:
        return NOT_FOUND
    people = double.state.team_members(values["org"], values["team_slug"])
    return double.page([shapes.user(one) for one in people], request)


def _invalid(message: str) -> Answer:
    return Answer(422, {"message": "Validation Failed", "errors": [{"resource": "", "field": "", "code": "custom",
                        "message": message}], "documentation_url": "https://docs.github.com/rest"})  # fmt: skip


def _body(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer.body, dict)
    return answer.body


def _installation_token(double: GitHubDouble, values: Values, request: Request) -> Answer:
    return Answer(201, shapes.installation_token(TOKEN))


HANDLERS: dict[str, Callable[[GitHubDouble, Values, Request], Answer]] = {
    "GET /user": _user,
    f"GET {REPO}": _repository,
    f"GET {REPO}/git/ref/{{ref}}": _ref,
    f"GET {REPO}/pulls": _pulls,
    f"GET {REPO}/pulls/{{pull_number}}": _pull,
    f"GET {REPO}/pulls/{{pull_number}}/reviews": _reviews,
    f"GET {REPO}/issues": _issues,
    f"GET {REPO}/issues/{{issue_number}}": _issue,
    f"POST {REPO}/issues": _open_issue,
    f"PATCH {REPO}/issues/{{issue_number}}": _edit_issue,
    f"GET {REPO}/activity": _activity,
    f"GET {REPO}/issues/{{issue_number}}/comments": _comments,
    f"POST {REPO}/issues/{{issue_number}}/comments": _add_comment,
    f"PATCH {REPO}/issues/comments/{{comment_id}}": _edit_comment,
    f"POST {REPO}/issues/comments/{{comment_id}}/reactions": _react,
    f"GET {REPO}/collaborators/{{username}}/permission": _permission,
    f"GET {REPO}/labels/{{name}}": _label,
    f"GET {REPO}/commits/{{ref}}/statuses": _statuses,
    f"GET {REPO}/commits/{{ref}}/status": _combined,
    f"POST {REPO}/statuses/{{sha}}": _add_status,
    f"GET {REPO}/commits/{{ref}}/check-runs": _checks,
    f"GET {REPO}/actions/runs": _runs,
    f"GET {REPO}/actions/runs/{{run_id}}/jobs": _jobs,
    f"GET {REPO}/issues/{{issue_number}}/events": _events,
    f"GET {REPO}/branches/{{branch}}/protection": _protection,
    f"PUT {REPO}/branches/{{branch}}/protection": _protect,
    f"GET {REPO}/rules/branches/{{branch}}": _rules,
    f"GET {REPO}/rulesets/{{ruleset_id}}": _ruleset,
    "POST /app/installations/{installation_id}/access_tokens": _installation_token,
    "GET /orgs/{org}/members": _organisation,
    "GET /orgs/{org}/teams/{team_slug}/members": _team,
}
assert HANDLERS.keys() == OPERATIONS.keys(), "every operation has a page, and every page a handler"
assert not HANDLERS.keys() & UNDESCRIBED.keys()
