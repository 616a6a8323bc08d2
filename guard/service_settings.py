"""The webhook service's settings: `service.toml` in a server side's folder, and secrets from the environment.

A secret never stands in the file: each is a variable, or a file that a variable with `_FILE` behind its name names.
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from guard.core.durations import Duration
from guard.core.errors import SettingsError

ForgeName = Literal["gitlab", "github", "local"]

API_URLS = {"gitlab": "https://gitlab.com", "github": "https://api.github.com"}
GIT_USERS = {"gitlab": "oauth2", "github": "x-access-token"}
"""Whom git calls itself when its password is an API token: GitLab takes any name, GitHub wants this one."""


def _without_secret(url: str) -> str:
    if url and ("@" in urlsplit(url).netloc and ":" in urlsplit(url).netloc.rpartition("@")[0]):
        raise ValueError("expected a URL without a password; it belongs into the environment")
    return url


def _http(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError("expected an address such as https://gitlab.example.com")
    return url


def _decodes(secret: str) -> bool:
    """Whether a signing token holds a key (Standard Webhooks)."""
    text = secret.removeprefix(SIGNING)
    try:
        return bool(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        return False


SIGNING = "whsec_"
SHORTEST_SECRET = 20
Url = Annotated[str, AfterValidator(_without_secret)]


class ServiceSettings(BaseModel):
    """`service.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    forge: ForgeName = Field(
        description="`gitlab`, `github`, or `local` for a bare repository with no forge in front"
    )
    url: Annotated[Url, AfterValidator(_http)] = Field(
        default="", description="the forge's address; gitlab.com or api.github.com unless given"
    )
    git_url: Url = Field(
        default="", description="what the mirror is fetched from; needed unless the forge is local"
    )
    public_url: Url = Field(
        default="", description="where people reach the service; statuses link to its pages"
    )
    host: str = Field(default="127.0.0.1", description="the address that the service listens on")
    port: int = Field(default=8640, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=16, description="threads that work on deliveries")
    max_body: int = Field(
        default=5_000_000, ge=1000, le=50_000_000, description="bytes of the largest webhook"
    )
    tries: int = Field(default=5, ge=1, le=20, description="how often a delivery is tried")
    backoff: Duration = Field(
        default=timedelta(seconds=2), description="the wait after a first try; it doubles"
    )
    lease: Duration = Field(
        default=timedelta(minutes=2), description="when a dead worker's job is taken over"
    )
    sweep: Duration = Field(
        default=timedelta(minutes=15), description="how often everything is looked at again"
    )
    members_age: Duration = Field(
        default=timedelta(minutes=1),
        description="how long who belongs to a group is remembered, unless an event says that it changed",
    )
    debt: Duration = Field(
        default=timedelta(days=1), description="how often the backport debt of each branch is told"
    )
    debt_comment: str = Field(
        default="",
        pattern=r"^([1-9][0-9]{0,9})?$",
        description="the number of the merge request (GitHub: issue or pull request) where a comment tells it",
    )
    moves: Literal["service", "hook"] = Field(
        default="service",
        description="who moves a protected branch on GitLab and GitHub: the `service` itself, or the promote script's"
        " push, which a server `hook` there verifies",
    )
    verify_callers: Literal["secret", "anyone"] = Field(
        default="secret",
        description="who may ask whether a permit is good: who knows the `secret` in GUARD_VERIFY_SECRET, or `anyone`",
    )
    protection: Literal["watch", "keep"] = Field(
        default="watch",
        description="what is done when a protected branch's protection on the forge was loosened: `watch` holds"
        " promotions, `keep` has the guard put it back first, for which its token has to administer the repository",
    )
    pages: bool = Field(
        default=False, strict=True, description="show decisions to whoever can reach the service"
    )

    @model_validator(mode="after")
    def _somewhere_to_fetch_from(self) -> Self:
        if self.forge != "local" and not self.git_url:
            raise ValueError("git_url: expected the address that git fetches the repository from")
        return self

    @property
    def hosted(self) -> bool:
        """Whether the service itself moves the branches."""
        return self.forge != "local" and self.moves == "service"

    @property
    def api_url(self) -> str:
        return self.url or API_URLS.get(self.forge, "")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the service knows and tells nobody. `webhook` are all secrets that a delivery may be signed with;
    `git` is a user's name and password, None where the repository is fetched without; `chat` is the address of a chat
    room's incoming webhook, "" for none; `verify` are all secrets of servers that ask whether a permit is good."""

    token: str = field(default="", repr=False)
    webhook: tuple[str, ...] = field(default=(), repr=False)
    git: tuple[str, str] | None = field(default=None, repr=False)
    chat: str = field(default="", repr=False)
    verify: tuple[str, ...] = field(default=(), repr=False)


def load_service_settings(home: Path) -> ServiceSettings:
    """Read `service.toml`. Raises SettingsError naming the file, the key and what was expected."""
    file = home / "service.toml"
    try:
        return ServiceSettings.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SettingsError(
            f"{home} has no service.toml", fix="write one; see docs/service.md", code="settings.no-service"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: {error}", fix="mend the file or its permissions") from None
    except ValidationError as error:
        lines = "; ".join(
            ": ".join(
                filter(None, (".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, ")))
            )
            for item in error.errors(include_input=False)
        )
        raise SettingsError(f"{file}: {lines}", fix="mend the key; see docs/service.md") from None


def load_secrets(settings: ServiceSettings, environ: Mapping[str, str]) -> Secrets:
    """The secrets that this forge needs. Raises SettingsError for one that is missing: without a webhook secret
    anybody could wake the service, and without a token it could neither read nor speak."""
    verify = _verify_secrets(environ)
    if settings.forge == "local":
        return Secrets(verify=verify)
    prefix = f"GUARD_{settings.forge.upper()}"
    lines = _read(f"{prefix}_WEBHOOK_SECRET", environ).splitlines()
    webhook = tuple(line.strip() for line in lines if line.strip())
    if not webhook:
        raise SettingsError(
            f"no webhook secret is set: {prefix}_WEBHOOK_SECRET is missing or empty",
            fix=f"export {prefix}_WEBHOOK_SECRET=… (or …_FILE=PATH), the same as in the webhook's settings",
            code="settings.no-webhook-secret",
        )
    if any(one.startswith(SIGNING) and not _decodes(one) for one in webhook):
        raise SettingsError(
            f"{prefix}_WEBHOOK_SECRET holds a signing token that is cut: what follows {SIGNING} is no base64",
            fix="copy the signing token from the webhook's settings again",
            code="settings.webhook-secret",
        )
    token = _read(f"{prefix}_TOKEN", environ).strip()
    if not token:
        raise SettingsError(
            f"no access token is set: {prefix}_TOKEN is missing or empty",
            fix=f"export {prefix}_TOKEN=… (or …_FILE=PATH); docs/service.md says what it must be allowed",
            code="settings.no-token",
        )
    user = environ.get("GUARD_GIT_USERNAME", "").strip() or GIT_USERS[settings.forge]
    password = _read("GUARD_GIT_PASSWORD", environ).strip() or token
    needs = re.match(r"https?://", settings.git_url)
    return Secrets(token, webhook, (user, password) if needs else None, _chat(environ), verify)


def _verify_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Several, one a line, while one is being replaced. Raises SettingsError for one that can be guessed."""
    found = tuple(filter(None, (line.strip() for line in _read("GUARD_VERIFY_SECRET", environ).splitlines())))
    if any(len(one) < SHORTEST_SECRET or not one.isascii() for one in found):
        raise SettingsError(
            f"GUARD_VERIFY_SECRET holds a secret of less than {SHORTEST_SECRET} ASCII characters",
            fix="make one: openssl rand -hex 32",
            code="settings.verify-secret",
        )
    return found


def _chat(environ: Mapping[str, str]) -> str:
    """The address is a secret: whoever knows it may post there."""
    found = _read("GUARD_CHAT_WEBHOOK", environ).strip()
    if found and not re.match(r"https?://[^\s/]+/", found):
        raise SettingsError(
            "GUARD_CHAT_WEBHOOK is no address",
            fix="set it to the room's incoming webhook, https://…",
            code="settings.chat",
        )
    return found


def _read(name: str, environ: Mapping[str, str]) -> str:
    file = environ.get(f"{name}_FILE", "")
    if not file:
        return environ.get(name, "")
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SettingsError(
            f"{name}_FILE cannot be read: {error}", fix="mend the path or its permissions"
        ) from None
