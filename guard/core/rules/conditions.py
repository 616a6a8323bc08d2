"""When a conditional gate applies: decided from what changed, from registers and from the step that is taken.

All parts of a condition have to hold. Where one surely does not, the gate does not apply; where one cannot be
decided, it counts as holding, because a condition that nobody could look at is no reason to ask for less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from guard.core.facts import NOT_GATHERED, ConditionFacts
from guard.core.globs import matches
from guard.core.model import Fact, Unknown
from guard.core.policy import Gate, When


@dataclass(frozen=True, slots=True)
class Holds:
    """A part of a condition holds, because of `why`."""

    why: str


@dataclass(frozen=True, slots=True)
class DoesNotHold:
    why: str


@dataclass(frozen=True, slots=True)
class Undecided:
    why: str
    fix: str = ""


Applies: TypeAlias = Holds | DoesNotHold | Undecided


def applies(gate: Gate, facts: ConditionFacts, environments: tuple[str, ...]) -> Applies:
    """Whether the gate applies to a promotion out of and into these environments, and why."""
    if gate.when is None:
        return Holds("")
    parts = list(_parts(gate.id, gate.when, facts, environments))
    for part in parts:
        if isinstance(part, DoesNotHold):
            return part
    open_ = [part for part in parts if isinstance(part, Undecided)]
    if open_:
        return Undecided("; ".join(part.why for part in open_), open_[0].fix)
    return Holds("; ".join(part.why for part in parts))


def _parts(
    gate_id: str, when: When, facts: ConditionFacts, environments: tuple[str, ...]
) -> Iterator[Applies]:
    if when.changed:
        yield _changed(when.changed, facts.changed)
    if when.register_open:
        yield _open(when, facts.entries.get(gate_id, NOT_GATHERED))
    if when.environment:
        yield _environment(when.environment, environments)


def _changed(globs: tuple[str, ...], changed: Fact[tuple[str, ...]]) -> Applies:
    if isinstance(changed, Unknown):
        return Undecided(f"what the promotion changes is not known: {changed.why}", changed.fix)
    found = next((path for path in changed.value if any(matches(path, glob) for glob in globs)), None)
    if found is None:
        return DoesNotHold(f"it changes nothing under {_listed(globs)}")
    return Holds(f"it changes {found.encode('utf-8', 'replace').decode()}")


def _open(when: When, entry: Fact[str | None]) -> Applies:
    name = f"{when.register_open} in {when.register_file}"
    if isinstance(entry, Unknown):
        return Undecided(f"the state of {name} is not known: {entry.why}", entry.fix)
    if entry.value is None:
        return Undecided(f"there is no entry {name}")
    if entry.value.casefold() in {word.casefold() for word in when.closed}:
        return DoesNotHold(f"{when.register_open} is {entry.value}")
    return Holds(f"{when.register_open} is open ({entry.value or 'without a state'})")


def _environment(name: str, environments: tuple[str, ...]) -> Applies:
    step = " to ".join(environments)
    if name in environments:
        return Holds(f"this is the step from {step}")
    return DoesNotHold(f"this is the step from {step}, and {name} has no part in it")


def _listed(globs: tuple[str, ...]) -> str:
    more = f" and {len(globs) - 3} more" if len(globs) > 3 else ""
    return ", ".join(globs[:3]) + more
