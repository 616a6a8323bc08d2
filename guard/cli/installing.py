"""How the doors of the hooks reach their journeys: the adapters built for a clone and for a bare repository."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from guard.adapters import hookfiles
from guard.adapters.gitdir import GitDir, git_version, set_everywhere
from guard.core.diagnosis import Diagnosis
from guard.core.errors import GuardError, UsageError
from guard.journeys.compiled import read_compiled
from guard.journeys.doctor import examine, mend
from guard.journeys.everywhere import install_everywhere, uninstall_everywhere
from guard.journeys.install import (
    HookFiles,
    client_faults,
    compile_clone,
    install_client,
    refresh_client,
    uninstall_client,
)
from guard.journeys.install_server import Stores, Wishes, install_server, uninstall_server
from guard.settings import HOME_NAME, load_home


def install_clone(path: Path, *, remote: str) -> list[str]:
    return install_client(GitDir(path), client_files(), remote=remote)


def uninstall_clone(path: Path) -> list[str]:
    return uninstall_client(GitDir(path), client_files())


def clone_faults(path: Path) -> list[str]:
    """What is wrong with a clone's hooks; [] when they are in place and current."""
    return client_faults(GitDir(path), client_files())


def install_scope(scope: str) -> list[str]:
    """Hooks for all repositories: `scope` is --global or --system."""
    files = _files(hookfiles.EVERYWHERE, home="")
    return install_everywhere(
        files, _scope_folder(scope), git=git_version(), setter=partial(set_everywhere, scope)
    )


def uninstall_scope(scope: str) -> list[str]:
    files = _files(hookfiles.EVERYWHERE, home="")
    return uninstall_everywhere(files, _scope_folder(scope), setter=partial(set_everywhere, scope))


def _scope_folder(scope: str) -> Path:
    """Where the hooks of all repositories stand: beside git's own configuration of the same scope."""
    if scope == "--system":
        return Path("/etc/release-guard/hooks")
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "release-guard" / "hooks"


def examine_clone(path: Path, sections: tuple[str, ...]) -> list[Diagnosis]:
    """What `guard doctor` finds in a clone."""
    return examine(GitDir(path), client_files(), git=git_version(), sections=sections)


def examine_server(server: str) -> list[Diagnosis]:
    """What the ledger of this server side says of its branches on the forge. Raises GuardError."""
    from guard.journeys.doctor_forge import examine_forge
    from guard.settings import find_home
    from guard.wiring import read_ledger

    home = find_home(server=server, remote_url=None)
    if home is None:
        raise UsageError(
            f"{server} is no server side", fix="name the bare repository, or the service's folder"
        )
    ledger = read_ledger(home)
    adopted = {str(entry.body.get("ref")) for entry in ledger.entries("baseline.adopted")}
    names = {ref.removeprefix("refs/heads/") for ref in adopted} | set(home.settings.protect)
    return examine_forge(ledger, sorted(names))


def mend_clone(path: Path) -> list[str]:
    return mend(GitDir(path), client_files())


def refresh_clone(path: Path, *, new: bool) -> None:
    """Compile a clone's policy anew; with `new`, for the first time, from the remote `origin`. Raises GuardError."""
    repo = GitDir(path)
    if new:
        compile_clone(repo, client_files(), remote="origin")
        return
    with one_compiler(repo.common_dir / "guard"):
        refresh_client(repo, client_files())


def installed_python(path: Path) -> str:
    """The Python that the hooks of this clone were installed with; "" where none were, or it is gone."""
    python = read_compiled(GitDir(path).common_dir / "guard").get("python")
    return python if isinstance(python, str) and os.access(python, os.X_OK) else ""


def install_bare(path: Path, *, home: Path | None, **wishes: Any) -> list[str]:
    repo = GitDir(path)
    folder = _home_folder(repo, home)
    stores = Stores(load_home, _ensure_keys, _open_ledger)
    return install_server(repo, server_files(repo, folder), stores, Wishes(folder, **wishes))


def uninstall_bare(path: Path, *, home: Path | None, hooks: Path | None) -> list[str]:
    repo = GitDir(path)
    folder = _home_folder(repo, home)
    return uninstall_server(repo, server_files(repo, folder), folder, hooks)


def client_files() -> HookFiles:
    return _files(hookfiles.CLIENT, home="")


def server_files(repo: GitDir, folder: Path) -> HookFiles:
    """Server hooks run in the repository and name a home inside it by a relative path: both may be moved."""
    inside = folder == repo.git_dir / HOME_NAME
    return _files(hookfiles.SERVER, home=f"./{HOME_NAME}" if inside else str(folder))


def _home_folder(repo: GitDir, asked: Path | None) -> Path:
    return asked.resolve() if asked else repo.git_dir / HOME_NAME


def _files(hooks: tuple[str, ...], *, home: str) -> HookFiles:
    python = _python()

    def place(folder: Path, hook: str, known: tuple[str, ...]) -> str:
        return hookfiles.place(folder, hook, hookfiles.Front(python=python, known=known, home=home))

    def configured(folder: Path, hook: str) -> str:
        return hookfiles.place(folder, hook, hookfiles.Front(python=python, configured=True))

    return HookFiles(hooks, place, hookfiles.remove, hookfiles.fault, configured, python, _packages())


def _python() -> str:
    if not sys.executable:
        raise GuardError("the path of this Python is not known", fix="run guard with an ordinary interpreter")
    return sys.executable


def _packages() -> tuple[str, ...]:
    """The folders that the hooks need on their path to check a permit's signature."""
    specs = map(importlib.util.find_spec, ("cryptography", "_cffi_backend"))
    folders = [Path(spec.origin) for spec in specs if spec and spec.origin]
    return tuple(
        dict.fromkeys(str(f.parent.parent if f.name == "__init__.py" else f.parent) for f in folders)
    )


@contextmanager
def one_compiler(folder: Path) -> Iterator[None]:
    """Two pushes at once compile one after the other, so that neither loses what the other added."""
    descriptor = os.open(folder / "hooks.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _ensure_keys(folder: Path) -> object:
    from guard.adapters.keys import ensure_signing_key

    home = load_home(folder)
    return ensure_signing_key(home.keys, home.jwks)


def _open_ledger(folder: Path) -> object:
    from guard import wiring

    return wiring.open_ledger(load_home(folder))
