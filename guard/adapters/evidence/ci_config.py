"""Whether a commit brings another CI configuration than upstream's: what a pipeline runs is code like any other.

Looked at are `.gitlab-ci.yml` with every file of the repository that it includes, GitHub's workflows and local
actions, and `scripts/ci`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from guard.adapters.evidence.untrusted import Unreadable, bounded, decode
from guard.core.model import Commit
from guard.ports import Git

GITLAB = ".gitlab-ci.yml"
CONFIGURATION = (GITLAB, ".github/workflows", ".github/actions", "scripts/ci")
MAX_INCLUDES = 150
"""GitLab's own limit (https://docs.gitlab.com/administration/instance_limits/#maximum-number-of-includes)."""
MAX_YAML = 1024 * 1024


def differing_configuration(
    git: Git, head: Commit, upstream: Commit, *, more: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The paths of CI configuration that are not the same in both trees, added and removed ones too.

    Raises Unreadable where upstream's `.gitlab-ci.yml` does not show what it includes, and GitError.
    """
    changed = git.changed(upstream, head)
    if not changed:
        return ()
    included = [_pattern(path) for path in local_includes(git, upstream)]
    wanted = (*CONFIGURATION, *more)
    return tuple(
        path
        for path in changed
        if any(_within(path, one) for one in wanted) or any(one.fullmatch(path) for one in included)
    )


def _within(path: str, place: str) -> bool:
    """In the folder, the file itself, or something that stands where a folder on the way to it should."""
    return path == place or path.startswith(f"{place}/") or place.startswith(f"{path}/")


def local_includes(git: Git, commit: Commit) -> tuple[str, ...]:
    """The paths and patterns of all files of the repository that `.gitlab-ci.yml` includes, at any depth."""
    found: dict[str, None] = {}
    todo, seen = [GITLAB], set[str]()
    while todo:
        path = todo.pop()
        data = None if path in seen else git.read(commit, path)
        seen.add(path)
        if data is None:
            continue
        if len(seen) > MAX_INCLUDES:
            raise Unreadable(
                f"{GITLAB} includes more than {MAX_INCLUDES} files, so that not all can be compared"
            )
        for include in _includes(data, path):
            found[include] = None
            todo += _matching(git, commit, include)
    return tuple(found)


def _matching(git: Git, commit: Commit, include: str) -> list[str]:
    if not re.search(r"[*$]", include):
        return [include]
    pattern = _pattern(include)
    return [path for path in git.list(commit, "") if pattern.fullmatch(path)]


def _pattern(include: str) -> re.Pattern[str]:
    """`*` within a folder, `**` across folders (https://docs.gitlab.com/ci/yaml/#includelocal); a variable may stand
    for anything."""
    parts = re.split(r"(\*+|\$\{?\w+\}?)", include)
    return re.compile("".join(_regex(part) for part in parts), re.DOTALL)


def _regex(part: str) -> str:
    if part == "*":
        return "[^/]*"
    return ".*" if part.startswith(("*", "$")) else re.escape(part)


def _includes(data: bytes, path: str) -> Iterator[str]:
    """What one file includes from its own repository, also for child pipelines (`trigger: include`)."""
    for document in _documents(data, path):
        holders = [document, *(job["trigger"] for job in document.values() if _is_trigger(job))]
        for holder in holders:
            include = holder.get("include")
            for item in include if isinstance(include, list) else [include]:
                yield from _local(item)


def _is_trigger(job: object) -> bool:
    return isinstance(job, dict) and isinstance(job.get("trigger"), dict)


def _local(item: object) -> Iterator[str]:
    """Strings that are no address, and `local:`."""
    value = item.get("local") if isinstance(item, dict) else item
    for path in value if isinstance(value, list) else [value]:
        if isinstance(path, str) and not re.match(r"https?://", path, re.IGNORECASE):
            yield path.lstrip("/")


def _documents(data: bytes, path: str) -> list[dict[str, Any]]:
    """The YAML documents that are tables (a file may begin with one that is its `spec`)."""
    import yaml

    class Loader(yaml.SafeLoader):
        """GitLab's own tags (`!reference`) are read as nothing."""

    Loader.add_multi_constructor("!", lambda *_: None)
    try:
        documents = list(yaml.load_all(decode(bounded(data, path, limit=MAX_YAML), path), Loader))
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, OverflowError) as error:
        raise Unreadable(
            f"{path} on upstream cannot be read as YAML ({type(error).__name__}), so nobody knows what it includes",
            fix=f"mend {path} on upstream",
        ) from None
    return [one for one in documents if isinstance(one, dict)]
