"""What the hooks use in place of `typing` and `json`: importing those takes longer than all that a refusal does.

A refused push waits for a Python that starts, and `typing`, `re`, `json` and `pathlib` together double that time.
"""

from __future__ import annotations

from _operator import itemgetter  # the built-in part of `operator`

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple as NamedTuple
else:

    class NamedTuple(tuple):
        """typing.NamedTuple as far as it is needed here: fields by annotation, without defaults."""

        __slots__ = ()

        def __init_subclass__(cls):
            cls._fields = tuple(cls.__annotations__)
            for index, name in enumerate(cls._fields):
                setattr(cls, name, property(itemgetter(index)))

        def __new__(cls, *values, **named):
            values += tuple(named.pop(name) for name in cls._fields[len(values) :])
            if named or len(values) != len(cls._fields):
                raise TypeError(f"{cls.__name__} has the fields {', '.join(cls._fields)}")
            return tuple.__new__(cls, values)

        def __repr__(self):
            fields = zip(self._fields, self, strict=True)
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in fields)})"


class _Options:
    """How json.loads reads without options; attributes of json.JSONDecoder that its scanner asks for."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float

    def __init__(self) -> None:
        self.memo: dict[str, str] = {}


def parse_json(text: str) -> object:
    """What json.loads says, by the scanner that it runs on. Raises ValueError and RecursionError as that does."""
    text = text.strip(" \t\n\r")
    try:
        from _json import make_scanner

        options: Any = _Options()
        value, end = make_scanner(options)(text, 0)
        if end == len(text):
            return value
    except (ImportError, AttributeError, StopIteration, ValueError):
        pass  # json itself then says what is wrong
    import json

    return json.loads(text)


def read_json(file: str) -> object:
    """The JSON in a file. Raises OSError, ValueError and RecursionError."""
    with open(file, encoding="utf-8") as stream:
        return parse_json(stream.read())


def text_json(members: dict[str, str]) -> bytes:
    """The object as JSON, in ASCII."""
    try:
        from _json import encode_basestring_ascii as quoted
    except ImportError:
        from json.encoder import encode_basestring_ascii as quoted
    return f"{{{','.join(f'{quoted(name)}:{quoted(value)}' for name, value in members.items())}}}".encode()
