"""`guard promote`, `adopt` and `audit` against a really guarded server: hooks, policy, proposals and keys."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from guard.core.model import Commit
from guard.journeys.promotion import Move, Tools
from tests.gitrepo import clean_environment
from tests.promotion_world import BRANCH, POLICY, PUSHES, READ_FIRST, REF, Server, make_server
from tests.test_promotion_crash import Fuse

LONG = bool(os.environ.get("GUARD_TEST_LONG"))
PROMOTED = [
    "baseline.adopted", "promotion.requested", "decision.recorded", "permit.issued", "promotion.started",
    "permit.spent", "branch.moved", "promotion.finished",
]  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return make_server(tmp_path)


def test_the_whole_way_from_proposal_to_audit(server: Server) -> None:
    assert "nothing to promote" in server.ok("promote", "--yes")
    assert f"proposed: promote-{server.fix[:12]}" in server.ok("promote", "--prepare")
    assert "already proposed" in server.ok("promote", "--prepare")

    plan = server.ok("promote", "--dry-run")
    for text in (
        f"{server.old[:10]} → {server.fix[:10]}, 1 commit",
        "a fix",
        READ_FIRST,
        "DECISION: GO",
        "nothing was",
    ):
        assert text in plan
    unconfirmed = server.guard("promote")
    assert (unconfirmed.status, "--yes" in unconfirmed.err) == (64, True)
    assert server.kinds() == ["baseline.adopted"]

    told = server.ok("promote", "--yes", "--", "--loudly", "a b")
    assert "the script says: --loudly a b" in told
    assert f"promoted: {BRANCH} stands at {server.fix}" in told
    assert (server.head(), server.kinds()) == (server.fix, PROMOTED)

    assert "nothing to promote" in server.ok("promote", "--yes")
    assert "nothing to promote" in server.ok("promote", "--prepare")
    assert f"already adopted: {BRANCH}" in server.ok("adopt")
    assert server.kinds() == PROMOTED


def test_json_says_the_same_and_nothing_else_is_on_standard_output(server: Server) -> None:
    assert json.loads(server.ok("promote", "--format", "json"))["result"] == "nothing-to-promote"
    assert json.loads(server.ok("promote", "--prepare", "--format", "json"))["result"] == "proposed"
    assert json.loads(server.ok("promote", "--dry-run", "--format", "json"))["result"] == "dry-run"
    document = json.loads(server.ok("promote", "--yes", "--format", "json"))
    assert (document["result"], document["old"], document["new"]) == ("promoted", server.old, server.fix)
    assert (document["commits"], document["decision"]["decision"]) == ([server.fix], "GO")


def test_a_fix_that_is_not_on_master_is_no_go(server: Server) -> None:
    server.dev.git("switch", "-q", "--detach", server.old)
    hotfix = server.dev.commit("hotfix", {"hot": "fix\n"})
    server.ok("propose", "--head", hotfix, "--id", "hotfix")
    refused = server.guard("promote", "--yes")
    assert (refused.status, "DECISION: NO-GO" in refused.out) == (1, True)
    assert (
        json.loads(server.guard("promote", "--yes", "--format", "json").out)["decision"]["allowed"] is False
    )
    assert (server.head(), server.kinds()) == (server.old, ["baseline.adopted"])


def test_a_commit_that_is_not_proposed_or_not_there(server: Server) -> None:
    assert "NO-GO" in server.guard("promote", "--yes", "--to", "master").out
    assert server.guard("promote", "--to", "nonsense").status == 64
    local = server.dev.commit("never pushed")
    unknown = server.guard("promote", "--to", local)
    assert (unknown.status, "guard propose" in unknown.err) == (1, True)


def test_a_tag_with_the_branchs_name_neither_misleads_nor_stops_a_promotion(server: Server) -> None:
    server.ok("promote", "--prepare")
    server.bare.git("update-ref", f"refs/tags/{BRANCH}", server.old)
    server.ok("promote", "--yes")
    assert server.bare.git("for-each-ref", "--format=%(objectname)", REF) == server.fix


def test_of_several_proposals_one_has_to_be_named(server: Server) -> None:
    server.ok("propose", "--head", server.fix, "--id", "one")
    second = server.dev.commit("second")
    server.dev.git("push", "-q", "origin", "master")
    server.ok("propose", "--head", second, "--id", "two")
    refused = server.guard("promote", "--yes")
    assert (refused.status, "one" in refused.err, "two" in refused.err) == (64, True, True)
    server.ok("promote", "--yes", "--to", server.fix)
    assert server.head() == server.fix


def test_a_person_reads_agrees_and_can_decline(server: Server) -> None:
    server.ok("promote", "--prepare")
    assert _typed(server, "n\n") == 1
    assert _typed(server, "y\nn\n") == 1
    assert server.kinds() == ["baseline.adopted"]
    assert _typed(server, "y\ny\n") == 0
    assert server.head() == server.fix


def _typed(server: Server, answers: str) -> int:
    """Promote with these answers typed at a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "r+b", buffering=0) as keyboard, os.fdopen(theirs, "r+b", buffering=0) as terminal:
        command = [sys.executable, "-m", "guard.cli.main", "promote"]
        keyboard.write(answers.encode())
        done = subprocess.run(
            command,
            cwd=server.dev.path,
            env=clean_environment(),
            stdin=terminal,
            capture_output=True,
            check=False,
        )
    return done.returncode


