"""GitLab's REST API over the state: routes, tokens, pages, and the rules that the adapter has to live with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote, urlencode

from tests.doubles.gitlab import shapes
from tests.doubles.gitlab.contract import Contract
from tests.doubles.gitlab.graphql import answer_hands
from tests.doubles.gitlab.state import LEVELS, Access, Group, MergeRequest, Note, Rule, State, User
from tests.doubles.gitlab.statuses import create_status, listed_statuses
from tests.doubles.server import Answer, Request

GRAPHQL = "/api/graphql"


class Missing(Exception):
    """404, in GitLab's words: https://docs.gitlab.com/api/rest/troubleshooting/#status-codes."""


class Asked(NamedTuple):
    """One call: whose token, the decoded path parameters, and the request."""

    state: State
    me: User
    path: dict[str, str]
    request: Request

    def query(self, name: str, default: str = "") -> str:
        return self.request.one(name, default)

    def body(self) -> dict[str, Any]:
        value = json.loads(self.request.body or b"{}")
        return value if isinstance(value, dict) else {}


Result: TypeAlias = Answer | list[Any] | dict[str, Any]


class Api:
    """Answers requests, and has each judged by the contract. `page_size` is a cap for tests of paging."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.contract = Contract()
        self.page_size = 100

    def respond(self, request: Request) -> Answer:
        if request.path == GRAPHQL:
            self.contract.uncovered.add(f"{request.method} {GRAPHQL}")
            return self._answer(self._graphql, {}, request)
        for method, template, handler in ROUTES:
            match = _pattern(template).fullmatch(request.path)
            if match and method == request.method:
                path = {name: unquote(text) for name, text in match.groupdict().items()}
                response = self._answer(handler, path, request)
                self.contract.check(template, request, response)
                return response
        return Answer(404, {"error": "404 Not Found"})

    def _answer(self, handler: Handler, path: dict[str, str], request: Request) -> Answer:
        # https://docs.gitlab.com/api/rest/authentication/#personal-project-and-group-access-tokens
        token = request.headers.get("private-token") or request.headers.get("authorization", "")[7:]
        me = self.state.tokens.get(token)
        if me is None:
            return Answer(401, {"message": "401 Unauthorized"})
        try:
            value = handler(Asked(self.state, me, path, request))
        except Missing as error:
            return Answer(404, {"message": f"404 {error} Not Found"})
        if isinstance(value, list):
            return self._page(request, value)
        return value if isinstance(value, Answer) else Answer(200, value)

    def _graphql(self, asked: Asked) -> Result:
        return answer_hands(asked.state, asked.me, asked.body(), size=self.page_size)

    def _page(self, request: Request, items: list[Any]) -> Answer:
        """https://docs.gitlab.com/api/rest/#offset-based-pagination: both `Link` and `X-` headers."""
        page = int(request.one("page", "1"))
        size = min(int(request.one("per_page", "20")), self.page_size)
        pages = max(1, -(-len(items) // size))
        following = str(page + 1) if page < pages else ""
        links = [("first", 1), ("last", pages)] + ([("next", page + 1)] if following else [])
        where = f"http://{request.headers['host']}{request.path}"
        query = {name: values[0] for name, values in request.query.items()}
        link = ", ".join(
            f'<{where}?{urlencode({**query, "page": number})}>; rel="{name}"' for name, number in links
        )
        headers = {
            "Link": link, "X-Next-Page": following, "X-Page": str(page), "X-Per-Page": str(size),
            "X-Prev-Page": str(page - 1) if page > 1 else "", "X-Total": str(len(items)), "X-Total-Pages": str(pages),
        }  # fmt: skip
        return Answer(200, items[(page - 1) * size : page * size], headers)


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))


def _project(asked: Asked) -> State:
    """By number or by path; what the user may not see is not there either."""
    state = asked.state
    if asked.path["id"] not in (state.project, str(state.project_id)) or asked.me.id not in state.team:
        raise Missing("Project")
    return state


def _request(asked: Asked) -> MergeRequest:
    found = _project(asked).request(asked.path.get("merge_request_iid") or asked.path["noteable_id"])
    if found is None:
        raise Missing("Merge request")
    return found


def _group(asked: Asked) -> Group:
    for group in asked.state.groups.values():
        if asked.path["id"] in (group.path, str(group.id)):
            return group
    raise Missing("Group")


def _sorted(asked: Asked, items: Sequence[Any]) -> list[Any]:
    """By time of creation; descending unless `sort` says otherwise, as everywhere in GitLab."""
    return sorted(items, key=lambda one: one.created_at, reverse=asked.query("sort", "desc") == "desc")


