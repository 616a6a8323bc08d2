"""Who may push and merge on GitHub: classic protection, rulesets, both; and what the guard may not see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.adapters.github_protection import ADMINS, WRITERS
from guard.core.forge_facts import Protection
from guard.core.model import Unknown
from tests.doubles.github.state import Protected, Ruleset
from tests.doubles.server import Answer, Fault
from tests.forge_contract import known
from tests.github_world import TARGET, GitHubWorld

GUARD = "release-guard"
LOCKED_DOWN = ("update", "non_fast_forward", "deletion")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    world = GitHubWorld(tmp_path)
    yield world
    world.close()


def the_guard(world: GitHubWorld) -> tuple[str, int, str]:
    return ("User", world.state.me.id, "always")


@pytest.mark.parametrize(
    ("protected", "pushers", "mergers"),
    [
        pytest.param(Protected(), (WRITERS,), (WRITERS,), id="only-kept-from-force-pushes"),
        pytest.param(
            Protected(restrictions=(GUARD,)), (GUARD, ADMINS), (GUARD, ADMINS), id="administrators-pass-a-restriction"
        ),
        pytest.param(
            Protected(restrictions=("ann", "@acme/owners", "helper[bot]")),
            ("ann", "@acme/owners", "helper[bot]", ADMINS),
            ("ann", "@acme/owners", "helper[bot]", ADMINS),
            id="people-teams-and-apps",
        ),
        pytest.param(
            Protected(restrictions=(GUARD,), reviews_bypass=()), (), (GUARD, ADMINS), id="a-pull-request-is-demanded"
        ),
        pytest.param(Protected(reviews_bypass=("bob",)), ("bob",), (WRITERS,), id="one-may-push-past-the-review"),
        pytest.param(
            Protected(reviews_bypass=(), enforce_admins=False), (ADMINS,), (WRITERS,), id="administrators-not-bound"
        ),
        pytest.param(Protected(locked=True), (), (), id="locked"),
        pytest.param(Protected(locked=True, enforce_admins=False), (ADMINS,), (ADMINS,), id="locked-but-for-some"),
    ],
)  # fmt: skip
def test_classic_protection(
    world: GitHubWorld, protected: Protected, pushers: tuple[str, ...], mergers: tuple[str, ...]
) -> None:
    world.state.protected[TARGET] = protected
    assert known(world.forge.protection(TARGET)) == Protection(
        TARGET, pushers, mergers, force_push=False, deletable=False
    )


def test_what_classic_protection_leaves_open_is_told(world: GitHubWorld) -> None:
    world.state.protected[TARGET] = Protected(force_push=True, deletable=True)
    found = known(world.forge.protection(TARGET))
    assert found
    assert (found.force_push, found.deletable) == (True, True)


def test_no_protection_of_either_kind_is_known_to_be_none(world: GitHubWorld) -> None:
    assert known(world.forge.protection(TARGET)) is None


def test_a_ruleset_that_only_the_guard_may_bypass(world: GitHubWorld) -> None:
    world.state.rulesets.append(Ruleset(7, (TARGET,), LOCKED_DOWN, (the_guard(world),)))
    expected = Protection(TARGET, (GUARD,), (GUARD,), force_push=False, deletable=False)
    assert known(world.forge.protection(TARGET)) == expected
    assert known(world.forge.protection("master")) is None


def test_everybody_else_who_may_bypass_a_ruleset_is_named(world: GitHubWorld) -> None:
    others = (
        ("User", 1, "always"), ("Integration", 2, "always"), ("Team", 3, "exempt"), ("RepositoryRole", 5, "always"),
        ("RepositoryRole", 99, "always"), ("OrganizationAdmin", 1, "pull_request"), ("DeployKey", None, "always"),
    )  # fmt: skip
    world.state.rulesets.append(Ruleset(7, (TARGET,), ("update",), (the_guard(world), *others)))
    found = known(world.forge.protection(TARGET))
    assert found
    named = [GUARD, "user 1", "app 2", "team 3", ADMINS, "repository role 99"]
    assert list(found.pushers) == [*named, "deploy keys"]
    assert list(found.mergers) == [*named, "organisation owners", "deploy keys"]
    assert (found.force_push, found.deletable) == (True, True)


def test_a_ruleset_that_demands_a_pull_request_lets_everybody_merge_one(world: GitHubWorld) -> None:
    world.state.rulesets.append(Ruleset(7, (TARGET,), ("pull_request",), (("Team", 3, "pull_request"),)))
    found = known(world.forge.protection(TARGET))
    assert found
    assert (found.pushers, found.mergers) == ((), (WRITERS,))


def test_rulesets_and_classic_protection_bind_together(world: GitHubWorld) -> None:
    """Administrators pass the classic restriction, and stand before the ruleset."""
    world.state.protected[TARGET] = Protected(restrictions=(GUARD, "ann"), force_push=True)
    world.state.rulesets += [
        Ruleset(7, (TARGET,), LOCKED_DOWN, (the_guard(world),)),
        Ruleset(8, (TARGET,), ("update",), (the_guard(world), ("Team", 3, "always")), organisation=True),
    ]
    expected = Protection(TARGET, (GUARD,), (GUARD,), force_push=False, deletable=False)
    assert known(world.forge.protection(TARGET)) == expected


def test_an_app_in_a_bypass_list_is_the_guard_only_by_its_number(tmp_path: Path) -> None:
    """A bare installation token does not say which app it belongs to, so the list is told by number."""
    world = GitHubWorld(tmp_path, is_app=True)
    world.state.rulesets.append(Ruleset(7, (TARGET,), ("update",), (("Integration", 2, "always"),)))
    found = known(world.forge.protection(TARGET))
    assert found
    assert found.pushers == ("app 2",)
    world.close()


def test_a_token_that_may_not_see_protection_knows_nothing(world: GitHubWorld) -> None:
    """GitHub answers 404, as if there were none."""
    world.state.protected[TARGET] = Protected()
    world.double.may_administer = False
    answer = world.forge.protection(TARGET)
    assert isinstance(answer, Unknown)
    assert "Administration: read" in answer.fix


def test_a_bypass_list_that_is_not_shown_is_not_an_empty_one(world: GitHubWorld) -> None:
    world.state.rulesets.append(Ruleset(7, (TARGET,), ("update",), (("Team", 3, "always"),)))
    hidden = Answer(200, {"id": 7, "name": "x"})
    world.double.server.fail(Fault("status", path="/rulesets/7", answer=hidden))
    answer = world.forge.protection(TARGET)
    assert isinstance(answer, Unknown)
    assert "Administration: write" in answer.fix


def test_a_branch_that_is_not_there_is_not_unprotected(world: GitHubWorld) -> None:
    assert isinstance(world.forge.protection("release/never"), Unknown)
