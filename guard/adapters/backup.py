"""Backups of a server side: one tar file with the ledger as JSON lines, the settings, and the keys if asked for.

The archive lists every file with its digest and says where the chain stood, so that it can be checked before anything
is put back. What the guarded repository itself holds (statements' reports under `refs/guard/`) is git's to back up.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from guard.adapters.exports import lines_of, rows_of
from guard.core.chain import Row, verify_chain
from guard.core.errors import GuardError
from guard.core.replay import MOST
from guard.ports import Entry

MANIFEST, LEDGER, INPUTS = "manifest.json", "ledger.jsonl", "inputs.jsonl"
FORMAT = "release-guard-backup/2"
FORMATS = ("release-guard-backup/1", FORMAT)
"""Those that are read; the first had no inputs."""
LARGE = (LEDGER, INPUTS)
FILES = ("settings.toml", "service.toml", "allowed_signers", "guard.toml", "jwks.json", "keys.retired.json")
"""What of a home is kept beside the ledger; some of them need not be there."""

MAX_SMALL = 16 * 1024 * 1024
"""Bytes of any file but the ledger."""


class BackupError(GuardError):
    """A backup that cannot be written, read or put back. Nothing was changed."""

    code = "backup.failed"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: whose, when (RFC 3339), where its chain stood, and the digest of every file by its name."""

    repository: str
    at: str
    entries: int
    head: str
    files: Mapping[str, str]

    @property
    def has_keys(self) -> bool:
        return any(name.startswith("keys/") for name in self.files)


def write_backup(
    out: Path,
    home: Path,
    entries: Iterable[Entry],
    *,
    repository: str,
    at: str,
    with_keys: bool,
    parts: Iterable[bytes] = (),
) -> Manifest:
    """Write the archive, whole or not at all, readable by its owner alone; `parts` are what decisions were made of.
    Raises BackupError, and LedgerError for a ledger that does not add up, which is no backup worth keeping."""
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with (
            tempfile.TemporaryFile(dir=out.parent) as spool,
            tempfile.TemporaryFile(dir=out.parent) as kept,
        ):
            spool.writelines(lines_of(entries))
            # Parts are read after the entries that name them, which may have grown meanwhile.
            kept.writelines(_packed(part) for part in parts)
            spool.seek(0)
            count, head = verify_chain(rows_of(spool, where=LEDGER))
            contents = _contents(home, with_keys=with_keys)
            digests = {name: _digest(io.BytesIO(data)) for name, data in contents.items()}
            manifest = Manifest(
                repository, at, count, head, {**digests, LEDGER: _digest(spool), INPUTS: _digest(kept)}
            )
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
                for name, data in {MANIFEST: _written(manifest), **contents}.items():
                    _add(tar, name, io.BytesIO(data), len(data))
                for name, large in ((LEDGER, spool), (INPUTS, kept)):
                    _add(tar, name, large, large.seek(0, os.SEEK_END))
                stream.flush()
                os.fsync(stream.fileno())
        beside.replace(out)
    except OSError as error:
        raise BackupError(
            f"{out}: {error.strerror}", fix="name a file that can be written, where there is room"
        ) from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return manifest


@contextmanager
def opened_backup(file: Path) -> Iterator[tuple[Manifest, Mapping[str, bytes], Path]]:
    """A backup that was checked as a whole: its manifest, the small files by name, and its ledger in a file of JSON
    lines that is gone afterwards, with the inputs of decisions in another beside it (`kept_parts`). Raises BackupError,
    and LedgerError where its chain does not add up."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / LEDGER
        try:
            with (
                tarfile.open(file, mode="r:") as tar,
                lines.open("wb") as spool,
                lines.with_name(INPUTS).open("wb") as kept,
            ):
                small = _unpacked(tar, {LEDGER: spool, INPUTS: kept})
        except (OSError, tarfile.TarError, EOFError) as error:
            raise BackupError(
                f"{file.name} cannot be read as a backup: {error}", fix="take another copy of it"
            ) from None
        manifest = _manifest(small.pop(MANIFEST, b""), file.name)
        _compare(manifest, small, lines)
        yield manifest, small, lines


def ledger_rows(lines: Path) -> Iterator[Row]:
    """The entries in a backup's ledger."""
    with lines.open("rb") as stream:
        yield from rows_of(stream, where=LEDGER)