def get_user(asked: Asked) -> Result:
    """https://docs.gitlab.com/api/users/#retrieve-the-current-user."""
    return {**shapes.user(asked.me), "bot": asked.me.is_bot}


def list_users(asked: Asked) -> Result:
    """https://docs.gitlab.com/api/users/#list-all-users: by user name, by public address, humans alone."""
    name, mail = asked.query("username"), asked.query("public_email")
    found = [
        one for one in asked.state.users.values()
        if name in ("", one.username) and mail in ("", one.public_email)
    ]  # fmt: skip
    humans = asked.query("humans").lower() == "true"
    return [shapes.user(one) for one in found if not (humans and one.is_bot)]


def list_events(asked: Asked) -> Result:
    """Of a project by its number; a fork's project is another one."""
    wanted = asked.path["id"]
    found = [one for one in asked.state.pushes if wanted in (str(one.project), asked.state.project)]
    return [shapes.push(one) for one in _sorted(asked, found)]


def list_reviewers(asked: Asked) -> Result:
    return [shapes.review(one) for one in _request(asked).reviews.values()]


def list_descendants(asked: Asked) -> Result:
    return [shapes.group(one) for one in asked.state.groups_within(_group(asked))]


def get_project(asked: Asked) -> Result:
    return shapes.project(_project(asked))


def get_branch(asked: Asked) -> Result:
    state, name = _project(asked), asked.path["branch"]
    sha = state.branch(name)
    if sha is None:
        raise Missing("Branch")
    return shapes.branch(state, name, sha)


def list_merge_requests(asked: Asked) -> Result:
    state, target = _project(asked), asked.query("target_branch")
    wanted = asked.query("state", "all")
    found = [
        one for one in state.requests
        if target in ("", one.target_branch) and wanted in ("all", one.state)
    ]  # fmt: skip
    return [shapes.merge_request(state, one) for one in _sorted(asked, found)]


def get_merge_request(asked: Asked) -> Result:
    return shapes.merge_request(asked.state, _request(asked))


def get_approvals(asked: Asked) -> Result:
    return shapes.approvals(_request(asked), asked.me)


def list_versions(asked: Asked) -> Result:
    request = _request(asked)
    return [shapes.version(request, one) for one in reversed(request.versions)]


def list_notes(asked: Asked) -> Result:
    request, activity = _request(asked), asked.query("activity_filter", "all_notes")
    hidden = {"only_comments": True, "only_activity": False}.get(activity)
    found = [note for note in request.notes if note.system is not hidden]
    return [shapes.note(asked.state, request, one) for one in _sorted(asked, found)]


def create_note(asked: Asked) -> Result:
    request = _request(asked)
    note = asked.state.note(request, asked.me.username, str(asked.body()["body"]))
    asked.state.execute(note.body)
    return Answer(201, shapes.note(asked.state, request, note))


def edit_note(asked: Asked) -> Result:
    request = _request(asked)
    for note in request.notes:
        if str(note.id) == asked.path["note_id"]:
            if note.author is not asked.me:
                return Answer(403, {"message": "403 Forbidden"})
            note.body, note.updated_at = str(asked.body()["body"]), asked.state.now()
            asked.state.execute(note.body)
            return shapes.note(asked.state, request, note)
    raise Missing("Note")


def _note(asked: Asked) -> Note:
    for note in _request(asked).notes:
        if str(note.id) == asked.path["note_id"]:
            return note
    raise Missing("Note")


def add_reaction(asked: Asked) -> Result:
    """https://docs.gitlab.com/api/emoji_reactions/#add-reactions-to-comments; one that is there already is a 404
    (https://gitlab.com/gitlab-org/gitlab/-/issues/26060), and a new one bumps the note's `updated_at`."""
    note, name = _note(asked), str(asked.body()["name"])
    if any((named, who) == (name, asked.me) for _, named, who in note.reactions):
        raise Missing('Award Emoji {:name=>["has already been taken"]}')
    note.reactions.append((asked.state.id(), name, asked.me))
    note.updated_at = asked.state.now()
    return Answer(201, shapes.reaction(note, note.reactions[-1]))


def list_reactions(asked: Asked) -> Result:
    """https://docs.gitlab.com/api/emoji_reactions/#list-all-emoji-reactions-for-a-comment."""
    note = _note(asked)
    return [shapes.reaction(note, one) for one in note.reactions]


