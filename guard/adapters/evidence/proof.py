"""Who stands behind a text on upstream: a person of a role, by a sign-off or by the signature of a commit.

The text itself never proves a person. A sign-off counts for the files that had exactly today's bytes in the commit that
it names; a commit's signature counts for the files that this commit was the last to touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.untrusted import shown
from guard.core.errors import GitError
from guard.core.facts import SignOff
from guard.core.model import Commit, Unknown

MAX_SIGNOFFS = 20
"""How many sign-offs under one id are looked into, the newest first."""


@dataclass(frozen=True, slots=True)
class Proof:
    """`by` is who, `how` one of `signed off` and `signed commit`; `digest` is that of the statement, "" without one."""

    by: str
    how: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Proved:
    """`proofs` is path → who stands behind it; `note` is what kept others from being proved, "" for nothing."""

    proofs: Mapping[str, Proof]
    note: str = ""


def prove(
    files: Mapping[str, str], gates: Mapping[str, tuple[str, ...]], role: str, sources: EvidenceSources
) -> Proved | Unknown:
    """Which of these files (path → object name on upstream) a holder of the role stands behind.

    `gates` is path → the ids under which it may be signed off.
    """
    members = sources.members.get(role)
    if members is None:
        return Unknown(f"the policy has no role {role}", fix=f"add [roles.{role}]", who=("release-owner",))
    if isinstance(members, Unknown):
        return members
    found: dict[str, Proof] = {}
    for gate in dict.fromkeys(gate for path in files for gate in gates[path]):
        open_ = {path: name for path, name in files.items() if path not in found and gate in gates[path]}
        if not open_:
            continue
        signed = sources.records.signoffs(gate)
        if isinstance(signed, Unknown):
            return signed
        standing = [one for one in signed.value if one.gate == gate and one.actor in members.value]
        found |= _signed_off(open_, standing, sources)
    rest = {path: name for path, name in files.items() if path not in found}
    if not rest:
        return Proved(found)
    by_commit, note = _by_commit(rest, members.value, sources)
    return Proved(found | by_commit, note)


def _signed_off(
    files: Mapping[str, str], signed: Iterable[SignOff], sources: EvidenceSources
) -> dict[str, Proof]:
    """The files that had today's bytes in a commit that one of these sign-offs names, the newest of them first."""
    newest_first = sorted(signed, key=lambda one: one.at, reverse=True)[:MAX_SIGNOFFS]
    found: dict[str, Proof] = {}
    for one in newest_first:
        for path, name in files.items():
            if path not in found and one.commit and _had(one.commit, path, name, sources):
                found[path] = Proof(one.actor, "signed off", one.digest)
    return found


def _had(commit: Commit, path: str, name: str, sources: EvidenceSources) -> bool:
    try:
        return sources.git.blob(commit, path) == name
    except GitError:  # a commit that is not here shows nothing
        return False


def _by_commit(
    files: Mapping[str, str], people: frozenset[str], sources: EvidenceSources
) -> tuple[dict[str, Proof], str]:
    from guard.core.commit_signature import signed_by

    signers = sources.operator.signers
    if isinstance(signers, Unknown):
        return {}, f"signed commits were not looked at: {signers.why}"
    try:
        commits = sources.git.written_by(sources.upstream, files)
    except GitError as error:
        return {}, f"signed commits could not be looked at: {shown(error.message)}"
    who: dict[bytes, str | None] = {}
    for commit in commits.values():
        if commit not in who:
            sha256 = len(sources.upstream) == 64
            who[commit] = signed_by(commit, people, signers.value, now=sources.now, sha256=sha256)
    return {path: Proof(by, "signed commit") for path, commit in commits.items() if (by := who[commit])}, ""
