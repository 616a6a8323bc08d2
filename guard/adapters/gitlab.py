"""GitLab as the ports Forge and Voice: what a project's API says, and one status and one comment said there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

import gitlab

from guard.adapters.gitlab_calls import TIMEOUT, Calls, Record, Rejected
from guard.adapters.gitlab_comments import react, speaker_of
from guard.adapters.gitlab_hands import accounts_of
from guard.adapters.gitlab_issues import edit_issue, open_issue, own_issues
from guard.adapters.gitlab_jobs import read_jobs, read_labeller
from guard.adapters.gitlab_objections import objections_of
from guard.adapters.gitlab_people import Groups
from guard.adapters.gitlab_protection import protection_of, write_protection
from guard.adapters.gitlab_pushes import read_movers, read_pushers
from guard.adapters.gitlab_reading import (
    approvals_of,
    comment_of,
    commit,
    incident_of,
    number,
    part,
    proposal_of,
    retargeted_at,
    status_body,
    status_of,
    text,
    versions_of,
)
from guard.core.errors import ForgeError
from guard.core.facts import Approval, Hand, Incident, Job, Objection, Proposal, Reaction
from guard.core.forge_facts import Comment, CommitStatus, ForgeIssue, Protection, Speaker
from guard.core.model import Commit, Fact, Known, Unknown
from guard.ports import Clock

T = TypeVar("T")

READS = "the role Reporter on the project"
SPEAKS = "the role Developer on the project"
GOVERNS = "the role Maintainer on the project"
SEES_CONFIDENTIAL = 15
"""The least access level (Planner; Reporter is 20) that sees confidential issues:
https://docs.gitlab.com/user/permissions/#project-planning."""


def connect(url: str, token: str, *, timeout: float = TIMEOUT) -> gitlab.Gitlab:
    """A client for one thread. The token is a project's or group's access token with the scope `api`; `timeout` is
    in seconds. No URL but this one is ever asked, whatever a `Link` says."""
    return gitlab.Gitlab(url, private_token=token, timeout=timeout, keep_base_url=True)


