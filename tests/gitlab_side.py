"""What people do on GitLab's double, and the deliveries that follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.doubles.gitlab import deliveries as gitlab_deliveries
from tests.doubles.gitlab.double import GitLabDouble
from tests.doubles.gitlab.state import Access, MergeRequest, Note, Pipeline, Steps
from tests.doubles.gitlab.statuses import create_status
from tests.doubles.server import Server
from tests.forge_side import BRANCH, CONTEXT, SECRET, Said
from tests.gitrepo import Repo


class GitLabSide:
    name, repository = "gitlab", "gpuaas/platform"

    def __init__(self, bare: Repo) -> None:
        self.double = GitLabDouble(bare.path)
        self.state = self.double.state
        self.state.now = Steps(datetime.now(UTC) - timedelta(hours=3))
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

    def push(self, proposal: str, head: str, *, by: str = "dev") -> None:
        request = self._request(proposal)
        before = request.head or ""
        self.state.push(request, head, by=by)
        self._said(request, "update", oldrev=before)

    def close(self, proposal: str) -> None:
        self._request(proposal).state = "closed"
        self._said(self._request(proposal), "close")

    def reopen(self, proposal: str) -> None:
        self._request(proposal).state = "opened"
        self._said(self._request(proposal), "reopen")

    def retarget(self, proposal: str, branch: str) -> None:
        self.state.retarget(self._request(proposal), branch, by="dev")
        self._said(self._request(proposal), "update")

    def rename_branch(self, proposal: str) -> None:
        """GitLab cannot: the branch goes, and with it what is proposed from it is proposed anew."""
        request = self._request(proposal)
        self.state.repo.git("update-ref", "-d", f"refs/heads/{request.source_branch}")
        request.source_branch += "-renamed"
        self.state.push(request, request.head or "")
        self._said(request, "update")

    def object(self, proposal: str, *, by: str) -> None:
        self.state.request_changes(self._request(proposal), by=by)
        self._said(self._request(proposal), "update", by=by)

    def clear(self, proposal: str, *, objector: str, by: str) -> None:
        self.state.ask_again(self._request(proposal), objector, by=by)
        self._said(self._request(proposal), "update", by=by)

    def role(self, name: str, *people: str, told: bool = True) -> None:
        group = self.state.group(f"gpuaas/{name}", *people)
        if told:
            body = gitlab_deliveries.member(group.path, "user_update_for_group", self.state.user("ann"))
            self._waiting.append(gitlab_deliveries.Hook(token=SECRET).deliver("Member Hook", body))

    def address(self, person: str, address: str) -> None:
        self.state.user(person).public_email = address

    def forget_pushes(self) -> None:
        self.state.pushes.clear()

    def incident(self, *, open: bool) -> None:
        if open:
            self.state.issue("Down", "SEV-1", by="ann")
        issue = self.state.issues[-1]
        issue.state = "opened" if open else "closed"
        body = gitlab_deliveries.issue(
            self.state, issue, "open" if open else "close", by=self.state.user("ann")
        )
        self._waiting.append(gitlab_deliveries.Hook(token=SECRET).deliver("Issue Hook", body))

    def program(self, name: str) -> str:
        return self.state.join(name, bot=True).username

    def approve(self, proposal: str, *, by: str) -> None:
        self.state.approve(self._request(proposal), by=by)
        self._said(self._request(proposal), "approved", by=by)

    def withdraw(self, proposal: str, *, by: str) -> None:
        self.state.unapprove(self._request(proposal), by=by)
        self._said(self._request(proposal), "unapproved", by=by)

    def comment(self, proposal: str, body: str, *, by: str, program: bool = False) -> str:
        if program:
            self.state.join(by, bot=True)
        note = self.state.note(self._request(proposal), by, body)
        self._noted(proposal, note)
        return str(note.id)

    def edit_comment(self, proposal: str, comment: str, body: str) -> None:
        note = self._note(proposal, comment)
        self.state.edit_note(note, body)
        self._noted(proposal, note)

    def delete_comment(self, proposal: str, comment: str) -> None:
        self._request(proposal).notes.remove(self._note(proposal, comment))

    def reactions(self, proposal: str, comment: str) -> list[str]:
        return [name for _, name, _ in self._note(proposal, comment).reactions]

    def mark_draft(self, proposal: str, *, draft: bool) -> None:
        request = self._request(proposal)
        request.title = f"{'Draft: ' if draft else ''}{request.title.removeprefix('Draft: ')}"
        self._said(request, "update")

    def label(self, proposal: str, name: str, *, by: str) -> None:
        self.state.label(self._request(proposal), name, by=by)
        self._said(self._request(proposal), "update", by=by)

    def unlabel(self, proposal: str, name: str, *, by: str) -> None:
        self.state.unlabel(self._request(proposal), name, by=by)
        self._said(self._request(proposal), "update", by=by)

    def jobs(self, commit: str, **jobs: str) -> None:
        words = {"good": "success", "bad": "failed", "off": "canceled"}
        made = self.state.pipeline(commit, **{name: words[how] for name, how in jobs.items()})
        body = gitlab_deliveries.pipeline(self.state, made)
        self._waiting.append(gitlab_deliveries.Hook(token=SECRET).deliver("Pipeline Hook", body))

    def move(self, branch: str, to: str) -> None:
        before = self.state.repo.rev(f"refs/heads/{branch}")
        self.state.repo.git("update-ref", f"refs/heads/{branch}", to)
        body = gitlab_deliveries.push(self.state, branch, before=before, after=to, by=self.state.user("dev"))
        self._waiting.append(gitlab_deliveries.Hook(token=SECRET).deliver("Push Hook", body))

    def foreign_status(self, commit: str, state: str, *, by: str) -> None:
        word = {"failure": "failed"}.get(state, state)
        create_status(self.state, self.state.join(by), commit, {"state": word, "name": CONTEXT})

    def bare_train(self, request: MergeRequest, made: str) -> None:
        """A merge train's pipeline on a commit that GitLab made; no branch holds it."""
        self.state.repo.git("update-ref", f"refs/merge-requests/{request.iid}/train", made)
        pipeline = Pipeline(self.state.id(), made, f"refs/merge-requests/{request.iid}/train", "merge_request_event",
                            self.state.now())  # fmt: skip
        self.state.pipelines.append(pipeline)
        body = gitlab_deliveries.pipeline(self.state, pipeline, request)
        self._waiting.append(gitlab_deliveries.Hook(token=SECRET).deliver("Pipeline Hook", body))

    def _note(self, proposal: str, comment: str) -> Note:
        return next(one for one in self._request(proposal).notes if str(one.id) == comment)

    def _noted(self, proposal: str, note: Note) -> None:
        hook = gitlab_deliveries.Hook(token=SECRET)
        body = gitlab_deliveries.note(self.state, self._request(proposal), note)
        self._waiting.append(hook.deliver("Note Hook", body))

    def statuses(self, commit: str) -> list[Said]:
        found = [one for one in self.state.statuses if one.sha == commit and one.name == CONTEXT]
        return [Said(STATES.get(one.state, one.state), one.description or "") for one in found]

    def comments(self, proposal: str) -> list[tuple[str, str]]:
        return [(one.author.username, one.body) for one in self._request(proposal).notes if not one.system]

    def carried_out(self) -> list[str]:
        return self.state.executed

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
