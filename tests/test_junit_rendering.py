"""A decision as JUnit XML: read by a real reader, whatever the words in it; and what will be so at a later time."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.core.model import Outcome
from guard.render.junit import render_junit
from tests.builders import decision, finding, verdict
from tests.xsd import Xsd

SCHEMA = Xsd(Path(__file__).parent / "samples" / "schemas" / "jenkins-junit.xsd")
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
    counted = {name: root.get(name) for name in ("tests", "failures", "errors")}
    assert counted == {"tests": "6", "failures": "2", "errors": "1"}
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
    root = ElementTree.fromstring(render_junit(decision(bad)).encode("utf-8"))
    assert SCHEMA.complaints(root) == []


HOSTILE = [
    "]]>",
    "<![CDATA[x]]>",
    "a\x00b\x08\x1b[31m",
    "\ud800",
    "\ufffe\uffff",
    "\"<&>'",
    "&#0;",
    "x" * 5000,
]


@pytest.mark.parametrize("words", HOSTILE, ids=[repr(words)[:12] for words in HOSTILE])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_published_schema_is_kept_whatever_a_title_says(words: str, outcome: Outcome) -> None:
    odd = verdict("data.x", outcome, group="data", title=words, summary=words)
    text = render_junit(decision(*BOARD, odd))
    assert SCHEMA.complaints(ElementTree.fromstring(text.encode("utf-8"))) == []


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        pytest.param("<testsuites><testcase name='a'/></testsuites>", "testcase", id="out-of-its-suite"),
        pytest.param("<testsuites skipped='1'/>", "skipped", id="an-attribute-too-many"),
        pytest.param("<testsuites><testsuite name='a'/></testsuites>", "tests", id="an-attribute-too-few"),
        pytest.param(
            "<testsuite name='a' tests='1'><testcase name='b'><failure/><error/></testcase></testsuite>",
            "error",
            id="out-of-order",
        ),
        pytest.param(
            "<testsuite name='a' tests='1'><testcase name='b'><skipped/><skipped/></testcase></testsuite>",
            "skipped",
            id="once-too-often",
        ),
        pytest.param("<testsuite name='a' tests='1'>words</testsuite>", "text", id="text-between"),
        pytest.param("<report/>", "report", id="another-root"),
    ],
)
def test_the_schema_finds_what_is_wrong(document: str, complaint: str) -> None:
    assert complaint in " ".join(SCHEMA.complaints(ElementTree.fromstring(document)))
