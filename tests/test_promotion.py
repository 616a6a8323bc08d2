"""Promotions over real git, keys, ledger and scripts: what is recorded, what is refused, what a script can do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from guard.adapters.keys import read_jwks
from guard.adapters.promote_script import asker, fetch_commit, permit_environment, remote_head
from guard.core.canonical import digest_of
from guard.core.errors import GitError, GuardError, Refused, UsageError
from guard.core.model import Commit, Decision, Outcome
from guard.core.permit import read, verify
from guard.journeys.adopt import adopt
from guard.journeys.promotion import Move, NotGo, Promoted, PromotionFailed, promote
from guard.journeys.reconcile import Attempt, expected_head, record_move, settle, unfinished
from guard.render.decision_json import decision_document
from tests.gitrepo import Repo, clean_environment
from tests.promoting import (
    BRANCH,
    POLICY_DIGEST,
    PUSHES,
    REF,
    REPOSITORY,
    SCRIPT,
    World,
    baseline_of,
    decision_of,
    kinds,
    make_world,
    request_of,
    tools_of,
)

ALL_KINDS = [
    "promotion.requested",
    "decision.recorded",
    "permit.issued",
    "promotion.started",
    "permit.spent",
    "branch.moved",
    "promotion.finished",
]
FAILED = [*ALL_KINDS[:4], "permit.revoked", "promotion.failed"]
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def test_a_go_moves_the_branch_and_every_step_is_on_record(world: World) -> None:
    assert promote(request_of(world), tools_of(world)) == Promoted(REF, old=world.old, new=world.new)
    assert (world.head(), kinds(world)) == (world.new, ALL_KINDS)
    assert expected_head(world.ledger(), REF) == world.new
    assert unfinished(world.ledger(), REF) is None
    started = next(world.ledger().entries("promotion.started")).body
    assert started["script"] == {
        "path": SCRIPT, "commit": world.new, "digest": digest_bytes(PUSHES.encode())
    }  # fmt: skip


def test_the_permit_is_for_exactly_this_move_and_names_the_recorded_decision(world: World) -> None:
    tokens: list[str] = []
    tools = tools_of(world)

    def move(move: Move) -> int:
        tokens.append(move.token)
        return tools.move(move)

    promote(request_of(world), replace(tools, move=move))
    permit = verify(
        tokens[0], read_jwks(world.folder / "jwks.json"), now=datetime.now(UTC), repository=REPOSITORY, ref=REF,
        old=world.old, new=world.new, tree=world.git("rev-parse", f"{world.new}^{{tree}}"),
    )  # fmt: skip
    recorded = next(world.ledger().entries("decision.recorded")).body
    assert permit.decision == recorded["digest"] == digest_of(recorded["decision"])
    assert (permit.policy, permit.by) == (POLICY_DIGEST, "ann@example.com")
    assert permit.expires - permit.issued == 900
    assert tokens[0].split(".")[2] not in (world.folder / "ledger.sqlite3").read_bytes().decode("latin-1")


def test_a_permit_does_not_outlive_the_evidence_of_its_go(world: World) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=2)

    def decide() -> Decision:
        decision = decision_of(world)
        return replace(
            decision, verdicts=tuple(replace(one, next_change_at=soon) for one in decision.verdicts)
        )

    promote(request_of(world), tools_of(world, decide=decide))
    issued = next(world.ledger().entries("permit.issued")).body
    assert issued["expires"] == f"{soon:%Y-%m-%dT%H:%M:%SZ}"


def test_running_it_again_says_already_promoted(world: World) -> None:
    promote(request_of(world), tools_of(world))
    assert promote(request_of(world), tools_of(world)).already
    assert kinds(world) == ALL_KINDS


def test_without_a_script_the_guard_pushes_itself(world: World) -> None:
    promote(request_of(world, script=None), tools_of(world))
    assert (world.head(), kinds(world)) == (world.new, ALL_KINDS)
    assert next(world.ledger().entries("promotion.started")).body["script"] is None


def moved_aside(world: World) -> str:
    """Move the branch as an admin would: without a permit, past the ledger."""
    dev = Repo(world.clone)
    other = dev.git("commit-tree", "-p", world.old, "-m", "by hand", f"{world.old}^{{tree}}")
    dev.git("push", "-q", "--force", "origin", f"{other}:{REF}")
    return other


def _no_branch(world: World) -> None:
    world.git("update-ref", "-d", REF)


def _moved(world: World) -> None:
    moved_aside(world)


def _to_new_by_hand(world: World) -> None:
    world.git("update-ref", REF, world.new)


REFUSALS: list[Any] = [
    pytest.param(_no_branch, {}, "promotion.no-branch", id="branch-deleted"),
    pytest.param(_moved, {}, "promotion.drift", id="moved-without-a-permit"),
    pytest.param(_to_new_by_hand, {}, "promotion.drift", id="moved-to-the-same-commit-without-a-permit"),
    pytest.param(None, {"seen_old": Commit("f" * 40)}, "promotion.target-moved", id="moved-since-the-plan"),
    pytest.param(
        None, {"seen_policy": "sha256:" + "0" * 64}, "promotion.policy-changed", id="policy-changed-since"
    ),
    pytest.param(None, {"script": "scripts/none.sh"}, "promotion.no-script", id="script-not-on-upstream"),
    pytest.param(None, {"by": "ann\x1b[31m"}, "permit.malformed", id="a-name-that-no-permit-can-hold"),
    pytest.param(None, {"script": "scripts"}, "promotion.no-script", id="script-is-a-folder"),
]


@pytest.mark.parametrize(("before", "changes", "code"), REFUSALS)
def test_refused_before_anything_is_recorded(
    world: World, before: Callable[[World], None] | None, changes: dict[str, Any], code: str
) -> None:
    decision = decision_of(world)
    if before:
        before(world)
    assert (
        code_of(lambda: promote(request_of(world, **changes), tools_of(world, decide=lambda: decision)))
        == code
    )
    assert kinds(world) == []


def test_without_a_baseline_it_asks_for_adopt(tmp_path: Path) -> None:
    world = make_world(tmp_path, baseline=False)
    with pytest.raises(Refused) as caught:
        promote(request_of(world), tools_of(world))
    assert (caught.value.code, "guard adopt" in caught.value.fix) == ("promotion.no-baseline", True)


@pytest.mark.parametrize(
    ("outcome", "status"), [(Outcome.FAIL, 1), (Outcome.MISSING, 1), (Outcome.STALE, 1), (Outcome.ERROR, 2)]
)
def test_no_go_moves_nothing_and_gives_no_permit(world: World, outcome: Outcome, status: int) -> None:
    with pytest.raises(NotGo) as caught:
        promote(request_of(world), tools_of(world, decide=lambda: decision_of(world, outcome=outcome)))
    assert (caught.value.exit_status, world.head(), kinds(world)) == (status, world.old, [])


@pytest.mark.parametrize("change", [{"partial": ("lineage",)}, {"verdicts": ()}], ids=["narrowed", "empty"])
def test_a_narrowed_or_empty_decision_is_no_go(world: World, change: dict[str, Any]) -> None:
    with pytest.raises(NotGo) as caught:
        promote(request_of(world), tools_of(world, decide=lambda: replace(decision_of(world), **change)))
    assert caught.value.exit_status != 0
    assert kinds(world) == []


def test_a_decision_about_another_commit_is_never_used(world: World) -> None:
    decision = decision_of(world)
    other = replace(decision, candidate=replace(decision.candidate, new=Commit(world.old)))
    assert code_of(lambda: promote(request_of(world), tools_of(world, decide=lambda: other))) == (
        "promotion.other-candidate"
    )


SCRIPTS = [
    pytest.param("#!/bin/sh\nexit 7\n", "exit status 7", id="fails"),
    pytest.param("#!/bin/sh\ntrue\n", "nothing went wrong", id="does-nothing"),
    pytest.param("#!/no/such/interpreter\n", "could not be run", id="cannot-be-started"),
    pytest.param("#!/bin/sh\nkill -9 $$\n", "exit status -9", id="is-killed"),
    pytest.param(
        '#!/bin/sh\ngit push -q origin "$GUARD_NEW:refs/heads/release/other"\n',
        "nothing went",
        id="moves-another",
    ),
]


@pytest.mark.parametrize(("script", "why"), SCRIPTS)
def test_a_script_that_does_not_move_the_branch_fails_and_its_permit_is_revoked(
    tmp_path: Path, script: str, why: str
) -> None:
    world = make_world(tmp_path, script=script)
    with pytest.raises(PromotionFailed, match=why):
        promote(request_of(world), tools_of(world))
    assert (world.head(), kinds(world)) == (world.old, FAILED)
    assert why in str(next(world.ledger().entries("promotion.failed")).body["why"])
    issued = next(world.ledger().entries("permit.issued")).body["permit"]
    assert world.ledger().find(f"permit.revoked:{issued}") is not None


def test_after_a_failure_it_can_be_run_again(world: World) -> None:
    tools = tools_of(world)
    with pytest.raises(PromotionFailed):
        promote(request_of(world), replace(tools, move=lambda _move: 1))
    promote(request_of(world), tools)
    assert (world.head(), kinds(world)) == (world.new, [*FAILED, *ALL_KINDS])


def test_a_script_that_fails_after_moving_the_branch_has_promoted_with_a_note(tmp_path: Path) -> None:
    world = make_world(tmp_path, script=PUSHES + "echo announced\nexit 3\n")
    promoted = promote(request_of(world), tools_of(world))
    assert promoted.note == f"{SCRIPT} ended with exit status 3"
    assert kinds(world) == ALL_KINDS
    assert next(world.ledger().entries("promotion.finished")).body["note"] == promoted.note


def test_a_script_that_moves_the_branch_elsewhere_fails_and_leaves_drift(tmp_path: Path) -> None:
    who = "git -c user.name=x -c user.email=x@y"
    elsewhere = f'#!/bin/sh\nnew=$({who} commit-tree -p "$GUARD_NEW" -m extra "$GUARD_NEW^{{tree}}")\n'
    world = make_world(tmp_path, script=elsewhere + 'git push -q origin "$new:refs/heads/$GUARD_BRANCH"\n')
    with pytest.raises(PromotionFailed):
        promote(request_of(world), tools_of(world))
    assert kinds(world) == FAILED
    assert code_of(lambda: promote(request_of(world), tools_of(world))) == "promotion.drift"


def test_the_script_is_upstreams_whatever_the_work_tree_holds(world: World) -> None:
    (world.clone / SCRIPT).write_text("#!/bin/sh\ntouch pwned\n")
    promote(request_of(world), tools_of(world))
    assert world.head() == world.new
    assert not (world.clone / "pwned").exists()


def test_what_a_script_gets(tmp_path: Path) -> None:
    script = (
        f"import os, sys, json\nopen({str(tmp_path / 'seen')!r}, 'w').write(json.dumps([sys.argv, dict(os.environ), "
        "os.getcwd(), oct(os.stat(sys.argv[0]).st_mode)]))\n"
    )
    world = make_world(tmp_path, script=f"#!{sys.executable}\n{script}")
    with pytest.raises(PromotionFailed):
        promote(request_of(world, arguments=("--fast", "a b")), tools_of(world))
    argv, env, folder, mode = json.loads((tmp_path / "seen").read_text())
    assert argv[1:] == ["--fast", "a b"]
    assert (env["GUARD_OLD"], env["GUARD_NEW"], env["GUARD_BRANCH"], env["GUARD_REMOTE"]) == (
        world.old, world.new, BRANCH, "origin"
    )  # fmt: skip
    assert read(env["GUARD_PERMIT"], read_jwks(world.folder / "jwks.json")).new == world.new
    assert (Path(folder), mode) == (world.clone, "0o100700")
    assert not Path(argv[0]).exists()


def test_a_script_without_a_first_line_is_one_for_sh(tmp_path: Path) -> None:
    world = make_world(tmp_path, script=PUSHES.removeprefix("#!/bin/sh\n"))
    promote(request_of(world), tools_of(world))
    assert world.head() == world.new


def test_the_target_moves_between_decision_and_push(world: World) -> None:
    def decide() -> Decision:
        decision = decision_of(world)
        moved_aside(world)
        return decision

    with pytest.raises(PromotionFailed):
        promote(request_of(world, script=None), tools_of(world, decide=decide))
    assert world.head() not in {world.old, world.new}
    assert kinds(world) == FAILED


def test_two_promoters_at_once_one_waits_for_another_day(world: World) -> None:
    tools = tools_of(world)
    seen: list[str | None] = []

    def move(move: Move) -> int:
        seen.append(code_of(lambda: promote(request_of(world), tools_of(world))))
        return tools.move(move)

    promote(request_of(world), replace(tools, move=move))
    assert seen == ["promotion.locked"]
    assert kinds(world) == ALL_KINDS


def test_the_servers_hook_records_the_move_first_and_nothing_is_there_twice(world: World) -> None:
    tools = tools_of(world)

    def move(move: Move) -> int:
        status = tools.move(move)
        permit = read(move.token, read_jwks(world.folder / "jwks.json")).id
        record_move(world.ledger(), REF, old=move.old, new=move.new, permit=permit, now=NOW)
        return status

    promote(request_of(world), replace(tools, move=move))
    assert kinds(world) == ALL_KINDS


def begun(world: World, *, started: bool = True) -> Attempt:
    """The ledger of a promotion that was killed, before the branch moved or after."""
    ledger = world.ledger()
    seq = ledger.append(
        "promotion.requested",
        {"promotion": "p1", "ref": REF, "old": world.old, "new": world.new, "by": "x"},
        at=NOW,
    ).seq
    ledger.append(
        "permit.issued", {"permit": "t1", "promotion": "p1", "ref": REF}, at=NOW, once="permit.issued:t1"
    )
    if started:
        ledger.append("promotion.started", {"promotion": "p1", "permit": "t1", "script": None}, at=NOW)
    return Attempt("p1", REF, world.old, world.new, seq, permit="t1", started=started)


def test_what_was_cut_off_is_found_in_the_ledger(world: World) -> None:
    assert unfinished(world.ledger(), REF) is None
    attempt = begun(world)
    assert unfinished(world.ledger(), REF) == attempt
    assert unfinished(world.ledger(), REF + "-other") is None


def test_cut_off_and_the_branch_is_elsewhere_it_is_revoked_and_drift(world: World) -> None:
    begun(world)
    moved_aside(world)
    assert code_of(lambda: promote(request_of(world), tools_of(world))) == "promotion.drift"
    assert kinds(world)[-2:] == ["permit.revoked", "promotion.failed"]


def test_cut_off_before_the_start_a_move_by_somebody_else_is_not_taken_for_ours(world: World) -> None:
    begun(world, started=False)
    _to_new_by_hand(world)
    assert code_of(lambda: promote(request_of(world), tools_of(world))) == "promotion.drift"
    assert "permit.spent" not in kinds(world)


def test_a_move_that_is_on_record_without_a_permit_is_not_taken_for_ours(world: World) -> None:
    begun(world)
    _to_new_by_hand(world)
    record_move(world.ledger(), REF, old=world.old, new=world.new, permit=None, now=NOW)
    assert code_of(lambda: promote(request_of(world), tools_of(world))) == "promotion.drift"
    assert "permit.spent" not in kinds(world)


def test_a_push_that_lands_while_its_permit_is_being_revoked_is_still_recorded(world: World) -> None:
    heads = iter([Commit(world.old), Commit(world.new)])
    ending = settle(
        world.ledger(), begun(world), read_head=lambda: next(heads), clock=lambda: NOW, why="cut off"
    )
    assert ending.moved
    assert kinds(world)[3:] == ["permit.revoked", "permit.spent", "branch.moved", "promotion.finished"]


def test_a_branch_forced_back_does_not_make_a_permit_good_again(world: World) -> None:
    promote(request_of(world), tools_of(world))
    world.git("update-ref", REF, world.old)
    assert code_of(lambda: promote(request_of(world), tools_of(world))) == "promotion.drift"
    spent = next(world.ledger().entries("permit.spent")).body["permit"]
    assert world.ledger().find(f"permit.spent:{spent}") is not None


def test_adopting(world: World) -> None:
    ledger, baseline = world.ledger(), baseline_of(world)
    assert not adopt(ledger, baseline, now=NOW)
    other = replace(baseline, head=Commit(moved_aside(world)))
    assert code_of(lambda: adopt(ledger, other, now=NOW)) == "adopt.drift"
    assert code_of(lambda: adopt(ledger, other, now=NOW, force=True)) == "usage"
    assert adopt(ledger, replace(other, because="restored from backup"), now=NOW, force=True)
    assert expected_head(ledger, REF) == other.head
    newest = next(ledger.entries("baseline.adopted", newest_first=True)).body
    assert (newest["instead_of"], newest["because"]) == (world.old, "restored from backup")


@pytest.mark.parametrize(
    ("base", "count", "key"),
    [
        pytest.param({}, "1", "GIT_CONFIG_KEY_0", id="none-before"),
        pytest.param({"GIT_CONFIG_COUNT": ""}, "1", "GIT_CONFIG_KEY_0", id="empty-before"),
        pytest.param(
            {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c"},
            "3",
            "GIT_CONFIG_KEY_2",
            id="two-before",
        ),
    ],
)
def test_the_push_option_is_added_to_what_is_injected_already(
    base: dict[str, str], count: str, key: str
) -> None:
    env = permit_environment(
        {**base, "GIT_DIR": "/x", "HOME": "/h"}, token="t", old="o", new="n", branch="b", remote="r"
    )
    assert (env["GIT_CONFIG_COUNT"], env[key], env["HOME"]) == (count, "push.pushOption", "/h")
    assert "GIT_DIR" not in env
    assert {name: env[name] for name in base if name != "GIT_CONFIG_COUNT"} == {
        name: base[name] for name in base if name != "GIT_CONFIG_COUNT"
    }


def test_a_config_count_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError):
        permit_environment({"GIT_CONFIG_COUNT": "x"}, token="t", old="o", new="n", branch="b", remote="r")


def test_the_clone_fetches_what_it_lacks(world: World, tmp_path: Path) -> None:
    bare = Repo(world.bare)
    tree = f"{world.new}^{{tree}}"
    proposed = bare.git("commit-tree", "-p", world.new, "-m", "proposed", tree)
    bare.git("update-ref", f"refs/proposals/{BRANCH}/7", proposed)
    fetch_commit(world.clone, "origin", proposed, branch=BRANCH)
    assert Repo(world.clone).rev(proposed) == proposed
    with pytest.raises(GitError, match="could not be fetched"):
        fetch_commit(world.clone, "origin", "e" * 40, branch=BRANCH)
    assert remote_head(world.clone, "origin", REF) == world.old
    assert remote_head(world.clone, "origin", "refs/heads/none") is None
    with pytest.raises(GitError):
        remote_head(world.clone, "nowhere", REF)


def test_who_asks_is_whom_the_clone_names(world: World) -> None:
    Repo(world.clone).git("config", "user.email", "ann@example.com")
    assert asker(world.clone) == "ann@example.com"
    Repo(world.clone).git("config", "user.email", "ann\x1b[31m" + "x" * 300)
    assert asker(world.clone) == ("ann[31m" + "x" * 300)[:200]


def test_ctrl_c_lets_the_script_end_and_the_truth_is_recorded(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    world = make_world(
        tmp_path, script=f"#!/bin/sh\ntrap 'exit 130' INT\ntouch {ready}\nwhile :; do sleep 0.05; done\n"
    )
    # A shell's background job inherits that SIGINT is ignored, and what it starts could not trap it.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from pathlib import Path; from tests.promoting import World, request_of, tools_of; "
        "from guard.journeys.promotion import promote; "
        f"world = World(Path({str(tmp_path)!r}), {world.old!r}, {world.new!r}); "
        "promote(request_of(world), tools_of(world))"
    )
    root = Path(__file__).parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=root,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as run:
        try:
            deadline = time.monotonic() + 30
            while not ready.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(run.pid, signal.SIGINT)
            said = run.communicate(timeout=30)[1].decode()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
    assert "PromotionFailed" in said
    assert kinds(world) == FAILED


def test_the_recorded_decision_is_the_document_that_check_prints(world: World) -> None:
    decision = decision_of(world)
    promote(request_of(world), tools_of(world, decide=lambda: decision))
    recorded = next(world.ledger().entries("decision.recorded")).body
    assert recorded["digest"] == digest_of(decision_document(decision))


def digest_bytes(data: bytes) -> str:
    from guard.core.canonical import digest_of_bytes

    return digest_of_bytes(data)


def code_of(call: Callable[[], object]) -> str | None:
    with pytest.raises(GuardError) as caught:
        call()
    return caught.value.code
