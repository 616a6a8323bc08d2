"""Where each key of a TOML document stands: a table of the grammar's corners, and documents made at random."""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.core.toml_lines import KeyPath, locate_keys

CORNERS = [
    pytest.param("a = 1\nb = 2\n", {("a",): 1, ("b",): 2}, id="pairs"),
    pytest.param("\n\n# c\n[t]\n  # d\n  a = 1 # e\n", {("t",): 4, ("t", "a"): 6}, id="comments-and-blanks"),
    pytest.param(
        "[a.b.c]\nx = 1\n[a]\ny = 2\n", {("a",): 3, ("a", "b"): 1, ("a", "y"): 4}, id="own-header-wins"
    ),
    pytest.param(
        "[[g]]\nx = 1\n[[g]]\nx = 2\n", {("g",): 1, ("g", 0): 1, ("g", 1, "x"): 4}, id="array-of-tables"
    ),
    pytest.param(
        "[[g]]\n[[g.h]]\n[g.h.i]\nx=1\n[[g]]\n[[g.h]]\nx=2\n[[g.h]]\n",
        {("g", 0, "h", 0, "i", "x"): 4, ("g", 1, "h", 0, "x"): 7, ("g", 1, "h", 1): 8},
        id="arrays-of-tables-in-arrays-of-tables",
    ),
    pytest.param(
        "a . b.c = 1\na.b.d = 2\n", {("a",): 1, ("a", "b", "c"): 1, ("a", "b", "d"): 2}, id="dotted"
    ),
    pytest.param(
        '"a.b" = 1\n\'c]d\'."e\\u0041\\"" = 2\n[ "x y" . \'z\' ]\n',
        {("a.b",): 1, ("c]d", 'eA"'): 2, ("x y", "z"): 3},
        id="quoted-keys",
    ),
    pytest.param(
        "a = { b = [\n 1, # ]\n { c = '}' },\n],\nd = 2 }\ne = 3\n",
        {("a", "b", 0): 2, ("a", "b", 1, "c"): 3, ("a", "d"): 5, ("e",): 6},
        id="nested-over-lines",
    ),
    pytest.param('a = """\nx = 1\n"" \\""" ["""""\nb = 1\n', {("a",): 1, ("b",): 4}, id="long-basic-string"),
    pytest.param("a = '''\nx = 1\n'' [ \\'''''\nb = 1\n", {("a",): 1, ("b",): 4}, id="long-literal-string"),
    pytest.param('a = "\\\\"\nb = \'\'\nc = ""\nd = 1\n', {("d",): 4}, id="strings-that-end-early"),
    pytest.param(
        "a = 1979-05-27 07:32:00 # x\nb = [1.5e3,-inf,]\nc = {}\n", {("b", 1): 2, ("c",): 3}, id="scalars"
    ),
    pytest.param("a = 1\r\n[t]\r\nb = 2", {("t",): 2, ("t", "b"): 3}, id="windows-line-ends"),
    pytest.param("", {(): 1}, id="empty"),
]


@pytest.mark.parametrize(("text", "expected"), CORNERS)
def test_each_key_has_its_line(text: str, expected: dict[KeyPath, int]) -> None:
    if "\n],\nd" not in text:  # a line break after a comma of an inline table is TOML 1.1
        tomllib.loads(text)
    found = locate_keys(text)
    assert {path: found.get(path) for path in expected} == expected


@pytest.mark.parametrize("text", ["a = [1", "a = {", "= 1", "[", "a.", "a = ", "a = 1]", '"', "a = [,,]"])
def test_what_is_no_toml_ends_without_a_crash(text: str) -> None:
    with contextlib.suppress(ValueError):
        locate_keys(text)


LETTERS = st.text(alphabet="ab-_ é.#\"'=[]{}\\\n\t", max_size=8)
SCALARS = st.one_of(LETTERS, st.integers(-9, 9), st.booleans(), st.dates())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(LETTERS, inner, max_size=3),
        st.lists(st.dictionaries(LETTERS, inner, max_size=3), min_size=1, max_size=3),
    ),
    max_leaves=12,
)


class Writer:
    """Writes data as TOML in whatever style the test draws; no two keys of its documents are the same."""

    def __init__(self, draw: st.DataObject) -> None:
        self.draw = draw
        self.count = 0
        self.renderings: dict[str, str] = {}

    def choose(self, *options: str) -> str:
        return str(self.draw.draw(st.sampled_from(options)))

    def unique(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.name(key): self.unique(child) for key, child in value.items()}
        return [self.unique(child) for child in value] if isinstance(value, list) else value

    def name(self, key: str) -> str:
        self.count += 1
        name = f"{key}k{self.count}k"
        options = [json.dumps(name, ensure_ascii=False), json.dumps(name)]
        options += [f"'{name}'"] if not {"'", "\n"} & set(name) else []
        options += [f"k{self.count}k"] if not key else []
        self.renderings[name] = self.choose(*options)
        return name

    def keys(self, path: tuple[str, ...]) -> str:
        return self.choose(".", " . ").join(self.renderings[key] for key in path)

    def noise(self) -> str:
        return self.choose("", "", "\n", "# [k1k] k2k = '''\n", "  ")

    def table(self, data: dict[str, Any], path: tuple[str, ...]) -> str:
        """The pairs first and the tables with headers after them, as TOML has it."""
        pairs, headed = "", ""
        for key, value in data.items():
            style = self.choose("inline", "headed", "dotted")
            if isinstance(value, dict) and style == "headed":
                headed += f"{self.noise()}[{self.keys((*path, key))}]\n{self.table(value, (*path, key))}"
            elif (
                isinstance(value, list)
                and value
                and all(isinstance(v, dict) for v in value)
                and style == "headed"
            ):
                for child in value:
                    headed += (
                        f"{self.noise()}[[{self.keys((*path, key))}]]\n{self.table(child, (*path, key))}"
                    )
            elif isinstance(value, dict) and value and style == "dotted":
                pairs += "".join(f"{self.keys((key, k))} = {self.value(v)}\n" for k, v in value.items())
            else:
                pairs += f"{self.noise()}{self.keys((key,))} = {self.value(value)}\n"
        return pairs + headed

    def value(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self.keys((k,))} = {self.value(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            gap = self.choose("", "\n", " # ] '\n")
            return "[" + gap + "".join(f"{self.value(child)}{gap},{gap}" for child in value) + "]"
        return self.string(value) if isinstance(value, str) else str(value).lower()

    def string(self, text: str) -> str:
        options = [json.dumps(text), json.dumps(text, ensure_ascii=False)]
        options += [f"'{text}'"] if not {"'", "\n"} & set(text) else []
        options += [f"'''\n{text}'''"] if "'''" not in text and not text.endswith("'") else []
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        options += [f'"""\n{escaped}"""', f'"""\n{escaped}\\\n  """']
        return self.choose(*options)


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from paths(child, (*path, key))


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(LETTERS, VALUES, max_size=5), st.data())
def test_every_path_is_found_on_a_line_with_its_key(shape: dict[str, Any], draw: st.DataObject) -> None:
    writer = Writer(draw)
    data = writer.unique(shape)
    text = writer.table(data, ())
    assert tomllib.loads(text) == data
    found, lines = locate_keys(text), text.split("\n")
    assert set(found) == set(paths(data))
    for path, line in found.items():
        key = path[-1] if path else 0
        assert 1 <= line <= len(lines)
        assert isinstance(key, int) or writer.renderings[key] in lines[line - 1]
        assert isinstance(key, str) or not path or line >= found[path[:-1]]
