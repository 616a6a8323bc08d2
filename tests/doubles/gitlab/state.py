"""What GitLab's double remembers, and what people do there: propose, push, approve, comment, label, protect."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.gitrepo import Repo

EPOCH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

LEVELS = {"no": 0, "guest": 10, "planner": 15, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}
"""https://docs.gitlab.com/api/access_requests/#valid-access-levels."""


@dataclass(slots=True)
class User:
    id: int
    username: str
    is_bot: bool = False
    state: str = "active"
    public_email: str = ""


@dataclass(slots=True)
class Membership:
    user: User
    level: int = 30
    expires_at: str | None = None
    state: str = "active"


@dataclass(slots=True)
class Group:
    """A group by its full path; the groups above it are those whose path begins its own."""

    id: int
    path: str
    members: dict[int, Membership] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    id: int
    head: str | None
    base: str
    start: str
    created_at: datetime


@dataclass(slots=True)
class Note:
    id: int
    author: User
    body: str
    created_at: datetime
    updated_at: datetime
    system: bool = False
    reactions: list[tuple[int, str, User]] = field(default_factory=list)
    """(id, name, who), each name once a user."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Somebody put a label on a merge request (`add`) or took it away (`remove`)."""

    id: int
    label: str
    by: User
    action: str
    created_at: datetime


