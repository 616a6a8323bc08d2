"""Install the hooks in a clone: compile what the remote's branches say, then put the hooks in place."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from guard.core.errors import GuardError, PolicyError
from guard.core.hookconfig import Found, Protection, document, lists, patterns, protections, tracking_ref
from guard.core.permit import PermitError, parse_jwks
from guard.core.policy import Policy
from guard.core.policy_text import parse_policy
from guard.journeys.compiled import (
    are_patterns,
    compiled_branches,
    forget_compiled,
    read_compiled,
    write_compiled,
    write_text,
)

POLICY_PATH = "guard.toml"
_BRANCH = re.compile(r"(?!refs/|-)[^\s~^:?*\[\\\x00-\x1f\x7f]{1,200}")
JWKS_REF = "refs/guard/jwks"


class Repository(Protocol):
    """What installing asks of a repository; `guard.adapters.gitdir` answers."""

    @property
    def common_dir(self) -> Path: ...
    def refs(self, prefix: str) -> dict[str, str]: ...
    def files(self, commits: tuple[str, ...], path: str) -> dict[str, bytes | None]: ...
    def blobs(self, refs: Iterable[str], path: str) -> dict[str, str]: ...
    def symbolic(self, name: str) -> str | None: ...
    def default_branch(self, remote: str) -> str | None: ...
    def remote_urls(self, remote: str) -> tuple[str, ...]: ...
    def fetch_blob(self, remote: str, ref: str) -> bytes | None: ...
    def hook_folders(self) -> tuple[Path, ...]: ...
    def owns(self, folder: Path) -> bool: ...
    def replace_config(self, name: str, value: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class HookFiles:
    """How hook files are put in place: `place(folder, hook, known)`, `remove(folder, hook)`, `fault(folder, hook)`,
    and `configured(folder, hook)` for those that git's configuration names; `hooks` are the names, `python` and
    `packages` what the hooks run with."""

    hooks: tuple[str, ...]
    place: Callable[[Path, str, tuple[str, ...]], str]
    remove: Callable[[Path, str], str]
    fault: Callable[[Path, str], str | None]
    configured: Callable[[Path, str], str]
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
    return policies.protected(known_default(repo, remote), before=before), policies


def known_default(repo: Repository, remote: str) -> str | None:
    """The remote's default branch: as the clone has it, as it was when compiled last, or as the remote says."""
    known = repo.symbolic(f"refs/remotes/{remote}/HEAD")
    if known:
        return known.removeprefix(f"refs/remotes/{remote}/")
    table = read_compiled(repo.common_dir / "guard")
    compiled = table.get("default") if table.get("remote") == remote else None
    return str(compiled) if compiled else repo.default_branch(remote)


def install_client(repo: Repository, files: HookFiles, *, remote: str) -> list[str]:
    """Compile, then place the hooks; what was done, line by line. Doing it again brings everything up to date.

    Raises GuardError: `install.nothing-protected` leaves an earlier installation as it is.
    """
    lines = compile_clone(repo, files, remote=remote)
    known = patterns(
        f"refs/heads/{branch}" for branch in compiled_branches(repo.common_dir / "guard", remote)
    )
    for folder in repo.hook_folders():
        own = repo.owns(folder)
        lines.append(
            f"hooks in {folder}" + ("" if own else " (core.hooksPath): they act only where guard install ran")
        )
        lines += [f"  {files.place(folder, hook, known if own else ())}" for hook in files.hooks]
    configure_hooks(repo, files)
    lines.append(
        "hooks in git's configuration: set  (git 2.54 and newer runs them whatever core.hooksPath says)"
    )
    return lines


def compile_clone(repo: Repository, files: HookFiles, *, remote: str) -> list[str]:
    """Compile what the remote-tracking branches protect; what was found, line by line. Raises GuardError."""
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
    write_client(repo, files, protected, remote=remote, urls=urls, keys=keys)
    _note_heads(repo, [tracking_ref(remote, entry.ref) for entry in protected])
    lines = [_protects(entry) for entry in protected]
    lines += [f"warning: {line}" for line in policies.unusable]
    return lines + said


def write_client(
    repo: Repository,
    files: HookFiles,
    protected: tuple[Protection, ...],
    *,
    remote: str,
    urls: Iterable[str],
    keys: Iterable[Mapping[str, object]],
) -> None:
    """Write the compiled policy of a clone. Raises GuardError."""
    default = known_default(repo, remote)
    sources = [tracking_ref(remote, entry.ref) for entry in protected]
    sources += [f"refs/remotes/{remote}/{default}"] if default else []
    content = document(
        protected,
        remote=remote,
        urls=urls,
        keys=keys,
        packages=files.packages,
        sources=repo.blobs(sources, POLICY_PATH),
        python=files.python,
    )
    named = lists(protected, remote=remote, default=default)
    write_compiled(repo.common_dir / "guard", {**content, "default": default or ""}, named)


