"""The operator's settings of a server side: one folder beside the guarded repository, parsed and checked here.

<home>/settings.toml      what this file describes
<home>/allowed_signers    who signs with which key, in OpenSSH's format
<home>/guard.toml         the bootstrap policy, for a target branch without a valid one (optional)
<home>/ledger.sqlite3     the ledger, unless `database` in settings.toml names a PostgreSQL database
<home>/keys/              permit signing keys, private, mode 0600
<home>/jwks.json          their public halves
"""

from __future__ import annotations

import os
import tomllib
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from guard.core.durations import Duration
from guard.core.errors import SettingsError

HOME_NAME = "guard"
"""The folder inside a bare repository that holds the server side, unless the operator chose another."""

Principal = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class CheckpointSettings(BaseModel):
    """`[checkpoints]`: where signed checkpoints of the ledger go, and how often the service sends them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: tuple[str, ...] = Field(
        default=(),
        description="`file:/PATH`, `syslog:`, `syslog://HOST:PORT`, `https://HOST/PATH` or `comment:NUMBER`",
    )
    every: Duration = Field(
        default=timedelta(hours=1), description="sent this often, when the ledger has grown"
    )


class VerifySettings(BaseModel):
    """`[verify]`: who says whether a permit is good, where the ledger is not in this folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["ledger", "service", "offline"] = Field(
        default="ledger",
        description="`ledger`: the one here. `service`: the guard at `service`. `offline`: the public keys in "
        "jwks.json alone, which believe permits of at most two minutes, because nobody says whether one was taken back",
    )
    service: str | None = Field(default=None, description="`https://HOST`, the guard's service")
    web_merges: Literal["refuse", "ask"] = Field(
        default="refuse",
        description="a merge in a forge's web interface carries no permit: refuse it, or ask the service for one",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> VerifySettings:
        parts = urlsplit(self.service or "")
        if (self.by == "service") != bool(self.service):
            raise ValueError('`service` goes with by = "service", and with that alone')
        if self.service and (parts.scheme not in {"https", "http"} or not parts.hostname or parts.username):
            raise ValueError("service: expected https://HOST, without a name or password")
        if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
            raise ValueError("service: only this machine may be asked without TLS; expected https://HOST")
        if self.web_merges == "ask" and self.by != "service":
            raise ValueError('web_merges = "ask" needs by = "service"')
        return self

    @property
    def compiled(self) -> str:
        """As the hooks know it: "", "offline" or the service's URL."""
        return {"ledger": "", "offline": "offline", "service": self.service or ""}[self.by]


class ProbeTarget(BaseModel):
    """A running system that probes may ask: `[probes.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="its address, `https://…` or `http://…`, without a name or password")
    addresses: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), description="the addresses and networks that it may be at besides public ones"
    )
    token: str = Field(default="", description="the environment variable that holds its bearer token")
    ca: Path | None = Field(default=None, description="the certificates to trust, from this folder on")
    timeout: Duration = Field(default=timedelta(seconds=5), description="how long one question may take")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        plain = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
        if not plain or parts.username is not None or parts.port == 0:
            raise ValueError("expected https://HOST/PATH without a user, a query or a fragment")
        return url


class ServerSettings(BaseModel):
    """`settings.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repository: str = Field(
        min_length=1, description="the repository's name, as in the policy's project.repository"
    )
    git_dir: Path = Field(description="the guarded bare repository")
    groups: dict[str, tuple[Principal, ...]] = Field(
        default_factory=dict,
        description="`@group` → the principals (allowed_signers names) that belong to it",
    )
    protect: tuple[str, ...] = Field(default=(), description="branches protected whatever any policy says")
    probes: dict[str, ProbeTarget] = Field(
        default_factory=dict,
        description="the name that policies give a running system → where it may be asked",
    )
    attestation_keys: dict[str, Path] = Field(
        default_factory=dict,
        description="the name that policies give a key → the file with its public half, in PEM, from this folder on",
    )
    database: str | None = Field(
        default=None,
        description="a PostgreSQL database instead of the file: `postgresql://ROLE@HOST/NAME`, without a password",
    )

    checkpoints: CheckpointSettings = Field(
        default=CheckpointSettings(), description="where the ledger's checkpoints are kept, off this machine"
    )

    offline_verifiers: bool = Field(
        default=False,
        strict=True,
        description="true where a server verifies permits by the public keys alone: they live at most two minutes then",
    )

    verify: VerifySettings = Field(default=VerifySettings(), description="who says whether a permit is good")

    @field_validator("database")
    @classmethod
    def _is_a_url_without_a_password(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme != "postgresql":
            raise ValueError("expected postgresql://ROLE@HOST/NAME")
        if parts.password is not None or "password" in dict(parse_qsl(parts.query)):
            raise ValueError(
                "a password does not belong here: keep it in ~/.pgpass, or in the file that PGPASSFILE names"
            )
        return url


class ServerHome(BaseModel):
    """A server side's folder and its settings."""

    model_config = ConfigDict(frozen=True)

    path: Path
    settings: ServerSettings

    @property
    def allowed_signers(self) -> Path:
        return self.path / "allowed_signers"

    @property
    def attestation_keys(self) -> dict[str, Path]:
        """The name of each key → the file with its public half."""
        return {name: self.path / file for name, file in self.settings.attestation_keys.items()}

    @property
    def bootstrap_policy(self) -> Path:
        return self.path / "guard.toml"

    @property
    def ledger(self) -> Path | str:
        """The database that holds it: a SQLite file's path, or a `postgresql://` URL."""
        return self.settings.database or self.path / "ledger.sqlite3"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def jwks(self) -> Path:
        return self.path / "jwks.json"


def load_home(path: Path) -> ServerHome:
    """Read a server side's folder. Raises SettingsError naming the file, the key and what was expected."""
    file = path / "settings.toml"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        settings = ServerSettings.model_validate(table)
    except FileNotFoundError:
        raise SettingsError(
            f"{path} holds no guard: there is no settings.toml", fix="guard install --server BARE.git"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: {error}", fix="mend the file or its permissions") from None
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise SettingsError(f"{file}: {lines}", fix="mend the key; see docs/operator-guide.md") from None
    return ServerHome(path=path.resolve(), settings=settings)


def find_home(*, server: str | None, remote_url: str | None) -> ServerHome | None:
    """The server side named by `--server` or GUARD_SERVER (a bare repository or its guard folder), or that of a
    remote on this machine; None where the remote is elsewhere or unguarded. Raises SettingsError."""
    named = server or os.environ.get("GUARD_SERVER")
    if named:
        return load_home(_home_folder(Path(named)))
    local = (remote_url or "").removeprefix("file://")
    folder = _home_folder(Path(local)) if local.startswith("/") else None
    return load_home(folder) if folder and (folder / "settings.toml").exists() else None


def _home_folder(path: Path) -> Path:
    return path if (path / "settings.toml").exists() else path / HOME_NAME
