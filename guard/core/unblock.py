"""The unblock plan: the fewest actions that turn a NO-GO into a GO, one each, with who can do it and what it serves.

No action can be left out. Where a piece of evidence can be given in several ways, the plan takes the cheapest: the one
that asks for the fewest actions besides those that are needed anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from enum import IntEnum

from guard.core.model import Decision, Deed, Finding, Outcome, Verdict, Way, deeds_of
from guard.core.rules.candidate import DRAFT

_MOVES = frozenset({"lineage", "candidate", "policy"})
_STAYS = frozenset({"candidate.no-proposal", DRAFT, "candidate.two-proposals", "candidate.nothing"})
_COMMAND = re.compile(r"(?:^|: )((?:guard|git) [a-z].*)$")


class Step(IntEnum):
    """When it is worth doing: first the commits and their proposal, then what is about the commit that is there."""

    FIRST = 1
    THEN = 2


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. `who` are the roles that can do it, `serves` the ids of the verdicts that it helps, and
    `findings` the reasons for it, each said once."""

    text: str
    who: tuple[str, ...]
    serves: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    @property
    def moves_head(self) -> bool:
        """Whether doing it makes another commit the one that is judged."""
        return any(_moves(finding) for finding in self.findings)

    @property
    def is_uncertain(self) -> bool:
        """Whether it makes something readable that could not be read, and may say anything then."""
        return any(finding.outcome is Outcome.ERROR for finding in self.findings)

    @property
    def step(self) -> Step:
        shape = any(_is_shape(finding) for finding in self.findings)
        return Step.FIRST if shape or self.moves_head else Step.THEN

    @property
    def command(self) -> str:
        """The command that does it, or "" where no single one does."""
        found = _COMMAND.search(self.text)
        return found[1] if found else ""

    @property
    def link(self) -> str:
        """The address of the page where it is done or seen, or ""."""
        places = (finding.where for finding in self.findings)
        return next((place for place in places if place.startswith(("https://", "http://"))), "")


@dataclass(slots=True)
class _Need:
    """What one verdict, or one way of giving its evidence, waits for: all of `findings`, and of each choice one way."""

    findings: list[Finding] = field(default_factory=list)
    choices: dict[str, dict[int, _Need]] = field(default_factory=dict)


def unblock_plan(decision: Decision) -> tuple[Action, ...]:
    """The actions by step, within one in the order of the board. The same deed of the same people is named once."""
    needs = [(verdict, _need(_blocking(verdict))) for verdict in decision.blockers]
    chosen = _chosen([need for _, need in needs])
    merged: dict[Deed, tuple[dict[str, None], dict[Finding, None]]] = {}
    for verdict, need in needs:
        for finding, deeds in _taken(need, chosen):
            for deed in deeds:
                serves, findings = merged.setdefault(deed, ({}, {}))
                serves[verdict.id] = None
                findings[finding] = None
    actions = [
        Action(deed.text, deed.who, tuple(serves), tuple(found)) for deed, (serves, found) in merged.items()
    ]
    return tuple(sorted(actions, key=lambda action: action.step))


def grouped(plan: Sequence[Action]) -> tuple[tuple[tuple[str, ...], tuple[Action, ...]], ...]:
    """The plan by who can do it, in the order of the first thing that each can do."""
    groups: dict[tuple[str, ...], list[Action]] = {}
    for action in plan:
        groups.setdefault(action.who, []).append(action)
    return tuple((who, tuple(actions)) for who, actions in groups.items())


def plan_notes(plan: Sequence[Action]) -> tuple[str, ...]:
    """What the plan cannot know: its order matters where the head moves, and what is unreadable may say anything."""
    notes = []
    if any(action.moves_head for action in plan):
        notes.append(
            "First what changes the commits, then the rest: a push makes another head, for which CI and reports are"
            " made anew, and approvals and sign-offs of this one do not count."
        )
    if any(action.is_uncertain for action in plan):
        notes.append("What could not be read may ask for more once it can be.")
    return tuple(notes)


def first_thing(decision: Decision) -> Finding | None:
    """The reason to name where there is room for one: of the first action that is surely needed, since what could not
    be read matters less than what is surely wrong."""
    plan = unblock_plan(decision)
    sure = [action for action in plan if not action.is_uncertain] or list(plan)
    return sure[0].findings[0] if sure else None


