"""What people do on a forge, what the guard left there, and the deliveries that follow, whichever double it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tests.doubles.server import Server

BRANCH = "release/platform-control"
CONTEXT = f"guard/promotion ({BRANCH})"
SECRET = "a webhook's secret"


@dataclass(frozen=True)
class Said:
    """A status as it stands on a commit."""

    state: str
    description: str


class Side(Protocol):
    """One forge's double: what people do there, what the guard left there, and the deliveries that follow."""

    name: str
    repository: str
    url: str
    token: str

    def propose(self, head: str, *, by: str = "dev", title: str = "A release", fork: bool = False) -> str: ...
    def push(self, proposal: str, head: str, *, by: str = "dev") -> None: ...
    def close(self, proposal: str) -> None: ...
    def reopen(self, proposal: str) -> None: ...
    def retarget(self, proposal: str, branch: str) -> None: ...
    def rename_branch(self, proposal: str) -> None:
        """The branch that is proposed gets another name, under which it is proposed on."""
        ...

    def object(self, proposal: str, *, by: str) -> None:
        """Ask for changes."""
        ...

    def clear(self, proposal: str, *, objector: str, by: str) -> None:
        """What the forge lets anybody with write access do about a request for changes."""
        ...

    def role(self, name: str, *people: str, told: bool = True) -> None:
        """The role's group or team has exactly these members; `told` says whether an event comes."""
        ...

    def incident(self, *, open: bool) -> None:
        """A SEV-1 is opened, or closed by one who may."""
        ...

    def address(self, person: str, address: str) -> None:
        """The forge knows this address as the person's, as far as it tells anybody."""
        ...

    def forget_pushes(self) -> None:
        """The forge knows no longer who pushed what."""
        ...

    def approve(self, proposal: str, *, by: str) -> None: ...
    def program(self, name: str) -> str:
        """A bot of this name; the login that the forge gives it."""
        ...

    def withdraw(self, proposal: str, *, by: str) -> None: ...
    def comment(self, proposal: str, body: str, *, by: str, program: bool = False) -> str:
        """Its id. `program`: a bot wrote it."""
        ...

    def edit_comment(self, proposal: str, comment: str, body: str) -> None: ...
    def delete_comment(self, proposal: str, comment: str) -> None: ...
    def reactions(self, proposal: str, comment: str) -> list[str]:
        """What the guard put below it, in GitLab's names."""
        ...

    def mark_draft(self, proposal: str, *, draft: bool) -> None: ...
    def label(self, proposal: str, name: str, *, by: str) -> None: ...
    def unlabel(self, proposal: str, name: str, *, by: str) -> None: ...
    def jobs(self, commit: str, **jobs: str) -> None:
        """CI runs on the commit and ends `good`, `bad` or `off` (cancelled) for each job."""
        ...

    def move(self, branch: str, to: str) -> None:
        """Somebody pushes the clone's commit to a branch."""
        ...

    def foreign_status(self, commit: str, state: str, *, by: str) -> None:
        """Somebody else posts a status under the guard's name."""
        ...

    def statuses(self, commit: str) -> list[Said]:
        """All that were ever posted on the commit under the guard's context, oldest first."""
        ...

    def comments(self, proposal: str) -> list[tuple[str, str]]:
        """Author and body, oldest first."""
        ...

    def carried_out(self) -> list[str]:
        """What lines of comments made the forge do, as far as its double knows: GitLab's quick actions."""
        ...

    def deliver(self, url: str, *, times: int = 1, backwards: bool = False) -> list[int]:
        """Send what happened since the last time; the answers."""
        ...

    def server(self) -> Server:
        """The double's door, where faults are switched on."""
        ...

    def close_double(self) -> None: ...
