"""Who signs with which key: OpenSSH's allowed_signers file (ssh-keygen(1), ALLOWED SIGNERS)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from guard.core.errors import SettingsError
from guard.core.sshkey import KEY_TYPES, PublicKey, SignatureError, parse_public_key
from guard.core.sshsig import NAMESPACE

MAX_FILE = 4 * 1024 * 1024
"""Bytes; about twenty thousand people."""

_UNSUPPORTED = frozenset({"signature.key-type", "signature.weak-key"})
_OPTION = re.compile(r'(?P<name>[A-Za-z-]+)(?:="(?P<value>(?:[^"\\]|\\.)*)")?')
_TIMES = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_OPTIONS = ("cert-authority", "namespaces", "valid-after", "valid-before")


class AllowedSignersError(SettingsError):
    """A line of the file that cannot be read. The message names it; nobody is trusted until it is mended."""

    code = "signers.malformed"


class SignerError(SignatureError):
    """A good signature by a key that does not speak for that person now. `code` says why and is stable."""

    code = "signer.unknown"


@dataclass(frozen=True, slots=True)
class AllowedSigner:
    """One line: whoever holds `key` is each of `principals` (patterns), for these namespaces, in this time."""

    line: int
    principals: str
    key: PublicKey
    namespaces: str | None = None
    valid_after: datetime | None = None
    valid_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class AllowedSigners:
    """The whole file. `ignored` are the lines that are never trusted, with the reason: `(line, why)`."""

    signers: tuple[AllowedSigner, ...] = ()
    ignored: tuple[tuple[int, str], ...] = ()

    def find(
        self, principal: str, key: PublicKey, *, now: datetime, namespace: str = NAMESPACE
    ) -> AllowedSigner:
        """The line by which this key is this person now.

        Raises SignerError: `signer.unknown` (nobody of that name), `signer.other-key`, `signer.namespace`,
        `signer.not-yet-valid`, `signer.expired`.
        """
        named = [one for one in self.signers if match_list(principal, one.principals)]
        if not named:
            passed_over = "".join(f"; line {line} is ignored: {why}" for line, why in self.ignored[:3])
            raise SignerError(
                f"nobody called {_shown(principal)} may sign here",
                fix="have the operator add that name and key to allowed_signers, or sign with --as YOUR-NAME"
                + passed_over,
            )
        reasons = [_why_not(one, key, namespace, now) for one in named]
        for one, why in zip(named, reasons, strict=True):
            if why is None:
                return one
        raise max((why for why in reasons if why), key=lambda why: why.code != "signer.other-key")


def _why_not(one: AllowedSigner, key: PublicKey, namespace: str, now: datetime) -> SignerError | None:
    if one.key.blob != key.blob:
        message = f"the key {key.fingerprint} is not one of theirs"
        return SignerError(message, fix="sign with the key that the operator knows", code="signer.other-key")
    if one.namespaces is not None and not match_list(namespace, one.namespaces):
        message = f"the key {key.fingerprint} is not allowed to sign for {namespace}"
        return SignerError(message, fix="have the operator allow the namespace", code="signer.namespace")
    if one.valid_after is not None and now < one.valid_after:
        message = f"the key {key.fingerprint} is valid from {one.valid_after:%Y-%m-%d %H:%M} UTC"
        return SignerError(message, fix="wait, or sign with another key", code="signer.not-yet-valid")
    if one.valid_before is not None and now >= one.valid_before:
        message = f"the key {key.fingerprint} was valid until {one.valid_before:%Y-%m-%d %H:%M} UTC"
        return SignerError(message, fix="have the operator add the new key", code="signer.expired")
    return None


def parse_allowed_signers(data: bytes, *, where: str = "allowed_signers") -> AllowedSigners:
    """Read the file. A certificate authority, and a key of a kind that is not accepted, is ignored with the reason.

    Raises AllowedSignersError naming the line of whatever else cannot be read.
    """
    if len(data) > MAX_FILE:
        raise AllowedSignersError(f"{where} has {len(data)} bytes; at most {MAX_FILE} are read")
    signers: list[AllowedSigner] = []
    ignored: list[tuple[int, str]] = []
    for number, line in _lines(data, where):
        try:
            signers.append(_parse_line(number, line))
        except _Ignored as reason:
            ignored.append((number, str(reason)))
        except ValueError as error:
            raise AllowedSignersError(
                f"{where}, line {number}: {error}", fix='write it as: ann@example.com namespaces="release-guard" '
                "ssh-ed25519 AAAA…",
            ) from None  # fmt: skip
    return AllowedSigners(tuple(signers), tuple(ignored))


def _lines(data: bytes, where: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(data.split(b"\n"), start=1):
        try:
            line = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise AllowedSignersError(
                f"{where}, line {number}: it is not UTF-8", fix="mend the line"
            ) from None
        if line and not line.startswith("#"):
            yield number, line


class _Ignored(Exception):
    """A line that is well-formed and never trusted."""


@dataclass(slots=True)
class _Given:
    authority: bool = False
    namespaces: str | None = None
    times: dict[str, datetime] = field(default_factory=dict)


def _parse_line(number: int, line: str) -> AllowedSigner:
    if not line.replace("\t", " ").isprintable():
        raise ValueError("it holds a control character or an invisible one")
    principals, rest = _principals(line)
    options, key_text = ("", rest) if _is_key(rest) else _split_options(rest)
    given = _options(options)
    after, before = given.times.get("valid-after"), given.times.get("valid-before")
    if after is not None and before is not None and after >= before:
        raise ValueError("valid-after is not before valid-before")
    if given.authority:
        raise _Ignored("certificate authorities are not supported; name each person's own key")
    try:
        key = parse_public_key(key_text)
    except SignatureError as error:
        if error.code in _UNSUPPORTED:
            raise _Ignored(error.message) from None
        raise ValueError(error.message) from None
    return AllowedSigner(number, principals, key, given.namespaces, after, before)


def _principals(line: str) -> tuple[str, str]:
    if line.startswith('"'):
        principals, quote, rest = line[1:].partition('"')
        if not quote:
            raise ValueError("the quote around the names does not end")
    else:
        principals, _, rest = line.replace("\t", " ").partition(" ")
    if not all(pattern.strip("!") for pattern in principals.split(",")):
        raise ValueError("expected names such as ann@example.com, separated by commas without spaces")
    return principals, rest.strip()


def _is_key(text: str) -> bool:
    first = text.split(None, 1)[0] if text else ""
    return first in KEY_TYPES or re.fullmatch(r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+", first) is not None


def _split_options(text: str) -> tuple[str, str]:
    """Cut behind the options: the first blank that is not inside quotes."""
    quoted = False
    for index, character in enumerate(text):
        if character == '"' and (index == 0 or text[index - 1] != "\\"):
            quoted = not quoted
        if character in " \t" and not quoted:
            return text[:index], text[index:].strip()
    raise ValueError("there is no key behind the names and options" if text else "there is no key")


def _options(text: str) -> _Given:
    given, seen, position = _Given(), set[str](), 0
    while position < len(text):
        match = _OPTION.match(text, position)
        if match is None:
            raise ValueError(f"the option {_shown(text[position:])} cannot be read")
        name, value = match["name"].lower(), match["value"]
        if name not in _OPTIONS or name in seen:
            raise ValueError(f"the option {name} is {'given twice' if name in seen else 'not known'}")
        seen.add(name)
        _take(given, name, value)
        position = match.end()
        if position < len(text) and text[position] != ",":
            raise ValueError("options are separated by commas without spaces")
        position += 1
    return given


def _take(given: _Given, name: str, value: str | None) -> None:
    if name == "cert-authority":
        if value is not None:
            raise ValueError("cert-authority takes no value")
        given.authority = True
    elif not value:
        raise ValueError(f'{name} needs a value: {name}="…"')
    elif name == "namespaces":
        given.namespaces = value.replace('\\"', '"')
    else:
        given.times[name] = _time(name, value)


def _time(name: str, text: str) -> datetime:
    """`YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, read as UTC with or without the `Z`, so that the file means
    the same on every machine (OpenSSH reads it in local time without the Z)."""
    digits = text.removesuffix("Z")
    form = _TIMES.get(len(digits))
    try:
        if form is None or not (digits.isascii() and digits.isdigit()):
            raise ValueError
        return datetime.strptime(digits, form).replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{name} is no time like 20260131 or 20260131120000Z: {_shown(text)}") from None


def match_list(text: str, patterns: str) -> bool:
    """Whether one of the comma-separated patterns fits and none that starts with `!` does (OpenSSH's match.c)."""
    fits = False
    for pattern in patterns.split(","):
        if _fits(text, pattern.removeprefix("!")):
            if pattern.startswith("!"):
                return False
            fits = True
    return fits


def _fits(text: str, pattern: str) -> bool:
    """`*` stands for any characters and `?` for one. Linear in each star, whatever the pattern."""
    at = star = mark = 0
    starred = False
    position = 0
    while at < len(text):
        if position < len(pattern) and pattern[position] == "*":
            starred, star, mark = True, position, at
            position += 1
        elif position < len(pattern) and pattern[position] in ("?", text[at]):
            at, position = at + 1, position + 1
        elif starred:
            mark += 1
            at, position = mark, star + 1
        else:
            return False
    return not pattern[position:].strip("*")


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:80])
