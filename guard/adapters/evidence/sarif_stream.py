"""A SARIF log read as a stream, twice: first what each run says of itself, then its results one by one.

A log of 100 MB never stands in memory as objects. Keys may come in any order, so that the rules are known before any
result is judged; a key that is there twice is refused wherever it stands.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from guard.adapters.evidence.untrusted import Unreadable, bounded, shown

MAX_SARIF = 128 * 1024 * 1024
"""The largest SARIF log that is read, in bytes."""

MAX_OWN = 500_000
"""How many values a run may say of itself besides its results."""

MAX_RESULT = 200_000
"""How many marks and values one result may have."""

MAX_DEPTH = 500

VERSION = "2.1.0"
BOM = b"\xef\xbb\xbf"
OPENING, CLOSING = frozenset({"start_map", "start_array"}), frozenset({"end_map", "end_array"})
KEPT = frozenset({"tool", "invocations", "properties", "externalPropertyFileReferences"})
"""What is kept of a run; of its artifacts only whether there are any."""

INLINE = "inlineExternalProperties"
"""Where a log may keep a run's results outside of the run (SARIF 3.13.5)."""

EMPTY = 2
"""The events of an empty array: its beginning and its end."""

Table: TypeAlias = dict[str, object]
Events: TypeAlias = Iterator[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Run:
    """What a run says of itself; `results` counts its results, None where it gives no list of them."""

    table: Table
    results: int | None


def _once(twice: list[str]) -> type[Table]:
    """An object of JSON that notes a key which it is given twice: the parser in C takes no exception from it."""

    class Once(dict[str, object]):
        def __setitem__(self, key: str, value: object) -> None:
            if key in self:
                twice.append(key)
            super().__setitem__(key, value)

    return Once


def read_runs(data: bytes, what: str) -> tuple[Run, ...]:
    """The runs of a SARIF log without their results. Raises Unreadable for what is none, or is of another version."""
    bounded(data, what, limit=MAX_SARIF)
    version: object = None
    runs: tuple[Run, ...] = ()
    elsewhere = False
    with _reading(what):
        events = _events(data)
        if next(events)[0] != "start_map":
            raise Unreadable(f"{what} is not an object")
        for key in _keys(events):
            event, value = next(events)
            if key == "version":
                version = value if event == "string" else _skip(events, event)
            elif key == "runs" and event != "null":
                _demand(event == "start_array", "runs is not an array")
                runs = tuple(_run(events, event) for event, _ in _items(events))
            elif key == INLINE and event != "null":
                elsewhere = _skip(events, event) > EMPTY
            else:
                _skip(events, event)
        for _ in events:  # until the end, so that what follows is looked at too
            pass
    if version != VERSION:
        raise Unreadable(
            f"{what} says version {shown(repr(version))}; only {VERSION} is read",
            fix=f"let the tool write SARIF {VERSION}",
        )
    if elsewhere:
        raise Unreadable(
            f"{what} keeps parts of its runs under {INLINE}, which are not read",
            fix="let the tool write each run's results into the run itself",
        )
    return runs


def read_results(data: bytes, runs: tuple[Run, ...], what: str) -> Iterator[tuple[int, Table]]:
    """Every result with the number of its run, in order. Raises Unreadable, also where they are not as many as
    `read_runs` counted."""
    import ijson

    whose = (number for number, run in enumerate(runs) for _ in range(run.results or 0))
    twice: list[str] = []
    with _reading(what):
        found = ijson.items(_stream(data), "runs.item.results.item", map_type=_once(twice), use_float=True)
        for result in found:
            number = next(whose, None)
            _demand(not twice, f"the key {twice[:1]!r} is there twice")
            _demand(number is not None and isinstance(result, dict), "its results do not add up")
            yield number or 0, result
        _demand(next(whose, None) is None, "its results do not add up")


def _stream(data: bytes) -> io.BytesIO:
    """Shares the bytes; a byte order mark is passed over."""
    stream = io.BytesIO(data)
    stream.seek(len(BOM) if data.startswith(BOM) else 0)
    return stream


def _events(data: bytes) -> Events:
    """With `use_float`, which refuses numbers beyond 64 bits: without, ijson's parser in C ends the whole process at a
    number of more digits than Python makes an int of."""
    import ijson

    depth = 0
    for event, value in ijson.basic_parse(_stream(data), use_float=True):
        if event in OPENING:
            depth += 1
            _demand(depth <= MAX_DEPTH, "nested too deeply to be read")
        elif event in CLOSING:
            depth -= 1
        yield event, value


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turns every way in which reading fails into Unreadable."""
    try:
        from ijson.common import JSONError
    except ImportError:
        raise Unreadable(
            f"{what} cannot be read here: the package ijson is not installed",
            fix="pip install 'release-guard[service]'",
        ) from None
    try:
        yield
    except (JSONError, ValueError, ArithmeticError, RuntimeError, StopIteration) as error:
        reason = shown(str(error).partition("\n")[0]) or type(error).__name__
        raise Unreadable(f"{what} is not JSON: {reason}", fix="submit the file that the tool wrote") from None


def _demand(claim: object, otherwise: str) -> None:
    if not claim:
        raise ValueError(otherwise)


def _keys(events: Events) -> Iterator[str]:
    """The keys of the object that was just opened; whoever asks consumes each value. A key with a dot could be taken
    for a path."""
    seen: set[str] = set()
    for event, key in events:
        if event == "end_map":
            return
        _demand(key not in seen, f"the key {key!r} is there twice")
        _demand("." not in key, f"the key {key!r} is none of SARIF's")
        seen.add(key)
        yield key


def _items(events: Events) -> Iterator[tuple[str, Any]]:
    """How each item of the array that was just opened begins; whoever asks consumes its rest."""
    for event, value in events:
        if event == "end_array":
            return
        yield event, value


def _skip(events: Events, event: str) -> int:
    """Pass over the value that begins so; how many events it has."""
    count, depth = 1, 1 if event in OPENING else 0
    while depth:
        event, _ = next(events)
        count += 1
        if event in OPENING:
            depth += 1
        elif event in CLOSING:
            depth -= 1
    return count


def _run(events: Events, event: str) -> Run:
    _demand(event == "start_map", "a run is not an object")
    table: Table = {}
    results: int | None = None
    for key in _keys(events):
        event, value = next(events)
        if key == "results" and event != "null":
            _demand(event == "start_array", "results is not an array")
            results = _count(events)
        elif key == "artifacts" and event == "start_array":
            sizes = [_skip(events, first) for first, _ in _items(events)]
            table |= {} if sizes else {key: []}
        elif key in KEPT:
            table[key] = _build(events, event, value)
        else:
            _skip(events, event)
    return Run(table, results)


def _count(events: Events) -> int:
    count = 0
    for event, _ in _items(events):
        _demand(event == "start_map", "a result is not an object")
        _demand(_skip(events, event) <= MAX_RESULT, "one of its results is too large to be read")
        count += 1
    return count


def _build(events: Events, event: str, value: Any) -> object:
    """The value that begins so."""
    from ijson.common import ObjectBuilder

    twice: list[str] = []
    builder = ObjectBuilder(map_type=_once(twice))
    builder.event(event, value)
    depth, count = (1 if event in OPENING else 0), 0
    while depth:
        event, value = next(events)
        count += 1
        _demand(count <= MAX_OWN, "a run says too much of itself to be read")
        depth += (event in OPENING) - (event in CLOSING)
        builder.event(event, value)
    _demand(not twice, f"the key {twice[:1]!r} is there twice")
    return builder.value
