"""What the service's stories share: a world that is opened and closed, and a proposal on the way to its GO."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.service_sides import SIDES
from tests.service_world import ServiceWorld, policy

LOUD = """
[comments]
mention = true
[break_glass]
lasts = "1h"
"""
REVIEW = """
[[gates]]
id = "security.threat-model"
group = "security"
title = "Threat model reviewed"
evidence = { kind = "signoff", role = "security" }
"""
JOBS = """
[[gates]]
id = "delivery.ci"
group = "delivery"
title = "CI"
evidence = { kind = "ci", jobs = ["test", "lint"], max_age = "3650d" }
"""


@contextmanager
def opened(
    forge: str, folder: Path, *, more: str = "", branch: str = "", text: str = "", pages: bool = False
) -> Iterator[ServiceWorld]:
    """A world whose policy has `more` at its end and `branch` in the branch's table, or is `text`."""
    chosen = text or policy(forge, SIDES[forge].repository, more=more, branch=branch)
    world = ServiceWorld(folder, forge, policy_text=chosen)
    if pages:
        world.show_pages()
    try:
        yield world
    finally:
        world.close()


def proposed(world: ServiceWorld, url: str) -> tuple[str, str]:
    """A proposal of a fix that is on master, decided on, and its head."""
    head = world.commit("a fix", {"app": "2\n"})
    proposal = world.side.propose(head)
    world.settle(url)
    return proposal, head


def satisfied(world: ServiceWorld, url: str, head: str) -> str:
    """A proposal of the head, approved by both owners and checked; nothing is delivered yet."""
    proposal = world.side.propose(head)
    for person in ("ann", "sam"):
        world.side.approve(proposal, by=person)
    world.submit(url, head)
    return proposal


def go(world: ServiceWorld, url: str) -> tuple[str, str]:
    """A proposal that is GO, and its head."""
    head = world.commit("a fix", {"app": "2\n"})
    proposal = satisfied(world, url, head)
    world.settle(url)
    assert world.status(head).state == "success", world.comment(proposal)
    return proposal, head


def said(world: ServiceWorld, proposal: str) -> str:
    """The guard's comment without what markdown's own signs are escaped with."""
    return world.comment(proposal).replace("\\", "")
