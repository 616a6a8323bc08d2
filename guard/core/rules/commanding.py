"""May this person tell the guard to do this, here and now? A bot may nothing, and a stranger to the project neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from guard.core.commands import Command
from guard.core.evidence import Signoff, leaves
from guard.core.forge_facts import Speaker
from guard.core.model import Fact, Known, Unknown
from guard.core.policy import Policy
from guard.core.policy_names import RULES

ANYBODY = frozenset({"recheck", "explain"})
"""What the proposer may ask too, without write access: it changes nothing."""

Members = Mapping[str, Fact[frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Standing:
    """Who speaks, and who holds which role now."""

    speaker: Speaker
    is_proposer: bool
    members: Members

    @property
    def is_heard(self) -> bool:
        """Whether an answer is due at all: nobody outside of the project can fill the guard's comment."""
        return self.speaker.is_person and (self.speaker.may_write or self.is_proposer)


def needed_roles(command: Command, policy: Policy) -> tuple[str, ...]:
    """The roles of which the speaker must hold one; none where write access is enough."""
    if command.name == "signoff":
        gate = next((one for one in policy.gates if one.id == command.gate), None)
        found = leaves(gate.evidence, prefix=gate.id) if gate else ()
        return tuple(dict.fromkeys(leaf.role for _, leaf in found if isinstance(leaf, Signoff)))
    if command.name in {"hold", "unhold", "restore"}:
        return policy.approvals.roles
    if command.name == "break-glass" and policy.break_glass:
        return policy.break_glass.roles
    return ()


def refusal(command: Command, policy: Policy, standing: Standing) -> str | Unknown:
    """Why it is not done, "" when it is; Unknown where it cannot be told now."""
    if wrong := _wrong_gate(command, policy):
        return wrong
    if command.name == "waive" and policy.waivers is None:
        return "the policy has no table [waivers]: nothing can be waived"
    if command.name == "break-glass" and policy.break_glass is None:
        return "the policy has no table [break_glass]: nobody can"
    if not standing.speaker.may_write and not (command.name in ANYBODY and standing.is_proposer):
        return "only who may push to the project can do this"
    roles = needed_roles(command, policy)
    if not roles:
        return ""
    unknown = None
    for role in roles:
        fact = standing.members.get(role, Unknown(f"the policy has no role {role}"))
        if isinstance(fact, Known) and standing.speaker.name in fact.value:
            return ""
        unknown = fact if isinstance(fact, Unknown) else unknown
    return unknown or f"only who holds the role {' or '.join(roles)} can do this"


def _wrong_gate(command: Command, policy: Policy) -> str:
    gates = {gate.id for gate in policy.gates}
    name = command.gate.partition(":")[0]
    if command.name == "signoff" and name in gates and not needed_roles(command, policy):
        return f"the gate {name} takes no sign-off"
    known = gates | ({"candidate", *RULES} if command.name == "explain" else {"incidents"})
    if command.gate and name not in (gates if command.name == "signoff" else known):
        return f"the policy has no gate {name}"
    return ""
