"""What comes of doing one action of an unblock plan: exactly the facts behind its findings turn good."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from guard.core.evidence import Observation, Reading
from guard.core.facts import ApprovalFacts, Facts
from guard.core.model import Commit, Finding, Known, Outcome, Unknown
from guard.core.policy import AUTHORS
from guard.core.unblock import Action
from tests.builders import NEW
from tests.decide_worlds import LOST, World, approval, lineage_facts, proposal, seen

FINE = Observation("fine", (), NEW, None, "sha256:" + "0" * 64)


def done(world: World, action: Action) -> World:
    """The world after it: the source read, the commit on upstream, the approval of somebody who had no hand in it."""
    for finding in action.findings:
        facts = world.facts
        subject = finding.code.partition(".")[0]
        if subject == "approvals" or (subject == "lineage" and finding.outcome is Outcome.PENDING):
            facts = _approved(facts, action, finding)
        elif subject in _EFFECTS:
            facts = _EFFECTS[subject](facts, finding)
        elif subject == "evidence":
            facts = _read(facts, finding, world)
        else:
            facts = _mended(facts, action, finding)
        world = replace(world, facts=facts)
    return world


def _read(facts: Facts, finding: Finding, world: World) -> Facts:
    was = facts.readings.get(finding.where)
    good: Reading = seen(replace(FINE, dated=world.now))
    if isinstance(was, Known) and finding.code in {"evidence.subject", "evidence.other-commit"}:
        good = replace(was, value=replace(was.value, subject=NEW))
    elif isinstance(was, Known):
        good = replace(was, value=replace(was.value, dated=world.now))
    return replace(facts, readings={**facts.readings, finding.where: good})


def _mended(facts: Facts, action: Action, finding: Finding) -> Facts:
    """A problem that evidence of these gates shows is gone from it."""
    readings = {
        key: replace(was, value=replace(was.value, problems=_without(was.value.problems, finding)))
        if isinstance(was, Known) and key.partition("/")[0] in action.serves
        else was
        for key, was in facts.readings.items()
    }
    return replace(facts, readings=readings)


def _without(problems: tuple[Finding, ...], finding: Finding) -> tuple[Finding, ...]:
    return tuple(one for one in problems if replace(one, outcome=finding.outcome) != finding)


def _approved(facts: Facts, action: Action, finding: Finding) -> Facts:
    if action.text == LOST.fix:
        return _people_read(facts, finding)
    said = facts.approvals
    assert isinstance(said, Known)
    if asked := re.match(r"ask (?:a|another) ([a-z]+) owner", action.text):
        return _by_somebody(facts, asked[1])
    if objected := re.match(r"answer what (\S+) asked for", action.text):
        kept = tuple(one for one in said.value.objections if one.actor != objected[1])
        return replace(facts, approvals=replace(said, value=replace(said.value, objections=kept)))
    kind = "proposer" if "propose" in action.text else ""
    known = [one for one in AUTHORS if one == kind or (not kind and one != "proposer")]
    return _authors_known(facts, known)


def _authors_known(facts: Facts, kinds: Sequence[str]) -> Facts:
    said = facts.approvals
    assert isinstance(said, Known)
    authors = {**dict.fromkeys(kinds, frozenset({"dev"})), **said.value.authors}
    if "proposer" in kinds:
        authors["proposer"] = authors["proposer"] or frozenset({"dev"})
    return replace(facts, approvals=replace(said, value=replace(said.value, authors=authors)))


def _people_read(facts: Facts, finding: Finding) -> Facts:
    """What could not be read of approvals, of who made the change and of who holds a role can be, and is good."""
    said, lost = facts.approvals, [role for role, fact in facts.members.items() if isinstance(fact, Unknown)]
    if isinstance(said, Unknown):
        facts = replace(facts, approvals=seen(ApprovalFacts((), dict.fromkeys(AUTHORS, frozenset({"dev"})))))
        lost = list(facts.members)
    elif not re.fullmatch(r"approvals\.(?!authorship)[a-z]+\.unknown", finding.code):
        facts = replace(facts, approvals=replace(said, value=replace(said.value, unsure={})))
    named = re.fullmatch(r"approvals\.([a-z]+)\.unknown", finding.code)
    if re.fullmatch(r"approvals\.[a-z]+\.missing", finding.code):
        return facts
    for role in [named[1]] if named and named[1] in lost else lost:
        facts = _by_somebody(facts, role)
    return facts


def _by_somebody(facts: Facts, role: str) -> Facts:
    """Somebody who holds this role alone approves the head."""
    said, held = facts.approvals, facts.members[role]
    assert isinstance(said, Known)
    name = f"new-{role}"
    people = (held.value if isinstance(held, Known) else frozenset()) | {name}
    more = (*said.value.approvals, approval(name))
    return replace(
        facts,
        members={**facts.members, role: seen(people)},
        approvals=replace(said, value=replace(said.value, approvals=more)),
    )


def _shaped(facts: Facts, finding: Finding) -> Facts:
    was = facts.candidate
    mine = was.proposals.value if isinstance(was.proposals, Known) else ()
    changed: dict[str, Any] = {
        "candidate.not-descendant": {"descends": seen(True)},
        "candidate.unknown": {"descends": seen(True)},
        "candidate.proposals-unknown": {"proposals": seen((proposal(),))},
        "candidate.no-proposal": {"proposals": seen((proposal(),))},
        "candidate.two-proposals": {"proposals": seen(mine[:1])},
        "candidate.draft": {"proposals": seen(tuple(replace(one, draft=False) for one in mine))},
        "candidate.fork": {"proposals": seen(tuple(replace(one, from_fork=False) for one in mine))},
        "candidate.policy-lost": {"policy_harm": seen("")},
        "candidate.policy-unknown": {"policy_harm": seen("")},
    }[finding.code]
    return replace(facts, candidate=replace(was, **changed))


def _on_upstream(facts: Facts, finding: Finding) -> Facts:
    if isinstance(facts.lineage, Unknown):
        return replace(facts, lineage=seen(lineage_facts(())))
    commits = tuple(
        replace(one, on_upstream=True) if finding.where.startswith(one.commit[:10] + " ") else one
        for one in facts.lineage.value.commits
    )
    # Two commits of these worlds may have names that begin alike: the subject tells them apart.
    kept = tuple(
        new if finding.where.endswith(new.subject) else old
        for old, new in zip(facts.lineage.value.commits, commits, strict=True)
    )
    return replace(facts, lineage=seen(lineage_facts(kept)))


def _closed(facts: Facts, finding: Finding) -> Facts:
    known = facts.incidents.value if isinstance(facts.incidents, Known) else ()
    return replace(facts, incidents=seen(tuple(one for one in known if f" {one.id}:" not in finding.message)))


def _finished(facts: Facts, finding: Finding) -> Facts:
    known = facts.queue.value if isinstance(facts.queue, Known) else ()
    return replace(
        facts, queue=seen(tuple(one for one in known if not finding.message.startswith(f"{one.id}:")))
    )


def _lifted(facts: Facts, _finding: Finding) -> Facts:
    return replace(facts, holds=seen(()))


def _paid(facts: Facts, finding: Finding) -> Facts:
    assert facts.emergency is not None
    debts = facts.emergency.debts
    kept = (
        tuple(one for one in debts.value if one.head != Commit(finding.where))
        if isinstance(debts, Known)
        else ()
    )
    return replace(facts, emergency=replace(facts.emergency, debts=seen(kept)))


_EFFECTS = {
    "candidate": _shaped,
    "lineage": _on_upstream,
    "incidents": _closed,
    "queue": _finished,
    "hold": _lifted,
    "follow-up": _paid,
}
