"""The demo's world: a bare repository with the server side, a developer's clone, and four people with keys."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from guard.cli.demo.stage import Stage

BRANCH = "release/platform-control"
PEOPLE = {
    "dev@demo.example": (),
    "owner@demo.example": ("@demo/platform-owners",),
    "security@demo.example": ("@demo/security-owners",),
    "ci@demo.example": ("@demo/ci",),
}
"""Everyone in the demo and the groups they belong to."""


def build(stage: Stage) -> None:
    """A platform with a short history on master and on the release branch, not yet guarded."""
    stage.must("git", "init", "-q", "--bare", "-b", "master", "platform.git", cwd=".")
    stage.must("git", "clone", "-q", "platform.git", "dev", cwd=".")
    stage.must("git", "config", "user.name", "Dev", cwd="dev")
    stage.must("git", "config", "user.email", "dev@demo.example", cwd="dev")
    stage.must("git", "symbolic-ref", "HEAD", "refs/heads/master", cwd="dev")
    _copy_platform(stage.folder / "dev")
    commit(stage, "A small platform with a balance ledger")
    stage.must("git", "push", "-q", "origin", "master", f"master:{BRANCH}", cwd="dev")
    stage.must("git", "fetch", "-q", "origin", cwd="dev")
    for name in PEOPLE:
        _make_key(stage.folder / "keys" / _short(name))


def give_settings(stage: Stage) -> None:
    """What the operator keeps on the server side: who signs with which key, who belongs to which group, and which
    running system may be asked; it is started here, and runs as long as the demo."""
    home = stage.folder / "platform.git" / "guard"
    signers = [f"{name} {(key_of(stage, name).with_suffix('.pub')).read_text().strip()}" for name in PEOPLE]
    (home / "allowed_signers").write_text("\n".join(signers) + "\n", encoding="utf-8")
    groups: dict[str, list[str]] = {}
    for name, belongs in PEOPLE.items():
        for group in belongs:
            groups.setdefault(group, []).append(name)
    lines = [f'"{group}" = {names!r}' for group, names in groups.items()]
    port = stage.start("python", "-m", "platform_control.observe", "ops", cwd="dev")
    lines += ["[probes.observability]", f'url = "http://127.0.0.1:{port}/"', 'addresses = ["127.0.0.1"]']
    settings = home / "settings.toml"
    settings.write_text(
        f"{settings.read_text(encoding='utf-8')}\n[groups]\n" + "\n".join(lines) + "\n", encoding="utf-8"
    )


def commit(stage: Stage, message: str, files: dict[str, str] | None = None) -> str:
    """Write the files in the clone, commit everything, and return the commit's name."""
    stage.write("dev", files or {})
    stage.must("git", "add", "-A", cwd="dev")
    stage.must("git", "commit", "-q", "-m", message, cwd="dev")
    return stage.must("git", "rev-parse", "HEAD", cwd="dev")


def signing(stage: Stage, name: str) -> tuple[str, ...]:
    """The options that sign a statement as this person."""
    return ("--as", name, "--key", str(key_of(stage, name)))


def key_of(stage: Stage, name: str) -> Path:
    return stage.folder / "keys" / _short(name)


def head_of_release(stage: Stage) -> str:
    return stage.must("git", "rev-parse", f"refs/heads/{BRANCH}", cwd="platform.git")


def _short(name: str) -> str:
    return name.partition("@")[0]


def _copy_platform(into: Path) -> None:
    with resources.as_file(resources.files("guard.cli.demo") / "platform") as source:
        shutil.copytree(source, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    today = datetime.now(UTC).date().isoformat()
    for document in (into / "doc").rglob("*.md"):
        text = document.read_text(encoding="utf-8")
        document.write_text(text.replace("@TODAY@", today), encoding="utf-8")
    for script in (into / "scripts/ci").iterdir():
        script.chmod(0o755)


def _make_key(file: Path) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    file.with_suffix(".pub").write_bytes(
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n"
    )
