"""`guard doctor`: everything in a clone that could keep the hooks from doing their work, and how to mend it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from guard.core.diagnosis import Diagnosis, Level
from guard.core.errors import GuardError
from guard.journeys.compiled import compiled_branches, read_compiled
from guard.journeys.install import (
    HookFiles,
    Repository,
    client_faults,
    hook_command,
    hook_settings,
    install_client,
    read_policies,
)

OLDEST_GIT = (2, 39)
CONFIGURED_HOOKS = (2, 54)
"""The git that first runs hooks which its configuration names."""


class Clone(Repository, Protocol):
    """What the doctor asks of a clone besides; `guard.adapters.gitdir` answers."""

    def config(self, pattern: str) -> tuple[tuple[str, str, str], ...]: ...
    def aliases(self, prefix: str) -> Mapping[str, str]: ...
    def is_ancestor(self, commit: str, of: str) -> bool: ...


def examine(
    repo: Clone, files: HookFiles, *, git: tuple[int, int], sections: tuple[str, ...]
) -> list[Diagnosis]:
    """All findings of the sections asked for, the hooks' first. No network."""
    looks: dict[str, Callable[[], list[Diagnosis]]] = {
        "hooks": lambda: _hooks(repo, files, git),
        "forge": lambda: [_forge(repo)],
        "service": lambda: [_service()],
    }
    return [found for section in sections for found in looks[section]()]


def mend(repo: Clone, files: HookFiles) -> list[str]:
    """Install again, and take back what switched our hooks off in this repository; what was done, line by line."""
    table = read_compiled(repo.common_dir / "guard")
    remote = str(table.get("remote") or "origin")
    lines = install_client(repo, files, remote=remote)
    for scope, name, value in repo.config(r"^hook\..*\.enabled$"):
        if scope == "local" and _is_off(value) and _is_about(name, files):
            repo.replace_config(name, None)
            lines.append(f"{name} is not set to {value} any more")
    return lines


def _hooks(repo: Clone, files: HookFiles, git: tuple[int, int]) -> list[Diagnosis]:
    found = []
    if git < OLDEST_GIT:
        found.append(_fault("git.too-old", f"git is {git[0]}.{git[1]}", "install git 2.39 or newer"))
    try:
        everywhere = git >= CONFIGURED_HOOKS and _everywhere(repo, files)
        faults = client_faults(repo, files, folders=not everywhere)
    except GuardError as error:
        return [*found, Diagnosis("hooks", "hooks.unreadable", Level.UNKNOWN, error.message, error.fix or "")]
    found += [_fault("hooks.not-current", fault, "guard install", mended=True) for fault in faults]
    if not (repo.common_dir / "guard" / "hooks.json").exists():
        return found
    found += [] if everywhere else _configured(repo, files, git)
    found += _switched_off(repo, files, git)
    found += _ways_round(repo)
    found += _moved_here(repo)
    found += _unverified(repo.common_dir / "guard")
    if not any(diagnosis.level is Level.FAULT for diagnosis in found):
        names = ", ".join(compiled_branches(repo.common_dir / "guard", _remote(repo))) or "nothing"
        found.insert(
            0, Diagnosis("hooks", "hooks.in-place", Level.OK, f"in place and current; protected: {names}")
        )
    return found


def _configured(repo: Clone, files: HookFiles, git: tuple[int, int]) -> list[Diagnosis]:
    """The hooks that git's configuration names: there, ours, and not switched off."""
    settings = {name: value for _, name, value in repo.config(r"^hook\.")}
    folder = repo.common_dir / "guard" / "hooks"
    level = Level.FAULT if git >= CONFIGURED_HOOKS else Level.NOTE
    found = []
    for hook in files.hooks:
        command, event = hook_settings(hook)
        if settings.get(command) != hook_command(folder / hook) or settings.get(event) != hook:
            text = f"git's configuration does not name the hook {hook} as guard install wrote it"
            found.append(
                Diagnosis("hooks", "hooks.not-configured", level, text, "guard install", mended_by_fix=True)
            )
        elif fault := files.fault(folder, hook):
            found.append(
                Diagnosis("hooks", "hooks.not-configured", level, fault, "guard install", mended_by_fix=True)
            )
    return found


def _everywhere(repo: Clone, files: HookFiles) -> bool:
    """Whether the user's or the machine's configuration runs every hook of ours, from files that are there."""
    wide = {name: value for scope, name, value in repo.config(r"^hook\.") if scope in {"global", "system"}}
    for hook in files.hooks:
        command, event = hook_settings(hook)
        words = shlex.split(wide.get(command, ""))
        if wide.get(event) != hook or not words or files.fault(Path(words[-1]).parent, hook):
            return False
    return True


def _switched_off(repo: Clone, files: HookFiles, git: tuple[int, int]) -> list[Diagnosis]:
    """Hooks of ours, or events that we need, that `hook.<name>.enabled` switches off."""
    settings = {name: value for _, name, value in repo.config(r"^hook\.")}
    level = Level.FAULT if git >= CONFIGURED_HOOKS else Level.NOTE
    found = []
    off = [(scope, name) for scope, name, value in repo.config(r"^hook\..*\.enabled$") if _is_off(value)]
    for scope, name in off:
        if _is_about(name, files) and _is_off(settings.get(name, "")):
            fix = f"git config --{scope} --unset-all {name}"
            local = scope == "local"
            found.append(Diagnosis("hooks", "hooks.disabled", level, f"{name} is off ({scope})", fix, local))
    return found


