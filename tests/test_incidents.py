"""An open incident, or not knowing whether there is one, stops every promotion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.core.facts import Incident
from guard.core.model import Fact, Known, Outcome, Unknown
from guard.core.rules.incidents import judge_incidents
from tests.builders import NOW

LABELS = ("SEV-1", "SEV-2")
SEV1 = Incident("41", "SEV-1", "billing is down", url="https://forge/41")


def known(*incidents: Incident) -> Fact[tuple[Incident, ...]]:
    return Known(incidents, "test", NOW)


@pytest.mark.parametrize(
    ("labels", "fact", "outcome", "code"),
    [
        pytest.param(LABELS, known(), Outcome.PASS, None, id="none"),
        pytest.param(LABELS, known(SEV1), Outcome.FAIL, "incidents.open", id="one-open"),
        pytest.param(
            LABELS, known(Incident("9", "sev1", "x")), Outcome.FAIL, "incidents.open", id="odd-label"
        ),
        pytest.param(LABELS, Unknown("HTTP 502"), Outcome.ERROR, "incidents.unknown", id="tracker-down"),
        pytest.param((), known(), Outcome.ERROR, "incidents.no-labels", id="nothing-asked"),
    ],
)
def test_incidents(
    labels: tuple[str, ...], fact: Fact[tuple[Incident, ...]], outcome: Outcome, code: str | None
) -> None:
    verdict = judge_incidents(labels, fact)
    assert verdict.outcome == outcome
    assert [finding.code for finding in verdict.findings] == ([code] if code else [])


def test_the_words_of_the_board() -> None:
    verdict = judge_incidents(LABELS, known())
    assert f"{verdict.title}: {verdict.summary}" == "Unresolved SEV-1/SEV-2: none"
    finding = judge_incidents(LABELS, known(SEV1)).findings[0]
    assert finding.message == "SEV-1 41: billing is down"
    assert finding.fix.endswith("guard incident close 41")
    assert finding.where == "https://forge/41"


INCIDENT = st.builds(Incident, st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))


@given(st.lists(INCIDENT), INCIDENT)
def test_one_more_incident_never_helps(incidents: list[Incident], more: Incident) -> None:
    before = judge_incidents(LABELS, known(*incidents)).outcome
    after = judge_incidents(LABELS, known(*incidents, more)).outcome
    assert after.badness >= before.badness
    assert not after.allows