def _note_heads(repo: Repository, refs: Iterable[str]) -> None:
    """Where the remote's protected branches stand now, in the form of `hooks/stamps.py`: only what moves from here on
    can be a push that was not checked."""
    heads = repo.refs("refs/remotes/")
    lines = [json.dumps({"ref": ref, "value": heads.get(ref, "")}) for ref in refs]
    write_text(repo.common_dir / "guard", "tracking.seen", "".join(f"{line}\n" for line in lines))


def refresh_client(repo: Repository, files: HookFiles) -> bool:
    """Compile anew after a fetch, with the keys that are known and without the network; whether anything is
    protected. Where nothing would be any more, what was compiled stays: `guard uninstall` is the way out."""
    table = read_compiled(repo.common_dir / "guard")
    remote, urls, keys = (table.get(name) for name in ("remote", "urls", "keys"))
    if not isinstance(remote, str) or not isinstance(urls, list) or not isinstance(keys, list):
        raise GuardError("the compiled policy cannot be read", fix="guard install", code="hooks.config")
    protected, _ = compile_client(repo, remote)
    if protected:
        write_client(repo, files, protected, remote=remote, urls=urls, keys=keys)
    return bool(protected)


def hook_settings(hook: str) -> tuple[str, str]:
    """The names of the two settings that make git >= 2.54 run a hook (git-config: hook.<friendly-name>)."""
    return f"hook.release-guard-{hook}.command", f"hook.release-guard-{hook}.event"


def hook_command(file: Path) -> str:
    """The command that runs a hook file in the shell which git starts for it. Where the file is gone, nothing
    happens: a moved clone must not become one in which git refuses everything."""
    quoted = shlex.quote(str(file))
    return f"test ! -r {quoted} || . {quoted}"


def configure_hooks(repo: Repository, files: HookFiles) -> None:
    """Name the hooks in the repository's configuration, the command before the event: git dies of an event alone."""
    folder = repo.common_dir / "guard" / "hooks"
    for hook in files.hooks:
        files.configured(folder, hook)
        command, event = hook_settings(hook)
        repo.replace_config(command, hook_command(folder / hook))
        repo.replace_config(event, hook)


def _unconfigure_hooks(repo: Repository, files: HookFiles) -> None:
    for hook in files.hooks:
        command, event = hook_settings(hook)
        repo.replace_config(event, None)
        repo.replace_config(command, None)
        (repo.common_dir / "guard" / "hooks" / hook).unlink(missing_ok=True)
    for told in repo.common_dir.glob("guard-*ed*"):
        told.unlink(missing_ok=True)
    if (folder := repo.common_dir / "guard" / "hooks").is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def uninstall_client(repo: Repository, files: HookFiles) -> list[str]:
    """Take the hooks away and restore what stood there. Shared hook folders keep theirs, which do nothing in a
    repository without a compiled policy."""
    lines = []
    _unconfigure_hooks(repo, files)
    for folder in repo.hook_folders():
        if repo.owns(folder):
            lines += [f"{files.remove(folder, hook)}" for hook in files.hooks]
        else:
            lines.append(
                f"hooks in {folder} stay: other repositories use them; in this one they do nothing now"
            )
    forget_compiled(repo.common_dir / "guard")
    return lines


def client_faults(repo: Repository, files: HookFiles, *, folders: bool = True) -> list[str]:
    """What is wrong with this clone's installation; [] when it is in place and current. No network. Without
    `folders` the hook folders are left out, where git's configuration runs the hooks of all repositories."""
    file = repo.common_dir / "guard" / "hooks.json"
    if not file.exists():
        return ["the guard's hooks are not installed in this clone"]
    table = read_compiled(repo.common_dir / "guard")
    remote, compiled = table.get("remote"), table.get("branches")
    if not isinstance(remote, str) or not isinstance(compiled, dict):
        return [f"{file} cannot be used"]
    places = repo.hook_folders() if folders else ()
    found = [files.fault(folder, hook) for folder in places for hook in files.hooks]
    faults = [fault for fault in found if fault]
    protected, _ = compile_client(repo, remote)
    if document(protected, python="")["branches"] != compiled:
        faults.append(f"the compiled policy is not that of {remote}'s branches any more")
    elif not are_patterns(file.parent, lists(protected, remote=remote, default=known_default(repo, remote))):
        faults.append(f"{file.parent}/patterns is not what was compiled")
    return faults


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
