"""Who may tell the guard what: write access, the role at that moment, and never a bot."""

from __future__ import annotations

import pytest

from guard.core.commands import Command, read_commands
from guard.core.forge_facts import Speaker
from guard.core.model import Fact, Known, Unknown
from guard.core.policy_text import parse_policy
from guard.core.rules.commanding import Standing, refusal
from tests.builders import NOW

POLICY = parse_policy(
    b"""
version = 1
[project]
forge = "gitlab"
repository = "a/b"
[branches.release]
upstream = "master"
require = ["lineage"]
[roles.platform]
members = ["@a/p"]
[roles.security]
members = ["@a/s"]
[break_glass]
[[gates]]
id = "security.review"
group = "security"
title = "Reviewed"
evidence = { any = [
  { kind = "signoff", role = "security" },
  { kind = "signoff", role = "platform" },
] }
[[gates]]
id = "delivery.check"
group = "delivery"
title = "Checked"
evidence = { kind = "script", source = "check", script = "check.sh" }
""",
    where="guard.toml",
).policy

MEMBERS: dict[str, Fact[frozenset[str]]] = {
    "platform": Known(frozenset({"ann"}), "t", NOW),
    "security": Known(frozenset({"sam"}), "t", NOW),
}


def standing(
    name: str,
    *,
    writes: bool = True,
    person: bool = True,
    proposer: bool = False,
    **members: Fact[frozenset[str]],
) -> Standing:
    return Standing(Speaker(name, person, writes), proposer, {**MEMBERS, **members})


def asked(line: str) -> Command:
    (found,) = read_commands(line)
    assert isinstance(found, Command)
    return found


@pytest.mark.parametrize(
    ("line", "who", "said"),
    [
        pytest.param("/guard recheck", standing("dev"), "", id="recheck"),
        pytest.param("/guard recheck", standing("dev", writes=False, proposer=True), "", id="proposer-rechecks"),
        pytest.param("/guard recheck", standing("dev", writes=False), "only who may push", id="stranger"),
        pytest.param("/guard explain approvals", standing("dev"), "", id="explain-a-rule"),
        pytest.param("/guard explain security.review", standing("dev"), "", id="explain-a-gate"),
        pytest.param("/guard explain nothing", standing("dev"), "no gate nothing", id="explain-nothing"),
        pytest.param("/guard signoff security.review", standing("sam"), "", id="signoff"),
        pytest.param("/guard signoff security.review", standing("ann"), "", id="either-role"),
        pytest.param("/guard signoff security.review", standing("dev"), "security or platform", id="no-role"),
        pytest.param(
            "/guard signoff security.review", standing("sam", writes=False, proposer=True), "only who may push",
            id="role-without-write",
        ),
        pytest.param("/guard signoff delivery.check", standing("sam"), "takes no sign-off", id="no-signoff-gate"),
        pytest.param("/guard signoff approvals", standing("sam"), "no gate approvals", id="a-rule-is-no-gate"),
        pytest.param("/guard signoff security.review", standing("Sam"), "only who holds", id="another-spelling"),
        pytest.param("/guard break-glass because x", standing("ann"), "", id="break-glass"),
        pytest.param("/guard break-glass because x", standing("dev"), "platform or security", id="no-breaker"),
    ],
)  # fmt: skip
def test_who_may(line: str, who: Standing, said: str) -> None:
    why = refusal(asked(line), POLICY, who)
    assert isinstance(why, str)
    assert (said in why) if said else why == ""


def test_unknown_members_are_no_leave_and_no_refusal() -> None:
    why = refusal(
        asked("/guard signoff security.review"), POLICY, standing("x", security=Unknown("HTTP 502"))
    )
    assert isinstance(why, Unknown)
    # Whoever surely holds the other role may all the same.
    assert (
        refusal(asked("/guard signoff security.review"), POLICY, standing("ann", security=Unknown("502")))
        == ""
    )


def test_who_is_heard() -> None:
    assert standing("dev").is_heard
    assert standing("dev", writes=False, proposer=True).is_heard
    assert not standing("dev", writes=False).is_heard
    assert not standing("bot", person=False).is_heard


def test_without_a_table_there_is_no_break_glass() -> None:
    policy = POLICY.model_copy(update={"break_glass": None})
    assert "nobody can" in str(refusal(asked("/guard break-glass because x"), policy, standing("ann")))
