"""What people do on a double of GitLab or GitHub, what the guard left there, and the deliveries that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tests.doubles.github import deliveries as github_deliveries
from tests.doubles.github.double import GitHubDouble
from tests.doubles.github.handlers import TOKEN
from tests.doubles.github.state import Pull
from tests.doubles.gitlab import deliveries as gitlab_deliveries
from tests.doubles.gitlab.double import GitLabDouble
from tests.doubles.gitlab.state import Access, MergeRequest
from tests.doubles.server import Server
from tests.gitrepo import Repo

BRANCH = "release/platform-control"
CONTEXT = f"guard/promotion ({BRANCH})"
SECRET = "a webhook's secret"


@dataclass(frozen=True)
class Said:
    """A status as it stands on a commit."""

    state: str
    description: str


class Side(Protocol):
    """One forge's double: what people do there, what the guard left there, and the deliveries that follow."""

    name: str
    repository: str
    url: str
    token: str

    def propose(self, head: str, *, by: str = "dev", title: str = "A release", fork: bool = False) -> str: ...
    def push(self, proposal: str, head: str) -> None: ...
    def close(self, proposal: str) -> None: ...
    def approve(self, proposal: str, *, by: str) -> None: ...
    def withdraw(self, proposal: str, *, by: str) -> None: ...
    def comment(self, proposal: str, body: str, *, by: str) -> None: ...
    def statuses(self, commit: str) -> list[Said]:
        """All that were ever posted on the commit under the guard's context, oldest first."""
        ...

    def comments(self, proposal: str) -> list[tuple[str, str]]:
        """Author and body, oldest first."""
        ...

    def deliver(self, url: str, *, times: int = 1, backwards: bool = False) -> list[int]:
        """Send what happened since the last time; the answers."""
        ...

    def server(self) -> Server:
        """The double's door, where faults are switched on."""
        ...

    def close_double(self) -> None: ...


class GitLabSide:
    name, repository = "gitlab", "gpuaas/platform"

    def __init__(self, bare: Repo) -> None:
        self.double = GitLabDouble(bare.path)
        self.state = self.double.state
        self.url, self.token = self.double.url, self.double.token
        self.state.group("gpuaas/platform-owners", "ann", "pat")
        self.state.group("gpuaas/security-owners", "sam")
        for person in ("dev", "ann", "pat", "sam"):
            self.state.join(person)
        guard = self.state.user("guard", bot=True)
        self.state.protect(BRANCH, push=(Access(user=guard),), merge=(Access(user=guard),))
        self._waiting: list[gitlab_deliveries.Delivery] = []

    def propose(self, head: str, *, by: str = "dev", title: str = "A release", fork: bool = False) -> str:
        request = self.state.propose(head, BRANCH, by=by, title=title, fork=fork)
        self._said(request, "open")
        return str(request.iid)

    def push(self, proposal: str, head: str) -> None:
        request = self._request(proposal)
        before = request.head or ""
        self.state.push(request, head)
        self._said(request, "update", oldrev=before)

    def close(self, proposal: str) -> None:
        self._request(proposal).state = "closed"
        self._said(self._request(proposal), "close")

    def approve(self, proposal: str, *, by: str) -> None:
        self.state.approve(self._request(proposal), by=by)
        self._said(self._request(proposal), "approved", by=by)

    def withdraw(self, proposal: str, *, by: str) -> None:
        self.state.unapprove(self._request(proposal), by=by)
        self._said(self._request(proposal), "unapproved", by=by)

    def comment(self, proposal: str, body: str, *, by: str) -> None:
        self.state.note(self._request(proposal), by, body)

    def statuses(self, commit: str) -> list[Said]:
        found = [one for one in self.state.statuses if one.sha == commit and one.name == CONTEXT]
        return [Said(STATES.get(one.state, one.state), one.description or "") for one in found]

    def comments(self, proposal: str) -> list[tuple[str, str]]:
        return [(one.author.username, one.body) for one in self._request(proposal).notes if not one.system]

    def deliver(self, url: str, *, times: int = 1, backwards: bool = False) -> list[int]:
        waiting, self._waiting = self._waiting, []
        return gitlab_deliveries.send_all(f"{url}/webhooks/gitlab", waiting, times=times, backwards=backwards)

    def server(self) -> Server:
        return self.double

    def close_double(self) -> None:
        self.double.close()

    def _request(self, proposal: str) -> MergeRequest:
        request = self.state.request(proposal)
        assert request is not None
        return request

    def _said(self, request: MergeRequest, action: str, *, by: str = "dev", oldrev: str = "") -> None:
        who = self.state.user(by)
        body = gitlab_deliveries.merge_request(self.state, request, action, by=who, oldrev=oldrev)
        hook = gitlab_deliveries.Hook(token=SECRET)
        self._waiting.append(hook.deliver("Merge Request Hook", body))


STATES = {"failed": "failure"}
"""GitLab's words for a status, in the guard's."""


class GitHubSide:
    name, repository = "github", "gpuaas/platform"

    def __init__(self, bare: Repo) -> None:
        self.double = GitHubDouble(bare, self.repository)
        self.state = self.double.state
        self.url, self.token = self.double.server.url, TOKEN
        self.state.team("platform-owners", "ann", "pat")
        self.state.team("security-owners", "sam")
        self.state.labels += ["SEV-1", "SEV-2"]
        self.double.deliveries.clear()

    def propose(self, head: str, *, by: str = "dev", title: str = "A release", fork: bool = False) -> str:
        branch = f"change-{head[:10]}-{len(self.state.pulls)}"
        if not fork:
            self.state.push(branch, head)
        source = "stranger/platform" if fork else ""
        pull = self.state.open_pull(head if fork else branch, BRANCH, by=by, title=title, fork=source)
        return str(pull.number)

    def push(self, proposal: str, head: str) -> None:
        self.state.push(self._pull(proposal).head, head)

    def close(self, proposal: str) -> None:
        self.state.close_pull(self._pull(proposal))

    def approve(self, proposal: str, *, by: str) -> None:
        self.state.review(self._pull(proposal), by=by)

    def withdraw(self, proposal: str, *, by: str) -> None:
        found = [
            one for one in self.state.reviews if one.by and one.by.login == by and one.state == "APPROVED"
        ]
        self.state.dismiss(found[-1])

    def comment(self, proposal: str, body: str, *, by: str) -> None:
        self.state.comment(int(proposal), body, by=by)

    def statuses(self, commit: str) -> list[Said]:
        found = [one for one in self.state.statuses if one.commit == commit and one.context == CONTEXT]
        return [Said(one.state, one.description) for one in found]

    def comments(self, proposal: str) -> list[tuple[str, str]]:
        found = [one for one in self.state.comments if one.issue == int(proposal)]
        return [(one.by.login if one.by else "", one.body) for one in found]

    def deliver(self, url: str, *, times: int = 1, backwards: bool = False) -> list[int]:
        waiting = list(self.double.deliveries) * times
        self.double.deliveries.clear()
        if backwards:
            waiting.reverse()
        return github_deliveries.send(f"{url}/webhooks/github", waiting, secret=SECRET)

    def server(self) -> Server:
        return self.double.server

    def close_double(self) -> None:
        self.double.close()

    def _pull(self, proposal: str) -> Pull:
        return self.state.pulls[int(proposal)]


SIDES: dict[str, type[GitLabSide] | type[GitHubSide]] = {"gitlab": GitLabSide, "github": GitHubSide}
