"""Who may move a branch on GitHub: classic branch protection and rulesets, read together.

Both bind at once, so whoever may push is on the list of each mechanism that has one. Each list alone may name too
many, never too few; where both have one, the shorter is told, because people and teams cannot be intersected by name.

Sources: https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository (managing protected
branches: "people and apps with admin permissions to a repository are always able to push to a protected branch";
managing rulesets: bypass permissions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from guard.adapters.github_answers import BranchProtection, BypassActor, People, RequiredChecks, Rule, Ruleset
from guard.adapters.github_api import Api, GitHubError, segment
from guard.core.forge_facts import Protection

WRITERS = "everyone with write access"
ADMINS = "repository administrators"
ROLES = {1: "organisation roles", 2: "maintainers", 4: "everyone with write access", 5: ADMINS}
"""The repository roles that rulesets know by number (https://docs.github.com/en/rest/repos/rules)."""

BYPASS = (
    "check that it is there and that the guard's token may see it: Administration: write, because GitHub shows who may"
    " bypass a ruleset only to those who may edit it"
)

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """The guard itself on GitHub: its login, and the numbers by which rulesets know it (None where unknown)."""

    login: str
    user_id: int | None = None
    app_id: int | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one mechanism lets happen; None stands for everyone with write access."""

    pushers: Names | None
    mergers: Names | None
    force_push: bool
    deletable: bool


def read_protection(api: Api, repo: str, branch: str, *, me: Identity) -> Protection | None:
    """Both mechanisms, asked now; `repo` is the repository's path. Raises GitHubError."""
    return together(branch, _classic(api, repo, branch), _rules(api, repo, branch, me=me))


def write_protection(api: Api, repo: str, branch: str, *, me: Identity, force_push: bool) -> None:
    """Classic protection that lets nobody but the guard move the branch; the checks that it demands stay. What a
    ruleset allows is narrowed by it, because both bind. Raises GitHubError.

    https://docs.github.com/en/rest/branches/branch-protection#update-branch-protection: restrictions are for
    organisations' repositories alone.
    """
    path = f"{repo}/branches/{segment(branch)}/protection"
    there = _read_classic(api, path)
    checks = there.required_status_checks if there else None
    is_app = me.login.endswith("[bot]")
    sent = {
        "required_status_checks": _same_checks(checks) if checks else None,
        "enforce_admins": True,
        "required_pull_request_reviews": None,
        "restrictions": {
            "users": [] if is_app else [me.login],
            "teams": [],
            "apps": [me.login.removesuffix("[bot]")] if is_app else [],
        },
        "allow_force_pushes": force_push,
        "allow_deletions": False,
    }
    api.send("PUT", path, BranchProtection, sent)


def _same_checks(checks: RequiredChecks) -> dict[str, object]:
    listed = [
        {"context": one.context, **({"app_id": one.app_id} if one.app_id is not None else {})}
        for one in checks.checks
    ]
    if listed:
        return {"strict": checks.strict, "contexts": [], "checks": listed}
    return {"strict": checks.strict, "contexts": list(checks.contexts)}


def _read_classic(api: Api, path: str) -> BranchProtection | None:
    """GitHub says "Branch not protected" when there surely is none; any other 404 hides something."""
    try:
        return api.get(path, BranchProtection)
    except GitHubError as error:
        if error.status == 404 and error.said == "Branch not protected":
            return None
        raise


def _classic(api: Api, repo: str, branch: str) -> Allowed | None:
    found = _read_classic(api, f"{repo}/branches/{segment(branch)}/protection")
    return by_classic(found, owner=repo.split("/")[2]) if found else None


def _rules(api: Api, repo: str, branch: str, *, me: Identity) -> Allowed | None:
    rules = tuple(api.pages(f"{repo}/rules/branches/{segment(branch)}", Rule))
    rulesets = {}
    for number in needed_rulesets(rules):
        ruleset = api.get(f"{repo}/rulesets/{number}", Ruleset, includes_parents="true")
        if ruleset.bypass_actors is None:
            raise GitHubError(f"GitHub does not show who may bypass the ruleset {number}", fix=BYPASS)
        rulesets[number] = ruleset
    return by_rules(rules, rulesets, me=me) if rules else None


def by_classic(found: BranchProtection, *, owner: str) -> Allowed:
    """What classic protection allows.

    Administrators may always merge past a restriction, and push where no pull request is demanded of them.
    """
    admins: Names = () if found.enforce_admins.enabled else (ADMINS,)
    if found.lock_branch.enabled:
        mergers: Names | None = admins
    else:
        mergers = (*_names(found.restrictions, owner), ADMINS) if found.restrictions else None
    pushers = mergers
    if found.required_pull_request_reviews:
        allowed = found.required_pull_request_reviews.bypass_pull_request_allowances
        pushers = (*(_names(allowed, owner) if allowed else ()), *admins)
    return Allowed(pushers, mergers, found.allow_force_pushes.enabled, found.allow_deletions.enabled)


def by_rules(rules: Sequence[Rule], rulesets: Mapping[int, Ruleset], *, me: Identity) -> Allowed:
    """What the rules allow that are active for the branch; `rulesets` holds those of which a bypass matters."""

    def bypassing(type: str, direct: Callable[[BypassActor], bool]) -> Names | None:
        """Who is let past this rule: past every ruleset that has it; None where none has it."""
        lists = [
            tuple(
                _actor(actor, me) for actor in rulesets[rule.ruleset_id].bypass_actors or () if direct(actor)
            )
            for rule in rules
            if rule.type == type
        ]
        return min(lists, key=len) if lists else None

    mergers = bypassing("update", _may_merge)
    pushers = bypassing("update", _may_push)
    past_review = bypassing("pull_request", _may_push)
    types = {rule.type for rule in rules}
    return Allowed(
        _shorter(pushers, past_review), mergers, "non_fast_forward" not in types, "deletion" not in types
    )


def needed_rulesets(rules: Sequence[Rule]) -> tuple[int, ...]:
    """The rulesets whose bypass lists say who may push or merge."""
    return tuple(sorted({rule.ruleset_id for rule in rules if rule.type in {"update", "pull_request"}}))


def together(branch: str, classic: Allowed | None, rules: Allowed | None) -> Protection | None:
    """Both mechanisms bind; None where there is neither."""
    both = [one for one in (classic, rules) if one]
    if not both:
        return None
    pushers, mergers = both[0].pushers, both[0].mergers
    for other in both[1:]:
        pushers, mergers = _shorter(pushers, other.pushers), _shorter(mergers, other.mergers)
    return Protection(
        branch=branch,
        pushers=_told(pushers),
        mergers=_told(mergers),
        force_push=all(one.force_push for one in both),
        deletable=all(one.deletable for one in both),
    )


def _shorter(one: Names | None, other: Names | None) -> Names | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other, key=len)


