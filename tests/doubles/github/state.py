"""What the GitHub double knows: people, pull requests, reviews, issues, statuses. The branches are real git's.

Every method is something that a person or an app does on GitHub; each leaves a delivery behind, as GitHub does.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.gitrepo import Repo


@dataclass(frozen=True, slots=True)
class Account:
    """`type` is `User`, `Bot` (an app, whose login ends in `[bot]`) or `Organization`."""

    login: str
    id: int
    type: str = "User"


@dataclass(slots=True)
class Pull:
    """`fork` is the full name of the fork that the head is in, "" for this repository; `fork_gone` when that fork
    has been deleted since. The head stands at `refs/pull/NUMBER/head`, as on GitHub."""

    number: int
    title: str
    by: Account | None
    head: str
    base: str
    at: str
    fork: str = ""
    fork_gone: bool = False
    state: str = "open"
    labels: list[str] = field(default_factory=list)
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """Who made a commit, by the addresses that git has: author, committer, and its trailers' co-authors."""

    author: str
    committer: str
    co_authors: tuple[str, ...]


@dataclass(slots=True)
class Review:
    id: int
    pull: int
    by: Account | None
    state: str
    commit: str | None
    at: str


@dataclass(frozen=True, slots=True)
class Activity:
    """Somebody moved a branch of a repository; `by` None is nobody that has an account."""

    id: int
    repository: str
    ref: str
    before: str
    after: str
    by: Account | None
    at: str
    type: str = "push"


@dataclass(frozen=True, slots=True)
class Dismissal:
    """Somebody dismissed a review, which said `state` until then."""

    id: int
    review: Review
    state: str
    by: Account
    at: str


@dataclass(frozen=True, slots=True)
class Retargeting:
    """The pull request was pointed at another branch."""

    id: int
    number: int
    kind: str
    by: Account
    at: str


@dataclass(slots=True)
class Issue:
    number: int
    title: str
    by: Account
    labels: list[str]
    at: str
    state: str = "open"
    closed_by: Account | None = None
    body: str = ""


@dataclass(slots=True)
class Comment:
    id: int
    issue: int
    by: Account | None
    body: str
    at: str
    edited_at: str = ""
    app: str = ""
    """The app through which somebody wrote it."""
    reactions: list[tuple[int, str, Account]] = field(default_factory=list)


@dataclass(slots=True)
class Status:
    id: int
    commit: str
    context: str
    state: str
    description: str
    url: str | None
    by: Account
    at: str


@dataclass(slots=True)
class CheckRun:
    """`app` is the id and the slug of the app that reported it."""

    id: int
    commit: str
    name: str
    status: str
    conclusion: str | None
    at: str
    app: tuple[int, str] = (15368, "github-actions")


@dataclass(slots=True)
class Labelled:
    """An event: somebody put a label on an issue or took it away. `by` None: the account is gone."""

    id: int
    number: int
    label: str
    by: Account | None
    at: str
    is_added: bool = True


@dataclass(slots=True)
class WorkflowRun:
    """Each of its jobs is a check run too, of the same number; a job that is run again is one more."""

    id: int
    commit: str
    path: str
    event: str
    branch: str
    at: str
    jobs: list[CheckRun] = field(default_factory=list)


@dataclass(slots=True)
class Team:
    slug: str
    parent: str = ""
    members: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Protected:
    """Classic protection of one branch; `restrictions` None lets everyone with write access push, and
    `reviews_bypass` None demands no pull request. Names: `ann`, `@owner/team`, `app[bot]`."""

    restrictions: tuple[str, ...] | None = None
    reviews_bypass: tuple[str, ...] | None = None
    enforce_admins: bool = True
    force_push: bool = False
    deletable: bool = False
    locked: bool = False
    checks: tuple[str, ...] | None = None


@dataclass(slots=True)
class Ruleset:
    """`bypass` holds (actor type, actor id, mode)."""

    id: int
    branches: tuple[str, ...]
    types: tuple[str, ...]
    bypass: tuple[tuple[str, int | None, str], ...] = ()
    organisation: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """What the merge queue made of some pull requests, on a branch of its own."""

    head: str
    ref: str
    base: str


ZERO = "0" * 40

Said = Callable[[str, str, object], None]
"""event, action, what it is about → a delivery"""