def list_request_pipelines(asked: Asked) -> Result:
    heads = {version.head for version in _request(asked).versions}
    found = [one for one in asked.state.pipelines if one.sha in heads]
    return [shapes.pipeline(asked.state, one) for one in _sorted(asked, found)]


def list_pipelines(asked: Asked) -> Result:
    """https://docs.gitlab.com/api/pipelines/#list-project-pipelines: newest first; child pipelines only where they
    are asked for."""
    state, sha, source = _project(asked), asked.query("sha"), asked.query("source")
    found = [
        one for one in reversed(state.pipelines)
        if sha in ("", one.sha) and (one.source == source if source else one.source != "parent_pipeline")
    ]  # fmt: skip
    return [shapes.pipeline(state, one) for one in found]


def list_jobs(asked: Asked) -> Result:
    """https://docs.gitlab.com/api/jobs/#list-pipeline-jobs: newest first; retried ones only where asked for."""
    state = _project(asked)
    for pipeline in state.pipelines:
        if str(pipeline.id) == asked.path["pipeline_id"]:
            every = asked.query("include_retried") == "true"
            jobs = pipeline.jobs if every else {one.name: one for one in pipeline.jobs}.values()
            return [shapes.job(state, pipeline, one) for one in reversed(list(jobs))]
    raise Missing("Pipeline")


def list_labellings(asked: Asked) -> Result:
    request = _request(asked)
    return [shapes.labelling(request, one) for one in request.labellings]


def post_status(asked: Asked) -> Result:
    return create_status(_project(asked), asked.me, asked.path["sha"], asked.body())


def list_statuses(asked: Asked) -> Result:
    query = {name: values[-1] for name, values in asked.request.query.items()}
    return [shapes.status(one) for one in listed_statuses(_project(asked), asked.path["sha"], query)]


def list_rules(asked: Asked) -> Result:
    state = _project(asked)
    if state.team[asked.me.id].level < LEVELS["maintainer"]:
        return Answer(403, {"message": "403 Forbidden"})
    return [shapes.rule(one) for one in state.rules]


def list_group_members(asked: Asked) -> Result:
    return [shapes.member(one) for one in asked.state.all_members(_group(asked))]


def list_own_members(asked: Asked) -> Result:
    return [shapes.member(one) for one in _group(asked).members.values()]


def get_group(asked: Asked) -> Result:
    return shapes.group(_group(asked))


def list_team(asked: Asked) -> Result:
    wanted = asked.query("user_ids").split(",") if asked.query("user_ids") else []
    team = _project(asked).team.values()
    return [shapes.member(one) for one in team if not wanted or str(one.user.id) in wanted]


def list_issues(asked: Asked) -> Result:
    """Several labels are an AND; who is no Planner sees no confidential issue (but for one's own)."""
    state = _project(asked)
    sees = state.team[asked.me.id].level >= LEVELS["planner"]
    labels = set(asked.query("labels").split(",")) - {""}
    found = [
        one for one in state.issues
        if asked.query("state", "all") in ("all", one.state) and labels <= set(one.labels)
        and (sees or not one.confidential)
    ]  # fmt: skip
    return [shapes.issue(state, one) for one in _sorted(asked, found)]


def create_issue(asked: Asked) -> Result:
    """https://docs.gitlab.com/api/issues/#create-an-issue; labels that are not there are made."""
    body = asked.body()
    labels = [name for name in str(body.get("labels", "")).split(",") if name]
    made = _project(asked).issue(str(body["title"]), *labels, by=asked.me.username)
    made.description = str(body.get("description", ""))
    asked.state.execute(made.description)
    return Answer(201, shapes.issue(asked.state, made))


def update_issue(asked: Asked) -> Result:
    """https://docs.gitlab.com/api/issues/#update-an-issue."""
    body = asked.body()
    for one in _project(asked).issues:
        if str(one.iid) == asked.path["issue_iid"]:
            one.description = str(body.get("description", one.description))
            asked.state.execute(one.description)
            one.state = {"close": "closed", "reopen": "opened"}.get(str(body.get("state_event")), one.state)
            return shapes.issue(asked.state, one)
    raise Missing("Issue")


def _access(asked: Asked, item: dict[str, Any]) -> Access:
    """A user who is no member of the project cannot be named."""
    found = next((one.user for one in asked.state.team.values() if one.user.id == item.get("user_id")), None)
    return Access(level=None if found else item.get("access_level"), user=found)


