"""Whether a presented permit covers exactly one move; the signature check is imported only when one is presented."""

from __future__ import annotations

import sys

from hooks.config import Branch, Config
from hooks.values import TYPE_CHECKING, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class NoLeave(Exception):
    """The permit gives no leave for this move. `code` is stable and says why."""

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix


def check_permit(
    token: str,
    config: Config,
    branch: Branch,
    *,
    keys: Mapping[str, Mapping[str, object]],
    old: str,
    new: str | None = None,
    tree: str | None = None,
    longest: int | None = None,
) -> dict[str, Any]:
    """The claims of the permit in `token`, if it covers this move of the branch now. Raises NoLeave."""
    import time

    # After the standard library, so that nothing there can be shadowed.
    sys.path.extend(folder for folder in config.packages if folder not in sys.path)
    from guard.core.permit_check import MAX_LIFE, NotGood, check_move, read_claims

    try:
        claims = read_claims(token, keys, loads=parse_json)
        check_move(
            claims,
            now=time.time(),
            repository=branch.repository,
            ref=branch.ref,
            old=old,
            new=new,
            tree=tree,
            longest=longest or MAX_LIFE,
        )
    except NotGood as error:
        raise NoLeave(error.code, error.message, error.fix) from None
    except ImportError as error:
        raise NoLeave(
            "permit.unverifiable",
            f"the permit cannot be checked here: {error}",
            'install release-guard again, then run "guard install"',
        ) from None
    return claims
