"""The names in a question, resolved: the branch, its policy, the commits and the upstream."""

from __future__ import annotations

from guard.core.errors import GuardError, PolicyError, UsageError
from guard.core.model import Candidate, Commit, Fact, Known, Unknown
from guard.core.policy_text import POLICY_PATH, LoadedPolicy, parse_policy
from guard.journeys.sources import Range, Sources
from guard.ports import Git


def branch_of(git: Git, name: str) -> str:
    """The branch that a target's name speaks of: `origin/release/x` and `refs/heads/release/x` are `release/x`."""
    if name.startswith("refs/heads/"):
        return name.removeprefix("refs/heads/")
    remote = name.removeprefix("refs/remotes/")
    if git.resolve(f"refs/heads/{name}") is None and git.resolve(f"refs/remotes/{remote}") is not None:
        return remote.partition("/")[2]
    return name


def resolve(git: Git, name: str, option: str) -> Commit:
    """The commit behind a name; a branch that only the remote `origin` has is found there.

    Raises UsageError naming the option that gave it.
    """
    commit = git.resolve(name) or git.resolve(f"refs/remotes/origin/{name}")
    if commit is None:
        raise UsageError(
            f"{option}: there is no commit {name!r} in this repository",
            fix="check the spelling, or fetch it first: git fetch",
            code="ref.unknown",
        )
    return commit


def read_policy(sources: Sources, target: Commit, branch: str) -> Fact[LoadedPolicy]:
    """The policy at the target branch's head, else the operator's bootstrap policy, else why there is none."""
    if sources.policy is not None:
        assumed, name = sources.policy
        return Known(parse_policy(assumed, where=name), f"{name} (assumed)", sources.clock.now())
    where = f"{POLICY_PATH} at {branch} ({target[:10]})"
    try:
        text = sources.git.read(target, POLICY_PATH)
        if text is not None:
            return Known(parse_policy(text, where=where), where, sources.clock.now())
        why = f"{branch} carries no {POLICY_PATH}"
    except PolicyError as error:
        why = f"{where} cannot be used: {error.brief}"
    except GuardError as error:
        why = f"{where} cannot be read: {error.message}"
    if sources.bootstrap is None:
        fix = (
            f"guard init writes one; it counts once it stands on {branch}. Until then the operator's does:"
            " guard install --server BARE.git --policy FILE (guard check takes it as --policy FILE too)"
        )
        return Unknown(why, fix=fix, who=("release-owner", "operator"))
    text, name = sources.bootstrap
    source = f"{name} (bootstrap policy, because {why})"
    try:
        return Known(parse_policy(text, where=name), source, sources.clock.now())
    except PolicyError as error:
        return Unknown(f"{why}; the bootstrap policy {error.brief}", fix=error.fix, who=("operator",))


def policy_upstream(policy: Fact[LoadedPolicy], branch: str) -> str:
    if isinstance(policy, Unknown):
        raise UsageError(
            f"no upstream is known for {branch}: {policy.why}",
            fix="name it: --upstream master",
            code="usage.upstream",
        )
    table = policy.value.policy.branches.get(branch)
    if table is None:
        named = ", ".join(policy.value.policy.branches)
        raise UsageError(
            f"{policy.source} does not name the branch {branch}; it names {named}",
            fix="ask about one of these, or name the upstream: --upstream master",
            code="usage.upstream",
        )
    return table.upstream


def candidate_of(
    asked: Range, git: Git, target: Commit, upstream_name: str, policy: Fact[LoadedPolicy]
) -> Candidate:
    new = resolve(git, asked.head, "--head")
    repository = asked.repository
    if not repository and not isinstance(policy, Unknown):
        repository = policy.value.policy.project.repository
    return Candidate(
        repository=repository,
        ref=f"refs/heads/{asked.branch}",
        old=target,
        new=new,
        upstream=upstream_head(git, upstream_name, by_policy=not asked.upstream),
        tree=git.tree_of(new),
    )


def upstream_head(git: Git, name: str, *, by_policy: bool) -> Commit:
    """The upstream's head; a policy can only mean a branch, whatever tag somebody pushed under its name, while
    `--upstream` takes any name. Raises UsageError."""
    places = (f"refs/heads/{name}", f"refs/remotes/origin/{name}") if by_policy else ()
    commit = next((found for place in places if (found := git.resolve(place))), None)
    if commit is None and by_policy:
        raise UsageError(
            f"the upstream branch {name} of the policy is not in this repository",
            fix="fetch it first: git fetch; or name another: --upstream REF",
            code="ref.unknown",
        )
    return commit or resolve(git, name, "--upstream")
