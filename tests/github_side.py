"""What people do on GitHub's double, and the deliveries that follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.doubles.github import deliveries as github_deliveries
from tests.doubles.github.double import GitHubDouble
from tests.doubles.github.handlers import TOKEN
from tests.doubles.github.state import Comment, Pull
from tests.doubles.server import Server
from tests.forge_side import BRANCH, CONTEXT, SECRET, Said
from tests.gitrepo import Repo


class GitHubSide:
    name, repository = "github", "gpuaas/platform"

    def __init__(self, bare: Repo) -> None:
        self.double = GitHubDouble(bare, self.repository)
        self.state = self.double.state
        self.url, self.token = self.double.server.url, TOKEN
        self.state.team("platform-owners", "ann", "pat")
        self.state.team("security-owners", "sam")
        self.state.permissions |= dict.fromkeys(("dev", "ann", "pat", "sam"), "write")
        self.state.started_at(datetime.now(UTC) - timedelta(hours=3))
        self.state.labels += ["SEV-1", "SEV-2"]
        self.double.deliveries.clear()

    def propose(self, head: str, *, by: str = "dev", title: str = "A release", fork: bool = False) -> str:
        branch = f"change-{head[:10]}-{len(self.state.pulls)}"
        if not fork:
            self.state.push(branch, head)
        source = "stranger/platform" if fork else ""
        pull = self.state.open_pull(head if fork else branch, BRANCH, by=by, title=title, fork=source)
        return str(pull.number)

    def push(self, proposal: str, head: str, *, by: str = "dev") -> None:
        self.state.push(self._pull(proposal).head, head, by=by)

    def close(self, proposal: str) -> None:
        self.state.close_pull(self._pull(proposal))

    def reopen(self, proposal: str) -> None:
        self.state.reopen_pull(self._pull(proposal))

    def retarget(self, proposal: str, branch: str) -> None:
        self.state.retarget(self._pull(proposal), branch)

    def rename_branch(self, proposal: str) -> None:
        """GitHub moves the open pull requests along, and keeps the activity under the new name."""
        pull = self._pull(proposal)
        old, head = pull.head, self.state.head_of(pull)
        pull.head = f"{old}-renamed"
        self.state.push(pull.head, head)
        self.state.bare.git("update-ref", "-d", f"refs/heads/{old}")
        self.state.said("pull_request", "edited", pull)

    def object(self, proposal: str, *, by: str) -> None:
        self.state.review(self._pull(proposal), by=by, state="CHANGES_REQUESTED")

    def clear(self, proposal: str, *, objector: str, by: str) -> None:
        found = [one for one in self.state.reviews if one.by and one.by.login == objector]
        self.state.dismiss(found[-1], by=by)

    def role(self, name: str, *people: str, told: bool = True) -> None:
        self.state.team(name, *people)
        if not told:
            self.double.deliveries.pop()

    def address(self, person: str, address: str) -> None:
        self.state.addresses[address] = self.state.account(person)

    def forget_pushes(self) -> None:
        self.state.activities.clear()

    def incident(self, *, open: bool) -> None:
        if open:
            self.state.open_issue("Down", "SEV-1", by="ann")
        else:
            self.state.close_issue(list(self.state.issues.values())[-1], by="sam")

    def program(self, name: str) -> str:
        return self.state.account(f"{name}[bot]").login

    def approve(self, proposal: str, *, by: str) -> None:
        self.state.review(self._pull(proposal), by=by)

    def withdraw(self, proposal: str, *, by: str) -> None:
        found = [
            one for one in self.state.reviews if one.by and one.by.login == by and one.state == "APPROVED"
        ]
        self.state.dismiss(found[-1])

    def comment(self, proposal: str, body: str, *, by: str, program: bool = False) -> str:
        return str(self.state.comment(int(proposal), body, by=f"{by}[bot]" if program else by).id)

    def edit_comment(self, proposal: str, comment: str, body: str) -> None:
        self.state.edit(self._comment(comment), body)

    def delete_comment(self, proposal: str, comment: str) -> None:
        self.state.comments.remove(self._comment(comment))

    def reactions(self, proposal: str, comment: str) -> list[str]:
        words = {"+1": "thumbsup", "-1": "thumbsdown"}
        return [words.get(content, content) for _, content, _ in self._comment(comment).reactions]

    def mark_draft(self, proposal: str, *, draft: bool) -> None:
        pull = self._pull(proposal)
        pull.draft = draft
        self.state.said("pull_request", "converted_to_draft" if draft else "ready_for_review", pull)

    def label(self, proposal: str, name: str, *, by: str) -> None:
        self.state.label(self._pull(proposal), name, by=by)

    def unlabel(self, proposal: str, name: str, *, by: str) -> None:
        self.state.unlabel(self._pull(proposal), name, by=by)

    def jobs(self, commit: str, **jobs: str) -> None:
        words = {"good": "success", "bad": "failure", "off": "cancelled"}
        self.state.workflow(commit, **{name: words[how] for name, how in jobs.items()})

    def move(self, branch: str, to: str) -> None:
        self.state.push(branch, to)

    def foreign_status(self, commit: str, state: str, *, by: str) -> None:
        self.state.set_status(commit, CONTEXT, state, by=by)

    def _comment(self, comment: str) -> Comment:
        return next(one for one in self.state.comments if str(one.id) == comment)

    def statuses(self, commit: str) -> list[Said]:
        found = [one for one in self.state.statuses if one.commit == commit and one.context == CONTEXT]
        return [Said(one.state, one.description) for one in found]

    def comments(self, proposal: str) -> list[tuple[str, str]]:
        found = [one for one in self.state.comments if one.issue == int(proposal)]
        return [(one.by.login if one.by else "", one.body) for one in found]

    def carried_out(self) -> list[str]:
        return []

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
