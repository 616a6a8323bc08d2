"""The parts of GitHub's answers that the guard reads; what is not named here is ignored, what is must fit.

Source: https://docs.github.com/en/rest (API version 2022-11-28); each model names its page.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
)

Sha = Annotated[str, StringConstraints(strict=True, pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
Login = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"^[^\s@]+$")]


class Answer(BaseModel):
    """What all answers have in common: read once, never changed."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class User(Answer):
    """A simple user, as it stands in most answers; null where the account was deleted."""

    login: Login
    id: StrictInt = 0
    type: StrictStr

    @property
    def is_person(self) -> bool:
        """Apps are `Bot`, organisations are `Organization`."""
        return self.type == "User"


class Repository(Answer):
    """https://docs.github.com/en/rest/repos/repos#get-a-repository"""

    id: StrictInt
    full_name: StrictStr


class RefObject(Answer):
    type: StrictStr
    sha: Sha


class Ref(Answer):
    """https://docs.github.com/en/rest/git/refs#get-a-reference"""

    ref: StrictStr
    object: RefObject


class Side(Answer):
    """The head or base of a pull request; `repo` is null where the fork was deleted."""

    ref: StrictStr
    sha: Sha
    repo: Repository | None


class Pull(Answer):
    """https://docs.github.com/en/rest/pulls/pulls#list-pull-requests"""

    number: StrictInt
    title: StrictStr
    html_url: StrictStr
    state: StrictStr
    user: User | None
    head: Side
    base: Side
    draft: StrictBool = False


class WholePull(Pull):
    """https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request"""


class Activity(Answer):
    """https://docs.github.com/en/rest/repos/repos#list-repository-activities; `actor` is null for who is no account."""

    after: StrictStr
    actor: User | None


class Named(Answer):
    """A user, as far as GraphQL was asked."""

    login: Login


class Actor(Answer):
    """https://docs.github.com/en/graphql/reference/commits: `user` is null where the address is no account's."""

    email: StrictStr | None
    user: Named | None


class Authors(Answer):
    nodes: tuple[Actor | None, ...]


class CommitPeople(Answer):
    oid: Sha
    authors: Authors
    committer: Actor | None


class CommitsData(Answer):
    """Commits by the alias that they were asked under; null for one that is not there."""

    repository: dict[StrictStr, CommitPeople | None]


class Review(Answer):
    """https://docs.github.com/en/rest/pulls/reviews#list-reviews-for-a-pull-request

    `commit_id` is null once the commit has been collected; `submitted_at` is absent while the review is pending.
    """

    id: StrictInt
    user: User | None
    state: StrictStr
    commit_id: Sha | None
    html_url: StrictStr
    submitted_at: AwareDatetime | None = None


class Label(Answer):
    """https://docs.github.com/en/rest/issues/labels#get-a-label"""

    name: StrictStr
    url: StrictStr = ""


class Issue(Answer):
    """https://docs.github.com/en/rest/issues/issues#list-repository-issues

    A pull request is an issue with a `pull_request`. `closed_by` is null where the account is gone.
    """

    number: StrictInt
    title: StrictStr
    state: StrictStr
    html_url: StrictStr
    closed_by: User | None = None
    pull_request: dict[str, Any] | None = None
    user: User | None = None
    body: StrictStr | None = None


class IssueComment(Answer):
    """https://docs.github.com/en/rest/issues/comments#list-issue-comments"""

    id: StrictInt
    user: User | None
    body: StrictStr | None = None
    html_url: StrictStr = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    performed_via_github_app: dict[str, object] | None = None


class Permission(Answer):
    """https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user"""

    permission: StrictStr


class Reacted(Answer):
    """https://docs.github.com/en/rest/reactions/reactions#create-reaction-for-an-issue-comment"""

    content: StrictStr


class Status(Answer):
    """https://docs.github.com/en/rest/commits/statuses#list-commit-statuses-for-a-reference"""

    id: StrictInt
    state: StrictStr
    context: StrictStr
    description: StrictStr | None
    target_url: StrictStr | None
    creator: User | None


class Viewer(Answer):
    """https://docs.github.com/en/graphql/reference/queries#viewer"""

    login: Login


class ViewerData(Answer):
    viewer: Viewer


class Switch(Answer):
    """`enforce_admins`, `allow_force_pushes` and their like."""

    enabled: StrictBool


OFF = Switch(enabled=False)


class Slug(Answer):
    """A team or an app."""

    slug: Login


class People(Answer):
    """`restrictions` and `bypass_pull_request_allowances`."""

    users: tuple[User, ...]
    teams: tuple[Slug, ...]
    apps: tuple[Slug, ...] = ()


class RequiredReviews(Answer):
    bypass_pull_request_allowances: People | None = None


class RequiredCheck(Answer):
    context: StrictStr
    app_id: StrictInt | None = None


class RequiredChecks(Answer):
    """The checks that a merge has to wait for; `contexts` are the names of `checks` on servers that know those."""

    strict: bool = False
    contexts: tuple[StrictStr, ...] = ()
    checks: tuple[RequiredCheck, ...] = ()


class BranchProtection(Answer):
    """https://docs.github.com/en/rest/branches/branch-protection#get-branch-protection"""

    enforce_admins: Switch
    restrictions: People | None = None
    required_pull_request_reviews: RequiredReviews | None = None
    required_status_checks: RequiredChecks | None = None
    allow_force_pushes: Switch
    allow_deletions: Switch
    lock_branch: Switch = OFF


class Rule(Answer):
    """https://docs.github.com/en/rest/repos/rules#get-rules-for-a-branch"""

    type: StrictStr
    ruleset_id: StrictInt


class BypassActor(Answer):
    """Who need not keep to a ruleset: by number for apps, teams, users and roles."""

    actor_id: StrictInt | None = None
    actor_type: StrictStr
    bypass_mode: StrictStr = "always"


class Ruleset(Answer):
    """https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset

    `bypass_actors` is only there for those who may write the ruleset.
    """

    id: StrictInt
    name: StrictStr
    bypass_actors: tuple[BypassActor, ...] | None = None


class App(Answer):
    id: StrictInt
    slug: StrictStr = ""


class CheckRun(Answer):
    """https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference"""

    id: StrictInt
    name: StrictStr
    head_sha: Sha
    status: StrictStr
    conclusion: StrictStr | None
    completed_at: AwareDatetime | None = None
    html_url: StrictStr | None = None
    app: App | None


class WorkflowRun(Answer):
    """https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository"""

    id: StrictInt
    head_sha: Sha
    head_branch: StrictStr | None
    path: StrictStr
    event: StrictStr


class WorkflowJob(Answer):
    """https://docs.github.com/en/rest/actions/workflow-jobs#list-jobs-for-a-workflow-run

    Its check run bears the same number.
    """

    id: StrictInt
    name: StrictStr
    head_sha: Sha
    status: StrictStr
    conclusion: StrictStr | None
    completed_at: AwareDatetime | None = None
    html_url: StrictStr | None = None


class LabelledIssue(Answer):
    """An issue's or pull request's labels: https://docs.github.com/en/rest/issues/issues#get-an-issue"""

    labels: tuple[Label, ...]


class LabelName(Answer):
    name: StrictStr


class Dismissed(Answer):
    """`state` is what the review said before, in lower case."""

    state: StrictStr
    review_id: StrictInt


class IssueEvent(Answer):
    """https://docs.github.com/en/rest/issues/events#list-issue-events-for-a-repository"""

    id: StrictInt
    event: StrictStr
    actor: User | None
    label: LabelName | None = None
    created_at: AwareDatetime
    dismissed_review: Dismissed | None = None
