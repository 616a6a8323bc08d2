"""What people do to a protected branch behind the guard's back, on both doubles, and what the guard said about it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tests.doubles.github.deliveries import delivery
from tests.doubles.github.state import ZERO
from tests.doubles.gitlab import deliveries as gitlab
from tests.doubles.gitlab.state import Push
from tests.gitrepo import Repo
from tests.service_sides import BOTH, BRANCH, SECRET, GitHubSide, GitLabSide, Said, Side

SOME = BOTH if os.environ.get("GUARD_TEST_LONG") else BOTH[:1]
"""The forges of stories in which the two hardly differ; with GUARD_TEST_LONG both."""

ALARM = f"guard/alarm ({BRANCH})"


@dataclass(frozen=True)
class Told:
    """An issue that the guard opened."""

    body: str
    is_open: bool


def move(side: Side, commit: str | None, *, by: str, told: bool = True, branch: str = BRANCH) -> None:
    """Somebody who can moves the branch, whichever way, or (None) deletes it; `told`: the forge sends an event."""
    bare = _bare(side)
    before = bare.run("rev-parse", "--verify", "-q", f"refs/heads/{branch}").stdout.decode().strip() or ZERO
    bare.git(
        "update-ref",
        *(["-d"] if commit is None else []),
        f"refs/heads/{branch}",
        *([commit] if commit else []),
    )
    note(side, before, commit or ZERO, by=by, branch=branch)
    if told:
        event(side, before, commit or ZERO, by=by, branch=branch)


def note(side: Side, before: str, after: str, *, by: str, branch: str = BRANCH) -> None:
    """The forge remembers who did it."""
    if isinstance(side, GitHubSide):
        side.state.moved(branch, before, after, by=by)
        return
    assert isinstance(side, GitLabSide)
    state = side.state
    state.pushes.append(
        Push(
            state.id(),
            state.project_id,
            branch,
            None if after == ZERO else after,
            state.user(by),
            state.now(),
        )
    )


def event(side: Side, before: str, after: str, *, by: str, branch: str = BRANCH) -> None:
    """A push event waits to be delivered, whether anything was pushed or not."""
    if isinstance(side, GitHubSide):
        sender = {"repository": {"full_name": side.repository}, "sender": {"login": by}}
        payload = {"ref": f"refs/heads/{branch}", "before": before, "after": after, **sender}
        side.double.deliveries.append(delivery("push", payload))
        return
    assert isinstance(side, GitLabSide)
    body = gitlab.push(side.state, branch, before=before, after=after, by=side.state.user(by))
    side._waiting.append(gitlab.Hook(token=SECRET).deliver("Push Hook", body))


def press_merge(side: Side, proposal: str, *, by: str) -> str:
    """An admin presses the merge button; the commit that the branch has then."""
    head = _bare(side).rev(
        f"refs/{'pull' if isinstance(side, GitHubSide) else 'merge-requests'}/{proposal}/head"
    )
    move(side, head, by=by)
    if isinstance(side, GitHubSide):
        side.state.close_pull(side.state.pulls[int(proposal)])
    else:
        side.close(proposal)
    return head


def issues(side: Side) -> list[Told]:
    """The guard's own, oldest first."""
    if isinstance(side, GitHubSide):
        found = [one for one in side.state.issues.values() if one.by.login == side.state.me.login]
        return [Told(one.body, one.state == "open") for one in found]
    assert isinstance(side, GitLabSide)
    return [Told(one.description, one.state == "opened") for one in side.state.issues if one.author.is_bot]


def alarm_statuses(side: Side, commit: str) -> list[Said]:
    if isinstance(side, GitHubSide):
        return [
            Said(one.state, one.description)
            for one in side.state.statuses
            if (one.commit, one.context) == (commit, ALARM)
        ]
    assert isinstance(side, GitLabSide)
    return [
        Said(one.state, one.description or "")
        for one in side.state.statuses
        if (one.sha, one.name) == (commit, ALARM)
    ]


def _bare(side: Side) -> Repo:
    if isinstance(side, GitHubSide):
        return side.state.bare
    assert isinstance(side, GitLabSide)
    return side.state.repo
