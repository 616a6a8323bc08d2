"""Who says whether a permit covers a move: the ledger beside the hook, the service, or the public keys alone."""

from __future__ import annotations

import os
import sys

from hooks.config import Branch, Config
from hooks.permits import NoLeave, check_permit
from hooks.refs import Update
from hooks.say import Stop
from hooks.values import TYPE_CHECKING, NamedTuple, parse_json, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

OPTION = "guard-permit="
MAX_TOKENS = 20
"""Push options that are tried; a promote script gives one."""

OFFLINE_LIFE = 120
"""Seconds a permit may be good for where nobody says whether it was taken back."""

PATIENCE, SHORT_PATIENCE = 10, 3
"""Seconds for the service to answer. GitHub Enterprise Server gives all pre-receive hooks of a push five together."""

SPENT = "permits.spent"
"""What post-receive leaves in the folder where no ledger is: the ids of permits that have moved their branch."""


class Wall(NamedTuple):
    """What every update of one push is judged with. `web`: it comes from a forge's web interface or API, which can hand
    no permit over; `patience` is in seconds."""

    folder: str
    config: Config
    tokens: tuple[str, ...]
    web: bool
    patience: int

    @property
    def has_nothing(self) -> bool:
        """Whether no permit was presented, and none is to be looked for."""
        return not self.tokens and not (self.web and self.config.web_merges == "ask")


def raise_wall(folder: str, config: Config, environment: Mapping[str, str]) -> Wall:
    """What this push brings: permits among its options, and how it came in (GL_PROTOCOL, GITHUB_VIA)."""
    web = environment.get("GL_PROTOCOL") == "web" or bool(environment.get("GITHUB_VIA"))
    hurried = any(name in environment for name in ("GITHUB_VIA", "GITHUB_REPO_NAME"))
    return Wall(folder, config, _tokens(environment), web, SHORT_PATIENCE if hurried else PATIENCE)


def why_no_permit(update: Update, branch: Branch, wall: Wall) -> tuple[NoLeave | None, bool]:
    """None when a permit covers the move, else what is wrong with the first one; and whether that permit is one to put
    the branch back, which need not go forward. Raises Stop where nobody knows."""
    reasons = []
    for token in wall.tokens or ("",):
        try:
            _check(token, update, branch, wall)
        except NoLeave as reason:
            reasons.append(reason)
        else:
            return None, _restores(token, wall.config)
    return reasons[0], False


def _restores(token: str, config: Config) -> bool:
    if not token:
        return False
    sys.path.extend(folder for folder in config.packages if folder not in sys.path)
    from guard.core.permit_check import restores

    return restores(token, loads=parse_json)


def _check(token: str, update: Update, branch: Branch, wall: Wall) -> None:
    config = wall.config
    if config.verify not in {"", "offline"}:
        from hooks.asking import ask_service, read_secret

        seconds = wall.patience / max(len(wall.tokens), 1)
        secret = read_secret(wall.folder)
        permit = ask_service(
            config.verify, branch.repository, update, token=token, seconds=seconds, secret=secret
        )
        _check_unspent(wall.folder, permit)
        return
    keys = _read_keys(f"{wall.folder}/jwks.json")
    longest = OFFLINE_LIFE if config.verify else None
    claims = check_permit(token, config, branch, keys=keys, old=update.old, new=update.new, longest=longest)
    if config.verify:
        _check_unspent(wall.folder, claims["jti"])
        return
    from hooks.ledger import check_standing

    check_standing(wall.folder, config, branch.repository, permit=claims["jti"], update=update)


def _check_unspent(folder: str, permit: str) -> None:
    """Raise NoLeave for a permit that has moved its branch here before: a branch forced back does not renew it."""
    try:
        with open(f"{folder}/{SPENT}", encoding="ascii", errors="replace") as file:
            spent = permit in file.read().split("\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise Stop(
            "permit.unverifiable", f"which permits were used is not known: {error}", "try again"
        ) from None
    if spent:
        raise NoLeave("permit.spent", "the permit was used already", 'ask for a new one: "guard promote"')


def _tokens(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The permits among the push options (githooks: GIT_PUSH_OPTION_COUNT and _0, _1, …)."""
    count = environment.get("GIT_PUSH_OPTION_COUNT", "0")
    total = min(int(count), 1000) if count.isascii() and count.isdigit() and len(count) < 10 else 0
    options = (environment.get(f"GIT_PUSH_OPTION_{index}", "") for index in range(total))
    tokens = dict.fromkeys(option.removeprefix(OPTION) for option in options if option.startswith(OPTION))
    return tuple(filter(None, tokens))[:MAX_TOKENS]


def _read_keys(file: str) -> Mapping[str, Mapping[str, object]]:
    """The public keys of this moment, so that a new one counts at once. Raises Stop."""
    try:
        document: Any = read_json(file)
        return {str(key["kid"]): dict(key) for key in document["keys"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        fix = "have the operator restore the file"
        raise Stop("permit.keys-unreadable", f"{os.path.abspath(file)}: {error}", fix) from None
