"""Issues on GitHub: the incidents with a label, and those that the guard opens itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from guard.adapters.github_answers import Issue, Label
from guard.adapters.github_api import Api, GitHubError, segment
from guard.core.facts import Incident
from guard.core.forge_facts import ForgeIssue

OWN_LABEL = "release-guard"
"""The label of the guard's own issues, by which they are found again."""


def open_incidents(
    api: Api, repository: str, labels: tuple[str, ...], able: set[str], *, still_here: Callable[[str], None]
) -> tuple[Incident, ...]:
    """The issues with any of the labels that are open, or were closed by nobody who may (`able`, in lower case).
    Raises GitHubError for a label that is not there, since renaming it would hide every incident."""
    found: dict[int, Incident] = {}
    for label in labels:
        for issue in _labelled(api, repository, label, still_here):
            if issue.state == "open" or not _closed_by(api, repository, issue, able):
                incident = Incident(f"#{issue.number}", label, issue.title, issue.html_url)
                found.setdefault(issue.number, incident)
    return tuple(found.values())


def own_issues(api: Api, repository: str, *, me: str) -> tuple[ForgeIssue, ...]:
    """https://docs.github.com/en/rest/issues/issues#list-repository-issues, newest first."""
    query = {"labels": OWN_LABEL, "state": "all", "sort": "created", "direction": "desc"}
    found = api.pages(f"{repository}/issues", Issue, **query)
    return tuple(
        forge_issue(one)
        for one in found
        if one.pull_request is None and one.user is not None and one.user.login == me
    )


def forge_issue(one: Issue) -> ForgeIssue:
    return ForgeIssue(str(one.number), one.body or "", one.state == "open", one.html_url)


def _labelled(api: Api, repository: str, label: str, still_here: Callable[[str], None]) -> Iterator[Issue]:
    """All issues with the label, closed ones too. The label's own address shows that we were not redirected to
    another repository: PyGithub follows a redirection without the query."""
    if "," in label:
        raise GitHubError(f"GitHub cannot be asked for a label with a comma: {label}", fix="rename the label")
    try:
        found = api.get(f"{repository}/labels/{segment(label)}", Label)
    except GitHubError as error:
        if error.status != 404:
            raise
        fix = f"create the label {label} on GitHub, or correct [incidents] labels in the policy"
        name = repository.removeprefix("/repos/")
        raise GitHubError(f"there is no label {label} in {name}", status=404, fix=fix) from error
    still_here(found.url.partition("/repos/")[2].partition("/labels/")[0])
    query = {"labels": label, "state": "all", "sort": "created", "direction": "asc"}
    issues = api.pages(f"{repository}/issues", Issue, **query)
    return (issue for issue in issues if issue.pull_request is None)


def _closed_by(api: Api, repository: str, issue: Issue, able: set[str]) -> bool:
    """Whether one of these people closed it; older servers leave `closed_by` out of lists."""
    if able and "closed_by" not in issue.model_fields_set:
        issue = api.get(f"{repository}/issues/{issue.number}", Issue)
    return issue.closed_by is not None and issue.closed_by.login.casefold() in able
