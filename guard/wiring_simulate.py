"""Building what `guard simulate` asks: a clone, and a forge or a file in place of one; nothing that could write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from guard import wiring
from guard.core.errors import ForgeError, UsageError
from guard.core.facts import Proposal
from guard.core.model import Unknown
from guard.core.policy_text import POLICY_PATH, parse_policy
from guard.journeys.sources import Sources
from guard.ports import Clock, Forge, Git, Records
from guard.settings import ServerHome, find_home
from guard.wiring_readers import evidence_reader, operator_of, register_reader

if TYPE_CHECKING:
    from guard.adapters.local import LocalForge


@dataclass(frozen=True, slots=True)
class Place:
    """A repository on a forge, and a token that may read it."""

    forge: str
    url: str
    token: str
    repository: str


def server_home(server: str | None) -> ServerHome | None:
    return find_home(server=server, remote_url=None) if server else None


def from_file(file: Path, repo: Path, home: ServerHome | None) -> tuple[Proposal, str, Sources]:
    """A proposal that a file describes. Raises UsageError where the clone has not its head."""
    from guard.adapters.git import GitRepo
    from guard.adapters.proposal_file import ProposalFile

    forge, git = ProposalFile(file), GitRepo(repo)
    head = git.resolve(forge.proposal.head) or git.resolve(f"refs/remotes/origin/{forge.proposal.head}")
    if head is None:
        raise _no_head(forge.proposal)
    forge.resolved(head)
    return forge.proposal, home.settings.repository if home else "", _sources(git, forge, home)


def from_forge(
    place: Place, number: str, repo: Path, home: ServerHome | None, *, policy: Path | None
) -> tuple[Proposal, str, Sources]:
    """An open proposal into one of the branches that the policy names. Raises UsageError, ForgeError."""
    from guard.adapters.git import GitRepo

    git, forge = GitRepo(repo), FORGES[place.forge](place, wiring.system_clock())
    branches = _branches(git, policy)
    for branch in branches:
        found = forge.proposals(branch)
        if isinstance(found, Unknown):
            raise ForgeError(found.why, fix=found.fix)
        for one in found.value:
            if one.id == number:
                if git.resolve(one.head) is None:
                    raise _no_head(one)
                return one, place.repository, _sources(git, forge, home)
    raise UsageError(
        f"--mr: {number} is no open proposal of {place.repository} into {', '.join(branches)}",
        fix="check the number; closed and merged ones are not judged",
        code="usage.mr",
    )


def _branches(git: Git, policy: Path | None) -> tuple[str, ...]:
    """The branches that the given policy names, else that of the clone's HEAD."""
    head = git.resolve("HEAD")
    text = policy.read_bytes() if policy else (git.read(head, POLICY_PATH) if head else None)
    if text is None:
        raise UsageError(
            f"which branches are protected is not known: HEAD has no {POLICY_PATH}",
            fix="run it in a clone that has one, or name one: --policy FILE",
            code="usage.policy",
        )
    where = policy.name if policy else f"{POLICY_PATH} at HEAD"
    return tuple(parse_policy(text, where=where).policy.branches)


def _no_head(proposal: Proposal) -> UsageError:
    return UsageError(
        f"the clone does not have the head {proposal.head[:40]} of proposal {proposal.id}",
        fix="fetch it: git fetch origin merge-requests/NUMBER/head (GitLab), or pull/NUMBER/head (GitHub)",
        code="ref.unknown",
    )


def _sources(git: Git, forge: Forge, home: ServerHome | None) -> Sources:
    """The clone's branches, the forge's facts, and the server side's ledger where there is one."""
    from guard.adapters.noforge import NoForge

    clock = wiring.system_clock()
    local: LocalForge | None = wiring.local_forge(home, wiring.read_ledger(home)) if home else None
    records: Records = local or NoForge()
    operator = operator_of(home, now=wiring.system_clock().now()) if home else None
    reader = evidence_reader(git, records, forge, clock, operator=operator)
    sources = Sources(git, forge, reader, clock, None, register_reader(git, clock))
    return replace(sources, read_asks=local.break_glass, read_holds=local.holds) if local else sources


def _gitlab(place: Place, clock: Clock) -> Forge:
    from guard.adapters.gitlab import GitLabForge, connect

    return GitLabForge(connect(place.url, place.token), place.repository, clock=clock)


def _github(place: Place, clock: Clock) -> Forge:
    from github import Auth

    from guard.adapters.github import GitHubForge
    from guard.adapters.github_client import github_client

    return GitHubForge(github_client(Auth.Token(place.token), api=place.url), place.repository, clock=clock)


FORGES: Mapping[str, Callable[[Place, Clock], Forge]] = {"gitlab": _gitlab, "github": _github}
