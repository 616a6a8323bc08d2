"""What a release branch has and upstream has not: from where on it is looked for, and how it is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from guard import wiring
from guard.adapters.git import GitRepo
from guard.adapters.ledger import SqlLedger
from guard.cli.drift import drift
from guard.core.drift import Drift
from guard.core.errors import UsageError
from guard.core.model import Commit
from guard.journeys.drift import DriftAsked, find_drift
from guard.ports import Ledger
from guard.render.drift import drift_markdown, drift_report, drift_schema, drift_text
from tests.lineage_world import FIX, World, lines

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A release branch with a pick, a commit of its own, and another one later."""
    world = World(tmp_path)
    world.pick(world.master("fix", FIX))
    world.release("own", {"own.txt": "own\n"})
    world.release("later", {"later.txt": "later\n"})
    return world


def find(
    world: World, *, since: str | None = None, upstream: str | None = "master", ledger: Ledger | None = None
) -> Drift:
    asked = DriftAsked("release", "release", upstream, since)
    return find_drift(asked, wiring.clone_sources(world.repo.path), ledger=ledger)


def titles(found: Drift) -> list[str]:
    return [one.subject for one in found.debt]


def moved(ledger: Ledger, new: str, *, ref: str = "refs/heads/release", permit: str | None = "p") -> None:
    ledger.append("branch.moved", {"ref": ref, "old": "0" * 40, "new": new, "permit": permit}, at=NOW)


def test_from_the_merge_base_all_of_it_is_listed(world: World) -> None:
    found = find(world)
    assert titles(found) == ["own", "later"]
    assert (found.since, found.facts.target, len(found.judged)) == ("the merge base", world.base, 3)


def test_from_the_last_promotion_only_what_came_since(world: World, tmp_path: Path) -> None:
    ledger = SqlLedger(tmp_path / "ledger.sqlite3", repository="r")
    assert titles(find(world, ledger=ledger)) == ["own", "later"], "there was none yet"
    moved(ledger, world.repo.rev("release~2"))
    moved(ledger, world.repo.rev("release~1"))
    moved(ledger, world.repo.rev("release"), permit=None)
    moved(ledger, world.repo.rev("release"), ref="refs/heads/other")
    found = find(world, ledger=ledger)
    assert titles(found) == ["later"], "a move without a permit is no promotion, nor is one of another branch"
    assert found.since == "the last promotion"
    assert titles(find(world, ledger=ledger, since="merge-base")) == ["own", "later"]


def test_from_a_commit_that_is_named(world: World) -> None:
    assert titles(find(world, since="release~1")) == ["later"]
    assert not find(world, since="release").debt


def test_what_is_on_upstream_by_content_is_no_debt(world: World) -> None:
    world.repo.git("switch", "-q", "master")
    world.repo.git("cherry-pick", "release~1", "release")
    assert not find(world).debt


def test_an_adapted_pick_is_listed_even_where_the_policy_lets_it_pass(world: World) -> None:
    world.master("before", {"lib.txt": lines((5, "before"))})
    fix = world.master("other", {"lib.txt": lines((5, "before and other"))})
    world.release(f"other\n\n(cherry picked from commit {fix})\n", {"lib.txt": lines((5, "other"))})
    assert [str(one.standing) for one in find(world).debt] == ["missing", "missing", "adapted"]


@pytest.mark.parametrize(
    ("since", "upstream", "code"),
    [
        pytest.param("promotion", "master", "drift.no-promotion", id="no-promotion"),
        pytest.param("nowhere", "master", "ref.unknown", id="no-such-start"),
        pytest.param(None, None, "usage.upstream", id="no-upstream"),
        pytest.param(None, "orphan", "drift.unrelated", id="nothing-in-common"),
    ],
)
def test_what_cannot_be_looked_for(world: World, since: str | None, upstream: str | None, code: str) -> None:
    world.repo.git("switch", "-q", "--orphan", "orphan")
    world.repo.commit("other", {"x": "x"})
    with pytest.raises(UsageError) as raised:
        find(world, since=since, upstream=upstream)
    assert raised.value.code == code
    assert raised.value.fix


def test_the_report_has_the_documented_form(world: World) -> None:
    report = drift_report(find(world))
    jsonschema.validate(report, drift_schema())
    assert (report["branch"], report["looked_at"], report["since_what"]) == ("release", 3, "the merge base")
    assert [row["verdict"] for row in report["commits"]] == ["missing", "missing"]


def test_what_people_read_is_escaped(world: World) -> None:
    world.release("<b>@all</b> \x1b[31m", {"odd.txt": "x"})
    found = find(world)
    assert "3 of 4 commits are not on master" in drift_text(found)
    assert "\x1b" not in drift_text(found)
    assert "<b>" not in drift_markdown(found)


@pytest.mark.parametrize(("since", "status"), [("merge-base", 1), ("release", 0)])
def test_the_command(world: World, since: str, status: int) -> None:
    arguments = [
        "--repo",
        str(world.repo.path),
        "--upstream",
        "master",
        "--target",
        "release",
        "--since",
        since,
    ]
    for form in ("text", "markdown", "json"):
        done = CliRunner().invoke(drift, [*arguments, "--format", form], standalone_mode=False)
        assert done.return_value == status, done.output
    assert json.loads(done.output)["head"] == world.repo.rev("release")


def test_the_original_author_is_an_author_too(world: World) -> None:
    """Who wrote what was picked cannot approve it, whoever picked it under another name."""
    repo = world.on("master")
    message = "x\n\nCo-authored-by: Co <CO@example.com>"
    repo.git("commit", "-q", "--allow-empty", "--author=Origin <Origin@example.com>", "-m", message)
    origin, base = Commit(repo.rev("HEAD")), Commit(repo.rev("release"))
    head = world.release(f"y\n\n(cherry picked from commit {origin[:12]})\n", {"y": "y"})
    with GitRepo(repo.path) as git:
        named = git.authorship(base, Commit(head))
        linked = git.authorship(base, base, origins=[origin])
    for people in (named, linked):
        original = {hand.address for hand in people.hands if hand.kind == "original-author"}
        assert original == {"origin@example.com", "co@example.com"}
