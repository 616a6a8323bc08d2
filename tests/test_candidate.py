"""The shape of the move: something to promote, only adding, one open proposal for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from guard.core.facts import CandidateFacts, Proposal
from guard.core.model import Commit, Fact, Known, Outcome, Unknown
from guard.core.rules.candidate import judge_candidate
from tests.builders import NEW, NOW, OLD, UPSTREAM, candidate

BRANCH = "release/platform-control"


def proposal(id: str = "7", *, head: Commit = NEW, target: str = BRANCH, from_fork: bool = False) -> Proposal:
    return Proposal(id, target, head, "Promote", "dev@example.com", from_fork=from_fork)


ONE = (proposal(),)


def facts(
    proposals: Sequence[Proposal] | Unknown = ONE,
    *,
    descends: bool | Unknown = True,
    harm: str | Unknown = "",
) -> CandidateFacts:
    asked: Fact[tuple[Proposal, ...]] = (
        proposals if isinstance(proposals, Unknown) else Known(tuple(proposals), "test", NOW)
    )
    return CandidateFacts(
        descends=descends if isinstance(descends, Unknown) else Known(descends, "git", NOW),
        proposals=asked,
        policy_harm=harm if isinstance(harm, Unknown) else Known(harm, "git", NOW),
    )


@pytest.mark.parametrize(
    ("given", "outcome", "codes"),
    [
        pytest.param(facts(), Outcome.PASS, [], id="one-proposal"),
        pytest.param(
            facts([proposal(), proposal("8", head=UPSTREAM)]), Outcome.PASS, [], id="another-one-elsewhere"
        ),
        pytest.param(facts([]), Outcome.MISSING, ["candidate.no-proposal"], id="no-proposal"),
        pytest.param(
            facts([proposal(head=UPSTREAM)]),
            Outcome.MISSING,
            ["candidate.no-proposal"],
            id="proposal-of-another-head",
        ),
        pytest.param(
            facts([proposal(target="main")]),
            Outcome.MISSING,
            ["candidate.no-proposal"],
            id="into-another-branch",
        ),
        pytest.param(
            facts([proposal("7"), proposal("9")]),
            Outcome.FAIL,
            ["candidate.two-proposals"],
            id="two-proposals",
        ),
        pytest.param(facts([proposal(from_fork=True)]), Outcome.FAIL, ["candidate.fork"], id="fork"),
        pytest.param(
            facts(descends=False), Outcome.FAIL, ["candidate.not-descendant"], id="would-drop-commits"
        ),
        pytest.param(
            facts(descends=Unknown("shallow clone")),
            Outcome.ERROR,
            ["candidate.unknown"],
            id="history-unread",
        ),
        pytest.param(
            facts(Unknown("HTTP 502")), Outcome.ERROR, ["candidate.proposals-unknown"], id="proposals-unread"
        ),
        pytest.param(
            facts(harm="new removes guard.toml"), Outcome.FAIL, ["candidate.policy-lost"], id="policy-lost"
        ),
        pytest.param(
            facts(harm=Unknown("no such object")),
            Outcome.ERROR,
            ["candidate.policy-unknown"],
            id="policy-unread",
        ),
        pytest.param(
            facts([], descends=False),
            Outcome.FAIL,
            ["candidate.not-descendant", "candidate.no-proposal"],
            id="both-are-told",
        ),
    ],
)
def test_the_move(given: CandidateFacts, outcome: Outcome, codes: list[str]) -> None:
    verdict = judge_candidate(candidate(), given)
    assert verdict.outcome == outcome
    assert [finding.code for finding in verdict.findings] == codes
    assert all(
        finding.fix and finding.who for finding in verdict.findings if finding.outcome != Outcome.ERROR
    )


def test_nothing_to_promote() -> None:
    verdict = judge_candidate(candidate(old=NEW), facts())
    assert [finding.code for finding in verdict.findings] == ["candidate.nothing"]
    assert not verdict.outcome.allows


def test_both_of_two_proposals_are_named() -> None:
    verdict = judge_candidate(candidate(), facts([proposal("9"), proposal("7")]))
    assert "7, 9" in verdict.findings[0].message


def test_the_fix_is_the_command() -> None:
    fix = judge_candidate(candidate(), facts([])).findings[0].fix
    assert fix.startswith(f"guard propose --target {BRANCH} --head {NEW}")
    assert "guard promote --prepare" in fix


def test_the_summary_says_what_moves() -> None:
    summary = judge_candidate(candidate(), facts()).summary
    assert summary == f"{NEW[:10]} descends from {OLD[:10]} and is the head of proposal 7"


def test_a_fork_is_admitted_where_the_policy_says_so() -> None:
    assert judge_candidate(candidate(), facts([proposal(from_fork=True)]), forks=True).outcome is Outcome.PASS


def test_a_draft_is_judged_in_full_and_never_promoted() -> None:
    draft = replace(proposal(), draft=True)
    verdict = judge_candidate(candidate(), facts([draft]))
    assert verdict.outcome is Outcome.PENDING
    assert [finding.code for finding in verdict.findings] == ["candidate.draft"]
