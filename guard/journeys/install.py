"""Install the hooks in a clone: compile what the remote's branches say, then put the hooks in place."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from guard.core.errors import GuardError, PolicyError
from guard.core.hookconfig import Found, Protection, document, patterns, protections
from guard.core.permit import PermitError, parse_jwks
from guard.core.policy import Policy
from guard.core.policy_text import parse_policy

POLICY_PATH = "guard.toml"
_BRANCH = re.compile(r"(?!refs/|-)[^\s~^:?*\[\\\x00-\x1f\x7f]{1,200}")
JWKS_REF = "refs/guard/jwks"


class Repository(Protocol):
    """What installing asks of a repository; `guard.adapters.gitdir` answers."""

    @property
    def common_dir(self) -> Path: ...
    def refs(self, prefix: str) -> dict[str, str]: ...
    def files(self, commits: tuple[str, ...], path: str) -> dict[str, bytes | None]: ...
    def default_branch(self, remote: str) -> str | None: ...
    def remote_urls(self, remote: str) -> tuple[str, ...]: ...
    def fetch_blob(self, remote: str, ref: str) -> bytes | None: ...
    def hook_folders(self) -> tuple[Path, ...]: ...
    def owns(self, folder: Path) -> bool: ...


@dataclass(frozen=True, slots=True)
class HookFiles:
    """How hook files are put in place: `place(folder, hook, known)`, `remove(folder, hook)`, `fault(folder, hook)`;
    `hooks` are the names, `python` and `packages` what the hooks run with."""

    hooks: tuple[str, ...]
    place: Callable[[Path, str, tuple[str, ...]], str]
    remove: Callable[[Path, str], str]
    fault: Callable[[Path, str], str | None]
    python: str
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policies:
    """The branches' own policies; of those that cannot be used, the branch names they seem to protect and a line
    that says why."""

    by_branch: Mapping[str, Policy]
    broken: Mapping[str, frozenset[str]]
    unusable: tuple[str, ...]

    def protected(
        self,
        default: str | None,
        *,
        before: Iterable[str],
        named: Iterable[str] = (),
        bootstrap: Policy | None = None,
    ) -> tuple[Protection, ...]:
        """What all of this protects. Of the branches that were protected `before`, those stay so whose policy, or
        the default branch's, cannot be used now: what is broken takes no protection away."""
        kept = [branch for branch in before if branch in self.broken or default in self.broken]
        return protections(Found(self.by_branch, self.broken, default, bootstrap, (*named, *kept)))


def read_policies(repo: Repository, prefix: str) -> Policies:
    """The `guard.toml` of every branch under `prefix`, at its head; never a work tree's."""
    heads = repo.refs(prefix)
    texts = repo.files(tuple(heads.values()), POLICY_PATH)
    valid: dict[str, Policy] = {}
    broken: dict[str, frozenset[str]] = {}
    unusable = []
    parsed: dict[bytes | None, Policy | str] = {}  # most branches carry the same file
    for ref, commit in heads.items():
        branch = ref.removeprefix(prefix)
        if commit not in texts:
            continue
        text = texts[commit]
        read = parsed[text] if text in parsed else parsed.setdefault(text, _parse(text))
        if isinstance(read, Policy):
            valid[branch] = read
        else:
            broken[branch] = _claimed(text or b"")
            unusable.append(f"{branch}: its {read}")
    return Policies(valid, broken, tuple(unusable))


def _parse(text: bytes | None) -> Policy | str:
    """The policy, or why it cannot be used."""
    if text is None:
        return f"{POLICY_PATH} is too big"
    try:
        return parse_policy(text, where=POLICY_PATH).policy
    except PolicyError as error:
        return f"policy cannot be used: {error.message.splitlines()[0]}"


def _claimed(text: bytes) -> frozenset[str]:
    """The branch names under `branches` of a policy that is not valid; none where it is not even TOML."""
    try:
        table = tomllib.loads(text.decode("utf-8")).get("branches")
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(filter(_BRANCH.fullmatch, table)) if isinstance(table, dict) else frozenset()


def compile_client(repo: Repository, remote: str) -> tuple[tuple[Protection, ...], Policies]:
    """What the remote-tracking branches protect, now. No network but for a default branch nobody recorded."""
    policies = read_policies(repo, f"refs/remotes/{remote}/")
    before = compiled_branches(repo.common_dir / "guard", remote)
    return policies.protected(repo.default_branch(remote), before=before), policies


