"""Master first: claims in messages, what a policy can allow, the report, and everything that must not take part."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from guard.adapters.git import GitRepo
from guard.adapters.lineage.messages import Claims, read_claims
from guard.cli.main import status_of
from guard.core.errors import GitError
from guard.core.lineage_facts import CommitFacts, LineageFacts, Link
from guard.core.model import Commit, Known, Outcome, Unknown, Verdict
from guard.core.policy_branch import Lineage
from guard.core.rules.lineage import judge_lineage
from guard.render.lineage_json import lineage_report
from guard.render.lineage_schema import lineage_schema
from tests.lineage_world import World, lines

A, B, C = (Commit(letter * 40) for letter in "abc")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIX = {"app.txt": lines((5, "fixed"))}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# --- what a message claims -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "picked"),
    [
        pytest.param(f"x\n\n(cherry picked from commit {A})", [A], id="the-line-of-x"),
        pytest.param(
            f"x\n\nbody\n\nSigned-off-by: a <a@b>\n(cherry picked from commit {A})\n",
            [A],
            id="after-a-trailer",
        ),
        pytest.param(
            f"x\n\n(cherry picked from commit {A})\nSigned-off-by: a\n\n", [A], id="before-a-trailer"
        ),
        pytest.param(
            f"x\n\n(cherry picked from commit {A})\n(cherry picked from commit {B})", [A, B], id="a-chain"
        ),
        pytest.param(
            f"x\n\n(cherry picked from commit {A})\n\nConflicts:\n\ta.py\n\n", [A], id="before-conflicts"
        ),
        pytest.param(
            f"x\n\n(cherry picked from commit {A})\n# Conflicts:\n#\ta.py", [A], id="before-new-conflicts"
        ),
        pytest.param(f"x\n\n(cherry picked from commit {A[:7]})", [A[:7]], id="short"),
        pytest.param(
            f"x\r\n\r\n(cherry picked from commit {A})\r\n".replace("\r\n", "\n"), [A], id="windows-lines"
        ),
        pytest.param(f"(cherry picked from commit {A})", [], id="title"),
        pytest.param(f"x\n\n(cherry picked from commit {A})\nis where it is from", [], id="prose-after"),
        pytest.param(f"x\n\nsee (cherry picked from commit {A})", [], id="inside-a-line"),
        pytest.param(f"x\n\n> (cherry picked from commit {A})", [], id="quoted"),
        pytest.param(f"x\n\n    (cherry picked from commit {A})", [], id="indented"),
        pytest.param("x\n\n(cherry picked from commit abcdef)", [], id="too-short"),
        pytest.param(f"x\n\n(cherry picked from commit {A}{A})", [], id="too-long"),
        pytest.param("x\n\n(cherry picked from commit --all)", [], id="an-option"),
        pytest.param("", [], id="no-message"),
        pytest.param(f"x\n\n```\n(cherry picked from commit {A})\n```\n", [], id="in-a-code-block"),
        pytest.param(
            f"x\n\n(cherry picked from commit {A})\n---\nnotes of a review\n", [], id="above-a-cut-line"
        ),
        pytest.param(f"x\n\n\t(cherry picked from commit {A})\n", [], id="indented-by-a-tab"),
        pytest.param(f"x\n\n- (cherry picked from commit {A})\n", [], id="in-a-list"),
        pytest.param(f'x\n\n"(cherry picked from commit {A})"\n', [], id="in-quotes"),
        pytest.param(f"x\n\n(cherry picked from commit {A}).\n", [], id="a-sentence"),
        pytest.param(f"x\n\n(cherry picked from commit {A})\0\n", [], id="a-nul-behind-it"),
        pytest.param(f"x\n\n(cherry picked from commit {A} and {B})\n", [], id="two-in-one"),
        pytest.param(
            f"x\n\n(cherry picked from commit \N{CYRILLIC SMALL LETTER A}{A[1:]})\n", [], id="looks-alike"
        ),
        pytest.param(
            f"x\n\n(cherry picked from commit {A})\n\nFix: a line that is a trailer\n",
            [A],
            id="more-trailers-below",
        ),
        pytest.param(f"x\n\nwhy\n\n(cherry picked from commit {A})\n\nwhy not\n", [], id="a-paragraph-below"),
    ],
)
def test_trailers(message: str, picked: list[str]) -> None:
    assert list(read_claims(message).picked_from) == picked


def test_other_claims() -> None:
    change = f"I{'0' * 40}"
    assert read_claims(f"x\n\nChange-Id: {change}\n").change_ids == (change,)
    assert read_claims(f"x\n\nChange-Id: {change} \nprose").change_ids == ()
    revert = read_claims(f'Revert "x"\n\nThis reverts commit {A}, reversing\nchanges made to {B}.\n')
    assert (revert.reverts, revert.reverts_subject) == ((A,), "x")
    assert read_claims(f"x\n\nThis reverts commits {A[:8]} (one, 2020-01-01) and\n{B}.\n").reverts == (
        A[:8],
        B,
    )
    assert read_claims(f"x\n\nthis does not revert commit {A}\n").reverts == ()
    assert read_claims(f"Squashed commit of the following:\n\ncommit {A}\nAuthor: x\n").squashes == (A,)


def test_a_huge_message_claims_nothing_at_its_end() -> None:
    assert read_claims("x\n\n" + "y" * 10_000_000 + f"\n(cherry picked from commit {A})") == Claims("x")


# --- what a policy can allow -------------------------------------------------------------------------------------


def facts(*links: Link, **fields: object) -> Known[LineageFacts]:
    commit = CommitFacts(B, "fix", (C,), on_upstream=False, links=links, **fields)  # type: ignore[arg-type]
    return Known(LineageFacts(A, C, B, "master", (commit,)), "git", NOW)


ADAPTED = facts(Link("trailer", A, "conflict"))
PROVED = Link("trailer", A, "same")
GUESS = facts(Link("patch-id", A, "different"))
ALTERED = facts(Link("trailer", A, "different", "+ slipped in"))
BOTH = Lineage(adaptations=("platform", "security"))


@pytest.mark.parametrize(
    ("read", "policy", "approved", "outcome", "code"),
    [
        pytest.param(ADAPTED, Lineage(), {"platform"}, Outcome.FAIL, "lineage.adapted", id="adapted-nobody-named"),
        pytest.param(ADAPTED, BOTH, set(), Outcome.PENDING, "lineage.adapted", id="adapted-not-approved"),
        pytest.param(ADAPTED, BOTH, {"platform"}, Outcome.PENDING, "lineage.adapted", id="adapted-half-approved"),
        pytest.param(ADAPTED, BOTH, {"platform", "security"}, Outcome.PASS, "", id="adapted-approved"),
        pytest.param(ALTERED, BOTH, {"platform", "security"}, Outcome.FAIL, "lineage.altered", id="altered-approved"),
        pytest.param(
            facts(Link("trailer", A, "conflict"), Link("trailer", C, "different")),
            BOTH, {"platform", "security"}, Outcome.FAIL, "lineage.altered", id="a-second-trailer-hides-an-alteration",
        ),
        pytest.param(
            facts(Link("trailer", A, "conflict", reverted_by=C)),
            BOTH, {"platform", "security"}, Outcome.FAIL, "lineage.reverted-upstream", id="adapted-but-reverted",
        ),
        pytest.param(facts(PROVED), Lineage(), set(), Outcome.PASS, "", id="equivalent"),
        pytest.param(GUESS, Lineage(), set(), Outcome.FAIL, "lineage.missing", id="no-claim"),
        pytest.param(
            facts(Link("patch-id", A, "different", reverted_by=C)),
            Lineage(), set(), Outcome.FAIL, "lineage.missing", id="a-guess-claims-nothing",
        ),
        pytest.param(
            facts(Link("hearsay", A, "different")), Lineage(), set(), Outcome.FAIL, "lineage.missing", id="odd-link"
        ),
        pytest.param(facts(unknown="why"), Lineage(), set(), Outcome.ERROR, "lineage.error", id="unknown"),
        pytest.param(
            facts(PROVED, unknown="why"), Lineage(), set(), Outcome.PASS, "", id="unknown-but-proved"
        ),
        pytest.param(Unknown("shallow"), Lineage(), set(), Outcome.ERROR, "lineage.unknown", id="not-read"),
    ],
)  # fmt: skip
def test_outcomes(
    read: Known[LineageFacts] | Unknown, policy: Lineage, approved: set[str], outcome: Outcome, code: str
) -> None:
    verdict = judge_lineage(read, policy, approved=frozenset(approved))
    assert verdict.outcome is outcome
    assert [finding.code for finding in verdict.findings] == ([code] if code else [])


def judged(world: World) -> Verdict:
    return judge_lineage(Known(world.facts(), "git", NOW), Lineage())


def test_the_worst_comes_first_and_each_says_what_and_how_to_mend(world: World) -> None:
    world.release("own", {"own.txt": "own\n"})
    world.pick(world.master("fix", FIX))
    altered = world.amend({"lib.txt": lines((9, "slipped in"))})
    verdict = judged(world)
    assert verdict.title == "Every fix is on master first"
    assert verdict.summary == "2 commits: 1 altered, 1 missing"
    assert [finding.code for finding in verdict.findings] == ["lineage.missing", "lineage.altered"]
    found = verdict.findings[1]
    assert found.where == f"{altered[:10]} fix"
    assert "+slipped in" in found.detail
    assert "+fixed" not in found.detail, "only the difference from the clean pick is shown"
    assert "git cherry-pick -x" in found.fix


def test_an_adaptation_shows_how_the_patches_differ(world: World) -> None:
    world.master("before", {"app.txt": lines((5, "before"))})
    fix = world.master("fix", {"app.txt": lines((5, "before and fixed"))})
    world.release(f"fix\n\n(cherry picked from commit {fix})\n", FIX)
    detail = judged(world).findings[0].detail
    assert "-+before and fixed" in detail
    assert "++fixed" in detail


def test_details_are_bounded(world: World) -> None:
    world.pick(world.master("fix", FIX))
    world.amend({"long.txt": lines(count=5000), "wide.txt": "x" * 100_000})
    detail = judged(world).findings[0].detail
    assert len(detail.split("\n")) <= 201
    assert max(map(len, detail.split("\n"))) <= 400


# --- the whole promotion, and the report -------------------------------------------------------------------------


def test_a_head_that_is_on_upstream_needs_no_proof(world: World) -> None:
    head = world.master("one", FIX)
    world.master("two", {"lib.txt": "x\n"})
    found = world.facts(head=head)
    assert (found.head_on_upstream, found.commits, found.unlisted) == (True, (), 1)
    verdict = judge_lineage(Known(found, "git", NOW), Lineage())
    assert verdict.outcome is Outcome.PASS
    assert verdict.summary == "the head is on master itself (1 commit): nothing to prove"
    assert lineage_report(found, Lineage())["counts"]["on-upstream"] == 1


def test_nothing_new_is_nothing_to_judge(world: World) -> None:
    assert judged(world).summary == "no commits to judge"


def test_the_report_has_the_documented_form(world: World) -> None:
    origin = world.master("fix", FIX)
    picked = world.pick(origin)
    world.release("own\x1b[31m", {"own.txt": "own\n"})
    found = world.facts()
    report = lineage_report(found, Lineage())
    jsonschema.validate(report, lineage_schema())
    assert json.loads(json.dumps(report)) == report
    assert list(report) == ["upstream", "target", "head", "allowed", "counts", "commits"]
    assert report["allowed"] is False
    assert report["counts"] == {
        "on-upstream": 0, "clean-merge": 0, "equivalent": 1, "adapted": 0, "altered": 0, "reverted": 0,
        "reverted-upstream": 0, "exempt": 0, "missing": 1, "error": 0,
    }  # fmt: skip
    assert report["commits"][0] == {
        "commit": picked, "subject": "fix", "verdict": "equivalent", "via": "trailer", "upstream_commit": origin,
        "why": f"picking {origin[:10]} from master gives exactly this tree", "fix": None,
    }  # fmt: skip
    assert report["commits"][1]["via"] is report["commits"][1]["upstream_commit"] is None
    assert "git switch -c" in report["commits"][1]["fix"]


# --- what cannot be decided --------------------------------------------------------------------------------------


def _names_with_one_prefix() -> tuple[bytes, bytes]:
    seen: dict[str, bytes] = {}
    for number in range(10_000_000):
        content = f"{number}\n".encode()
        short = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()[:7]
        if short in seen:
            return seen[short], content
        seen[short] = content
    raise AssertionError


def test_an_ambiguous_abbreviation_is_an_error_and_not_a_missing_origin(world: World) -> None:
    names = [
        world.repo.git("hash-object", "-w", "--stdin", stdin=content) for content in _names_with_one_prefix()
    ]
    assert names[0][:7] == names[1][:7]
    world.release(f"fix\n\n(cherry picked from commit {names[0][:7]})\n", FIX)
    verdict = judged(world)
    assert verdict.outcome is Outcome.ERROR
    assert verdict.findings[0].code == "lineage.error"


def test_a_shallow_history_that_matters_is_an_error(world: World, tmp_path: Path) -> None:
    for number in range(5):
        world.master(f"m{number}", {"lib.txt": lines((9, f"m{number}"))})
    world.pick(world.master("fix", FIX))
    world.repo.git(
        "clone", "-q", "--depth=2", "--no-single-branch", f"file://{world.repo.path}", str(tmp_path / "cut")
    )
    names = [Commit(world.repo.rev(name)) for name in ("master", "release^", "release")]
    with GitRepo(tmp_path / "cut") as git, pytest.raises(GitError) as raised:
        git.lineage(*names, upstream_name="master")
    assert raised.value.code == "git.shallow"
    assert raised.value.fix == "git fetch --unshallow"


def test_a_shallow_history_that_does_not_matter_is_none(world: World, tmp_path: Path) -> None:
    world.base = world.repo.commit("behind everything")
    world.on("release").git("merge", "-q", "master")
    world.pick(world.master("fix", FIX))
    world.repo.git(
        "clone", "-q", "--depth=2", "--no-single-branch", f"file://{world.repo.path}", str(tmp_path / "cut")
    )
    with GitRepo(tmp_path / "cut") as git:
        found = git.lineage(
            Commit(world.repo.rev("master")),
            Commit(world.base),
            Commit(world.repo.rev("release")),
            upstream_name="m",
        )
    assert judge_lineage(Known(found, "git", NOW), Lineage()).outcome is Outcome.PASS


def test_a_partial_clone_is_an_error(world: World, tmp_path: Path) -> None:
    world.master("between", {"app.txt": lines((30, "between"))})
    world.pick(world.master("fix", {"app.txt": lines((30, "between"), (5, "fixed"))}))
    world.repo.git("config", "uploadpack.allowFilter", "true")
    part = tmp_path / "part"
    world.repo.git("clone", "-q", "--bare", "--filter=blob:none", f"file://{world.repo.path}", str(part))
    with GitRepo(part) as git, pytest.raises(GitError) as raised:
        git.lineage(
            Commit(world.repo.rev("master")),
            Commit(world.base),
            Commit(world.repo.rev("release")),
            upstream_name="m",
        )
    assert raised.value.code in {"git.missing-object", "git.failed"}


def test_a_trailer_into_a_history_with_holes_is_an_error_of_that_commit_alone(world: World) -> None:
    world.on("master").git("switch", "-q", "--orphan", "other")
    lost = world.repo.commit("lost", {"x": "x"})
    named = world.repo.commit("named", {"x": "y"})
    world.release(f"claims it\n\n(cherry picked from commit {named})\n", {"own.txt": "own\n"})
    world.pick(world.master("fix", FIX))
    world.repo.git("branch", "-D", "other")
    (world.repo.path / ".git/objects" / lost[:2] / lost[2:]).unlink()
    assert world.standings() == ["error", "equivalent/trailer"]


# --- what must not take part -------------------------------------------------------------------------------------


def test_configuration_attributes_and_drivers_take_no_part(world: World, tmp_path: Path) -> None:
    flag = tmp_path / "ran"
    driver = tmp_path / "driver.sh"
    driver.write_text(f"#!/bin/sh\ntouch '{flag}'\nexit 0\n")
    driver.chmod(0o755)
    settings = {
        "merge.evil.driver": f"{driver} %A", "diff.evil.textconv": str(driver), "diff.external": str(driver),
        "merge.default": "evil", "diff.renames": "copies", "diff.context": "0", "diff.noprefix": "true",
        "diff.ignoreSubmodules": "all", "diff.algorithm": "patience", "core.abbrev": "4", "color.ui": "always",
        "merge.renames": "false", "diff.mnemonicPrefix": "true", "log.showSignature": "true", "diff.wordRegex": ".",
    }  # fmt: skip
    origin = world.master("fix", {"app.txt": lines((5, "fixed")), "x/new.txt": "new\n"})
    world.pick(origin)
    altered = world.amend({"app.txt": lines((5, "fixed"), (9, "slipped"))})
    for key, value in settings.items():
        world.repo.git("config", key, value)
    (world.repo.path / ".git/info").mkdir(exist_ok=True)
    (world.repo.path / ".git/info/attributes").write_text("* merge=evil diff=evil -text\n*.txt merge=ours\n")
    world.repo.git("replace", altered, origin)
    assert world.standings() == ["altered/trailer"]
    assert not flag.exists()


def test_attributes_in_the_proposal_take_no_part(world: World) -> None:
    world.base = world.release("attributes", {".gitattributes": "*.txt merge=union binary\n"})
    world.master("before", {"app.txt": lines((5, "before"))})
    fix = world.master("fix", {"app.txt": lines((5, "before and fixed"))})
    world.release(f"fix\n\n(cherry picked from commit {fix})\n", FIX)
    assert world.standings() == ["adapted/trailer"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line of every process that is started."""
    commands: list[str] = []

    class Counting(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], **rest: Any) -> None:
            commands.append(" ".join(command))
            super().__init__(command, **rest)

    monkeypatch.setattr(subprocess, "Popen", Counting)
    return commands


