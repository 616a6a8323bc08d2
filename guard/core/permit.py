"""The permit: a signed, short-lived leave for exactly one move of one branch, a compact JWS (RFC 7515, 8037).

How a token is judged stands in `guard.core.permit_check`, which the server's hook runs too. Whether a permit was spent
or revoked is the ledger's to say, not the token's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from guard.core import permit_check
from guard.core.errors import GuardError
from guard.core.permit_check import ALGORITHM, CLAIMS, MAX_TOKEN, RESTORE_TYPE, TYPE, NotGood

MAX_LIFE = timedelta(seconds=permit_check.MAX_LIFE)
CLOCK_SKEW = timedelta(seconds=permit_check.CLOCK_SKEW)
END_OF_TIME = permit_check.END_OF_TIME

PROMOTES, RESTORES = "promotion", "restore"
"""The kinds of permit."""

_T = TypeVar("_T")


class PermitError(GuardError):
    """A permit that gives no leave. `code` says why and is stable; no message ever holds the token."""

    code = "permit.malformed"
    exit_status = 1


@dataclass(frozen=True, slots=True)
class Permit:
    """What a permit says: `repository`'s `ref` may move from `old` to `new` (whose tree is `tree`), once. Of the kind
    RESTORES it need not go forward, and may make the branch anew.

    `decision` and `policy` are digests (`sha256:…`); `issued` and `expires` whole seconds since 1970, UTC.
    """

    id: str
    repository: str
    ref: str
    old: str
    new: str
    tree: str
    decision: str
    policy: str
    by: str
    issued: int
    expires: int
    kind: str = PROMOTES

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.expires, UTC)


class Signer(Protocol):
    """A private Ed25519 key, wherever it is kept."""

    @property
    def kid(self) -> str: ...

    def sign(self, data: bytes, /) -> bytes:
        """The 64 bytes of the Ed25519 signature."""
        ...


def sign(permit: Permit, signer: Signer) -> str:
    """The compact JWS of a permit. Raises PermitError for one that no verifier would take."""
    check_form(permit)
    type_ = RESTORE_TYPE if permit.kind == RESTORES else TYPE
    head = _encoded({"alg": ALGORITHM, "kid": signer.kid, "typ": type_})
    body = _encoded(_claims(permit))
    signature = permit_check.encode(signer.sign(f"{head}.{body}".encode("ascii")))
    token = f"{head}.{body}.{signature}"
    if len(token) > MAX_TOKEN:
        raise _permit_error(permit_check.malformed(f"it would be longer than {MAX_TOKEN} characters"))
    return token


def check_form(permit: Permit) -> None:
    """Raise PermitError `permit.malformed` for a permit that no verifier would take, whatever signs it."""
    _asked(lambda: permit_check.check_form(_claims(permit)))


def verify(
    token: str,
    keys: Mapping[str, Mapping[str, object]],
    *,
    now: datetime,
    repository: str,
    ref: str,
    old: str,
    new: str | None,
    tree: str | None = None,
) -> Permit:
    """The permit in `token`, if it is good for exactly this move now. `keys` are public JWKs by `kid`.

    `new` and `tree` may be None where the verifier cannot know them; all else has to match. Raises
    PermitError with a code of its own for every reason.
    """
    permit = read(token, keys)
    claims, seconds = _claims(permit), now.timestamp()
    _asked(
        lambda: permit_check.check_move(
            claims, now=seconds, repository=repository, ref=ref, old=old, new=new, tree=tree
        )
    )
    return permit


def read(token: str, keys: Mapping[str, Mapping[str, object]]) -> Permit:
    """The permit in `token`, its signature checked, not its time or what it is for. Raises PermitError."""
    claims = _asked(lambda: permit_check.read_claims(token, keys))
    texts = {"id" if name == "jti" else name: claims[name] for name in CLAIMS}
    kind = RESTORES if permit_check.restores(token) else PROMOTES
    return Permit(**texts, issued=claims["iat"], expires=claims["exp"], kind=kind)


def parse_jwks(text: str | bytes) -> dict[str, Mapping[str, object]]:
    """The keys of a JWK Set document by `kid`. Raises PermitError `permit.keys-unreadable`."""
    try:
        listed = json.loads(text)["keys"]
        return {str(key["kid"]): dict(key) for key in listed}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PermitError(
            "the guard's public keys cannot be read",
            fix="have the operator mend jwks.json on the server side",
            code="permit.keys-unreadable",
        ) from None


def _claims(permit: Permit) -> dict[str, Any]:
    texts = {name: getattr(permit, "id" if name == "jti" else name) for name in CLAIMS}
    return {**texts, "iat": permit.issued, "exp": permit.expires}


def _encoded(value: Mapping[str, object]) -> str:
    return permit_check.encode(_asked(lambda: permit_check.canonical(value)))


def _asked(question: Callable[[], _T]) -> _T:
    """The answer; NotGood as the PermitError that it is outside of the hooks."""
    try:
        return question()
    except NotGood as reason:
        raise _permit_error(reason) from None


def _permit_error(reason: NotGood) -> PermitError:
    return PermitError(reason.message, fix=reason.fix, code=reason.code)