def install_client(repo: Repository, files: HookFiles, *, remote: str) -> list[str]:
    """Compile, then place the hooks; what was done, line by line. Doing it again brings everything up to date.

    Raises GuardError: `install.nothing-protected` leaves an earlier installation as it is.
    """
    urls = repo.remote_urls(remote)
    protected, policies = compile_client(repo, remote)
    if not protected:
        raise GuardError(
            f"no branch of {remote} has a guard.toml that protects one"
            + "".join(f"; {x}" for x in policies.unusable),
            fix=f"git fetch {remote}; or write a policy with guard init, and merge it to the default branch",
            code="install.nothing-protected",
        )
    keys, said = _published_keys(repo, remote)
    content = document(
        protected, remote=remote, urls=urls, keys=keys, packages=files.packages, python=files.python
    )
    known = patterns(entry.ref for entry in protected)
    write_compiled(repo.common_dir / "guard", content, {"protected": known})
    lines = [_protects(entry) for entry in protected]
    lines += [f"warning: {line}" for line in policies.unusable]
    lines += said
    for folder in repo.hook_folders():
        own = repo.owns(folder)
        lines.append(
            f"hooks in {folder}" + ("" if own else " (core.hooksPath): they act only where guard install ran")
        )
        lines += [f"  {files.place(folder, hook, known if own else ())}" for hook in files.hooks]
    return lines


def uninstall_client(repo: Repository, files: HookFiles) -> list[str]:
    """Take the hooks away and restore what stood there. Shared hook folders keep theirs, which do nothing in a
    repository without a compiled policy."""
    lines = []
    for folder in repo.hook_folders():
        if repo.owns(folder):
            lines += [f"{files.remove(folder, hook)}" for hook in files.hooks]
        else:
            lines.append(
                f"hooks in {folder} stay: other repositories use them; in this one they do nothing now"
            )
    forget_compiled(repo.common_dir / "guard")
    return lines


def client_faults(repo: Repository, files: HookFiles) -> list[str]:
    """What is wrong with this clone's installation; [] when it is in place and current. No network."""
    file = repo.common_dir / "guard" / "hooks.json"
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        remote, compiled = str(table["remote"]), dict(table["branches"])
    except FileNotFoundError:
        return ["the guard's hooks are not installed in this clone"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return [f"{file} cannot be used: {error}"]
    found = [files.fault(folder, hook) for folder in repo.hook_folders() for hook in files.hooks]
    faults = [fault for fault in found if fault]
    protected, _ = compile_client(repo, remote)
    if document(protected, python="")["branches"] != compiled:
        faults.append(f"the compiled policy is not that of {remote}'s branches any more")
    return faults


def compiled_branches(folder: Path, remote: str = "") -> tuple[str, ...]:
    """The branches that were protected so far for this remote; () where nothing was compiled, or for another."""
    try:
        table = json.loads((folder / "hooks.json").read_text(encoding="utf-8"))
        named = table["branches"] if table["remote"] == remote else {}
        return tuple(str(ref).removeprefix("refs/heads/") for ref in named)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()


def write_compiled(folder: Path, content: Mapping[str, object], lists: Mapping[str, tuple[str, ...]]) -> None:
    """Write `hooks.json` and the fronts' lists of patterns, each whole or not at all. Raises GuardError."""
    texts = {"hooks.json": json.dumps(content, indent=2) + "\n"}
    texts |= {name: "".join(f"{pattern}\n" for pattern in lines) for name, lines in lists.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            beside = folder / f".{name}.{os.getpid()}"
            beside.write_bytes(text.encode("utf-8", "surrogateescape"))
            beside.replace(folder / name)
    except OSError as error:
        raise GuardError(
            f"the compiled policy could not be written: {error}", fix="mend the folder's permissions"
        ) from None


def forget_compiled(folder: Path) -> None:
    """Remove what `write_compiled` wrote, and the folder when nothing else is in it."""
    for name in ("protected", "watched", "hooks.json"):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _published_keys(repo: Repository, remote: str) -> tuple[list[Mapping[str, object]], list[str]]:
    """The keys that the remote publishes, and what to say when there are none: then no permit is believed here."""
    try:
        text = repo.fetch_blob(remote, JWKS_REF)
        keys = list(parse_jwks(text).values()) if text is not None else []
    except (GuardError, PermitError) as error:
        return [], [
            f"warning: the keys of {remote} could not be read ({error.message}); no permit is believed here"
        ]
    return keys, [] if keys else [
        f"note: {remote} publishes no keys ({JWKS_REF}); no permit is believed here"
    ]


def _protects(entry: Protection) -> str:
    observed = " (mode = observe: the hooks only warn)" if entry.mode == "observe" else ""
    return f"protected: {entry.branch}{observed}"