def test_a_hundred_commits_take_a_dozen_processes(world: World, started: list[str]) -> None:
    for number in range(100):
        files = {f"m{number}.txt": f"{number}\n", "app.txt": lines((number % 40 + 1, "x"))}
        origin = world.master(f"m{number}", files)
        if number % 3:
            world.on("release").git("cherry-pick", "-x", "-X", "theirs", origin)
        else:
            world.release(f"own {number}", {f"m{number}.txt": "own\n"})
    base, release, master = (
        Commit(world.base),
        Commit(world.repo.rev("release")),
        Commit(world.repo.rev("master")),
    )
    started.clear()
    with GitRepo(world.repo.path) as git:
        found = git.lineage(master, base, release, upstream_name="master")
    assert len(found.commits) == 100
    assert len(started) <= 12, Counter(command.split("guard-git-")[-1].split(" ")[1] for command in started)
    started.clear()
    names = ("--upstream", "master", "--target", base, "--head", "release")
    assert status_of(["lineage", "--repo", str(world.repo.path), *names, "--format", "json"]) == 1
    assert len(started) <= 14, "the whole command: the names, and is there a policy?"


def test_nothing_is_left_in_the_judged_repository(world: World) -> None:
    world.pick(world.master("fix", FIX))
    before = {str(file): file.read_bytes() for file in world.repo.path.rglob("*") if file.is_file()}
    world.facts(head=world.repo.rev("release"), target=world.base, upstream=world.repo.rev("master"))
    assert {str(file): file.read_bytes() for file in world.repo.path.rglob("*") if file.is_file()} == before
