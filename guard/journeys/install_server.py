"""Install the server side of a bare repository: its home, its keys, its ledger, the compiled policy and the hooks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from guard.core.errors import GuardError, PolicyError, SettingsError, UsageError
from guard.core.hookconfig import Protection, document, literal, patterns
from guard.core.permit import parse_jwks
from guard.core.policy import Policy
from guard.core.policy_text import parse_policy
from guard.journeys.compiled import compiled_branches, forget_compiled, write_compiled
from guard.journeys.install import JWKS_REF, HookFiles, Repository, read_policies


class Bare(Repository, Protocol):
    """What installing a server asks of its repository besides; `guard.adapters.gitdir` answers."""

    @property
    def git_dir(self) -> Path: ...
    @property
    def bare(self) -> bool: ...
    def symbolic(self, name: str) -> str | None: ...
    def aliases(self, prefix: str) -> Mapping[str, str]: ...
    def publish_blob(self, ref: str, content: bytes) -> None: ...
    def set_config(self, name: str, value: str) -> None: ...


class Verify(Protocol):
    """Who says whether a permit is good."""

    @property
    def compiled(self) -> str: ...
    @property
    def web_merges(self) -> str: ...


class Settings(Protocol):
    """What a home's settings say that matters here; `guard.settings` reads them."""

    @property
    def repository(self) -> str: ...
    @property
    def git_dir(self) -> Path: ...
    @property
    def protect(self) -> tuple[str, ...]: ...
    @property
    def database(self) -> str | None: ...
    @property
    def verify(self) -> Verify: ...


class Home(Protocol):
    """A server side's folder, as `guard.settings` knows it."""

    @property
    def path(self) -> Path: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def bootstrap_policy(self) -> Path: ...
    @property
    def jwks(self) -> Path: ...


SECRET = "verify.secret"  # noqa: S105  a file's name
"""Beside settings.toml: `hooks/asking.py` reads it."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator asked for; None and () leave it to what stands there already."""

    home: Path
    repository: str | None = None
    protect: tuple[str, ...] = ()
    policy: Path | None = None
    database: str | None = None
    ask: str | None = None
    secret: Path | None = None
    offline: bool = False
    jwks: Path | None = None
    web_merges: str | None = None
    hooks: Path | None = None


@dataclass(frozen=True, slots=True)
class Stores:
    """How a home's folder is read, and how its keys and ledger come to be: each makes what is missing and leaves
    what is there."""

    load: Callable[[Path], Home]
    ensure_keys: Callable[[Path], object]
    open_ledger: Callable[[Path], object]


def install_server(repo: Bare, files: HookFiles, stores: Stores, wishes: Wishes) -> list[str]:
    """Make or complete the home, then compile and place the hooks; what was done, line by line. Repeatable."""
    if not repo.bare:
        raise UsageError(f"{repo.git_dir} is not a bare repository", fix="name the one that people push to")
    home, lines = _make_home(repo, stores, wishes)
    if home.settings.verify.compiled:
        lines += [*_take_keys(home, wishes), *_take_secret(home, wishes)]
    else:
        stores.ensure_keys(home.path)
        stores.open_ledger(home.path)
    if home.jwks.exists():
        repo.publish_blob(JWKS_REF, home.jwks.read_bytes())
    repo.set_config("receive.advertisePushOptions", "true")
    protected, warnings = compile_server(repo, home)
    _write(repo, home, protected, files)
    lines += [
        f"protected: {p.branch}" + (" (mode = observe: only recorded)" if p.mode == "observe" else "")
        for p in protected
    ]
    if not protected:
        lines.append(
            "warning: nothing is protected yet: push a guard.toml to the default branch, or use --protect"
        )
    lines += [f"warning: {line}" for line in warnings]
    known = patterns((entry.ref for entry in protected), own=True)
    for place in (wishes.hooks,) if wishes.hooks else repo.hook_folders():
        lines.append(f"hooks in {place}")
        lines += [f"  {files.place(place, hook, known)}" for hook in files.hooks]
    return [*lines, *_next_steps(home)]


def _next_steps(home: Home) -> list[str]:
    """What is left to do for whoever made a server side on which nobody can sign yet."""
    signers = home.path / "allowed_signers"
    if home.settings.verify.compiled or signers.stat().st_size:
        return []
    return [
        "next:",
        f"  1. list who signs with which SSH key in {signers}, such as: ann@example.com ssh-ed25519 AAAA...",
        f"  2. list who belongs to the policy's groups in {home.path / 'settings.toml'}, under [groups]",
        "  3. record where each protected branch stands: guard adopt",
    ]