@dataclass(slots=True)
class MergeRequest:
    """`approvals` are the standing ones: who and when, as GitLab keeps them, without a commit."""

    id: int
    iid: int
    title: str
    author: User
    source_branch: str
    source_project: int
    target_branch: str
    created_at: datetime
    state: str = "opened"
    versions: list[Version] = field(default_factory=list)
    approvals: dict[int, tuple[User, datetime]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    labellings: list[Labelled] = field(default_factory=list)
    reviews: dict[int, Review] = field(default_factory=dict)

    @property
    def head(self) -> str | None:
        return self.versions[-1].head if self.versions else None


@dataclass(frozen=True, slots=True)
class Push:
    """The event that a push of one branch leaves; one of many branches at once names neither branch nor commit."""

    id: int
    project: int
    branch: str | None
    head: str | None
    by: User
    created_at: datetime
    action: str = "pushed"


@dataclass(slots=True)
class Review:
    """What a reviewer last said: unreviewed, reviewed, requested_changes, approved, unapproved, review_started."""

    user: User
    state: str
    created_at: datetime


@dataclass(slots=True)
class Status:
    id: int
    sha: str
    ref: str
    name: str
    state: str
    author: User
    pipeline: int
    created_at: datetime
    description: str | None = None
    target_url: str | None = None


@dataclass(slots=True)
class Issue:
    id: int
    iid: int
    title: str
    author: User
    labels: list[str]
    created_at: datetime
    state: str = "opened"
    confidential: bool = False
    description: str = ""


@dataclass(slots=True)
class Job:
    id: int
    name: str
    status: str
    allow_failure: bool = False
    finished_at: datetime | None = None


@dataclass(slots=True)
class Pipeline:
    id: int
    sha: str
    ref: str
    source: str
    created_at: datetime
    status: str = "success"
    jobs: list[Job] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Access:
    """One access level of a protection rule: a role's level, or a user, a group or a deploy key."""

    level: int | None = 40
    user: User | None = None
    group: Group | None = None
    deploy_key: int | None = None


@dataclass(slots=True)
class Rule:
    id: int
    name: str
    push: list[Access]
    merge: list[Access]
    force_push: bool = False


class Steps:
    """A clock that goes a second further each time that it is asked, unless it is held."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self.time = start
        self.step = timedelta(seconds=1)

    def __call__(self) -> datetime:
        self.time += self.step
        return self.time


class State:
    """One project of one GitLab, on a real bare repository."""

    def __init__(
        self, bare: Path, *, project: str = "gpuaas/platform", now: Callable[[], datetime] | None = None
    ) -> None:
        self.repo = Repo(bare)
        self.project = project
        self.project_id = 7
        self.now = now or Steps()
        self._ids = itertools.count(1001)
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.team: dict[int, Membership] = {}
        self.requests: list[MergeRequest] = []
        self.pushes: list[Push] = []
        self.statuses: list[Status] = []
        self.issues: list[Issue] = []
        self.pipelines: list[Pipeline] = []
        self.rules: list[Rule] = []
        self.tokens: dict[str, User] = {}
        self.may_protect = True
        """Whether the edition takes rules that name users (GitLab Premium)."""
        self.executed: list[str] = []
        """The quick actions that comments set off: https://docs.gitlab.com/user/project/quick_actions/."""

    def id(self) -> int:
        return next(self._ids)

    # People

    def user(self, name: str, *, bot: bool = False) -> User:
        """This user, made at the first mention."""
        return self.users.setdefault(name, User(self.id(), name, bot))

    def join(self, name: str, level: str = "developer", *, bot: bool = False) -> User:
        """The user is in the project from now on, with this role."""
        user = self.user(name, bot=bot)
        self.team[user.id] = Membership(user, LEVELS[level])
        return user

    def token(self, name: str, level: str = "maintainer") -> str:
        """An access token of a bot of the project."""
        self.tokens[f"glpat-{name}"] = self.join(name, level, bot=True)
        return f"glpat-{name}"

    def group(self, path: str, *names: str) -> Group:
        """The group has exactly these members of its own from now on."""
        group = self.groups.setdefault(path, Group(self.id(), path))
        people = map(self.user, names)
        group.members = {user.id: Membership(user) for user in people}
        return group

    def all_members(self, group: Group) -> list[Membership]:
        """The group's own and those of the groups above it, each user once (with the highest access level)."""
        above = [one for one in self.groups.values() if f"{group.path}/".startswith(f"{one.path}/")]
        found: dict[int, Membership] = {}
        for member in (member for one in above for member in one.members.values()):
            if member.user.id not in found or found[member.user.id].level < member.level:
                found[member.user.id] = member
        return list(found.values())

    def groups_within(self, group: Group) -> list[Group]:
        return [one for one in self.groups.values() if one.path.startswith(f"{group.path}/")]

    # Merge requests

    def propose(
        self, head: str, target: str, *, by: str, title: str = "A release", fork: bool = False
    ) -> MergeRequest:
        """Open a merge request; a fork's source branch is in a project of its own."""
        iid = len(self.requests) + 1
        source = self.project_id + 1 if fork else self.project_id
        request = MergeRequest(
            self.id(), iid, title, self.user(by), f"proposal-{iid}", source, target, self.now()
        )
        self.requests.append(request)
        self.push(request, head, by=by)
        return request

    def push(self, request: MergeRequest, head: str, *, by: str = "") -> None:
        """A new head, pushed by the request's author unless it is said who; the approvals stay (the project does not
        remove them). A fork's branch is not in this repository, the merge request's own ref is."""
        who = self.user(by) if by else request.author
        self.pushes.append(
            Push(self.id(), request.source_project, request.source_branch, head, who, self.now())
        )
        self.repo.git("update-ref", f"refs/merge-requests/{request.iid}/head", head)
        if request.source_project == self.project_id:
            self.repo.git("update-ref", f"refs/heads/{request.source_branch}", head)
        self._version(request, head)

    def retarget(self, request: MergeRequest, target: str, *, by: str) -> None:
        before, request.target_branch = request.target_branch, target
        self.note(request, by, f"changed target branch from `{before}` to `{target}`", system=True)
        self._version(request, request.head or "")

    def _version(self, request: MergeRequest, head: str) -> None:
        start = self.branch(request.target_branch) or head
        base = self.repo.git("merge-base", start, head)
        request.versions.append(Version(self.id(), head, base, start, self.now()))

    def approve(self, request: MergeRequest, *, by: str) -> None:
        """A second approval by the same person changes nothing, as in GitLab: the first one's time stays."""
        user = self.user(by)
        if user.id not in request.approvals:
            request.approvals[user.id] = (user, self.now())
            self.note(request, by, "approved this merge request", system=True)
            self._review(request, user, "approved")

    def request_changes(self, request: MergeRequest, *, by: str) -> None:
        """https://docs.gitlab.com/user/project/merge_requests/reviews/#submit-a-review."""
        self.note(request, by, "requested changes", system=True)
        self._review(request, self.user(by), "requested_changes")

    def ask_again(self, request: MergeRequest, reviewer: str, *, by: str) -> None:
        """Anybody with write access asks a reviewer to look again, which resets what the reviewer said."""
        self.note(request, by, f"requested review from @{reviewer}", system=True)
        self._review(request, self.user(reviewer), "unreviewed")

    def _review(self, request: MergeRequest, user: User, state: str) -> None:
        request.reviews[user.id] = Review(user, state, self.now())

    def unapprove(self, request: MergeRequest, *, by: str) -> None:
        if request.approvals.pop(self.user(by).id, None):
            self.note(request, by, "unapproved this merge request", system=True)
            self._review(request, self.user(by), "unapproved")

    def note(self, request: MergeRequest, by: str, body: str, *, system: bool = False) -> Note:
        now = self.now()
        note = Note(self.id(), self.user(by), body, now, now, system)
        request.notes.append(note)
        return note

    def edit_note(self, note: Note, body: str) -> None:
        """By its writer, or by a maintainer: GitLab does not show which."""
        note.body, note.updated_at = body, self.now()

    def execute(self, body: str) -> None:
        """Note the quick actions of a comment, as GitLab would carry them out: lines that begin with one, outside of
        code blocks."""
        in_code = False
        for line in body.splitlines():
            in_code ^= line.lstrip().startswith("```")
            if not in_code and re.match(r"\s*/[a-z_]+", line):
                self.executed.append(line.strip())

    def request(self, iid: str) -> MergeRequest | None:
        return next((one for one in self.requests if str(one.iid) == iid), None)

    # The rest of the project

    def branch(self, name: str) -> str | None:
        return self.repo.ref(f"refs/heads/{name}")

    def has_commit(self, sha: str) -> bool:
        return self.repo.run("cat-file", "-e", f"{sha}^{{commit}}").returncode == 0

    def branches_with(self, sha: str) -> list[str]:
        found = self.repo.git("for-each-ref", "--contains", sha, "--format=%(refname:short)", "refs/heads/")
        return found.split()

    def issue(self, title: str, *labels: str, by: str, confidential: bool = False) -> Issue:
        iid = len(self.issues) + 1
        issue = Issue(
            self.id(), iid, title, self.user(by), list(labels), self.now(), confidential=confidential
        )
        self.issues.append(issue)
        return issue

    def pipeline(self, sha: str, *, source: str = "push", **jobs: str) -> Pipeline:
        """A pipeline with these jobs, name → status (`success`, `failed` ...)."""
        ref = next(iter(self.branches_with(sha)), "")
        made = [self.job(name, status) for name, status in jobs.items()]
        worst = next((one.status for one in made if one.status != "success"), "success")
        pipeline = Pipeline(self.id(), sha, ref, source, self.now(), worst, made)
        self.pipelines.append(pipeline)
        return pipeline

    def job(self, name: str, status: str, *, allow_failure: bool = False) -> Job:
        """A job for a pipeline's list, where a retried one is one more; it has ended where its status says so."""
        ended = status in {"success", "failed", "canceled"}
        return Job(self.id(), name, status, allow_failure, self.now() if ended else None)

    def label(self, request: MergeRequest, name: str, *, by: str) -> None:
        request.labels.append(name)
        request.labellings.append(Labelled(self.id(), name, self.user(by), "add", self.now()))

    def unlabel(self, request: MergeRequest, name: str, *, by: str) -> None:
        request.labels.remove(name)
        request.labellings.append(Labelled(self.id(), name, self.user(by), "remove", self.now()))

    def protect(
        self,
        name: str,
        *,
        push: tuple[Access, ...] = (Access(),),
        merge: tuple[Access, ...] = (Access(),),
        force_push: bool = False,
    ) -> Rule:
        rule = Rule(self.id(), name, list(push), list(merge), force_push)
        self.rules = [one for one in self.rules if one.name != name] + [rule]
        return rule