def _told(names: Names | None) -> Names:
    return (WRITERS,) if names is None else tuple(dict.fromkeys(names))


def _names(people: People, owner: str) -> Names:
    return (
        *(user.login for user in people.users),
        *(f"@{owner}/{team.slug}" for team in people.teams),
        *(f"{app.slug}[bot]" for app in people.apps),
    )


def _may_merge(actor: BypassActor) -> bool:
    """Every bypass mode lets an actor merge past the rules."""
    return bool(actor.bypass_mode)


def _may_push(actor: BypassActor) -> bool:
    """The bypass mode `pull_request` lets an actor merge past the rules, and not push."""
    return actor.bypass_mode != "pull_request"


def _actor(actor: BypassActor, me: Identity) -> str:
    """The actor as the guard names it; rulesets give numbers, of which only the guard's own are known."""
    number = actor.actor_id
    mine = {"User": me.user_id, "Integration": me.app_id}.get(actor.actor_type)
    if number is not None and number == mine:
        return me.login
    if actor.actor_type == "RepositoryRole" and number is not None:
        return ROLES.get(number, f"repository role {number}")
    fixed = {"OrganizationAdmin": "organisation owners", "DeployKey": "deploy keys"}
    words = {"User": "user", "Integration": "app", "Team": "team"}
    return fixed.get(actor.actor_type) or f"{words.get(actor.actor_type, actor.actor_type)} {number}"