def _take_keys(home: Home, wishes: Wishes) -> list[str]:
    """The public keys of a guard that is elsewhere; offline there is nothing else to believe. Raises UsageError."""
    if wishes.jwks:
        text = wishes.jwks.read_bytes()
        parse_jwks(text)
        home.jwks.write_bytes(text)
        return [f"public keys: {home.jwks}"]
    if home.settings.verify.compiled == "offline" and not home.jwks.exists():
        raise UsageError(
            "an offline verifier needs the guard's public keys",
            fix="name them: --jwks FILE",
            code="usage.jwks",
        )
    return []


def _take_secret(home: Home, wishes: Wishes) -> list[str]:
    """What the hook says to the service, in a file that nobody else may read. Raises UsageError."""
    place = home.path / SECRET
    if wishes.secret:
        lines = wishes.secret.read_text(encoding="utf-8").split("\n")
        if not lines[0].strip():
            raise UsageError(f"{wishes.secret} holds no secret on its first line", code="usage.secret")
        place.touch(mode=0o600)
        place.chmod(0o600)
        place.write_text(f"{lines[0].strip()}\n", encoding="utf-8")
        return [f"what the service is asked with: {place}"]
    if home.settings.verify.compiled not in {"", "offline"} and not place.exists():
        return [
            f"warning: the service answers nobody without its secret; give it with --secret FILE (it goes to {place})"
        ]
    return []


def uninstall_server(repo: Bare, files: HookFiles, folder: Path, hooks: Path | None = None) -> list[str]:
    """Take the hooks away. Keys, ledger and settings stay, because they are records."""
    places = (hooks,) if hooks else repo.hook_folders()
    lines = [files.remove(place, hook) for place in places for hook in files.hooks]
    forget_compiled(folder)
    return [*lines, f"kept: {folder} (settings, keys and ledger)"]


def refresh_server(repo: Bare, home: Home, files: HookFiles) -> tuple[Protection, ...]:
    """Compile anew after a push. A push can add protection and never take it away: a branch that was protected
    stays so until the operator runs `guard install --server` again."""
    before = tuple(ref.removeprefix("refs/heads/") for ref in compiled_refs(home.path))
    protected, _ = compile_server(repo, home, also=before)
    _write(repo, home, protected, files)
    return protected


def compile_server(
    repo: Bare, home: Home, *, also: Iterable[str] = ()
) -> tuple[tuple[Protection, ...], tuple[str, ...]]:
    """What the repository's branches, the settings and the bootstrap policy protect, and what could not be read."""
    policies = read_policies(repo, "refs/heads/")
    warnings = list(policies.unusable)
    bootstrap = None
    try:
        bootstrap = _checked_policy(home.bootstrap_policy if home.bootstrap_policy.exists() else None)
    except GuardError as error:
        warnings.append(f"the bootstrap policy cannot be used: {error.message.splitlines()[0]}")
    named = (*home.settings.protect, *also)
    before = compiled_branches(home.path)
    protected = policies.protected(default_branch(repo), before=before, named=named, bootstrap=bootstrap)
    aliases = _aliases(repo, protected)
    if aliases:
        warnings += [f"{name} leads to a protected branch, so it takes no push either" for name in aliases]
        named = (*named, *aliases)
        protected = policies.protected(default_branch(repo), before=before, named=named, bootstrap=bootstrap)
    return protected, tuple(warnings)


def _aliases(repo: Bare, protected: Iterable[Protection]) -> tuple[str, ...]:
    """The branches that are another name of a protected one: git judges a push by the name that was given."""
    refs, leads = {entry.ref for entry in protected}, repo.aliases("refs/heads/")
    found = set(refs)
    while more := {name for name, target in leads.items() if target in found} - found:
        found |= more
    return tuple(sorted(name.removeprefix("refs/heads/") for name in found - refs))


def default_branch(repo: Bare) -> str | None:
    return (repo.symbolic("HEAD") or "").removeprefix("refs/heads/") or None


def _write(repo: Bare, home: Home, protected: tuple[Protection, ...], files: HookFiles) -> None:
    refs = [entry.ref for entry in protected]
    default = default_branch(repo)
    watched = dict.fromkeys([*refs, *([f"refs/heads/{default}"] if default else [])])
    content = document(
        protected,
        repository=home.settings.repository,
        packages=files.packages,
        python=files.python,
        database=home.settings.database or "",
        verify=home.settings.verify.compiled,
        web_merges=home.settings.verify.web_merges,
    )
    lists = {"protected": patterns(refs, own=True), "watched": tuple(map(literal, watched))}
    write_compiled(home.path, content, lists)


