"""The entries of a register on upstream, whether it is a Markdown table or YAML: each a table of texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from guard.adapters.evidence.headings import FRONT_MATTER, name_of
from guard.adapters.evidence.untrusted import Unreadable, bounded, decode

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

    from guard.adapters.evidence.events import Plain

MAX_REGISTER = 512 * 1024
MARKED = re.compile(r"[*_`\[\]<>&\\!]")
YAML_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
IDS = ("id",)
"""The column or key that holds an entry's id; in a Markdown table without one it is the first column."""

STATES = ("status", "state")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry: its id exactly as a reader sees it, and its fields by name (`headings.name_of`)."""

    id: str
    fields: dict[str, str]


def rows_of(data: bytes, path: str, *, id_field: str | None = None) -> tuple[Row, ...]:
    """Every entry of the register at `path`, in order, repeated ids too. Raises Unreadable."""
    bounded(data, path, limit=MAX_REGISTER)
    if PurePosixPath(path).suffix.lower() in YAML_SUFFIXES:
        from guard.adapters.evidence.events import load_yaml

        return tuple(_yaml_rows(load_yaml(data, path), id_field, 0))
    return tuple(_markdown_rows(decode(data, path), path, id_field))


def columns_of(data: bytes, path: str) -> tuple[frozenset[str], ...]:
    """The names of the columns of each table of a Markdown document, those of empty ones too. Raises Unreadable."""
    bounded(data, path, limit=MAX_REGISTER)
    return tuple(frozenset(map(name_of, table[0])) for table in _all_tables(decode(data, path), path))


def state_of(row: Row, field: str | None) -> str | None:
    """What the entry says of its state; None where it says nothing. Raises Unreadable where it says two things."""
    names = (field,) if field else STATES
    said = {row.fields[name_of(name)] for name in names if row.fields.get(name_of(name))}
    if len(said) > 1:
        raise Unreadable(
            f"the entry {row.id} has both a status and a state", fix="name the one that counts: state_field"
        )
    return next(iter(said), None)


def _markdown_rows(text: str, path: str, id_field: str | None) -> Iterator[Row]:
    for table in _all_tables(text, path):
        yield from _table_rows(table, id_field)


def _all_tables(text: str, path: str) -> list[list[list[str]]]:
    from markdown_it import MarkdownIt

    front = FRONT_MATTER.match(text.replace("\r\n", "\n"))
    body = text.replace("\r\n", "\n")[front.end() :] if front else text
    try:
        parser = MarkdownIt("commonmark").enable("table").disable("inline")
        return list(_tables(parser.parse(body), MarkdownIt("commonmark")))
    except RecursionError:
        raise Unreadable(f"{path} is nested too deeply to be read") from None


def _tables(tokens: Sequence[Token], words: MarkdownIt) -> Iterator[list[list[str]]]:
    """Each table as rows of cells, the heading first."""
    table: list[list[str]] = []
    for token, following in zip_longest(tokens, tokens[1:]):
        if token.type == "table_open":
            table = []
        elif token.type == "tr_open":
            table.append([])
        elif token.type in {"th_open", "td_open"} and following is not None:
            table[-1].append(_words(following.content, words))
        elif token.type == "table_close":
            yield table


def _table_rows(table: list[list[str]], id_field: str | None) -> Iterator[Row]:
    heading, *rows = table
    names = [name_of(cell) for cell in heading]
    known = [name_of(name) for name in ((id_field,) if id_field else IDS)]
    at = next((names.index(name) for name in known if name in names), None)
    if at is None:
        if id_field:
            return
        at = 0
    if len(set(names)) != len(names):
        names = [name if names.count(name) == 1 else "" for name in names]  # which of the two would count?
    for cells in rows:
        if at < len(cells) and cells[at]:
            yield Row(cells[at], {name: cell for name, cell in zip(names, cells, strict=False) if name})


def _words(cell: str, words: MarkdownIt) -> str:
    """A cell as its reader sees it: the words without emphasis, code marks and links' targets. HTML stays as it
    was written, so that nothing that is hidden can make it equal to something else."""
    if MARKED.search(cell):
        tokens = [child for token in words.parseInline(cell) for child in token.children or ()]
        cell = "".join(" " if token.type in {"softbreak", "hardbreak"} else token.content for token in tokens)
    return " ".join(cell.split())


def _yaml_rows(value: Plain, id_field: str | None, depth: int, key: str = "") -> Iterator[Row]:
    """Tables that have an id, tables under their id, and states under their id."""
    if isinstance(value, list):
        for item in value:
            yield from _yaml_rows(item, id_field, depth + 1)
        return
    if isinstance(value, str):
        return
    fields = {name_of(name): " ".join(item.split()) for name, item in value.items() if isinstance(item, str)}
    own = next(
        (fields[name_of(name)] for name in ((id_field,) if id_field else IDS) if name_of(name) in fields), ""
    )
    if own or key:
        yield Row(own or key, fields)
    for name, item in value.items():
        if isinstance(item, str) and depth <= 1 and not own:
            yield Row(name, {"status": " ".join(item.split())})
        yield from _yaml_rows(item, id_field, depth + 1, "" if own else name)