class GitHubState:
    """One repository `owner/name` over a real bare one, and the organisations around it."""

    def __init__(self, bare: Repo, full_name: str, *, me: str) -> None:
        self.bare = bare
        self.full_name = full_name
        self.owner = full_name.partition("/")[0]
        self.accounts: dict[str, Account] = {}
        self.addresses: dict[str, Account] = {}
        """Whose the e-mail addresses of commits are; one that is not here belongs to no account."""
        self.me = self.account(me)
        self.pulls: dict[int, Pull] = {}
        self.reviews: list[Review] = []
        self.activities: list[Activity] = []
        self.dismissals: list[Dismissal] = []
        self.retargetings: list[Retargeting] = []
        self.issues: dict[int, Issue] = {}
        self.comments: list[Comment] = []
        self.statuses: list[Status] = []
        self.checks: list[CheckRun] = []
        self.runs: list[WorkflowRun] = []
        self.labellings: list[Labelled] = []
        self.labels: list[str] = []
        self.permissions: dict[str, str] = {}
        """admin, write or read in this repository, which is public: whoever is not here may read."""
        self.organisations: dict[str, list[str]] = {self.owner: []}
        self.teams: dict[tuple[str, str], Team] = {}
        self.protected: dict[str, Protected] = {}
        self.rulesets: list[Ruleset] = []
        self.said: Said = lambda event, action, about: None
        self._ids = itertools.count(1001)
        self._numbers = itertools.count(1)
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def started_at(self, time: datetime) -> None:
        """From now on the clock goes on from there."""
        self._now = time

    def now(self) -> str:
        self._now += timedelta(minutes=1)
        return self._now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def account(self, login: str) -> Account:
        """The account of this name; an app's login ends in `[bot]`."""
        kind = "Bot" if login.endswith("[bot]") else "User"
        return self.accounts.setdefault(login, Account(login, 7000 + len(self.accounts), kind))

    def open_pull(self, head: str, base: str, *, by: str, title: str = "A release", fork: str = "") -> Pull:
        """Propose a branch; where `fork` is given, `head` is a commit that a branch there points to."""
        number = next(self._numbers)
        branch = head if not fork else f"change-{number}"
        pull = Pull(number, title, self.account(by), branch, base, self.now(), fork=fork)
        self.pulls[number] = pull
        if fork:
            self.bare.git("update-ref", self.pull_ref(pull), head)
            self.moved(branch, ZERO, head, by=by, repository=fork)
        self.head_of(pull)
        self.said("pull_request", "opened", pull)
        return pull

    def push(self, branch: str, commit: str, *, by: str | None = "dev") -> None:
        """Somebody pushes: the branch moves, and with it the pull requests from it. `by` None is a deploy key."""
        old = self.tip(branch)
        self.bare.git("update-ref", f"refs/heads/{branch}", commit)
        self.moved(branch, old or ZERO, commit, by=by)
        self.said("push", "", (branch, old, commit))
        for pull in self.pulls.values():
            if pull.head == branch and pull.state == "open" and not pull.fork:
                self.said("pull_request", "synchronize", pull)

    def moved(
        self, branch: str, before: str, after: str, *, by: str | None, repository: str = ""
    ) -> Activity:
        """Note who moved a branch."""
        who = self.account(by) if by else None
        made = Activity(
            next(self._ids),
            repository or self.full_name,
            f"refs/heads/{branch}",
            before,
            after,
            who,
            self.now(),
        )
        self.activities.append(made)
        return made

    def queue(self, pull: Pull, made: str) -> Group:
        """The merge queue asks for checks of a commit that it made of the pull request."""
        ref = f"gh-readonly-queue/{pull.base}/pr-{pull.number}-{self.tip(pull.base)}"
        self.bare.git("update-ref", f"refs/heads/{ref}", made)
        found = Group(made, f"refs/heads/{ref}", f"refs/heads/{pull.base}")
        self.said("merge_group", "checks_requested", found)
        return found

    def close_pull(self, pull: Pull) -> None:
        pull.state = "closed"
        self.said("pull_request", "closed", pull)

    def reopen_pull(self, pull: Pull) -> None:
        pull.state = "open"
        self.said("pull_request", "reopened", pull)

    def retarget(self, pull: Pull, base: str, *, kind: str = "base_ref_changed") -> None:
        pull.base = base
        self.retargetings.append(Retargeting(next(self._ids), pull.number, kind, self.me, self.now()))
        self.said("pull_request", "edited", pull)

    def review(self, pull: Pull, *, by: str, state: str = "APPROVED", commit: str | None = None) -> Review:
        found = Review(
            next(self._ids), pull.number, self.account(by), state, commit or self.head_of(pull), self.now()
        )
        self.reviews.append(found)
        self.said("pull_request_review", "submitted", found)
        return found

    def dismiss(self, review: Review, *, by: str = "") -> None:
        """The review itself becomes DISMISSED; no new one is made. Whoever may write can do it."""
        who = self.account(by) if by else review.by or self.me
        self.dismissals.append(Dismissal(next(self._ids), review, review.state, who, self.now()))
        review.state = "DISMISSED"
        self.said("pull_request_review", "dismissed", review)

    def open_issue(self, title: str, *labels: str, by: str, body: str = "") -> Issue:
        issue = Issue(next(self._numbers), title, self.account(by), list(labels), self.now(), body=body)
        self.issues[issue.number] = issue
        self.said("issues", "opened", issue)
        return issue

    def close_issue(self, issue: Issue, *, by: str | None) -> None:
        """`by` None: the account that closed it has been deleted since."""
        issue.state, issue.closed_by = "closed", self.account(by) if by else None
        self.said("issues", "closed", issue)

    def reopen_issue(self, issue: Issue) -> None:
        issue.state, issue.closed_by = "open", None
        self.said("issues", "reopened", issue)

    def comment(self, number: int, body: str, *, by: str | None) -> Comment:
        found = Comment(next(self._ids), number, self.account(by) if by else None, body, self.now())
        self.comments.append(found)
        self.said("issue_comment", "created", found)
        return found

    def edit(self, comment: Comment, body: str) -> None:
        comment.body, comment.edited_at = body, self.now()
        self.said("issue_comment", "edited", comment)

    def set_status(
        self, commit: str, context: str, state: str, *, by: str, description: str = "", url: str | None = None
    ) -> Status:
        found = Status(
            next(self._ids), commit, context, state, description, url, self.account(by), self.now()
        )
        self.statuses.append(found)
        self.said("status", "", found)
        return found

    def workflow(
        self, commit: str, *, path: str = ".github/workflows/ci.yml", event: str = "push", **jobs: str | None
    ) -> WorkflowRun:
        """A run of a workflow with these jobs, name → conclusion (None is still running)."""
        branch = self.bare.git(
            "for-each-ref", "--contains", commit, "--format=%(refname:short)", "refs/heads/"
        )
        run = WorkflowRun(next(self._ids), commit, path, event, branch.partition("\n")[0], self.now())
        self.runs.append(run)
        for name, conclusion in jobs.items():
            self.rerun(run, name, conclusion)
        return run

    def rerun(self, run: WorkflowRun, name: str, conclusion: str | None) -> CheckRun:
        """The job runs, once more where it ran already."""
        run.jobs.append(self.check(run.commit, name, conclusion))
        return run.jobs[-1]

    def label(self, pull: Pull, name: str, *, by: str | None) -> None:
        pull.labels.append(name)
        self.labellings.append(
            Labelled(next(self._ids), pull.number, name, self.account(by) if by else None, self.now())
        )
        self.said("pull_request", "labeled", pull)

    def unlabel(self, pull: Pull, name: str, *, by: str) -> None:
        pull.labels.remove(name)
        self.labellings.append(
            Labelled(next(self._ids), pull.number, name, self.account(by), self.now(), is_added=False)
        )
        self.said("pull_request", "unlabeled", pull)

    def check(self, commit: str, name: str, conclusion: str | None) -> CheckRun:
        """A check run; without a conclusion it is still running."""
        state = "completed" if conclusion else "in_progress"
        found = CheckRun(next(self._ids), commit, name, state, conclusion, self.now())
        self.checks.append(found)
        self.said("check_run", state.replace("in_progress", "created"), found)
        return found

    def team(self, slug: str, *members: str, parent: str = "", organisation: str = "") -> Team:
        """The team has exactly these members from now on."""
        found = Team(slug, parent, [self.account(name).login for name in members])
        self.teams[(organisation or self.owner, slug)] = found
        self.said("membership", "added", found)
        return found

    def organisation(self, name: str, *members: str) -> None:
        self.organisations[name] = [self.account(member).login for member in members]

    def team_members(self, organisation: str, slug: str) -> list[Account]:
        """With those of child teams: https://docs.github.com/en/rest/teams/members#list-team-members"""
        below = [
            name for (org, name), team in self.teams.items() if org == organisation and team.parent == slug
        ]
        found = [self.account(name) for name in self.teams[(organisation, slug)].members]
        for child in below:
            found += self.team_members(organisation, child)
        return list(dict.fromkeys(found))

    def tip(self, branch: str) -> str | None:
        return self.ref(f"refs/heads/{branch}")

    def ref(self, name: str) -> str | None:
        return self.bare.ref(name)

    def pull_ref(self, pull: Pull) -> str:
        return f"refs/pull/{pull.number}/head"

    def head_of(self, pull: Pull) -> str:
        """Where the pull request stands: its branch's tip while it is open and the branch is there."""
        tip = self.tip(pull.head) if not pull.fork and pull.state == "open" else None
        if tip and tip != self.ref(self.pull_ref(pull)):
            self.bare.git("update-ref", self.pull_ref(pull), tip)
        found = tip or self.ref(self.pull_ref(pull))
        assert found, f"nothing is at the head of pull request {pull.number}"
        return found

    def made(self, oid: str) -> Made | None:
        """Who made the commit; None where there is none."""
        if self.ref(oid) != oid:
            return None
        form = "%ae%x00%ce%x00%(trailers:key=Co-authored-by,valueonly,unfold)"
        author, committer, trailers = self.bare.git("show", "-s", f"--format={form}", oid).split("\0")
        return Made(author, committer, tuple(re.findall(r"<([^<>]*)>", trailers)))