class GitLabForge:
    """One project. Every failed read is Unknown (Forge) or ForgeError (Voice), and says what the token may lack.

    Decided here, and told in docs/gitlab.md: who closed an incident is not looked at (`closers` is unused).
    """

    def __init__(
        self,
        client: gitlab.Gitlab,
        repository: str,
        *,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = Calls(client, sleep=sleep)
        self._groups = Groups(self._calls, clock=clock)
        self._clock = clock
        self._repository = repository
        self._project = f"/projects/{quote(repository, safe='')}"
        self._user: Record | None = None

    # Forge

    def head(self, branch: str) -> Fact[Commit | None]:
        def read() -> Commit | None:
            path = f"{self._project}/repository/branches/{quote(branch, safe='')}"
            try:
                record = self._calls.one(path, READS)
            except Rejected as error:
                # A project that is hidden from the token is a 404 too; only these words are about the branch.
                if error.status == 404 and "branch not found" in error.said.lower():
                    return None
                raise
            if text(record, "name") != branch:
                raise ForgeError(f"GitLab answered with another branch than {branch}")
            return commit(part(record, "commit"), "id")

        return self._fact(f"where {branch} stands", f"{self._repository}@{branch}", read)

    def proposals(self, target: str) -> Fact[tuple[Proposal, ...]]:
        def read() -> tuple[Proposal, ...]:
            path = f"{self._project}/merge_requests"
            query = {"state": "opened", "target_branch": target, "order_by": "created_at", "sort": "asc"}
            found = self._calls.every(path, READS, **query)
            return tuple(proposal_of(one) for one in found if text(one, "target_branch") == target)

        return self._fact(f"which merge requests into {target} are open", self._repository, read)

    def approvals(self, proposal: Proposal) -> Fact[tuple[Approval, ...]]:
        """The approvals are read before the versions, so that what is pushed in between makes them older, and never
        makes an approval of the newer head look like one of the older."""

        def read() -> tuple[Approval, ...]:
            given = self._calls.one(f"{self._request(proposal)}/approvals", READS)
            versions = versions_of(self._calls.every(f"{self._request(proposal)}/versions", READS))
            since = retargeted_at(versions, self._notes(proposal, "all_notes"))
            found = approvals_of(given, versions=versions, since=since, source=f"!{proposal.id}")
            return tuple(replace(one, is_bot=not self._groups.is_human(one.actor)) for one in found)

        return self._fact(f"who approved !{proposal.id}", f"{self._repository}!{proposal.id}", read)

    def objections(self, proposal: Proposal) -> Fact[tuple[Objection, ...]]:
        def read() -> tuple[Objection, ...]:
            reviewers = self._calls.every(f"{self._request(proposal)}/reviewers", READS)
            notes = self._notes(proposal, "only_activity")
            return objections_of(reviewers, notes, source=proposal.url)

        return self._fact(
            f"who asked for changes to !{proposal.id}", f"{self._repository}!{proposal.id}", read
        )

    def accounts(self, proposal: Proposal, hands: tuple[Hand, ...]) -> Fact[Mapping[Hand, frozenset[str]]]:
        def read() -> Mapping[Hand, frozenset[str]]:
            return accounts_of(self._calls, self._repository, proposal, hands)

        return self._fact(f"whose commits !{proposal.id} has", f"{self._repository}!{proposal.id}", read)

    def pushers(self, proposal: Proposal, commits: tuple[Commit, ...]) -> Fact[frozenset[str]]:
        def read() -> frozenset[str]:
            return read_pushers(self._calls, self._project, proposal, commits)

        return self._fact(f"who pushed !{proposal.id}", f"{self._repository}!{proposal.id}", read)

    def movers(self, branch: str, head: Commit) -> Fact[frozenset[str]]:
        def read() -> frozenset[str]:
            return read_movers(self._calls, self._project, branch, head)

        return self._fact(f"who moved {branch}", f"{self._repository}@{branch}", read)

    def members(self, names: tuple[str, ...], *, inherited: bool = False) -> Fact[frozenset[str]]:
        """A name without @ is a person's user name; `@group/sub` is a group by its full path."""

        def read() -> frozenset[str]:
            people = {name for name in names if not name.startswith("@")}
            for name in (name.removeprefix("@") for name in names if name.startswith("@")):
                people |= self._groups.people(name, inherited=inherited)
            return frozenset(people)

        return self._fact(f"who belongs to {', '.join(names) or 'nobody'}", "groups", read)

    def incidents(
        self, labels: tuple[str, ...], *, closers: Fact[frozenset[str]]
    ) -> Fact[tuple[Incident, ...]]:
        """The open issues of the project with any of the labels, each under the first of them that it has."""
        del closers

        def read() -> tuple[Incident, ...]:
            self._demand_sight()
            found: dict[str, Incident] = {}
            for incident in self._incidents(labels):
                found.setdefault(incident.id, incident)
            return tuple(found.values())

        return self._fact(f"whether an incident with {' or '.join(labels)} is open", self._repository, read)

    def jobs(self, commit: Commit) -> Fact[tuple[Job, ...]]:
        what = f"which CI jobs ran on {commit[:10]}"
        return self._fact(what, self._repository, lambda: read_jobs(self._calls, self._project, commit))

    def labeller(self, proposal: Proposal, label: str) -> Fact[str | None]:
        what, request = f"who put {label} on !{proposal.id}", self._request(proposal)
        return self._fact(
            what, f"{self._repository}!{proposal.id}", lambda: read_labeller(self._calls, request, label)
        )

    # Voice

    def me(self) -> str:
        return text(self._me(), "username")

    def status(self, commit: Commit, context: str) -> CommitStatus | None:
        """The newest is the one with the greatest id: a new row is made for every change but one from `pending`,
        which changes the newest row in place (Ci::CreateCommitStatusService)."""
        me = self.me()
        return next((one for one in self._statuses(commit, context) if one.by == me), None)

    def standing_status(self, commit: Commit, context: str) -> CommitStatus | None:
        return next(iter(self._statuses(commit, context)), None)

    def _statuses(self, commit: Commit, context: str) -> tuple[CommitStatus, ...]:
        """Those of this name, newest first."""
        path = f"{self._project}/repository/commits/{commit}/statuses"
        found = self._calls.every(path, READS, name=context, all=True, order_by="id", sort="desc")
        named = [one for one in found if text(one, "name") == context]
        return tuple(map(status_of, sorted(named, key=lambda one: number(one, "id"), reverse=True)))

    def post_status(self, commit: Commit, status: CommitStatus) -> None:
        """GitLab takes no `pending` after `pending`, and keeps the first one's words; that counts as said."""
        path = f"{self._project}/statuses/{commit}"
        try:
            self._calls.post(path, status_body(status), needs=SPEAKS, repeatable=True)
        except Rejected as error:
            if error.status == 404 and "references for commit" in error.said.lower():
                raise ForgeError(
                    f"no branch of {self._repository} holds {commit[:10]}, and GitLab takes no status for it",
                    fix="propose from a branch of the project instead of a fork",
                    code="forge.status.no-branch",
                ) from None
            if error.status != 400 or "cannot transition status" not in error.said.lower():
                raise
            standing = self.status(commit, status.context)
            if standing is None or standing.state != status.state:
                raise

    def comments(self, proposal: Proposal) -> tuple[Comment, ...]:
        notes = self._notes(proposal, "only_comments")
        return tuple(comment_of(note) for note in notes if note.get("system") is not True)

    def add_comment(self, proposal: Proposal, body: str) -> Comment:
        """Sent once: where the answer is lost, the comment may be there, and `comments` tells."""
        data = {"body": body}
        return comment_of(
            self._calls.post(f"{self._request(proposal)}/notes", data, needs=READS, repeatable=False)
        )

    def edit_comment(self, proposal: Proposal, comment: Comment, body: str) -> None:
        self._calls.put(f"{self._request(proposal)}/notes/{comment.id}", {"body": body}, needs=READS)

    def speaker(self, comment: Comment) -> Speaker:
        return speaker_of(self._calls, self._project, comment)

    def react(self, proposal: Proposal, comment: Comment, reaction: Reaction) -> None:
        react(self._calls, f"{self._request(proposal)}/notes/{comment.id}", reaction)

    def own_issues(self) -> tuple[ForgeIssue, ...]:
        return own_issues(self._calls, self._project, me=self.me())

    def open_issue(self, title: str, body: str) -> ForgeIssue:
        return open_issue(self._calls, self._project, title, body)

    def edit_issue(self, id: str, *, body: str, is_open: bool) -> None:
        edit_issue(self._calls, self._project, id, body=body, is_open=is_open)

    def protect(self, branch: str, *, force_push: bool = False) -> None:
        me = number(self._me(), "id")
        write_protection(self._calls, self._project, branch, me=me, force_push=force_push)

    def protection(self, branch: str) -> Fact[Protection | None]:
        def read() -> Protection | None:
            rules = self._calls.every(f"{self._project}/protected_branches", GOVERNS)
            return protection_of(rules, branch, group=self._groups.name, user=self._user_name)

        return self._fact(f"how {branch} is protected", f"{self._repository}@{branch}", read)

    # What they share

    def _request(self, proposal: Proposal) -> str:
        return f"{self._project}/merge_requests/{proposal.id}"

    def _notes(self, proposal: Proposal, activity: str) -> tuple[Record, ...]:
        """https://docs.gitlab.com/api/notes/#list-all-merge-request-notes, oldest first."""
        query = {"activity_filter": activity, "order_by": "created_at", "sort": "asc"}
        return self._calls.every(f"{self._request(proposal)}/notes", READS, **query)

    def _incidents(self, labels: Iterable[str]) -> Iterable[Incident]:
        """One query for each label: several in one query are an AND, and some words are no labels there
        (https://docs.gitlab.com/api/issues/#list-project-issues)."""
        for label in labels:
            if "," in label or label.lower() in ("any", "none"):
                raise ForgeError(
                    f"GitLab has no label {label!r}", fix="name another label in [incidents] labels"
                )
            path = f"{self._project}/issues"
            query = {
                "state": "opened",
                "labels": label,
                "scope": "all",
                "order_by": "created_at",
                "sort": "asc",
            }
            for record in self._calls.every(path, READS, **query):
                yield incident_of(record, label)

    def _demand_sight(self) -> None:
        """GitLab leaves confidential issues out without a word for who may not see them, and incidents are often
        confidential."""
        me = self._me()
        path = f"{self._project}/members/all"
        found = self._calls.every(path, READS, user_ids=number(me, "id"))
        level = max((number(one, "access_level") for one in found), default=0)
        if level < SEES_CONFIDENTIAL and me.get("is_admin") is not True:
            raise ForgeError("the token sees no confidential issues", fix=f"give the guard's user {READS}")

    def _user_name(self, id: int) -> str | None:
        """The user name of a member of the project; None for who is none any more."""
        found = self._calls.every(f"{self._project}/members/all", READS, user_ids=id)
        return next((text(one, "username") for one in found if one.get("id") == id), None)

    def _me(self) -> Record:
        """https://docs.gitlab.com/api/users/#retrieve-the-current-user, asked once."""
        if self._user is None:
            self._user = self._calls.one("/user", "an access token")
        return self._user

    def _fact(self, what: str, source: str, read: Callable[[], T]) -> Fact[T]:
        try:
            return Known(read(), source, self._clock.now())
        except ForgeError as error:
            return Unknown(f"{what} cannot be read: {error.message}", fix=error.fix, who=("operator",))
