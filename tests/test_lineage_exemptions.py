"""What a policy lets pass that is not upstream's: exemptions, alterations, and other trailers than Change-Id."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.core.globs import matches
from guard.core.lineage_facts import CommitFacts
from guard.core.model import Commit, Outcome
from guard.core.policy_branch import Exemption, Lineage
from guard.core.rules.exemptions import applicable
from tests.lineage_world import FIX, World, lines

OWN = {"tox.ini": "own\n"}
BY_PATH = Exemption(paths=("tox.ini", ".gitreview", "doc/**"), approval=("platform",))
BY_TITLE = Exemption(markers=("[stable-only]",), approval=("platform",))
BY_BOTH = Exemption(paths=("tox.ini",), markers=("[stable-only]",), approval=("platform", "security"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("tox.ini", "tox.ini", True),
        ("tox.ini", "sub/tox.ini", False),
        ("tox.ini", "tox_ini", False),
        ("*.ini", "tox.ini", True),
        ("*.ini", "sub/tox.ini", False),
        ("**/tox.ini", "tox.ini", True),
        ("**/tox.ini", "a/b/tox.ini", True),
        ("**/tox.ini", "a/b/other-tox.ini", False),
        ("doc/**", "doc/a/b", True),
        ("doc/**", "docs/a", False),
        ("doc/*", "doc/a/b", False),
        ("?", "a", True),
        ("?", "/", False),
        ("[ab]", "a", False),
        ("**", "a\nb/c", True),
        ("tox.ini", "tox.ini\n", False),
    ],
)
def test_globs(glob: str, path: str, fits: bool) -> None:
    assert matches(path, glob) is fits


A, B, C = (Commit(letter * 40) for letter in "abc")


@pytest.mark.parametrize(
    ("exemption", "subject", "paths", "parents", "covers"),
    [
        pytest.param(BY_PATH, "own", ("tox.ini",), (A,), True, id="its-path"),
        pytest.param(BY_PATH, "own", ("doc/a/b", "tox.ini"), (A,), True, id="all-its-paths"),
        pytest.param(BY_PATH, "own", ("app.py", "tox.ini"), (A,), False, id="one-path-more"),
        pytest.param(BY_PATH, "own", (), (A,), False, id="no-path"),
        pytest.param(BY_PATH, "own", None, (A,), False, id="paths-not-known"),
        pytest.param(BY_PATH, "own", ("tox.ini",), (A, C), False, id="a-merge"),
        pytest.param(BY_TITLE, "[stable-only] own", ("app.py",), (A,), True, id="its-title"),
        pytest.param(BY_TITLE, "[Stable-Only] own", ("app.py",), (A,), False, id="another-spelling"),
        pytest.param(BY_TITLE, "[stable-only] own", ("app.py",), (A, C), False, id="a-merge-with-the-title"),
        pytest.param(BY_BOTH, "[stable-only] own", ("tox.ini",), (A,), True, id="both"),
        pytest.param(BY_BOTH, "own", ("tox.ini",), (A,), False, id="the-title-lacks"),
        pytest.param(BY_BOTH, "[stable-only] own", ("app.py",), (A,), False, id="the-path-lacks"),
        pytest.param(
            Exemption.model_construct(paths=(), markers=(), approval=()), "own", ("a",), (A,), False, id="of-nothing"
        ),
    ],
)  # fmt: skip
def test_what_an_exemption_covers(
    exemption: Exemption,
    subject: str,
    paths: tuple[str, ...] | None,
    parents: tuple[Commit, ...],
    covers: bool,
) -> None:
    facts = CommitFacts(B, subject, parents, on_upstream=False, paths=paths)
    assert bool(applicable(facts, [exemption])) is covers


@pytest.mark.parametrize(
    ("exemptions", "approved", "told"),
    [
        pytest.param((), {"platform"}, ("missing", Outcome.FAIL), id="none"),
        pytest.param((BY_PATH,), set(), ("missing", Outcome.PENDING), id="not-approved"),
        pytest.param((BY_PATH,), {"security"}, ("missing", Outcome.PENDING), id="approved-by-others"),
        pytest.param((BY_PATH,), {"platform"}, ("exempt", Outcome.PASS), id="approved"),
        pytest.param((BY_BOTH,), {"platform"}, ("missing", Outcome.PENDING), id="half-approved"),
        pytest.param((BY_BOTH, BY_PATH), {"platform"}, ("exempt", Outcome.PASS), id="one-of-two-is-approved"),
    ],
)
def test_an_exemption_needs_its_approval(
    world: World, exemptions: tuple[Exemption, ...], approved: set[str], told: tuple[str, Outcome]
) -> None:
    world.release("[stable-only] own", OWN)
    (one,) = world.judge(Lineage(exemptions=exemptions), approved=approved)
    assert (one.standing, one.outcome) == told
    assert one.via == ("exemption" if one.outcome is Outcome.PASS else None)


def test_what_claims_an_origin_is_not_exempt(world: World) -> None:
    world.pick(world.master("fix", FIX))
    world.amend(
        {"lib.txt": lines((9, "slipped in"))},
        "[stable-only] fix\n\n" + world.repo.git("log", "-1", "--format=%b"),
    )
    reverted = world.master("bad", {"app.txt": lines((5, "fixed"), (20, "bad"))})
    world.pick(reverted)
    world.revert("master", reverted)
    exempting = Lineage(exemptions=(Exemption(paths=("**",), approval=("platform",)),))
    told = [one.standing for one in world.judge(exempting, approved={"platform"})]
    assert told == ["altered", "reverted-upstream"]


def test_a_hidden_edit_in_a_merge_is_not_exempt(world: World) -> None:
    world.master("fix", FIX)
    world.on("release").git("merge", "-q", "--no-ff", "--no-commit", "master~0")
    world.repo.commit("[stable-only] merge", OWN)
    world.master("later", {"lib.txt": lines((7, "later"))})
    exempting = Lineage(exemptions=(BY_PATH, BY_TITLE))
    assert [one.standing for one in world.judge(exempting, approved={"platform"})][-1] == "missing"


@pytest.mark.parametrize(
    ("alterations", "approved", "outcome"),
    [
        pytest.param((), {"platform"}, Outcome.FAIL, id="nobody-named"),
        pytest.param(("platform",), set(), Outcome.PENDING, id="not-approved"),
        pytest.param(("platform", "security"), {"platform"}, Outcome.PENDING, id="half-approved"),
        pytest.param(("platform",), {"platform"}, Outcome.PASS, id="approved"),
    ],
)
def test_an_alteration_needs_its_approval(
    world: World, alterations: tuple[str, ...], approved: set[str], outcome: Outcome
) -> None:
    world.pick(world.master("fix", FIX))
    world.amend({"lib.txt": lines((9, "slipped in"))})
    (one,) = world.judge(Lineage(alterations=alterations), approved=approved)
    assert (one.standing, one.outcome) == ("altered", outcome)
    assert "+slipped in" in one.detail


def test_the_trailers_that_a_policy_names(world: World) -> None:
    origin = world.master("fix\n\nTicket: PLATFORM-1234\n", FIX)
    world.master("between", {"app.txt": lines((5, "fixed"), (9, "between"))})
    world.release("fix, said otherwise\n\nTicket: PLATFORM-1234\n", {**FIX, "lib.txt": lines((9, "besides"))})
    assert world.standings() == ["missing"]
    (one,) = world.judge(Lineage(trailers=("Ticket",)))
    assert (one.standing, one.via, one.upstream_commit) == ("altered", "change-id", origin)
