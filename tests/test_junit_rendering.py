"""A decision as JUnit XML: read by a real reader, whatever the words in it; and what will be so at a later time."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from guard.core.model import Outcome
from guard.render.junit import render_junit
from tests.builders import decision, finding, verdict

BOARD = (
    verdict("architecture.adrs", group="architecture", summary="ADRs frozen"),
    verdict("security.scan", Outcome.FAIL, group="security", title="Scan"),
    verdict("security.vulns", Outcome.ERROR, group="security", title="Vulnerabilities"),
    verdict("security.mtls", Outcome.NOT_APPLICABLE, group="security", summary="mTLS: n/a"),
    verdict("data.at-052", Outcome.STALE, group="data", title="AT-052"),
    verdict("incidents", summary="none"),
)


def test_a_gate_is_a_test_case() -> None:
    root = ElementTree.fromstring(render_junit(decision(*BOARD)))
    assert root.tag == "testsuites"
    counted = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": "6", "failures": "2", "errors": "1", "skipped": "1"}
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {
        "architecture.adrs": ["system-out"],
        "security.scan": ["failure"],
        "security.vulns": ["error"],
        "security.mtls": ["skipped"],
        "data.at-052": ["failure"],
        "incidents": ["system-out"],
    }
    suites = [(suite.get("name"), suite.get("tests")) for suite in root.iter("testsuite")]
    assert ("Security", "3") in suites
    for suite in root.iter("testsuite"):
        assert suite.get("tests") == str(len(list(suite.iter("testcase"))))


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=40))
def test_no_word_breaks_it(words: str) -> None:
    bad = verdict(
        "security.scan",
        Outcome.FAIL,
        group="security",
        title=words,
        findings=(finding("x.y", message=words, where=words, fix=words, who=(words,)),),
    )
    text = render_junit(decision(bad))
    ElementTree.fromstring(text.encode("utf-8"))