def test_drift_stops_promotions_until_it_is_adopted_for_a_reason(server: Server) -> None:
    server.ok("promote", "--prepare")
    by_hand = server.bare.git(
        "commit-tree", "-p", server.old, "-m", "by\x1b[31m hand", f"{server.old}^{{tree}}"
    )
    server.bare.git("update-ref", REF, by_hand)
    drifted = server.guard("promote", "--yes", "--to", server.fix)
    assert drifted.status == 1
    server.dev.git("fetch", "-q")
    server.dev.git("switch", "-q", "--detach", by_hand)
    server.dev.git("merge", "-q", "--no-edit", server.fix)
    server.ok("propose", "--head", "HEAD", "--id", "merged")
    refused = server.guard("promote", "--yes", "--to", "HEAD")
    assert refused.status == 1
    assert server.guard("adopt").status == 1
    assert server.guard("adopt", "--force").status == 64
    told = server.ok("adopt", "--force", "--because", "by hand, INC-7")
    assert "1 commits on it are not on master" in told
    assert "\x1b" not in told
    adopted = next(server.ledger.entries("baseline.adopted", newest_first=True)).body
    assert (adopted["head"], adopted["instead_of"], adopted["because"]) == (
        by_hand,
        server.old,
        "by hand, INC-7",
    )


def test_a_branch_that_was_forced_back_is_no_go_for_whoever_asks(server: Server) -> None:
    """The commits that were promoted may be gone: a board or a signed record that says GO would be wrong."""
    server.ok("promote", "--prepare")
    server.ok("promote", "--yes")
    server.bare.git("update-ref", REF, server.old)
    server.dev.git("push", "-q", "origin", "master")
    server.ok("propose", "--head", "master", "--id", "again")
    asked = (
        "check",
        "--server",
        str(server.bare.path),
        "--target",
        BRANCH,
        "--head",
        "master",
        "--format",
        "json",
    )
    answer = server.guard(*asked)
    document = json.loads(answer.out)
    shape = next(one for one in document["verdicts"] if one["id"] == "candidate")
    assert (answer.status, document["decision"], shape["outcome"]) == (2, "NO-GO", "error")
    assert "it was moved without a permit" in shape["findings"][0]["message"]
    assert f"put it back to {server.fix}" in shape["findings"][0]["fix"]
    server.bare.git("update-ref", REF, server.fix)
    assert "moved without a permit" not in server.guard(*asked).out


def test_adopt_without_a_policy_wants_the_upstream_named(tmp_path: Path) -> None:
    server = make_server(tmp_path, adopted=False)
    server.bare.git(
        "branch", "bare-of-policy", server.bare.git("commit-tree", "-m", "x", f"{server.old}:doc")
    )
    assert server.guard("adopt").status == 64
    assert server.guard("promote", "--yes").status == 64
    assert server.guard("adopt", "--branch", "bare-of-policy").status == 64
    assert server.guard("adopt", "--branch", "none").status == 1
    assert "adopted:" in server.ok("adopt", "--branch", "bare-of-policy", "--upstream", "master")
    refused = server.guard("promote", "--branch", BRANCH, "--yes", "--to", "master")
    assert refused.status == 1


