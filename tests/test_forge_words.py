"""What a fix asks of people is what their forge lets them do: its own buttons, and the guard's commands where there is
no forge."""

from __future__ import annotations

import re
from typing import Literal

import pytest

from guard.core.facts import ApprovalFacts, CandidateFacts, Incident, Objection
from guard.core.model import Fact, Finding, Known, Unknown
from guard.core.policy import ApprovalRule
from guard.core.rules.approvals import judge_approvals
from guard.core.rules.candidate import judge_candidate
from guard.core.rules.incidents import judge_incidents
from tests.builders import NEW, NOW, candidate

Forge = Literal["gitlab", "github", "local"]
FORGES: tuple[Forge, ...] = ("gitlab", "github", "local")


def findings(forge: Forge) -> dict[str, Finding]:
    """Everything that people have to do something about on the forge itself."""
    authors: dict[str, frozenset[str]] = {kind: frozenset({"x"}) for kind in ApprovalRule().not_by}
    facts = ApprovalFacts((), authors, (Objection("ann", NOW, "u"),))
    members = {
        "platform": Known(frozenset({"ann"}), "t", NOW),
        "security": Known(frozenset({"sam"}), "t", NOW),
    }
    shape = CandidateFacts(Known(False, "t", NOW), Known((), "t", NOW), Known("", "t", NOW))
    open_: Fact[tuple[Incident, ...]] = Known((Incident("#7", "SEV-1", "down"),), "t", NOW)
    verdicts = (
        judge_approvals(ApprovalRule(), Known(facts, "t", NOW), members, head=NEW, forge=forge),
        judge_candidate(candidate(), shape, forge=forge),
        judge_incidents(("SEV-1",), open_, forge=forge),
    )
    return {one.code: one for verdict in verdicts for one in verdict.findings}


SAYS: dict[str, dict[Forge, str]] = {
    "approvals.security.missing": {
        "gitlab": r"merge request: the button Approve .*Revoke approval",
        "github": "Files changed, Review changes, Approve",
        "local": f"guard approve --head {NEW}",
    },
    "approvals.changes-requested": {
        "gitlab": "approving the merge request withdraws it",
        "github": "dismissing their own review",
        "local": "approving",
    },
    "candidate.no-proposal": {
        "gitlab": "open a merge request",
        "github": "open a pull request",
        "local": "guard propose --target",
    },
    "candidate.not-descendant": {
        "gitlab": "merge release/platform-control into the proposal's branch",
        "github": "merge release/platform-control into the proposal's branch",
        "local": "guard promote --prepare",
    },
    "incidents.open": {
        "gitlab": "close its issue #7",
        "github": "close its issue #7",
        "local": "guard incident close #7",
    },
}


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("code", SAYS)
def test_a_fix_names_what_there_is(code: str, forge: Forge) -> None:
    fix = findings(forge)[code].fix
    assert re.search(SAYS[code][forge], fix)
    assert forge == "local" or "guard " not in fix, "it does not count there"


def test_without_a_policy_no_forge_is_known() -> None:
    shape = CandidateFacts(Unknown("git"), Known((), "t", NOW), Known("", "t", NOW))
    fixes = [one.fix for one in judge_candidate(candidate(), shape, forge=None).findings]
    assert any("open a merge or pull request" in fix for fix in fixes)
