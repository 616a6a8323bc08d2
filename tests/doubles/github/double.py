"""GitHub over HTTP: the operations of `operations.py` on a `GitHubState`, each checked against GitHub's description."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlencode

from github import Auth, Github

from guard.adapters.github_client import github_client
from tests.doubles.github import contract, shapes
from tests.doubles.github.deliveries import Delivery, Sender
from tests.doubles.github.operations import OPERATIONS, REPO, UNDESCRIBED
from tests.doubles.github.state import GitHubState, Issue, Pull
from tests.doubles.server import Answer, Request, Server
from tests.gitrepo import Repo

Values = Mapping[str, str]
NOT_FOUND = Answer(
    404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}
)
TOKEN = "ghp_double"
"""The only token that the double takes."""
MANY = frozenset({"ref", "branch"})
"""Path parameters that may hold slashes, encoded or not."""


class GitHubDouble:
    """A GitHub with one repository. `is_app`: the guard is an app's installation, which may not ask who it is by REST.
    `may_administer`: the guard's token may read branch protection and who may bypass a ruleset."""

    def __init__(
        self, bare: Repo, full_name: str = "acme/platform", *, me: str = "release-guard", is_app: bool = False
    ) -> None:
        self.state = GitHubState(bare, full_name, me=f"{me}[bot]" if is_app else me)
        self.is_app = is_app
        self.may_administer = True
        self.moved_to = ""
        """The repository's new name: every path of the old one is answered with 301."""
        self.largest_page = 100
        self.uncovered: set[str] = set()
        """Answers that no contract covers: `METHOD template status`."""
        self.deliveries: list[Delivery] = []
        self.sender = Sender(self.state, self.deliveries)
        self.server = Server(self.answer)

    def client(
        self, auth: Auth.Auth | None = None, *, timeout: int = 5, retries: int = 1, longest_wait: float = 0.5
    ) -> Github:
        """The client that the guard uses, in a hurry."""
        return github_client(
            auth or Auth.Token(TOKEN),
            api=self.server.url,
            timeout=timeout,
            retries=retries,
            longest_wait=longest_wait,
            between_writes=None,
        )

    def close(self) -> None:
        self.server.close()

    def answer(self, request: Request) -> Answer:
        """The answer, checked against GitHub's description; what breaks it fails the test."""
        if not self._signed_in(request):
            return Answer(
                401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"}
            )
        if request.method == "POST" and request.path == "/graphql":
            self.uncovered.add("POST /graphql 200")
            return Answer(body={"data": {"viewer": {"login": self.state.me.login}}})
        for operation, pattern in PATTERNS.items():
            method = operation.split(" ")[0]
            found = pattern.fullmatch(request.path)
            if method == request.method and found:
                values = {name: unquote(text) for name, text in found.groupdict().items()}
                return self._checked(operation, values, request)
        raise AssertionError(f"the double has no {request.method} {request.path}")

    def _signed_in(self, request: Request) -> bool:
        """An app signs in with a JWT of its own, and only to ask for an installation's token."""
        given = request.headers.get("authorization", "")
        if request.path.startswith("/app/"):
            return given.startswith("Bearer ey")
        return given in {f"token {TOKEN}", f"Bearer {TOKEN}"}

    def _checked(self, operation: str, values: Values, request: Request) -> Answer:
        ours = f"{values.get('owner')}/{values.get('repo')}".lower() == self.state.full_name.lower()
        if self.moved_to and "owner" in values and ours:
            return Answer(301, {"message": "Moved Permanently"}, {"Location": self._moved(request)})
        here = ours or f"{values.get('owner')}/{values.get('repo')}" == self.moved_to or "owner" not in values
        answer = HANDLERS[operation](self, values, request) if here else NOT_FOUND
        if not contract.check(operation, values, request, answer):
            self.uncovered.add(f"{operation} {answer.status}")
        limits = {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": "4999",
            "X-RateLimit-Reset": "4102444800",
        }
        return Answer(answer.status, self._at_home(answer.encoded()), {**limits, **answer.headers})

    def _at_home(self, body: bytes) -> bytes:
        """The addresses of GitHub's examples, made those of this double: PyGithub's objects follow them."""
        here = self.server.url.encode()
        examples = f"{contract.HOST}/repos/octocat/Hello-World".encode()
        ours = here + f"/repos/{self.state.full_name}".encode()
        return body.replace(examples, ours).replace(contract.HOST.encode(), here)

    def _moved(self, request: Request) -> str:
        rest = request.path.split("/", 4)[4:]
        query = f"?{urlencode(request.query, doseq=True)}" if request.query else ""
        return self.server.url + "/".join([f"/repos/{self.moved_to}", *rest]) + query

    def page(self, items: list[Any], request: Request) -> Answer:
        """One page: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api"""
        size = max(1, min(int(request.one("per_page", "30")), 100, self.largest_page))
        number = max(1, int(request.one("page", "1")))
        last = max(1, -(-len(items) // size))
        wanted = {"next": number + 1, "last": last} if number < last else {}
        wanted |= {"prev": number - 1, "first": 1} if number > 1 else {}
        links = ", ".join(f'<{self._link(request, to)}>; rel="{rel}"' for rel, to in wanted.items())
        return Answer(
            body=items[(number - 1) * size : number * size], headers={"Link": links} if links else {}
        )

    def _link(self, request: Request, page: int) -> str:
        query = {**{name: values[-1] for name, values in request.query.items()}, "page": str(page)}
        return f"{self.server.url}{request.path}?{urlencode(query)}"


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
        if state in {"all", one.state} and wanted <= {name.casefold() for name in getattr(one, "labels", [])}
    ]
    return double.page([shapes.issue(double.state, one) for one in found], request)


def _issue(double: GitHubDouble, values: Values, request: Request) -> Answer:
    one = double.state.issues.get(int(values["issue_number"]))
    return Answer(body=shapes.issue(double.state, one)) if one else NOT_FOUND


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
    """Only the newest of each name, as with `filter=latest`."""
    newest = {one.name: one for one in double.state.checks if one.commit == values["ref"]}
    paged = double.page([shapes.check_run(one) for one in newest.values()], request)
    return Answer(body={"total_count": len(newest), "check_runs": paged.body}, headers=paged.headers)


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
    f"GET {REPO}/issues/{{issue_number}}/comments": _comments,
    f"POST {REPO}/issues/{{issue_number}}/comments": _add_comment,
    f"PATCH {REPO}/issues/comments/{{comment_id}}": _edit_comment,
    f"GET {REPO}/labels/{{name}}": _label,
    f"GET {REPO}/commits/{{ref}}/statuses": _statuses,
    f"GET {REPO}/commits/{{ref}}/status": _combined,
    f"POST {REPO}/statuses/{{sha}}": _add_status,
    f"GET {REPO}/commits/{{ref}}/check-runs": _checks,
    f"GET {REPO}/branches/{{branch}}/protection": _protection,
    f"GET {REPO}/rules/branches/{{branch}}": _rules,
    f"GET {REPO}/rulesets/{{ruleset_id}}": _ruleset,
    "POST /app/installations/{installation_id}/access_tokens": _installation_token,
    "GET /orgs/{org}/members": _organisation,
    "GET /orgs/{org}/teams/{team_slug}/members": _team,
}
assert HANDLERS.keys() == OPERATIONS.keys(), "every operation has a page, and every page a handler"
assert not HANDLERS.keys() & UNDESCRIBED.keys()


def _pattern(operation: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", operation.split(" ")[1])
    return re.compile(
        "".join(
            re.escape(part) if at % 2 == 0 else f"(?P<{part}>{'.+' if part in MANY else '[^/]+'})"
            for at, part in enumerate(parts)
        )
    )


PATTERNS = {operation: _pattern(operation) for operation in HANDLERS}