def test_away_from_the_server_it_says_where_to_go(tmp_path: Path) -> None:
    env = clean_environment()
    subprocess.run(["git", "init", "-q", str(tmp_path)], env=env, check=True)
    subprocess.run(
        ["git", "-C", str(tmp_path), "remote", "add", "origin", "https://example.invalid/x"],
        env=env,
        check=True,
    )
    for command in (["promote"], ["adopt"], ["audit", "log"]):
        done = subprocess.run(
            [sys.executable, "-m", "guard.cli.main", *command],
            cwd=tmp_path, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, "needs the server side" in done.stderr, "fix:" in done.stderr) == (
            2,
            True,
            True,
        )


# --prepare


def diverge(server: Server, files: dict[str, str]) -> str:
    """Let the release branch have a pick that master made otherwise; the branch's head."""
    server.dev.git("switch", "-q", "--detach", server.old)
    head = server.dev.commit("only on release", files)
    server.bare.git("fetch", "-q", str(server.dev.path), head)
    server.bare.git("update-ref", REF, head)
    server.ok("adopt", "--force", "--because", "a story")
    server.dev.git("switch", "-q", "master")
    server.dev.git("fetch", "-q")
    return head


def test_where_master_is_no_descendant_a_merge_is_proposed(server: Server) -> None:
    target = diverge(server, {"other": "x\n"})
    (server.dev.path / "app").write_text("not committed\n")
    before = server.dev.git("status", "--porcelain", "--branch")
    told = server.ok("promote", "--prepare")
    assert "a merge of master" in told
    merge = server.head(f"refs/proposals/{BRANCH}/" + told.split()[1])
    assert server.bare.git("log", "-1", "--format=%P", merge).split() == [target, server.fix]
    assert server.bare.git("show", f"{merge}:app") == "two"
    assert server.dev.git("status", "--porcelain", "--branch") == before
    assert "already proposed" in server.ok("promote", "--prepare")


def test_attributes_in_the_work_tree_do_not_take_part_in_the_merge(server: Server) -> None:
    diverge(server, {"app": "three\n"})
    (server.dev.path / ".gitattributes").write_text("* merge=union\n")
    conflict = server.guard("promote", "--prepare")
    assert (conflict.status, "app" in conflict.err) == (1, True)


def test_conflicts_are_named_with_the_commands_to_resolve_them(server: Server) -> None:
    diverge(server, {"app": "three\n"})
    conflict = server.guard("promote", "--prepare")
    assert conflict.status == 1
    for text in ("prepare.conflict", "\n  app", "git merge origin/master", "guard propose"):
        assert text in conflict.err
    assert server.bare.git("for-each-ref", "refs/proposals") == ""


# The audit


def test_the_log_is_filtered_and_harmless_to_a_terminal(server: Server) -> None:
    server.ledger.append(
        "note", {"text": "\x1b[2J\u202eevil", "ref": "refs/heads/x"}, at=datetime(2020, 1, 1, tzinfo=UTC)
    )
    log = server.ok("audit", "log")
    assert "\\x1b" in log
    assert "\x1b" not in log
    assert "\u202e" not in log
    assert server.ok("audit", "log", "--since", "2020-01-02").count("\n") == 1
    assert server.ok("audit", "log", "--since", "7d", "--kind", "note") == ""
    assert server.ok("audit", "log", "--ref", "x").count("\n") == 1
    entry = json.loads(server.ok("audit", "log", "--limit", "1", "--format", "json"))
    assert (entry["seq"], entry["body"]["text"]) == (2, "\x1b[2J\u202eevil")
    assert server.guard("audit", "log", "--since", "soon").status == 64


def test_a_promotions_every_entry_speaks_of_its_branch(server: Server) -> None:
    server.ok("promote", "--prepare")
    server.ok("promote", "--yes")
    rows = [
        json.loads(line)
        for line in server.ok("audit", "log", "--ref", BRANCH, "--format", "json").splitlines()
    ]
    assert [row["kind"] for row in rows] == [PROMOTED[0], "statement.proposal-opened", *PROMOTED[1:]]
    assert server.ok("audit", "log", "--ref", "another") == ""


def test_verify_tells_a_checkpoint_and_a_broken_chain(server: Server) -> None:
    server.ledger.append("note", {}, at=datetime(2020, 1, 1, tzinfo=UTC))
    mark = server.ok("audit", "verify").split("checkpoint: ")[1].strip()
    assert json.loads(server.ok("audit", "verify", "--checkpoint", mark, "--format", "json"))["sound"] is True
    assert server.guard("audit", "verify", "--checkpoint", "nonsense").status == 64
    with closing(sqlite3.connect(server.bare.path / "guard" / "ledger.sqlite3")) as connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("UPDATE entries SET kind = 'other' WHERE seq = 2")
        connection.commit()
    broken = server.guard("audit", "verify")
    assert (broken.status, "ledger.broken" in broken.err) == (1, True)
    assert json.loads(server.guard("audit", "verify", "--format", "json").out)["sound"] is False


