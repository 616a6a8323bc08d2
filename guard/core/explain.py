"""What one gate or rule means, why it stands where it stands, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase

from guard.core.durations import format_duration
from guard.core.evidence import Absent, Approvals, Leaf, Reading, leaves
from guard.core.model import Decision, Unknown, Verdict
from guard.core.policy import Gate, Policy, When
from guard.core.policy_names import GROUPS
from guard.core.rules.waivers import INCIDENTS
from guard.core.unblock import Action, unblock_plan

PAGE = "the release readiness page"

RULES: Mapping[str, tuple[str, str, str]] = {
    # name: (title, what it means, where it comes from)
    "candidate": (
        "Candidate",
        "The move only adds to the branch, and its commit is the head of exactly one open proposal. No policy can"
        " switch this off.",
        f'{PAGE}, "Hard rule on platform-control branch"',
    ),
    "lineage": (
        "Master first",
        "Every commit that the promotion brings is on upstream, or proven to be what is there.",
        f'{PAGE}, "Merge fixes to master first"',
    ),
    "approvals": (
        "Approvals",
        "Each required role is held by a different person who approved exactly this head and had no hand in it.",
        f'{PAGE}, "Approval recorded by platform + security owners"',
    ),
    "incidents": (
        "Incidents",
        "No incident of the watched severities is open.",
        f'{PAGE}, "Decision rule"',
    ),
    "hold": ("Holds", "Nobody holds the promotions of the branch.", "the holds on record"),
    "queue": (
        "Work queue",
        "No open entry of the work queue is marked as gating the release.",
        f'{PAGE}, "Active work queue"',
    ),
    "break-glass": (
        "Break-glass",
        "In an emergency holders of two roles let one head pass, for a short time.",
        "the policy's table [break_glass]",
    ),
    "follow-up": (
        "What break-glass still owes",
        "What an emergency brought to the branch is on upstream by now.",
        "the policy's table [break_glass]",
    ),
    "policy": (
        "Policy",
        "The target branch has a policy that can be used.",
        "the file guard.toml of the target branch",
    ),
}
"""What can be asked about besides the gates."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One elementary piece of evidence. `about` is what the policy says of it (`path doc/a.md`), `limit` the age at
    which it no longer counts, "" for none; `state` is `read`, `absent`, `unknown` or `rule` (judged elsewhere), and
    `said` what it says, or why it says nothing."""

    key: str
    kind: str
    about: tuple[str, ...]
    limit: str
    state: str
    said: str
    source: str = ""
    digest: str = ""
    dated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """`group` is a group's title, "" for a rule; `verdict` is None where it is no part of the decision; `actions` are
    those of the decision's plan that serve it; `waiver` says who can let it pass."""

    id: str
    title: str
    group: str
    meaning: str
    origin: str
    condition: str
    pieces: tuple[Piece, ...]
    verdict: Verdict | None
    actions: tuple[Action, ...]
    waiver: str


def explainable(policy: Policy | None, decision: Decision | None = None) -> tuple[str, ...]:
    """Every name that can be asked about, gates first."""
    gates = [gate.id for gate in policy.gates] if policy else []
    verdicts = [verdict.id for verdict in decision.verdicts] if decision else []
    return tuple(dict.fromkeys((*gates, *RULES, *verdicts)))


def near(name: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Up to five names that somebody may have meant."""
    holding = [one for one in names if name and (name in one or one.rpartition(".")[2] in name)]
    return tuple(dict.fromkeys((*get_close_matches(name, names, n=5, cutoff=0.5), *holding)))[:5]


def explain(
    name: str, decision: Decision, policy: Policy | None, readings: Mapping[str, Reading]
) -> Explanation | None:
    """The explanation of a gate or rule; None where neither the policy nor the decision knows it."""
    verdict = next((one for one in decision.verdicts if one.id == name), None)
    gate = next((one for one in policy.gates if one.id == name), None) if policy else None
    if gate is None and verdict is None and name not in RULES:
        return None
    actions = tuple(action for action in unblock_plan(decision) if name in action.serves)
    waiver = _waiver(name, gate, policy)
    if gate is not None:
        group = GROUPS[gate.group]
        pieces = tuple(
            _piece(key, leaf, readings.get(key)) for key, leaf in leaves(gate.evidence, prefix=name)
        )
        meaning, origin = gate.help or gate.title, f'{PAGE}, "{group}"'
        return Explanation(
            name, gate.title, group, meaning, origin, _condition(gate), pieces, verdict, actions, waiver
        )
    title, meaning, origin = RULES.get(name, (verdict.title if verdict else name, "", "the policy"))
    condition = "it always has to hold" if verdict else "where the policy or the branch gives cause for it"
    return Explanation(name, title, "", meaning, origin, condition, (), verdict, actions, waiver)


def _condition(gate: Gate) -> str:
    if gate.mandatory:
        return "mandatory: it always has to hold"
    if gate.when is None:
        return "conditional, and the policy names no condition: it always has to hold"
    return (
        f"conditional: it has to hold where {' and '.join(_parts(gate.when))}; what cannot be decided has to"
    )


def _parts(when: When) -> Iterator[str]:
    if when.changed:
        yield f"the promotion changes {' or '.join(when.changed)}"
    if when.register_open:
        yield f"{when.register_open} of {when.register_file} is not {' or '.join(when.closed)}"
    if when.environment:
        yield f"it is a step out of or into {when.environment}"


def _piece(key: str, leaf: Leaf, reading: Reading | None) -> Piece:
    said = leaf.model_dump(mode="json", exclude_defaults=True, exclude={"kind", "max_age"})
    about = tuple(f"{name} {_value(value)}" for name, value in said.items())
    age = getattr(leaf, "max_age", None)
    known = (key, leaf.kind, about, format_duration(age) if age else "")
    if isinstance(leaf, Approvals):
        return Piece(*known, "rule", "the verdict of the rule approvals")
    if reading is None:
        return Piece(*known, "unknown", "this evidence was not gathered")
    if isinstance(reading, Unknown | Absent):
        return Piece(*known, "absent" if isinstance(reading, Absent) else "unknown", reading.why)
    seen = reading.value
    return Piece(*known, "read", seen.summary, reading.source, seen.digest, seen.dated)


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}={_value(one)}" for name, one in value.items())
    return str(value)


def _waiver(name: str, gate: Gate | None, policy: Policy | None) -> str:
    if gate is None and name != INCIDENTS:
        return "nobody: only findings of gates and open incidents can be waived"
    rule = policy.waivers if policy else None
    if rule is None:
        return "nobody: the policy has no table [waivers]"
    if gate is None and not rule.incidents:
        return "nobody: the policy lets nobody waive an incident"
    globs = (rule.mandatory if gate.mandatory else rule.gates) if gate else ("*",)
    if not any(fnmatchcase(name, glob) for glob in globs):
        kind = "mandatory, and the policy lets nobody waive it" if gate and gate.mandatory else "not waivable"
        return f"nobody: it is {kind}"
    people = " and ".join(dict.fromkeys(rule.roles))
    codes = "" if rule.findings == ("*",) else f"; only findings {', '.join(rule.findings)}"
    return (
        f"holders of {people}, two people and not who asks, for at most {format_duration(rule.longest)}{codes}:"
        f" guard waive request"
    )