def kept_parts(lines: Path) -> Iterator[bytes]:
    """What decisions were made of, in the backup whose ledger is in this file. Raises BackupError."""
    with lines.with_name(INPUTS).open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                inflater = zlib.decompressobj()
                part = inflater.decompress(base64.b64decode(line.strip(), validate=True), MOST + 1)
            except (ValueError, zlib.error):
                part = None
            if part is None or not inflater.eof:
                raise BackupError(
                    f"line {number} of its {INPUTS} cannot be read", fix="take another copy of it"
                )
            yield part


def _packed(part: bytes) -> bytes:
    return base64.b64encode(zlib.compress(part, 6)) + b"\n"


def put_files(home: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Write a backup's small files into a home; those that stand there already and say the same are left. Raises
    BackupError, before anything is written, where one says something else."""
    for name, data in files.items():
        there = home / name
        if there.exists() and there.read_bytes() != data:
            raise BackupError(
                f"{there} is there already and says something else",
                fix="restore into an empty folder, or move that file away first",
            )
    missing = tuple(name for name in files if not (home / name).exists())
    for name in missing:
        (home / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(
            home / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if name.startswith("keys/") else 0o644
        )
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(files[name])
            os.fsync(stream.fileno())
    return missing


def _contents(home: Path, *, with_keys: bool) -> dict[str, bytes]:
    names = [name for name in FILES if (home / name).is_file()]
    keys = sorted((home / "keys").glob("*.pem")) if with_keys else []
    return {
        **{name: (home / name).read_bytes() for name in names},
        **{f"keys/{k.name}": k.read_bytes() for k in keys},
    }


def _unpacked(tar: tarfile.TarFile, large: Mapping[str, IO[bytes]]) -> dict[str, bytes]:
    """The files of the archive: nothing is ever unpacked under a name that the archive gives."""
    small: dict[str, bytes] = {}
    seen: set[str] = set()
    for member in tar:
        stream = tar.extractfile(member) if member.isreg() else None
        if stream is None or not _is_known(member.name) or member.name in seen:
            raise BackupError(
                f"it holds what no backup holds: {member.name[:100]!r}", fix="take another copy"
            )
        seen.add(member.name)
        if member.name in large:
            while block := stream.read(1 << 20):
                large[member.name].write(block)
            continue
        if member.size > MAX_SMALL:
            raise BackupError(f"{member.name} in it has {member.size} bytes", fix="take another copy")
        small[member.name] = stream.read()
    return small


def _is_known(name: str) -> bool:
    key = name.removeprefix("keys/")
    is_key = key != name and key.endswith(".pem") and "/" not in key and not key.startswith(".")
    return name in FILES or name in {MANIFEST, *LARGE} or is_key


def _compare(manifest: Manifest, small: Mapping[str, bytes], lines: Path) -> None:
    found = {name: _digest(io.BytesIO(data)) for name, data in small.items()}
    for name in LARGE:
        with lines.with_name(name).open("rb") as stream:
            if name in manifest.files or stream.read(1):
                found[name] = _digest(stream)
    if found != dict(manifest.files):
        odd = sorted(
            name for name in found.keys() | manifest.files if found.get(name) != manifest.files.get(name)
        )
        raise BackupError(f"it is damaged: {', '.join(odd)}", fix="take another copy of it")
    if verify_chain(ledger_rows(lines)) != (manifest.entries, manifest.head):
        raise BackupError("its ledger is not the one that it says it holds", fix="take another copy of it")


def _add(tar: tarfile.TarFile, name: str, stream: IO[bytes], size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    stream.seek(0)
    tar.addfile(info, stream)


def _written(manifest: Manifest) -> bytes:
    table = {
        "format": FORMAT, "repository": manifest.repository, "at": manifest.at, "entries": manifest.entries,
        "head": manifest.head, "files": dict(manifest.files),
    }  # fmt: skip
    return (json.dumps(table, indent=2) + "\n").encode()


def _manifest(data: bytes, where: str) -> Manifest:
    try:
        table = json.loads(data)
        if table["format"] not in FORMATS:
            raise ValueError(f"it has the format {table['format']!r}")
        files = {str(name): str(digest) for name, digest in table["files"].items()}
        return Manifest(
            str(table["repository"]), str(table["at"]), int(table["entries"]), str(table["head"]), files
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BackupError(
            f"{where} is no backup of this guard: {error}", fix="name a file that guard backup create wrote"
        ) from None


def _digest(stream: Any) -> str:
    stream.seek(0)
    return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