# kill -9, with the server's own hooks at work


def promote_until(clone: Path, new: str, *, step: int, after: bool) -> None:
    """In a process of its own: a promotion with the command's own tools, fused as in the other crash stories."""
    from dataclasses import replace
    from datetime import timedelta

    from guard.journeys.promotion import Request, promote
    from guard.wiring_desk import open_desk

    fuse = Fuse(step, after=after)
    desk = open_desk(server=None, clone=clone, remote="origin", what="test")
    desk.ledger.append = fuse.around(desk.ledger.append)  # type: ignore[method-assign]
    tools: Tools = desk.tools(REF, Commit(new), tell=print, quiet=True)
    move: Callable[[Move], int] = fuse.around(tools.move)
    request = Request(REF, Commit(new), "ann", "scripts/ci/promote.sh", timedelta(minutes=5))
    promote(request, replace(tools, move=move, sign=fuse.around(tools.sign)))


@pytest.mark.long
def test_killed_at_every_step_in_a_row_with_server_hooks(server: Server) -> None:
    """Before and after steps in turn; with GUARD_TEST_LONG at both, as `test_promotion_crash` does without hooks."""
    server.ok("promote", "--prepare")
    # Ending the run before takes effects of its own, so the fuse has to be longer than one promotion's six.
    points = [
        (step, after) for step in range(9) for after in (False, True) if LONG or after == (step % 2 == 1)
    ]
    kills = [_killed(server, step, after=after) for step, after in points]
    assert sum(kills) > len(points) * 2 / 3 - 1
    assert server.head() == server.fix
    server.ok("promote", "--yes")
    kinds = server.kinds()
    assert {kind: kinds.count(kind) for kind in PROMOTED[5:]} == dict.fromkeys(PROMOTED[5:], 1)
    requested = [e.body["promotion"] for e in server.ledger.entries("promotion.requested")]
    ended = [e.body["promotion"] for e in server.ledger.entries("promotion.failed", "promotion.finished")]
    assert requested == ended
    assert server.bare.git("reflog", "show", "--format=%H", REF).split() == [server.fix, server.old]
    server.ok("audit", "verify")


def _killed(server: Server, step: int, *, after: bool) -> bool:
    code = (
        "from pathlib import Path; from tests.test_promotion_cli import promote_until; "
        f"promote_until(Path({str(server.dev.path)!r}), {server.fix!r}, step={step}, after={after})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, env=clean_environment(),
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
    return done.returncode != 0


def test_a_permit_is_refused_by_the_server_once_it_is_spent_or_revoked(tmp_path: Path) -> None:
    """The script keeps its permit, as a thief would; neither a failed nor a finished promotion leaves it any use."""
    keep = tmp_path / "kept"
    server = make_server(
        tmp_path, script=f'#!/bin/sh\necho "$GUARD_PERMIT" >{keep}\n[ -n "$FAIL" ] && exit 1\n' + PUSHES
    )
    server.ok("promote", "--prepare")
    assert server.guard("promote", "--yes", FAIL="1").status == 1
    assert "permit.revoked" in _push_with(server, keep.read_text().strip())
    server.ok("promote", "--yes")
    server.bare.git("update-ref", REF, server.old)
    assert "permit.spent" in _push_with(server, keep.read_text().strip())
    assert server.head() == server.old


def _push_with(server: Server, token: str) -> str:
    done: Any = server.dev.run(
        "push", "--no-verify", "-o", f"guard-permit={token}", "origin", f"{server.fix}:{REF}"
    )
    assert done.returncode != 0
    return str(done.stderr.decode())


def test_the_policys_branch_table_is_what_protects(tmp_path: Path) -> None:
    server = make_server(tmp_path, policy=POLICY.replace("promote = ", "# promote = "))
    server.ok("promote", "--prepare")
    assert "a push of the guard itself" in server.ok("promote", "--yes")
    assert server.head() == server.fix
    assert server.guard("promote", "--branch", "master").status == 1