def _ways_round(repo: Clone) -> list[Diagnosis]:
    """Settings that send a push elsewhere than it seems, or make it more than it seems."""
    found = []
    protected = compiled_branches(repo.common_dir / "guard", _remote(repo))
    for scope, name, value in repo.config(
        r"^(remote\..*\.(mirror|pushurl)|remote\.pushdefault|branch\..*\.pushremote)$"
    ):
        fix = f"git config --{scope} --unset-all {name}"
        last, subject = name.rpartition(".")[2], name.partition(".")[2].rpartition(".")[0]
        if last == "mirror" and not _is_off(value):
            text = f"{name} is on: a push there deletes what is not here, and is refused where a branch is protected"
            found.append(_fault("push.mirror", text, fix))
        elif last == "pushurl" and subject == _remote(repo):
            text = f"pushes to {subject} go to {value}, not where it is fetched from"
            found.append(_note("push.url", text, f"{fix}  (unless it is meant)"))
        elif last == "pushremote" and subject in protected and value != _remote(repo):
            found.append(_note("push.remote", f"{subject} is pushed to {value}, not to {_remote(repo)}", fix))
        elif last == "pushdefault" and value != _remote(repo):
            found.append(
                _note(
                    "push.remote",
                    f"every branch is pushed to {value} by default",
                    f"{fix}  (unless it is a fork)",
                )
            )
    return found


def _moved_here(repo: Clone) -> list[Diagnosis]:
    """Protected branches of this clone that do not follow the remote: moved with the hooks off, or in one of the ways
    that git tells no hook of. Nothing is lost yet: a push of them is refused."""
    remote = _remote(repo)
    local, there = repo.refs("refs/heads/"), repo.refs(f"refs/remotes/{remote}/")
    local |= repo.aliases("refs/heads/")
    found = []
    for branch in compiled_branches(repo.common_dir / "guard", remote):
        here, head = local.get(f"refs/heads/{branch}"), there.get(f"refs/remotes/{remote}/{branch}")
        if here and head and not repo.is_ancestor(here, head):
            text = (
                f"{branch} was moved here to {here[:40]}, which is not on {remote}'s; a push of it is refused"
            )
            keep = f"git branch my-change {here[:40]}; then"
            fix = f"{keep} git switch --detach && git update-ref --no-deref refs/heads/{branch} {remote}/{branch}"
            found.append(_note("hooks.moved-here", text, fix))
    return found


def _unverified(folder: Path) -> list[Diagnosis]:
    """The pushes that were seen to have skipped their checks (`hooks/tracking.py` writes them down)."""
    found = []
    try:
        lines = (folder / "pushes.unverified").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines[-20:]:
        try:
            entry = dict(json.loads(line))
            moved = f"{entry['ref']} was moved to {str(entry['new'])[:10]} on {entry['remote']}"
            text = f"{entry['at']}: {moved} by a push that skipped its checks"
        except (ValueError, KeyError, TypeError, RecursionError):
            text = "an entry that makes no sense"
        found.append(
            _note(
                "push.unverified", text, f"tell the release owner; then remove {folder / 'pushes.unverified'}"
            )
        )
    return found


def _forge(repo: Clone) -> Diagnosis:
    """Whether the forge protects the branches as well. This version asks no forge, and says so."""
    table = read_compiled(repo.common_dir / "guard")
    kinds = {
        policy.project.forge
        for policy in read_policies(
            repo, f"refs/remotes/{table.get('remote') or 'origin'}/"
        ).by_branch.values()
    }
    if kinds - {"local"}:
        named = ", ".join(sorted(kinds - {"local"}))
        text = f"whether {named} protects the branches was not asked: a clone has no access to its settings"
        return Diagnosis("forge", "forge.unknown", Level.UNKNOWN, text, "look at the branch protection there")
    text = "no forge: the server's own hooks are the wall" if kinds else "no policy names a forge"
    return Diagnosis("forge", "forge.not-configured", Level.NOT_CONFIGURED, text)


def _service() -> Diagnosis:
    return Diagnosis(
        "service", "service.not-configured", Level.NOT_CONFIGURED, "no guard service is configured here"
    )


def _remote(repo: Clone) -> str:
    return str(read_compiled(repo.common_dir / "guard").get("remote") or "")


def _is_off(value: str) -> bool:
    """A git boolean that is false (git-config, "Values")."""
    return value.lower() in {"false", "no", "off", "0", ""}


def _is_about(name: str, files: HookFiles) -> bool:
    """Whether `hook.<name>.enabled` is about one of our hooks, or about a whole event that we need."""
    subject = name.removeprefix("hook.").removesuffix(".enabled")
    return subject.removeprefix("release-guard-") in files.hooks


def _fault(code: str, message: str, fix: str, *, mended: bool = False) -> Diagnosis:
    return Diagnosis("hooks", code, Level.FAULT, message, fix, mended)


def _note(code: str, message: str, fix: str) -> Diagnosis:
    return Diagnosis("hooks", code, Level.NOTE, message, fix)
