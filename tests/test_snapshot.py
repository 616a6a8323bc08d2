"""Facts written down and read back: the same facts, the same bytes, and nothing half understood."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.core.canonical import canonical_bytes
from guard.core.evidence import Observation, Reading
from guard.core.facts import CandidateFacts, Facts, Incident
from guard.core.model import Finding, Known, Outcome, Unknown
from guard.core.snapshot import SnapshotError, facts_document, facts_of
from tests.builders import NEW, NOW

TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=6)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(0, 2**53 - 1),
    str: TEXT,
    type(None): st.none(),
    datetime: st.timedeltas(timedelta(0), timedelta(days=365_000)).map(
        lambda span: datetime(1970, 1, 1, tzinfo=UTC) + span
    ),
    Outcome: st.sampled_from(Outcome),
}


def anything(hint: Any, names: dict[Any, Any]) -> st.SearchStrategy[Any]:
    """Whatever the annotation allows, at every depth."""
    hint = names.get(hint, hint)
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    origin, arguments = get_origin(hint) or hint, [names.get(one, one) for one in get_args(hint)]
    if origin in PLAIN:
        return PLAIN[origin]
    if origin in (Union, types.UnionType):
        return st.one_of(*(anything(one, names) for one in arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and Ellipsis not in arguments:
        return st.tuples(*(anything(one, names) for one in arguments))
    if origin in (tuple, frozenset):
        return st.lists(anything(arguments[0], names), max_size=2).map(origin)
    if origin is Mapping:
        return st.dictionaries(anything(arguments[0], names), anything(arguments[1], names), max_size=2)
    hints = get_type_hints(origin, localns={"Reading": Reading})
    inner = dict(zip(getattr(origin, "__parameters__", ()), arguments, strict=False))
    return st.builds(origin, **{field.name: anything(hints[field.name], inner) for field in fields(origin)})


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(anything(Facts, {}))
def test_what_is_written_is_read_back(facts: Facts) -> None:
    data = canonical_bytes(facts_document(facts))
    again = facts_of(json.loads(data))
    assert again == facts
    assert canonical_bytes(facts_document(again)) == data


def _facts() -> Facts:
    reading: Reading = Known(
        Observation("fine", (Finding("x.y", "caf\udcc3", outcome=Outcome.STALE),), NEW, NOW), "sast", NOW
    )
    return Facts(
        candidate=CandidateFacts(Known(True, "git", NOW), Known((), "git", NOW), Known("", "git", NOW)),
        lineage=Unknown("not asked"),
        approvals=Unknown("HTTP 502", "try again", ("operator",)),
        incidents=Known((Incident("INC-1", "SEV-1", "Down"),), "ledger", NOW),
        members={"security": Known(frozenset({"b", "a"}), "settings", NOW)},
        readings={"security.scan": reading},
    )


def test_the_order_of_what_has_none_does_not_matter() -> None:
    assert facts_of(json.loads(json.dumps(facts_document(_facts())))) == _facts()
    assert isinstance(facts_of(facts_document(_facts())).readings["security.scan"], Known)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda d: d.update(version=2), id="another-version"),
        pytest.param(lambda d: d.update(more=1), id="a-key-more"),
        pytest.param(lambda d: d["facts"].pop("lineage"), id="a-fact-less"),
        pytest.param(lambda d: d["facts"].update(evil=1), id="a-fact-more"),
        pytest.param(lambda d: d["facts"]["lineage"].update(type="Known"), id="unknown-made-known"),
        pytest.param(lambda d: d["facts"]["incidents"].update(observed_at="soon"), id="no-time"),
        pytest.param(lambda d: d["facts"]["incidents"].update(value="none"), id="no-list"),
        pytest.param(lambda d: d["facts"]["candidate"]["descends"].update(value="yes"), id="no-truth"),
    ],
)
def test_what_does_not_fit_is_refused(spoil: Any) -> None:
    document = json.loads(json.dumps(facts_document(_facts())))
    spoil(document)
    with pytest.raises(SnapshotError):
        facts_of(document)
