"""What a clone knows of its remote's policy, read from the remote-tracking branches and never from the work tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from guard.core.errors import GuardError, UsageError
from guard.core.evidence import leaves
from guard.core.model import Commit
from guard.core.policy import Incidents, Policy
from guard.core.policy_text import parse_policy
from guard.core.report_kinds import Submitted
from guard.ports import Git

POLICY_PATH = "guard.toml"
_DEFAULTS = ("HEAD", "master", "main")
"""Where the remote's default policy is looked for; HEAD is the remote's default branch, where the clone knows it."""


class RemotePolicies:
    """The policies of a remote's branches, each read at most once. `branches` are the remote's, by name.

    A policy that cannot be used is passed over, because the server judges it anyway; `problems` say why, by branch.
    """

    def __init__(self, git: Git, branches: Mapping[str, Commit]) -> None:
        self._git = git
        self._branches = branches
        self._read: dict[str, Policy | None] = {}
        self.problems: dict[str, str] = {}

    def target(self) -> str:
        """The one protected branch. Raises UsageError where there is not exactly one: by the default branch's
        policy, or by the branches that carry a policy which protects themselves."""
        default = next((policy for name in _DEFAULTS if (policy := self._policy(name))), None)
        protected = tuple(default.branches) if default else tuple(self._self_protected())
        if len(protected) == 1:
            return protected[0]
        said = f"it protects {', '.join(protected)}" if protected else self._nothing_found()
        raise UsageError(
            f"which branch is meant? Of the remote is known: {said}",
            fix=f"name it: --target {protected[0] if protected else 'release/platform-control'}",
            code="usage.target",
        )

    def repository(self, *, target: str | None) -> str:
        """The repository's name by the target's policy, else by the default one. Raises UsageError where no
        policy tells."""
        first = (target,) if target else ()
        for name in (*first, *_DEFAULTS, *self._self_protected()):
            if policy := self._policy(name):
                return policy.project.repository
        raise UsageError(
            f"the repository's name is not known: {self._nothing_found()}",
            fix="fetch it (git fetch), or name the repository as the server's settings do: --repository group/project",
            code="usage.repository",
        )

    def service(self, *, target: str | None) -> str | None:
        """The address of the guard's service by the target's policy, else by the default one; None where none tells."""
        for name in (*((target,) if target else ()), *_DEFAULTS):
            if policy := self._policy(name):
                return policy.project.service
        return None

    def incidents(self, *, target: str | None) -> Incidents | None:
        """What the target's policy, else the default one, says of incidents; None where none tells."""
        for name in (*((target,) if target else ()), *_DEFAULTS):
            if policy := self._policy(name):
                return policy.incidents
        return None

    def lacks(self, gate: str, *, target: str) -> bool:
        """Whether the target's policy can be used and has no such gate."""
        policy = self._policy(target)
        return policy is not None and all(one.id != gate for one in policy.gates)

    def sources(self, gate: str, *, target: str) -> tuple[str, ...]:
        """The names that the gate's reports are submitted under, by the target's policy. Raises UsageError where it
        cannot be used or has no such gate."""
        policy = self._policy(target)
        if policy is None:
            raise UsageError(
                f"which sources {gate} has is not known: {self._nothing_found()}",
                fix="fetch it (git fetch), or name the source: --source NAME",
                code="usage.gate",
            )
        found = [one for one in policy.gates if one.id == gate]
        if not found:
            named = ", ".join(one.id for one in policy.gates[:40]) or "none"
            raise UsageError(
                f"the policy of {target} has no gate {gate}", fix=f"it has: {named}", code="usage.gate"
            )
        parts = leaves(found[0].evidence, prefix=gate)
        return tuple(dict.fromkeys(leaf.source for _, leaf in parts if isinstance(leaf, Submitted)))

    def _self_protected(self) -> Iterable[str]:
        return (name for name in self._branches if (policy := self._policy(name)) and name in policy.branches)

    def _policy(self, name: str) -> Policy | None:
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    def _load(self, name: str) -> Policy | None:
        commit = self._branches.get(name)
        try:
            text = self._git.read(commit, POLICY_PATH) if commit else None
            return parse_policy(text, where=f"{POLICY_PATH} at {name}").policy if text is not None else None
        except GuardError as error:
            self.problems[name] = error.message.splitlines()[0]
            return None

    def _nothing_found(self) -> str:
        if not self.problems:
            return f"no {POLICY_PATH} was found on its branches"
        return "no policy that can be used: " + "; ".join(list(self.problems.values())[:2])
