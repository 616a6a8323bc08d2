"""Writing objects as one pack with its index: many small objects at the price of two files.

Formats: https://git-scm.com/docs/pack-format (pack version 2, index version 2), for SHA-1 and SHA-256.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

_TYPES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}


def framed(kind: str, content: bytes) -> bytes:
    """What an object's name is the hash of."""
    return f"{kind} {len(content)}\0".encode() + content


def write_pack(folder: Path, objects: Mapping[str, tuple[str, bytes]], *, object_format: str) -> None:
    """Write objects (name → kind and content) into `folder` as a pack and its index. Raises OSError."""
    body = bytearray(struct.pack(">4sII", b"PACK", 2, len(objects)))
    rows: list[tuple[bytes, int, int]] = []
    for name, (kind, content) in objects.items():
        entry = _header(_TYPES[kind], len(content)) + zlib.compress(content, 1)
        rows.append((bytes.fromhex(name), zlib.crc32(entry), len(body)))
        body += entry
    checksum = _digest(object_format, bytes(body))
    stem = folder / f"pack-{checksum.hex()}"
    # The index comes last: git looks for packs by their indexes.
    stem.with_suffix(".pack").write_bytes(bytes(body) + checksum)
    index = _index(sorted(rows), checksum)
    stem.with_suffix(".idx").write_bytes(index + _digest(object_format, index))


def _index(rows: list[tuple[bytes, int, int]], checksum: bytes) -> bytes:
    counts = [0] * 256
    for name, _, _ in rows:
        counts[name[0]] += 1
    fanout = [sum(counts[: i + 1]) for i in range(256)]
    return b"".join(
        (
            b"\377tOc",
            struct.pack(">I256I", 2, *fanout),
            *(name for name, _, _ in rows),
            *(struct.pack(">I", crc) for _, crc, _ in rows),
            *(struct.pack(">I", offset) for _, _, offset in rows),
            checksum,
        )
    )


def _header(kind: int, size: int) -> bytes:
    """Type and size as a variable-length number: four bits first, then seven at a time."""
    out = bytearray()
    byte, size = (kind << 4) | (size & 15), size >> 4
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    out.append(byte)
    return bytes(out)


def _digest(object_format: str, content: bytes) -> bytes:
    return hashlib.new(object_format, content, usedforsecurity=False).digest()
