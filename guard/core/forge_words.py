"""What people do on each forge: with its own buttons where it has them, with a command of the guard's where not.

Sources: https://docs.gitlab.com/user/project/merge_requests/approvals/ and
https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/reviewing-changes-in-pull-requests.
"""

from __future__ import annotations

from typing import Literal

from guard.core.model import Commit

Forge = Literal["gitlab", "github", "local"]


def approve(forge: Forge, head: Commit) -> str:
    """As the end of "ask an owner to approve abc…". GitLab keeps the time of somebody's first approval, so that one
    which is stale has to be revoked before it can be given anew."""
    if forge == "gitlab":
        return (
            " on the merge request: the button Approve (who approved before: Revoke approval, then Approve)"
        )
    if forge == "github":
        return " on the pull request: Files changed, Review changes, Approve"
    return f": guard approve --head {head}"


def withdraw_objection(forge: Forge) -> str:
    """What takes somebody's own request for changes back."""
    if forge == "gitlab":
        return "approving the merge request withdraws it (after Revoke approval, where they had approved)"
    return "approving, or dismissing their own review, withdraws it"


def propose(forge: Forge | None, branch: str, head: Commit) -> str:
    """None: it is not known which forge it is."""
    if forge == "local":
        return f"guard propose --target {branch} --head {head} (or: guard promote --prepare)"
    what = {"gitlab": "merge request", "github": "pull request"}.get(forge or "", "merge or pull request")
    return f"push a branch whose head is {head[:10]} and open a {what} from it into {branch}"


def catch_up(forge: Forge | None, branch: str) -> str:
    """What a proposal needs that has not got all of the branch."""
    if forge in {"gitlab", "github"}:
        return (
            f"merge {branch} into the proposal's branch and push it (approvals given before stay where the policy keeps"
            " target-merge)"
        )
    return "guard promote --prepare makes the merge on a proposal branch; promote that"


def close_incident(forge: Forge, incident: str) -> str:
    if forge == "local":
        return f"resolve it, then close it: guard incident close {incident}"
    return f"resolve it, then close its issue {incident}; it counts when somebody closes it who may"