def _blocking(verdict: Verdict) -> tuple[Finding, ...]:
    found = tuple(finding for finding in verdict.findings if not finding.outcome.allows)
    return found or (
        Finding(f"{verdict.id}.{verdict.outcome}", verdict.summary or verdict.title, outcome=verdict.outcome),
    )


def _is_shape(finding: Finding) -> bool:
    return finding.code.startswith("candidate.") and finding.code != DRAFT


def _moves(finding: Finding) -> bool:
    rule = finding.code.partition(".")[0]
    sure = finding.outcome not in (Outcome.PENDING, Outcome.ERROR) or rule == "policy"
    return rule in _MOVES and finding.code not in _STAYS and sure


def _need(findings: Iterable[Finding], depth: int = 0) -> _Need:
    need = _Need()
    below: dict[Way, list[Finding]] = {}
    for finding in findings:
        if len(finding.ways) == depth:
            need.findings.append(finding)
        else:
            below.setdefault(finding.ways[depth], []).append(finding)
    for way, found in below.items():
        need.choices.setdefault(way.among, {})[way.number] = _need(found, depth + 1)
    return need


def _chosen(needs: Sequence[_Need]) -> frozenset[Deed]:
    """A set of deeds that meets every need, and of which none can be left out."""
    needed = {deed: None for need in needs for one in need.findings for way in _only(one) for deed in way}
    found = dict(needed)
    for need in needs:
        found.update(dict.fromkeys(_cheapest(need, frozenset(found))))
    concerned: dict[Deed, list[_Need]] = {}
    for need in needs:
        for deed in dict.fromkeys(_deeds(need)):
            concerned.setdefault(deed, []).append(need)
    kept = set(found)
    for deed in reversed(found):
        if deed in needed:
            continue
        kept.discard(deed)
        if not all(_met(need, kept) for need in concerned[deed]):
            kept.add(deed)
    return frozenset(kept)


def _deeds(need: _Need) -> Iterator[Deed]:
    for finding in need.findings:
        yield from (deed for way in deeds_of(finding) for deed in way)
    for ways in need.choices.values():
        for below in ways.values():
            yield from _deeds(below)


def _only(finding: Finding) -> tuple[tuple[Deed, ...], ...]:
    """The one way to mend a finding, or () where there is a choice."""
    ways = deeds_of(finding)
    return ways if len(ways) == 1 else ()


def _cheapest(need: _Need, taken: frozenset[Deed]) -> tuple[Deed, ...]:
    """The deeds that meet the need: of each choice those of the way that asks for the fewest not taken yet, of equals
    the one whose worst finding is least bad, of these the first."""
    found: dict[Deed, None] = {}
    for finding in need.findings:
        fewest = min(deeds_of(finding), key=lambda way: len(set(way) - taken - found.keys()))
        found.update(dict.fromkeys(fewest))
    for ways in need.choices.values():
        offers = [(_cheapest(way, taken | found.keys()), _badness(way)) for way in ways.values()]
        best = min(offers, key=lambda offer: (len(set(offer[0]) - taken - found.keys()), offer[1]))
        found.update(dict.fromkeys(best[0]))
    return tuple(found)


def _badness(need: _Need) -> int:
    own = [finding.outcome.badness for finding in need.findings]
    return max([*own, *(min(map(_badness, ways.values())) for ways in need.choices.values())], default=0)


def _met(need: _Need, done: Set[Deed]) -> bool:
    return all(
        any(all(deed in done for deed in way) for way in deeds_of(one)) for one in need.findings
    ) and all(any(_met(way, done) for way in ways.values()) for ways in need.choices.values())


def _taken(need: _Need, done: frozenset[Deed]) -> Iterator[tuple[Finding, tuple[Deed, ...]]]:
    """The findings that are mended, with the deeds that do it; of each choice those of the first way that is met."""
    for finding in need.findings:
        yield finding, next(way for way in deeds_of(finding) if done.issuperset(way))
    for ways in need.choices.values():
        yield from _taken(next(way for way in ways.values() if _met(way, done)), done)