def _make_home(repo: Bare, stores: Stores, wishes: Wishes) -> tuple[Home, list[str]]:
    """The home with its settings: those that stand there, or new ones. Raises SettingsError, UsageError."""
    folder, lines = wishes.home, []
    bootstrap = _checked_policy(wishes.policy)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "settings.toml").exists():
            name = wishes.repository or _name_in_policies(repo, bootstrap)
            text = _settings(name, repo.git_dir, wishes)
            (folder / "settings.toml").write_text(text, encoding="utf-8")
            lines.append(f"made the server side of {name} in {folder}")
        (folder / "allowed_signers").touch(mode=0o644)
        home = stores.load(folder)
        _refuse_contradiction(home, repo, wishes)
        if wishes.policy:
            home.bootstrap_policy.write_bytes(wishes.policy.read_bytes())
            lines.append(f"bootstrap policy: {home.bootstrap_policy}")
    except (OSError, UnicodeEncodeError) as error:
        raise SettingsError(
            f"the server side cannot be made: {error}", fix="mend the folder's permissions"
        ) from None
    return home, lines


def _refuse_contradiction(home: Home, repo: Bare, wishes: Wishes) -> None:
    settings, file = home.settings, home.path / "settings.toml"
    if wishes.repository not in {None, settings.repository}:
        raise UsageError(
            f"{file} says repository = {settings.repository!r}", fix="change it there, or drop --repository"
        )
    if wishes.database not in {None, settings.database}:
        raise UsageError(
            f"{file} names another place for the ledger",
            fix="move it there first (guard backup), change `database` in that file, then run this again",
        )
    asked = "offline" if wishes.offline else wishes.ask
    verify = settings.verify
    if asked not in {None, verify.compiled} or wishes.web_merges not in {None, verify.web_merges}:
        raise UsageError(
            f"{file} says otherwise who verifies permits",
            fix="change [verify] there, then run this again",
        )
    if missing := set(wishes.protect) - set(settings.protect):
        named = ", ".join(sorted(missing))
        raise UsageError(
            f"{file} does not list {named} in `protect`", fix="add it there, then run this again"
        )
    if settings.git_dir.resolve() != repo.git_dir.resolve():
        raise UsageError(f"{file} belongs to {settings.git_dir}", fix="name another folder: --home DIR")


def _name_in_policies(repo: Bare, bootstrap: Policy | None) -> str:
    """The repository's name as the policies agree on it. Raises UsageError where they do not, or there is none."""
    policies = [bootstrap] if bootstrap else list(read_policies(repo, "refs/heads/").by_branch.values())
    names = {policy.project.repository for policy in policies}
    if len(names) == 1:
        return names.pop()
    why = (
        f"the policies name several: {', '.join(sorted(names))}"
        if names
        else "no branch has a valid guard.toml"
    )
    raise UsageError(
        f"the repository's name is not known: {why}", fix="name it: --repository gpuaas/platform"
    )


def _settings(name: str, git_dir: Path, wishes: Wishes) -> str:
    protected = f"protect = [{', '.join(map(_toml, wishes.protect))}]\n" if wishes.protect else ""
    database = f"database = {_toml(wishes.database)}\n" if wishes.database else ""
    verify = _verify_table(wishes)
    return f"repository = {_toml(name)}\ngit_dir = {_toml(str(git_dir))}\n{protected}{database}{verify}"


def _verify_table(wishes: Wishes) -> str:
    """`[verify]` as it was asked for; none where this folder's own ledger decides."""
    if not wishes.ask and not wishes.offline:
        return ""
    by = f'by = "service"\nservice = {_toml(wishes.ask)}\n' if wishes.ask else 'by = "offline"\n'
    web = f"web_merges = {_toml(wishes.web_merges)}\n" if wishes.web_merges else ""
    return f"\n[verify]\n{by}{web}"


def _toml(text: str) -> str:
    """A TOML basic string: like a JSON string, but DEL is escaped and surrogate pairs are not known."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _checked_policy(file: Path | None) -> Policy | None:
    """The policy in a file. Raises PolicyError and UsageError."""
    if file is None:
        return None
    try:
        return parse_policy(file.read_bytes(), where=str(file)).policy
    except OSError as error:
        raise PolicyError(f"{file}: {error}", fix="name a readable policy file") from None


def compiled_refs(folder: Path) -> tuple[str, ...]:
    """The refs that were protected so far. Raises GuardError when that cannot be read any more."""
    try:
        return tuple(json.loads((folder / "hooks.json").read_text(encoding="utf-8"))["branches"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise GuardError(
            f"the compiled policy cannot be read: {error}",
            fix="guard install --server BARE.git",
            code="hooks.config",
        ) from None
