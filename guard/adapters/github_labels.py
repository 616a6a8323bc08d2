"""Who put a label on a pull request, as GitHub recorded it."""

from __future__ import annotations

from guard.adapters.github_answers import IssueEvent, LabelledIssue
from guard.adapters.github_api import Api, GitHubError, segment
from guard.core.facts import Proposal


def read_labeller(api: Api, repo: str, proposal: Proposal, label: str) -> str | None:
    """GitHub tells labels apart whatever their case. The labels are read before the events, so that one taken away in
    between is seen to be gone. Raises GitHubError."""
    path, wanted = f"{repo}/issues/{segment(proposal.id)}", label.casefold()
    names = {one.name.casefold() for one in api.get(path, LabelledIssue).labels}
    if wanted not in names:
        return None
    events = [
        event
        for event in api.pages(f"{path}/events", IssueEvent)
        if event.event in {"labeled", "unlabeled"} and event.label and event.label.name.casefold() == wanted
    ]
    newest = max(events, key=lambda event: event.id, default=None)
    if newest is None:
        raise GitHubError(f"GitHub does not say who put {label} on #{proposal.id}")
    if newest.event == "unlabeled":
        return None
    if newest.actor is None:
        raise GitHubError(f"the account that put {label} on #{proposal.id} is gone", fix="set the label anew")
    return newest.actor.login