def _changed(asked: Asked, levels: list[Access], items: list[dict[str, Any]]) -> list[Access]:
    gone = {item["id"] for item in items if item.get("_destroy")}
    kept = [one for one in levels if shapes.access(one)["id"] not in gone]
    return [*kept, *(_access(asked, item) for item in items if not item.get("_destroy"))]


def _forced(asked: Asked, rule: Rule) -> Result:
    asked.state.repo.git("config", "receive.denyNonFastForwards", str(not rule.force_push).lower())
    return shapes.rule(rule)


def create_rule(asked: Asked) -> Result:
    """https://docs.gitlab.com/api/protected_branches/#protect-repository-branches."""
    state, body = _project(asked), asked.body()
    if state.team[asked.me.id].level < LEVELS["maintainer"] or not state.may_protect:
        return Answer(403, {"message": "403 Forbidden"})
    push, merge = (
        tuple(_access(asked, item) for item in body.get(name, ()))
        for name in ("allowed_to_push", "allowed_to_merge")
    )
    rule = state.protect(
        body["name"],
        push=push or (Access(),),
        merge=merge or (Access(),),
        force_push=bool(body["allow_force_push"]),
    )
    return Answer(201, _forced(asked, rule))


def update_rule(asked: Asked) -> Result:
    """https://docs.gitlab.com/api/protected_branches/#update-a-protected-branch."""
    state, body = _project(asked), asked.body()
    if state.team[asked.me.id].level < LEVELS["maintainer"] or not state.may_protect:
        return Answer(403, {"message": "403 Forbidden"})
    for rule in state.rules:
        if rule.name == asked.path["name"]:
            rule.push = _changed(asked, rule.push, body.get("allowed_to_push", []))
            rule.merge = _changed(asked, rule.merge, body.get("allowed_to_merge", []))
            rule.force_push = bool(body.get("allow_force_push", rule.force_push))
            return _forced(asked, rule)
    raise Missing("Protected branch")


Handler = Callable[[Asked], Result]

_P = "/api/v4/projects/{id}"
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/api/v4/user", get_user),
    ("GET", "/api/v4/users", list_users),
    ("GET", "/api/v4/groups/{id}", get_group),
    ("GET", "/api/v4/groups/{id}/members", list_own_members),
    ("GET", "/api/v4/groups/{id}/members/all", list_group_members),
    ("GET", "/api/v4/groups/{id}/descendant_groups", list_descendants),
    ("GET", _P, get_project),
    ("GET", f"{_P}/members/all", list_team),
    ("GET", f"{_P}/events", list_events),
    ("GET", f"{_P}/issues", list_issues),
    ("POST", f"{_P}/issues", create_issue),
    ("PUT", f"{_P}/issues/{{issue_iid}}", update_issue),
    ("GET", f"{_P}/protected_branches", list_rules),
    ("POST", f"{_P}/protected_branches", create_rule),
    ("PATCH", f"{_P}/protected_branches/{{name}}", update_rule),
    ("GET", f"{_P}/repository/branches/{{branch}}", get_branch),
    ("GET", f"{_P}/repository/commits/{{sha}}/statuses", list_statuses),
    ("POST", f"{_P}/statuses/{{sha}}", post_status),
    ("GET", f"{_P}/pipelines", list_pipelines),
    ("GET", f"{_P}/pipelines/{{pipeline_id}}/jobs", list_jobs),
    ("GET", f"{_P}/merge_requests/{{merge_request_iid}}/resource_label_events", list_labellings),
    ("GET", f"{_P}/merge_requests", list_merge_requests),
    ("GET", f"{_P}/merge_requests/{{merge_request_iid}}", get_merge_request),
    ("GET", f"{_P}/merge_requests/{{merge_request_iid}}/approvals", get_approvals),
    ("GET", f"{_P}/merge_requests/{{merge_request_iid}}/versions", list_versions),
    ("GET", f"{_P}/merge_requests/{{merge_request_iid}}/reviewers", list_reviewers),
    ("GET", f"{_P}/merge_requests/{{merge_request_iid}}/pipelines", list_request_pipelines),
    ("GET", f"{_P}/merge_requests/{{noteable_id}}/notes", list_notes),
    ("POST", f"{_P}/merge_requests/{{noteable_id}}/notes", create_note),
    ("PUT", f"{_P}/merge_requests/{{noteable_id}}/notes/{{note_id}}", edit_note),
    ("GET", f"{_P}/merge_requests/{{noteable_id}}/notes/{{note_id}}/award_emoji", list_reactions),
    ("POST", f"{_P}/merge_requests/{{noteable_id}}/notes/{{note_id}}/award_emoji", add_reaction),
)
