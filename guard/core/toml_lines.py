"""Where each key of a TOML document stands: key paths to 1-based line numbers, which `tomllib` does not tell.

Source of the grammar: https://toml.io/en/v1.0.0. The document is known to be valid, so nothing here complains;
what TOML 1.1 adds (line breaks and a trailing comma in inline tables) is read as well.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_SPACE = re.compile(r"[ \t]*+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]*+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]++")


def locate_keys(text: str) -> Mapping[KeyPath, int]:
    """The line of every table, key and array element of a valid TOML document; `("gates", 3)` is the fourth one.

    A table is where its own header stands, else where it is first mentioned; the document itself, `()`, is on line
    1. A document that `tomllib` refuses gives some lines or a ValueError.
    """
    return _Scanner(text).run()


class _Scanner:
    """One pass over the text; `at` is the offset of the next character to look at."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {(): 1}
        self.lengths: dict[KeyPath, int] = {}  # arrays of tables: how many elements so far
        self.breaks = [match.start() for match in re.finditer("\n", text)]

    def run(self) -> Mapping[KeyPath, int]:
        table: KeyPath = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self._header(brackets=2)
            elif self.text.startswith("[", self.at):
                table = self._header(brackets=1)
            else:
                self._pair(table)
        return self.lines

    def _skip(self, pattern: re.Pattern[str]) -> int:
        """Pass over what the pattern matches here and return the new offset."""
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def _line(self, offset: int) -> int:
        return bisect_left(self.breaks, offset) + 1

    def _header(self, *, brackets: int) -> KeyPath:
        line = self._line(self.at)
        self.at += brackets
        path: KeyPath = ()
        keys = self._dotted_key()
        self.at += brackets
        for key in keys:
            path = (*self._newest(path), key)
            self.lines.setdefault(path, line)
        if brackets == 1:
            self.lines[path] = line
            return path
        self.lengths[path] = self.lengths.get(path, 0) + 1
        path = self._newest(path)
        self.lines[path] = line
        return path

    def _newest(self, path: KeyPath) -> KeyPath:
        """The newest element where the path is an array of tables, which a header below it goes on with."""
        return (*path, self.lengths[path] - 1) if path in self.lengths else path

    def _pair(self, table: KeyPath) -> None:
        line = self._line(self.at)
        path = table
        for key in self._dotted_key():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _dotted_key(self) -> tuple[str, ...]:
        """The parts of a key, and the offset on the character that ends it: `=` or `]`."""
        keys = []
        while True:
            self._skip(_SPACE)
            keys.append(self._key())
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return tuple(keys)
            self.at += 1

    def _key(self) -> str:
        start = self.at
        quoted = self.text.startswith(('"', "'"), start)
        if self._skip(_STRING if quoted else _BARE_KEY) == start:
            raise ValueError(f"no key on line {self._line(start)}")
        word = self.text[start : self.at]
        return str(tomllib.loads(f"key = {word}")["key"]) if quoted else word

    def _value(self, path: KeyPath) -> None:
        first = self.text[self.at : self.at + 1]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            start = self.at
            if self._skip(_STRING if first in {'"', "'"} else _SCALAR) == start:
                raise ValueError(f"no value on line {self._line(start)}")

    def _array(self, path: KeyPath) -> None:
        index = 0
        self.at += 1
        while not self._closed("]"):
            element = (*path, index)
            self.lines[element] = self._line(self.at)
            self._value(element)
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while not self._closed("}"):
            self._pair(path)

    def _closed(self, bracket: str) -> bool:
        """Pass over blanks, comments and one comma; whether the closing bracket came, which is passed over too."""
        self._skip(_BLANK)
        if self.text.startswith(",", self.at):
            self.at += 1
            self._skip(_BLANK)
        if self.at >= len(self.text):
            raise ValueError(f"no closing {bracket}")
        closed = self.text.startswith(bracket, self.at)
        self.at += closed
        return closed
