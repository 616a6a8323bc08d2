"""GitHub over HTTP: the operations of `operations.py` on a `GitHubState`, each checked against GitHub's description."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote, urlencode

from github import Auth, Github

from guard.adapters.github_client import github_client
from tests.doubles.github import contract
from tests.doubles.github.deliveries import Delivery, Sender
from tests.doubles.github.graphql import answer_graphql
from tests.doubles.github.handlers import HANDLERS, NOT_FOUND, TOKEN, Values
from tests.doubles.github.state import GitHubState
from tests.doubles.server import Answer, Request, Server
from tests.gitrepo import Repo

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
        self.refuses_writes = False
        """Whether the token may only read the protection."""
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
            return Answer(body=answer_graphql(self.state, json.loads(request.body)))
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
        here = here or operation.endswith("/activity")
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


def _pattern(operation: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", operation.split(" ")[1])
    return re.compile(
        "".join(
            re.escape(part) if at % 2 == 0 else f"(?P<{part}>{'.+' if part in MANY else '[^/]+'})"
            for at, part in enumerate(parts)
        )
    )


PATTERNS = {operation: _pattern(operation) for operation in HANDLERS}
