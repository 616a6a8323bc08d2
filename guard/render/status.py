"""A decision as a commit status: a state, and a text that names the first thing to do."""

from __future__ import annotations

from dataclasses import replace

from guard.core.forge_facts import CommitStatus
from guard.core.model import Decision, Finding, Verdict
from guard.core.rules.candidate import DRAFT
from guard.core.unblock import first_thing
from guard.render import board
from guard.render.safe import plain

LIMIT = 140
"""Characters of a description: GitHub's limit, which is smaller than GitLab's 255."""

UNDECIDED = "could not decide"
PREVIEW = "preview of a draft"


def context_of(branch: str) -> str:
    """The status' name, so that the statuses of two protected branches do not hide each other."""
    return f"guard/promotion ({branch})"


def decision_status(decision: Decision, *, url: str = "") -> CommitStatus:
    """`success` for GO, `failure` for NO-GO, `error` where only errors block. A policy that observes blocks nothing,
    and so the state is `success` whatever was decided; the text says what was."""
    branch = decision.candidate.branch
    if (preview := _preview(decision)) is not None:
        return _status(branch, "success" if decision.mode == "observe" else "failure", preview, url)
    if decision.allowed:
        return _status(branch, "success", _go(decision), url)
    if decision.mode == "observe":
        return _status(branch, "success", f"observed only: {_no_go(decision)}", url)
    if decision.exit_status == 2:
        return _status(branch, "error", _error(decision), url)
    return _status(branch, "failure", _no_go(decision), url)


def waiting_status(branch: str, why: str, *, url: str = "") -> CommitStatus:
    """Something cannot be read just now, and it is tried again soon."""
    return _status(branch, "pending", f"deciding; trying again: {why}", url)


def undecided_status(branch: str, why: str, *, url: str = "") -> CommitStatus:
    """It was tried, and it was the last try for now."""
    return _status(branch, "error", f"{UNDECIDED}: {why}", url)


def superseded_status(branch: str, *, url: str = "") -> CommitStatus:
    """The commit is no open proposal's head any more."""
    return _status(branch, "failure", "NO-GO: not the head of an open proposal any more", url)


def _preview(decision: Decision) -> str | None:
    """What a draft would come to, were it none; None where it is none."""
    if not any(one.code == DRAFT for verdict in decision.blockers for one in verdict.findings):
        return None
    others = tuple(
        one for one in (without_draft(verdict) for verdict in decision.verdicts) if one is not None
    )
    real = replace(decision, verdicts=others)
    return f"{PREVIEW}: {_no_go(real) if real.blockers else 'GO once it is marked as ready'}"


def without_draft(verdict: Verdict) -> Verdict | None:
    """The verdict without the finding that the proposal is a draft; None where it has no other."""
    kept = tuple(one for one in verdict.findings if one.code != DRAFT)
    if len(kept) == len(verdict.findings):
        return verdict
    return replace(verdict, findings=kept) if kept else None


def _go(decision: Decision) -> str:
    opened = board.emergency(decision)
    if opened is not None:
        return f"{board.word(decision)}: {opened.summary.removeprefix('BREAK-GLASS: ')}"
    bootstrap = " by the bootstrap policy" if "bootstrap" in decision.policy_source.partition(",")[0] else ""
    return f"{board.word(decision)}{bootstrap}: everything required is there"


def _no_go(decision: Decision) -> str:
    return f"NO-GO: {_first(decision)}"


def _error(decision: Decision) -> str:
    if any(verdict.id == "policy" for verdict in decision.blockers):
        return f"NO-GO: {_first(decision)}"
    return f"{UNDECIDED}: {_first(decision)}"


def _first(decision: Decision) -> str:
    """The first thing to do, and of how many blockers it is one; the count is never cut off."""
    first, blockers = first_thing(decision), decision.blockers
    if first is None:
        return "nothing was judged"
    count = f" (1 of {len(blockers)} blockers)" if len(blockers) > 1 else ""
    return _cut(_reason(first), LIMIT - len(f"{PREVIEW}: NO-GO: ") - len(count)) + count


def _reason(first: Finding) -> str:
    code = first.code.split(".")
    if len(code) == 3 and (code[0], code[2]) == ("approvals", "missing"):
        return f"{code[1]} owner approval missing"
    # A commit's finding says "is not on master", and its place which commit.
    return f"{first.where} {first.message}" if code[0] == "lineage" and first.where else first.message


def _status(branch: str, state: str, text: str, url: str) -> CommitStatus:
    return CommitStatus(context_of(branch), state, _cut(text, LIMIT), url)


def _cut(text: str, limit: int) -> str:
    shown = plain(text, limit=2 * LIMIT)
    return shown if len(shown) <= limit else f"{shown[: limit - 1].rstrip()}…"
