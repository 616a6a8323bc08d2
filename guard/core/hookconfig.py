"""What the hooks are told: which branches are protected, by whose policy, and the patterns that their fronts match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from guard.core.policy import Policy

FORMAT = 1
"""Of `hooks.json`; `hooks/config.py` reads the same."""

OWN_REFS = ("refs/guard", "refs/proposals")
"""The guard's own namespaces, which on a server the full guard decides on."""

NON_ASCII = "*[! -~]*"
"""Any ref with such a character is looked at in Python, because there letters have more than two cases. It stands
last in every list: the fronts leave the last line out where they use the others as expressions of `grep`."""


@dataclass(frozen=True, slots=True)
class Found:
    """The policies that were found. `by_branch` holds each branch's own valid one, `broken` the branch names that
    an invalid one seems to protect; `bootstrap` is the operator's, and `named` are branches protected whatever any
    policy says."""

    by_branch: Mapping[str, Policy]
    broken: Mapping[str, frozenset[str]] = field(default_factory=dict)
    default: str | None = None
    bootstrap: Policy | None = None
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Protection:
    """One protected branch as the hooks will know it."""

    branch: str
    repository: str
    upstream: str
    mode: str
    read_first: tuple[str, ...]

    @property
    def ref(self) -> str:
        return f"refs/heads/{self.branch}"


def protections(found: Found) -> tuple[Protection, ...]:
    """Every protected branch, sorted: those that the default branch's policy names, those whose own policy names
    them, the operator's. Any of these is enough, so that no branch can take another's protection away; and a policy
    that cannot be used protects the more strictly."""
    default = found.by_branch.get(found.default or "")
    claims = {branch: frozenset(policy.branches) for branch, policy in found.by_branch.items()}
    claims.update(found.broken)
    names = {branch for branch, claimed in claims.items() if branch in claimed}
    names.update(claims.get(found.default or "", ()), found.named)
    names.update(found.bootstrap.branches if found.bootstrap else ())
    return tuple(_protection(name, found, default) for name in sorted(names))


def _protection(name: str, found: Found, default: Policy | None) -> Protection:
    """A branch's mode comes from its own policy or the operator's, never from another branch's; only words
    (upstream, what to read) may come from the default branch's."""
    own = found.by_branch.get(name)
    governing = next((p for p in (own, found.bootstrap) if p and name in p.branches), None)
    told = governing or (default if default and name in default.branches else None)
    table = told.branches[name] if told else None
    named = told or default or found.bootstrap
    return Protection(
        branch=name,
        repository=named.project.repository if named else "",
        upstream=table.upstream if table else (found.default or "upstream"),
        mode=governing.mode if governing else "enforce",
        read_first=table.read_first if table else (),
    )


def document(
    protected: Iterable[Protection],
    *,
    repository: str | None = None,
    remote: str = "",
    urls: Iterable[str] = (),
    keys: Iterable[Mapping[str, object]] = (),
    packages: Iterable[str] = (),
    sources: Mapping[str, str] | None = None,
    python: str,
    database: str = "",
    verify: str = "",
    web_merges: str = "refuse",
) -> dict[str, object]:
    """The content of `hooks.json`. `repository` overrides what the policies say (a server knows its own name);
    `sources` are the remote-tracking refs whose policies were read, with the blob that each has as `guard.toml`;
    `database` is the URL of a server's ledger, "" for the file beside it; `verify` is "" where that is
    asked about permits, "offline", or the URL of the service that is asked."""
    branches = {
        entry.ref: {
            "repository": repository or entry.repository,
            "upstream": entry.upstream,
            "mode": entry.mode,
            "read_first": list(entry.read_first),
        }
        for entry in protected
    }
    return {
        "format": FORMAT,
        "branches": branches,
        "remote": remote,
        "urls": list(urls),
        "keys": [dict(key) for key in keys],
        "packages": list(packages),
        "sources": dict(sources or {}),
        "python": python,
        **({"database": database} if database else {}),
        **({"verify": verify, "web_merges": web_merges} if verify else {}),
    }


def lists(protected: Iterable[Protection], *, remote: str, default: str | None) -> dict[str, tuple[str, ...]]:
    """What the fronts of a clone match, by file name: `protected` a pushed ref or HEAD, `moves` a local branch that
    moves, `tracked` a remote-tracking branch whose move matters afterwards, `upstreams` those of them that are only
    the policy's source."""
    refs = [entry.ref for entry in protected]
    tracking = [literal(tracking_ref(remote, ref)) for ref in refs]
    upstream = [literal(f"refs/remotes/{remote}/{default}")] if default else []
    return {
        "protected": patterns(refs),
        "moves": (*map(_any_case, refs), f"refs/heads/{NON_ASCII}"),
        "tracked": tuple(dict.fromkeys([*tracking, *upstream])),
        "upstreams": tuple(ref for ref in upstream if ref not in tracking),
    }


def tracking_ref(remote: str, ref: str) -> str:
    """The remote-tracking ref of a branch, as git lays them out by default."""
    return f"refs/remotes/{remote}/{ref.removeprefix('refs/heads/')}"


def literal(ref: str) -> str:
    """The ref as a pattern that matches nothing else, for the shell; for `grep` it may match a little more."""
    return ref.replace("$", "[$]")


def patterns(refs: Iterable[str], *, own: bool = False) -> tuple[str, ...]:
    """Shell patterns of the refs that a front hands to Python: each protected one in any case, what would stand
    in its way or be taken for it, and with `own` the guard's own namespaces. None for no refs at all."""
    found = [pattern for ref in refs for pattern in _around(ref)]
    if own:
        found += [_any_case(space) + end for space in OWN_REFS for end in ("", "/*")]
    return tuple(dict.fromkeys([*found, NON_ASCII])) if found else ()


def _around(ref: str) -> list[str]:
    """Few and short, because a shell reads them byte by byte before every push: whatever ends in the branch's name
    goes to Python, also the names that turn out to be only longer."""
    short = ref.removeprefix("refs/heads/")
    parts = short.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts))]
    return [
        f"refs/*{_any_case(short)}",
        f"{_any_case(ref)}/*",
        *(_any_case(f"refs/heads/{name}") for name in above),
    ]


def _any_case(ref: str) -> str:
    """A pattern for the ref in any case; `refs/` itself git knows in one case only."""
    kept = "refs/" if ref.startswith("refs/") else ""
    rest = ref.removeprefix(kept)
    return kept + "".join(
        f"[{c.lower()}{c.upper()}]" if c.isascii() and c.isalpha() else literal(c) for c in rest
    )
