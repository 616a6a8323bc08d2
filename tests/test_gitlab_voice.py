"""What the guard says on GitLab, once each: statuses, comments; and how it reads a branch's protection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guard.adapters.gitlab import GitLabForge
from guard.core.errors import ForgeError
from guard.core.forge_facts import CommitStatus, Protection
from guard.core.model import Known, Unknown
from tests.doubles.gitlab.state import Access
from tests.doubles.gitlab.world import REPOSITORY, GitLabWorld, Now, bare, double, world
from tests.doubles.server import Answer, Fault
from tests.forge_contract import TARGET, known

__all__ = ["bare", "double", "world"]

CONTEXT = f"guard/promotion ({TARGET})"
BLOCKED = CommitStatus(CONTEXT, "failure", "NO-GO: 3 of 5 rules block", "https://guard.example.com/d/1")


def other_voice(world: GitLabWorld, name: str) -> GitLabForge:
    client = world.double.client(token=world.state.token(name))
    return GitLabForge(client, REPOSITORY, clock=Now(), sleep=world.waits.append)


# Statuses


@pytest.mark.parametrize("state", ["success", "failure", "pending", "error"])
def test_a_status_comes_back_as_it_was_said(world: GitLabWorld, state: str) -> None:
    head = world.propose("r", world.commit(), by="ann").head
    said = replace(BLOCKED, state=state, description="x" * 140, url="" if state == "pending" else BLOCKED.url)
    world.forge.post_status(head, said)
    assert world.forge.status(head, CONTEXT) == replace(said, by="guard")


def test_the_newest_status_counts_in_every_order_of_states(world: GitLabWorld) -> None:
    head = world.propose("r", world.commit(), by="ann").head
    for state in ("pending", "failure", "success", "failure", "pending", "success", "error", "success"):
        world.forge.post_status(head, replace(BLOCKED, state=state))
        found = world.forge.status(head, CONTEXT)
        assert found is not None
        assert found.state == state


def test_pending_twice_is_pending(world: GitLabWorld) -> None:
    """GitLab refuses the second: "Cannot transition status via :enqueue from :pending"."""
    head = world.propose("r", world.commit(), by="ann").head
    for words in ("deciding", "still deciding"):
        world.forge.post_status(head, replace(BLOCKED, state="pending", description=words))
    found = world.forge.status(head, CONTEXT)
    assert found is not None
    assert (found.state, found.description) == ("pending", "deciding")
    assert len(world.state.statuses) == 1


def test_a_refused_transition_to_something_else_is_an_error(world: GitLabWorld) -> None:
    head = world.propose("r", world.commit(), by="ann").head
    no = Answer(400, {"message": "Cannot transition status via :drop from :canceled"})
    world.double.fail(Fault("status", times=1, method="POST", answer=no))
    with pytest.raises(ForgeError, match="Cannot transition"):
        world.forge.post_status(head, BLOCKED)


def test_only_the_guards_own_status_of_exactly_this_name_is_its_status(world: GitLabWorld) -> None:
    head = world.propose("r", world.commit(), by="ann").head
    other_voice(world, "eve").post_status(head, replace(BLOCKED, state="success"))
    world.forge.post_status(head, replace(BLOCKED, context="guard/promotion (release/other)"))
    assert world.forge.status(head, CONTEXT) is None


def test_a_newer_pipeline_of_the_same_commit_does_not_hide_the_status(world: GitLabWorld) -> None:
    head = world.propose("r", world.commit(), by="ann").head
    world.forge.post_status(head, replace(BLOCKED, state="success"))
    world.state.pipeline(head, build="success")
    assert world.forge.status(head, CONTEXT) is not None
    world.forge.post_status(head, BLOCKED)
    found = world.forge.status(head, CONTEXT)
    assert found is not None
    assert found.state == "failure"


def test_a_forks_head_takes_no_status_and_the_error_says_why(world: GitLabWorld) -> None:
    head = world.commit()
    world.state.propose(head, TARGET, by="eve", fork=True)
    with pytest.raises(ForgeError) as caught:
        world.forge.post_status(head, BLOCKED)
    assert caught.value.code == "forge.status.no-branch"
    assert "branch of the project" in caught.value.fix


def test_a_status_whose_answer_was_lost_is_said_again_and_shown_once(world: GitLabWorld) -> None:
    head = world.propose("r", world.commit(), by="ann").head
    world.double.fail(Fault("reset-after", times=1, method="POST", path="/statuses/"))
    world.forge.post_status(head, BLOCKED)
    assert world.forge.status(head, CONTEXT) == replace(BLOCKED, by="guard")


# Comments


def test_comments_are_peoples_and_the_guards_oldest_first(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    request = world.request(proposal)
    world.state.note(request, "ann", "please")
    world.state.note(request, "ann", "added 1 commit", system=True)
    ours = world.forge.add_comment(proposal, "NO-GO")
    world.state.note(request, "bob", "hm")
    world.forge.edit_comment(proposal, ours, "GO")
    found = world.forge.comments(proposal)
    assert [(one.author, one.body) for one in found] == [("ann", "please"), ("guard", "GO"), ("bob", "hm")]
    assert found[1].id == ours.id
    assert found[1].author == world.forge.me()


def test_all_pages_of_comments_are_read(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    for number in range(23):
        world.state.note(world.request(proposal), "ann", f"{number}")
    world.double.api.page_size = 5
    assert [one.body for one in world.forge.comments(proposal)] == [str(number) for number in range(23)]


def test_a_comment_whose_answer_was_lost_is_not_said_twice(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    world.double.fail(Fault("reset-after", times=1, method="POST"))
    with pytest.raises(ForgeError):
        world.forge.add_comment(proposal, "NO-GO")
    assert [one.body for one in world.forge.comments(proposal)] == ["NO-GO"]


def test_somebody_elses_comment_is_not_edited(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    world.state.note(world.request(proposal), "ann", "please")
    (theirs,) = world.forge.comments(proposal)
    with pytest.raises(ForgeError, match="403"):
        world.forge.edit_comment(proposal, theirs, "GO")


def test_the_double_sees_what_a_comment_would_set_off(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    comment = world.forge.add_comment(proposal, "- see /merge\n```\n/merge\n```\n  /approve now\n")
    world.forge.edit_comment(proposal, comment, "/close")
    assert world.state.executed == ["/approve now", "/close"]


# Protection


def test_a_branch_without_a_rule_is_known_to_be_unprotected(world: GitLabWorld) -> None:
    world.state.protect("release/*/old")
    world.state.protect("release")
    assert isinstance(world.forge.protection(TARGET), Known)
    assert known(world.forge.protection(TARGET)) is None


def test_all_rules_that_match_a_branch_count(world: GitLabWorld) -> None:
    state = world.state
    ann, owners = state.join("ann"), state.group("gpuaas/owners")
    gone = state.user("gone")
    guard = state.user("guard")
    state.protect(TARGET, push=(Access(0),), merge=(Access(user=guard), Access(user=gone)))
    state.protect("rel*", push=(Access(user=ann), Access(30, deploy_key=9)), merge=(Access(group=owners),))
    state.protect("*", push=(Access(40),), merge=(Access(40),), force_push=True)
    state.protect("hotfix/*", push=(Access(30),))
    assert known(world.forge.protection(TARGET)) == Protection(
        branch=TARGET,
        pushers=("ann", "deploy key 9 (Deploy key)", "Maintainers"),
        mergers=("guard", f"user {gone.id} (Gone)", "@gpuaas/owners", "Maintainers"),
        force_push=True,
        deletable=False,
    )


def test_only_the_guard_may_move_it(world: GitLabWorld) -> None:
    only = (Access(user=world.state.user("guard")),)
    world.state.protect(TARGET, push=only, merge=only)
    found = known(world.forge.protection(TARGET))
    assert found is not None
    assert found.pushers == found.mergers == (world.forge.me(),)


def test_a_token_that_may_not_read_the_protection_is_told_which_role_it_lacks(world: GitLabWorld) -> None:
    world.state.join("guard", "developer")
    found = world.forge.protection(TARGET)
    assert isinstance(found, Unknown)
    for word in ("HTTP 403", "Maintainer", "scope `api`"):
        assert word in f"{found.why} {found.fix}"
