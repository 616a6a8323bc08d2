"""Permit signing keys on disk, and canonical JSON by the examples of its RFC."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guard.adapters.keys import create_signing_key, ensure_signing_key, load_signing_key, read_jwks
from guard.core.canonical import CanonicalError, canonical_bytes, digest_of, parse_canonical
from guard.core.errors import SettingsError


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "keys", tmp_path / "jwks.json"


def test_a_key_is_made_once_and_kept_private(places: tuple[Path, Path]) -> None:
    folder, jwks = places
    key = ensure_signing_key(folder, jwks)
    assert ensure_signing_key(folder, jwks).kid == load_signing_key(folder, jwks).kid == key.kid
    [file] = folder.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == (f"{key.kid}.pem", 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    [listed] = json.loads(jwks.read_text())["keys"]
    assert sorted(listed) == ["alg", "crv", "kid", "kty", "use", "x"]


def test_a_new_key_signs_and_the_old_one_stays_listed(places: tuple[Path, Path]) -> None:
    first, second = create_signing_key(*places), create_signing_key(*places)
    assert list(read_jwks(places[1])) == [second.kid, first.kid]
    assert load_signing_key(*places).kid == second.kid
    (places[0] / f"{second.kid}.pem").unlink()
    assert load_signing_key(*places).kid == first.kid


def _readable(folder: Path, _jwks: Path) -> None:
    next(folder.iterdir()).chmod(0o640)


def _gone(folder: Path, _jwks: Path) -> None:
    next(folder.iterdir()).unlink()


def _damaged(folder: Path, _jwks: Path) -> None:
    next(folder.iterdir()).write_bytes(b"no key")


def _another(folder: Path, jwks: Path) -> None:
    file = next(folder.iterdir())
    other = create_signing_key(folder.parent / "other", folder.parent / "other.json")
    file.write_bytes((folder.parent / "other" / f"{other.kid}.pem").read_bytes())


def _no_list(_folder: Path, jwks: Path) -> None:
    jwks.write_text("[]")


def _a_path(_folder: Path, jwks: Path) -> None:
    jwks.write_text('{"keys": [{"kid": "../../etc/passwd"}]}')


@pytest.mark.parametrize("spoil", [_readable, _gone, _damaged, _another, _no_list, _a_path])
def test_a_key_that_cannot_be_trusted_is_refused(
    places: tuple[Path, Path], spoil: Callable[[Path, Path], None]
) -> None:
    create_signing_key(*places)
    spoil(*places)
    with pytest.raises(SettingsError) as caught:
        ensure_signing_key(*places)
    assert caught.value.fix


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file in the way")
    with pytest.raises(SettingsError, match="could not be kept"):
        create_signing_key(tmp_path / "keys", tmp_path / "jwks.json")


CANONICAL = [
    # RFC 8785, sections 3.2.2 and 3.2.3, and a few edges
    pytest.param(
        {"numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27], "literals": [None, True, False]},
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}',
        id="numbers-and-literals",
    ),
    pytest.param(
        {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
        '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}',
        id="names-in-utf-16-order",
    ),
    pytest.param('\u20ac$\u000f\nA\'B"\\\\"/', '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"', id="escapes"),
    pytest.param([-0.0, 1e16, (1, 2)], "[0,10000000000000000,[1,2]]", id="zero-large-float-tuple"),
]


@pytest.mark.parametrize(("value", "text"), CANONICAL)
def test_canonical_json(value: Any, text: str) -> None:
    assert canonical_bytes(value) == text.encode()
    assert canonical_bytes(parse_canonical(text)) == text.encode()


def test_digests_are_of_the_canonical_form() -> None:
    empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest_of({}) == empty
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})


def test_a_nest_without_end_has_no_canonical_form() -> None:
    nest: list[object] = []
    nest.append(nest)
    with pytest.raises(CanonicalError):
        canonical_bytes(nest)
