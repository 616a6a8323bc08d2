"""Whether a presented permit covers exactly one move; the signature check is imported only when one is presented."""

from __future__ import annotations

import sys

from hooks.config import Branch, Config
from hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guard.core.permit import Permit


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
) -> Permit:
    """The permit in `token`, if it covers this move of the branch now. Raises NoLeave."""
    from datetime import UTC, datetime

    # After the standard library, so that nothing there can be shadowed.
    sys.path.extend(folder for folder in config.packages if folder not in sys.path)
    from guard.core.permit import PermitError, verify

    now = datetime.now(UTC)
    try:
        return verify(
            token, keys, now=now, repository=branch.repository, ref=branch.ref, old=old, new=new, tree=tree
        )
    except PermitError as error:
        raise NoLeave(error.code, error.message, error.fix) from None
    except ImportError as error:
        raise NoLeave(
            "permit.unverifiable",
            f"the permit cannot be checked here: {error}",
            'install release-guard again, then run "guard install"',
        ) from None
