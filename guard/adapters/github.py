"""GitHub as a forge: pull requests, reviews, teams, issues, statuses, comments and branch protection.

What each call needs of the guard's token stands beside it in NEEDED and is named when GitHub refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from github import Github

from guard.adapters.github_answers import (
    Issue,
    IssueComment,
    IssueEvent,
    Pull,
    Ref,
    Repository,
    Review,
    Status,
    User,
    ViewerData,
)
from guard.adapters.github_api import Api, GitHubError, segment
from guard.adapters.github_comments import comment_of, react, speaker_of
from guard.adapters.github_hands import accounts_of
from guard.adapters.github_issues import OWN_LABEL, forge_issue, open_incidents, own_issues
from guard.adapters.github_jobs import read_jobs
from guard.adapters.github_labels import read_labeller
from guard.adapters.github_protection import Identity, read_protection, write_protection
from guard.adapters.github_pushes import read_movers, read_pushers
from guard.adapters.github_reviews import any_approved, any_dismissed, approvals_of, objections_of
from guard.core.errors import ForgeError
from guard.core.facts import Approval, Hand, Incident, Job, Objection, Proposal, Reaction
from guard.core.forge_facts import Comment, CommitStatus, ForgeIssue, Protection, Speaker
from guard.core.model import Commit, Fact, Known, Unknown
from guard.ports import Clock

T = TypeVar("T")

NEEDED: Final = {
    "head": "Contents: read",
    "proposals": "Pull requests: read",
    "reviews": "Pull requests: read, and Issues: read",
    "members": "Members: read (organisation), or the classic scope read:org",
    "incidents": "Issues: read",
    "jobs": "Actions: read, and Checks: read",
    "labels": "Pull requests: read",
    "status": "Commit statuses: read and write",
    "speaker": "Metadata: read, by a token that may write to the repository",
    "comments": "Pull requests: read and write",
    "issues": "Issues: read and write",
    "protection": "Administration: read",
    "protect": "Administration: write",
}
"""The permission of a fine-grained token or app (https://docs.github.com/en/rest/authentication)."""

LONGEST_DESCRIPTION = 140


class GitHubForge:
    """The ports Forge and Voice on one repository, `owner/name`, through one client: one of both for each thread."""

    def __init__(self, client: Github, repository: str, *, clock: Clock) -> None:
        self._api = Api(client)
        self._name = repository
        self._owner = repository.partition("/")[0]
        self._repo = "/repos/" + "/".join(map(segment, repository.split("/")))
        self._clock = clock
        self._identity: Identity | None = None

    def head(self, branch: str) -> Fact[Commit | None]:
        return self._fact(f"where {branch} stands", "head", lambda: self._head(branch))

    def proposals(self, target: str) -> Fact[tuple[Proposal, ...]]:
        def read() -> tuple[Proposal, ...]:
            query = {"state": "open", "base": target, "sort": "created", "direction": "asc"}
            pulls = self._api.pages(f"{self._repo}/pulls", Pull, **query)
            return tuple(
                _proposal(pull) for pull in pulls if pull.state == "open" and pull.base.ref == target
            )

        return self._fact(f"which pull requests into {target} are open", "proposals", read)

    def approvals(self, proposal: Proposal) -> Fact[tuple[Approval, ...]]:
        """Only the newest standing review of each account counts, and only when it approves a commit that GitHub
        still names. The reviews are read before the events, so that a retargeting in between is seen."""

        def read() -> tuple[Approval, ...]:
            reviews = self._reviews(proposal)
            return approvals_of(reviews, self._events(proposal) if any_approved(reviews) else ())

        return self._fact(f"who approved pull request {proposal.id}", "reviews", read)

    def objections(self, proposal: Proposal) -> Fact[tuple[Objection, ...]]:
        """Whoever asked for changes; that somebody else dismissed their review does not withdraw it."""

        def read() -> tuple[Objection, ...]:
            reviews = self._reviews(proposal)
            return objections_of(reviews, self._events(proposal) if any_dismissed(reviews) else ())

        return self._fact(f"who asked for changes to pull request {proposal.id}", "reviews", read)

    def accounts(self, proposal: Proposal, hands: tuple[Hand, ...]) -> Fact[Mapping[Hand, frozenset[str]]]:
        owner, _, name = self._name.partition("/")
        return self._fact(
            f"whose commits pull request {proposal.id} has",
            "head",
            lambda: accounts_of(self._api, owner, name, hands),
        )

    def pushers(self, proposal: Proposal, commits: tuple[Commit, ...]) -> Fact[frozenset[str]]:
        return self._fact(
            f"who pushed pull request {proposal.id}",
            "head",
            lambda: read_pushers(self._api, self._repo, proposal, commits),
        )

    def movers(self, branch: str, head: Commit) -> Fact[frozenset[str]]:
        return self._fact(
            f"who moved {branch}", "head", lambda: read_movers(self._api, self._repo, branch, head)
        )

    def members(self, names: tuple[str, ...], *, inherited: bool = False) -> Fact[frozenset[str]]:
        """A name without @ is a person, `@organisation/team` a team with its child teams, `@organisation` all its
        members. Nobody belongs to a team by belonging to the one above it, so that there is nothing to inherit."""
        del inherited
        people: set[str] = set()
        for name in names:
            if not name.startswith("@"):
                people.add(name)
                continue
            found = self._group(name)
            if isinstance(found, Unknown):
                return found
            people |= found.value
        return Known(frozenset(people), "github", self._clock.now())

    def incidents(
        self, labels: tuple[str, ...], *, closers: Fact[frozenset[str]]
    ) -> Fact[tuple[Incident, ...]]:
        """The issues with any of the labels that are open, or were closed by nobody who may. A label that is not
        there is an error, since renaming it would hide every incident."""
        able = {name.casefold() for name in closers.value} if isinstance(closers, Known) else set[str]()

        def read() -> tuple[Incident, ...]:
            return open_incidents(self._api, self._repo, labels, able, still_here=self._still_here)

        return self._fact(f"whether an incident with {' or '.join(labels)} is open", "incidents", read)

    def jobs(self, commit: Commit) -> Fact[tuple[Job, ...]]:
        what = f"which CI jobs ran on {commit[:10]}"
        return self._fact(what, "jobs", lambda: read_jobs(self._api, self._repo, commit))

    def labeller(self, proposal: Proposal, label: str) -> Fact[str | None]:
        what = f"who put {label} on pull request {proposal.id}"
        return self._fact(what, "labels", lambda: read_labeller(self._api, self._repo, proposal, label))

    def me(self) -> str:
        return self._me().login

    def status(self, commit: Commit, context: str) -> CommitStatus | None:
        """GitHub lists statuses newest first, so that the first that is ours is the one that stands."""
        me = self.me()
        return next((one for one in self._statuses(commit, context) if one.by == me), None)

    def standing_status(self, commit: Commit, context: str) -> CommitStatus | None:
        return next(self._statuses(commit, context), None)

    def _statuses(self, commit: Commit, context: str) -> Iterator[CommitStatus]:
        path = f"{self._repo}/commits/{segment(commit)}/statuses"
        for one in self._saying("status", lambda: self._api.pages(path, Status)):
            if one.context == context:
                by = one.creator.login if one.creator else ""
                yield CommitStatus(context, one.state, one.description or "", one.target_url or "", by=by)

    def post_status(self, commit: Commit, status: CommitStatus) -> None:
        """Raises ForgeError for a description over 140 characters, as GitHub would."""
        if len(status.description) > LONGEST_DESCRIPTION:
            raise ForgeError(
                f"a status on GitHub has room for {LONGEST_DESCRIPTION} characters", code="forge.status"
            )
        body = {"state": status.state, "context": status.context, "description": status.description}
        body |= {"target_url": status.url} if status.url else {}
        path = f"{self._repo}/statuses/{segment(commit)}"
        self._told("status", lambda: self._api.send("POST", path, Status, body))

    def comments(self, proposal: Proposal) -> tuple[Comment, ...]:
        """GitHub lists them by ascending id. A comment whose writer is gone has the author `ghost`."""
        path = f"{self._repo}/issues/{segment(proposal.id)}/comments"
        return tuple(
            comment_of(one) for one in self._saying("comments", lambda: self._api.pages(path, IssueComment))
        )

    def add_comment(self, proposal: Proposal, body: str) -> Comment:
        path = f"{self._repo}/issues/{segment(proposal.id)}/comments"
        return comment_of(
            self._told("comments", lambda: self._api.send("POST", path, IssueComment, {"body": body}))
        )

    def edit_comment(self, proposal: Proposal, comment: Comment, body: str) -> None:
        path = f"{self._repo}/issues/comments/{segment(comment.id)}"
        self._told("comments", lambda: self._api.send("PATCH", path, IssueComment, {"body": body}))

    def speaker(self, comment: Comment) -> Speaker:
        return self._told("speaker", lambda: speaker_of(self._api, self._repo, comment))

    def react(self, proposal: Proposal, comment: Comment, reaction: Reaction) -> None:
        self._told("comments", lambda: react(self._api, self._repo, comment, reaction))

    def protection(self, branch: str) -> Fact[Protection | None]:
        def read() -> Protection | None:
            return read_protection(self._api, self._repo, branch, me=self._me())

        return self._fact(f"how {branch} is protected", "protection", read)

    def protect(self, branch: str, *, force_push: bool = False) -> None:
        self._told(
            "protect",
            lambda: write_protection(self._api, self._repo, branch, me=self._me(), force_push=force_push),
        )

    def own_issues(self) -> tuple[ForgeIssue, ...]:
        return self._told("issues", lambda: own_issues(self._api, self._repo, me=self.me()))

    def open_issue(self, title: str, body: str) -> ForgeIssue:
        sent = {"title": title, "body": body, "labels": [OWN_LABEL]}
        return forge_issue(
            self._told("issues", lambda: self._api.send("POST", f"{self._repo}/issues", Issue, sent))
        )

    def edit_issue(self, id: str, *, body: str, is_open: bool) -> None:
        path = f"{self._repo}/issues/{segment(id)}"
        sent = {"body": body, "state": "open" if is_open else "closed"}
        self._told("issues", lambda: self._api.send("PATCH", path, Issue, sent))

    def _reviews(self, proposal: Proposal) -> tuple[Review, ...]:
        return tuple(self._api.pages(f"{self._repo}/pulls/{segment(proposal.id)}/reviews", Review))

    def _events(self, proposal: Proposal) -> tuple[IssueEvent, ...]:
        return tuple(self._api.pages(f"{self._repo}/issues/{segment(proposal.id)}/events", IssueEvent))

    def _head(self, branch: str) -> Commit | None:
        """404 also means "you may not see it", so the repository itself has to be visible before a branch is none."""
        try:
            path = "/".join(map(segment, branch.split("/")))
            found = self._api.get(f"{self._repo}/git/ref/heads/{path}", Ref)
        except GitHubError as error:
            if error.status not in {404, 409}:  # 409: the repository is empty
                raise
            self._still_here(self._api.get(self._repo, Repository).full_name)
            return None
        if found.ref != f"refs/heads/{branch}" or found.object.type != "commit":
            raise GitHubError(f"GitHub answered with another ref than {branch}")
        return Commit(found.object.sha)

    def _group(self, name: str) -> Fact[frozenset[str]]:
        def read() -> frozenset[str]:
            organisation, slash, team = name.removeprefix("@").partition("/")
            within = f"/teams/{segment(team)}" if slash else ""
            users = self._api.pages(f"/orgs/{segment(organisation)}{within}/members", User)
            return frozenset(user.login for user in users if user.is_person)

        return self._fact(f"who belongs to {name}", "members", read)

    def _still_here(self, name: str) -> None:
        """Raise where GitHub redirected us to the repository's new name."""
        if name.casefold() != self._name.casefold():
            fix = "correct the repository's name in the policy and the settings"
            raise GitHubError(f"{self._name} is now {name[:200] or 'another repository'}", fix=fix)

    def _me(self) -> Identity:
        """A user's token may ask `/user`; an app's installation may not, and GraphQL's `viewer` knows its name."""
        if self._identity is None:
            try:
                user = self._api.get("/user", User)
                self._identity = Identity(user.login, user_id=user.id or None)
            except GitHubError as error:
                if error.status != 403:
                    raise
                login = self._api.graphql("query { viewer { login } }", ViewerData).viewer.login
                name = login if login.endswith("[bot]") else f"{login}[bot]"
                self._identity = Identity(name, app_id=self._api.app_id)
        return self._identity

    def _fact(self, what: str, need: str, read: Callable[[], T]) -> Fact[T]:
        try:
            return Known(read(), "github", self._clock.now())
        except GitHubError as error:
            fix = error.fix or (_permission(need) if error.status in {403, 404} else "")
            return Unknown(f"{what} cannot be read: {error.message}", fix=fix, who=("operator",))

    def _told(self, need: str, tell: Callable[[], T]) -> T:
        """What `tell` gives; a refusal names the permission that is missing."""
        try:
            return tell()
        except GitHubError as error:
            fix = error.fix or (_permission(need) if error.status in {403, 404} else "")
            raise GitHubError(error.message, status=error.status, said=error.said, fix=fix) from error

    def _saying(self, need: str, pages: Callable[[], Iterator[T]]) -> Iterator[T]:
        """The items of a list, as far as they are asked for, with `_told`'s errors."""
        items = pages()
        while True:
            item = self._told(need, lambda: next(items, None))
            if item is None:
                return
            yield item


def _permission(need: str) -> str:
    return f"check that it is there and that the guard's token may see it: {NEEDED[need]}"


def _proposal(pull: Pull) -> Proposal:
    """A pull request whose fork was deleted still is one from a fork."""
    here, there = pull.base.repo, pull.head.repo
    return Proposal(
        id=str(pull.number),
        target=pull.base.ref,
        head=Commit(pull.head.sha),
        title=pull.title,
        proposer=pull.user.login if pull.user else None,
        url=pull.html_url,
        from_fork=here is None or there is None or here.id != there.id,
        draft=pull.draft,
    )
