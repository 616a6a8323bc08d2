"""JUnit: every named test is there and passed."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.core.model import Outcome, Unknown
from tests.evidence_fakes import asks, codes, reading_of, seen

SAMPLES = Path(__file__).parent / "samples"


def suite(*cases: str) -> bytes:
    return f"<testsuites><testsuite name='s'>{''.join(cases)}</testsuite></testsuites>".encode()


def case(inside: str = "", *, name: str = "AT-052", classname: str = "", more: str = "") -> str:
    group = f"classname='{classname}'" if classname else ""
    return f"<testcase name='{name}' {group} {more}>{inside}</testcase>"


PROPERTY = "<properties><property name='at' value='AT-052'/></properties>"


@pytest.mark.parametrize(
    ("cases", "problems"),
    [
        pytest.param([case()], set(), id="passed"),
        pytest.param([case("<system-out>x</system-out>")], set(), id="passed-with-output"),
        pytest.param([case("<failure/>")], {"junit.not-passed"}, id="failure"),
        pytest.param([case("<error/>")], {"junit.not-passed"}, id="error"),
        pytest.param([case("<skipped/>")], {"junit.not-passed"}, id="skipped"),
        pytest.param([case("<disabled/>")], {"junit.not-passed"}, id="disabled"),
        pytest.param([case("<flakyFailure/>")], {"junit.not-passed"}, id="flaky"),
        pytest.param([case("<Failure/>")], {"junit.not-passed"}, id="in-capitals"),
        pytest.param([case("<ignored/>")], {"junit.not-passed"}, id="ignored"),
        pytest.param([case("<pending/>")], {"junit.not-passed"}, id="pending"),
        pytest.param([case("<rerunFailure/>")], {"junit.not-passed"}, id="rerun"),
        pytest.param([case(more="status='notrun'")], {"junit.not-passed"}, id="gtest-not-run"),
        pytest.param([case(more="executed='False'")], {"junit.not-passed"}, id="not-executed"),
        pytest.param([case(more="result='suppressed'")], {"junit.not-passed"}, id="gtest-suppressed"),
        pytest.param([case(more="status='run' result='completed'")], set(), id="gtest-ran"),
        pytest.param([], {"junit.absent"}, id="no-test-at-all"),
        pytest.param([case(name="AT-051")], {"junit.absent"}, id="other-test"),
        pytest.param([case(name="test_at_052_replay")], set(), id="a-word-in-any-case"),
        pytest.param([case(name="AT-0521")], {"junit.absent"}, id="a-longer-number"),
        pytest.param([case(name="XAT-052")], {"junit.absent"}, id="longer-letters"),
        pytest.param([case(name="AT-052a")], {"junit.absent"}, id="a-letter-behind-it"),
        pytest.param([case(name="replay", classname="billing.AT-052")], set(), id="a-word-of-its-class"),
        pytest.param([case("<rerun/>")], {"junit.not-passed"}, id="pytest-rerun"),
        pytest.param([case("<skipped type='pytest.xfail'/>")], {"junit.not-passed"}, id="expected-to-fail"),
        pytest.param([case(name=" AT-052 replay ")], set(), id="blanks-around-it"),
        pytest.param([case(), case("<failure/>")], {"junit.not-passed"}, id="passed-and-failed"),
        pytest.param([case(PROPERTY, name="test_replay")], set(), id="by-property"),
        pytest.param(
            [case(PROPERTY + "<skipped/>", name="t")], {"junit.not-passed"}, id="by-property-skipped"
        ),
        pytest.param([case(), case("<failure/>", name="AT-051")], set(), id="another-test-failed"),
    ],
)
def test_a_named_test(cases: list[str], problems: set[str]) -> None:
    failed = int(any("failure" in one.lower() or "error" in one for one in cases))
    reading = reading_of(asks(kind="junit", source="at", tests=["AT-052"]), suite(*cases), exit_code=failed)
    assert codes(reading) == problems


def test_absent_is_missing_and_not_passed_is_a_failure() -> None:
    spec = asks(kind="junit", source="at", tests=["AT-052", "AT-053"])
    problems = seen(reading_of(spec, suite(case("<skipped/>")))).problems
    assert [(finding.code, finding.outcome) for finding in problems] == [
        ("junit.not-passed", Outcome.FAIL),
        ("junit.absent", Outcome.MISSING),
    ]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        pytest.param("test_replay[[]paid]", True, id="glob-with-a-quoted-bracket"),
        pytest.param("test_replay[paid]", True, id="the-name-itself"),
        pytest.param("test_replay*", True, id="glob"),
        pytest.param("billing.Webhooks.test_replay*", True, id="with-its-class"),
        pytest.param("*.Webhooks.*", True, id="class-glob"),
        pytest.param("test_repla", False, id="part-of-the-name"),
    ],
)
def test_how_a_test_is_named(pattern: str, found: bool) -> None:
    report = suite(case(name="test_replay[paid]", classname="billing.Webhooks"))
    problems = codes(reading_of(asks(kind="junit", source="at", tests=[pattern]), report))
    assert problems == (set() if found else {"junit.absent"})


def test_the_same_test_in_several_suites_has_to_pass_in_all() -> None:
    both = "<testsuites><testsuite name='{}'>{}</testsuite><testsuite name='{}'>{}</testsuite></testsuites>"
    spec = asks(kind="junit", source="at", tests=["AT-052"])
    for report, found in (
        (both.format("linux", case(), "mac", case()), set()),
        (both.format("linux", case("<failure/>"), "mac", case()), {"junit.not-passed"}),
        (both.format("linux", case(), "mac", case("<skipped/>")), {"junit.not-passed"}),
    ):
        assert codes(reading_of(spec, report.encode(), exit_code=int("failure" in report))) == found


def test_a_suite_may_bear_the_name_for_all_tests_in_it() -> None:
    spec = asks(kind="junit", source="at", tests=["AT-052"])
    inner = "<testsuite name='AT-052 webhooks'><testsuite name='x'>{}</testsuite></testsuite>"
    outer = f"<testsuites name='all'>{inner}</testsuites>"
    good, bad = case(name="replay"), case("<skipped/>", name="again")
    assert codes(reading_of(spec, outer.format(good).encode())) == set()
    assert codes(reading_of(spec, outer.format(good + bad).encode())) == {"junit.not-passed"}
    assert codes(reading_of(spec, outer.format("").encode())) == {"junit.absent"}


SUREFIRE = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.0.2" name="billing.WebhookTest" time="0.1"
  tests="4" errors="0" skipped="1" failures="0" flakes="1">
  <properties><property name="java.version" value="21"/></properties>
  <testcase name="AT-052 replay is taken once" classname="billing.WebhookTest" time="0.01"/>
  <testcase name="at_053_bypass{String}[1]" classname="billing.WebhookTest" time="0.01"/>
  <testcase name="AT-054" classname="billing.WebhookTest"><flakyFailure message="timeout" type="E"/></testcase>
  <testcase name="AT-055" classname="billing.WebhookTest"><skipped message="no broker"/></testcase>
</testsuite>"""
"""In the shape of Maven Surefire 3's."""


@pytest.mark.parametrize(
    ("report", "test", "problems"),
    [
        pytest.param("go-test.xml", "AT-051", set(), id="go-function"),
        pytest.param("go-test.xml", "AT-052", set(), id="go-subtest-and-not-the-red-AT-0521"),
        pytest.param("go-test.xml", "AT-0521", {"junit.not-passed"}, id="go-red"),
        pytest.param("go-test.xml", "AT-060", {"junit.not-passed"}, id="go-skipped"),
        pytest.param("jest.xml", "AT-051", set(), id="jest"),
        pytest.param("jest.xml", "AT-052", set(), id="jest-describe"),
        pytest.param("jest.xml", "AT-0521", {"junit.not-passed"}, id="jest-red"),
        pytest.param("jest.xml", "AT-060", {"junit.not-passed"}, id="jest-skipped"),
        pytest.param("jest.xml", "AT-05", {"junit.absent"}, id="jest-part-of-a-number"),
        pytest.param(SUREFIRE, "AT-052", set(), id="surefire"),
        pytest.param(SUREFIRE, "AT-053", set(), id="surefire-parameters"),
        pytest.param(SUREFIRE, "AT-054", {"junit.not-passed"}, id="surefire-flaky"),
        pytest.param(SUREFIRE, "AT-055", {"junit.not-passed"}, id="surefire-skipped"),
    ],
)
def test_reports_of_other_tools(report: str | bytes, test: str, problems: set[str]) -> None:
    data = report if isinstance(report, bytes) else (SAMPLES / report).read_bytes()
    exit_code = 0 if isinstance(report, bytes) else 1
    assert (
        codes(reading_of(asks(kind="junit", source="at", tests=[test]), data, exit_code=exit_code))
        == problems
    )


def test_suites_within_suites_and_namespaces() -> None:
    inner = f"<testsuite>{case()}</testsuite>"
    report = f"<testsuite xmlns='urn:x'><testsuite>{inner}</testsuite><!-- c --></testsuite>".encode()
    assert codes(reading_of(asks(kind="junit", source="at", tests=["AT-052"]), report)) == set()


@pytest.mark.parametrize(
    ("exit_code", "cases", "problems"),
    [
        pytest.param(1, [case(), case("<failure/>", name="x")], set(), id="one-because-of-another-test"),
        pytest.param(1, [case()], {"evidence.exit-code"}, id="one-and-all-green"),
        pytest.param(2, [case(), case("<error/>", name="x")], {"evidence.exit-code"}, id="interrupted"),
    ],
)
def test_the_exit_code_fits_the_report(exit_code: int, cases: list[str], problems: set[str]) -> None:
    spec = asks(kind="junit", source="at", tests=["AT-052"])
    assert codes(reading_of(spec, suite(*cases), exit_code=exit_code)) == problems


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<testsuite>", id="cut-off"),
        pytest.param(b"<html/>", id="another-format"),
        pytest.param(b"{}", id="json"),
        pytest.param(b"<!DOCTYPE t [<!ENTITY a 'b'>]><testsuite>&a;</testsuite>", id="entities"),
        pytest.param(b"<!DOCTYPE t SYSTEM 'file:///etc/passwd'><testsuite/>", id="outside-dtd"),
        pytest.param(b"<?xml version='1.0' encoding='no-such'?><testsuite/>", id="unknown-encoding"),
        pytest.param(b"<?xml version='1.0' encoding='utf-7'?><testsuite/>", id="forbidden-encoding"),
    ],
)
def test_what_is_no_junit_is_unknown(report: bytes) -> None:
    assert isinstance(reading_of(asks(kind="junit", source="at", tests=["*"]), report), Unknown)


def test_utf_16_that_says_so_is_xml_too() -> None:
    report = f"<?xml version='1.0' encoding='utf-16'?>{suite(case()).decode()}".encode("utf-16")
    assert codes(reading_of(asks(kind="junit", source="at", tests=["AT-052"]), report)) == set()


@pytest.mark.parametrize(
    ("file", "tests", "exit_code", "problems"),
    [
        pytest.param("green", ["AT-051", "AT-052", "*TestSignatures*"], 0, set(), id="green"),
        pytest.param("mixed", ["AT-051", "AT-052"], 1, set(), id="the-named-ones-of-a-mixed-run"),
        pytest.param("mixed", ["test_outbox_relay"], 1, {"junit.not-passed"}, id="skipped"),
        pytest.param("mixed", ["test_migration_rollback"], 1, {"junit.not-passed"}, id="failed"),
        pytest.param("mixed", ["test_audit"], 1, {"junit.not-passed"}, id="error-in-its-setup"),
        pytest.param("mixed", ["AT-053"], 1, {"junit.absent"}, id="absent"),
    ],
)
def test_reports_that_pytest_wrote(file: str, tests: list[str], exit_code: int, problems: set[str]) -> None:
    report = (SAMPLES / f"pytest-{file}.xml").read_bytes()
    reading = reading_of(asks(kind="junit", source="at", tests=tests), report, exit_code=exit_code)
    assert codes(reading) == problems


@pytest.mark.parametrize(
    ("tests", "summary"),
    [
        pytest.param(["AT-051", "AT-052"], "AT-051, AT-052 green", id="names"),
        pytest.param(["*AT[-_]052*"], "AT-052 green", id="glob"),
        pytest.param(["*migration*rollback*"], "migration rollback green", id="words"),
        pytest.param(["*"], "all green", id="everything"),
        pytest.param([f"t{n}" for n in range(6)], "6 named tests green", id="many"),
    ],
)
def test_the_line_of_the_board(tests: list[str], summary: str) -> None:
    assert seen(reading_of(asks(kind="junit", source="at", tests=tests), suite(case()))).summary == summary


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(
            "<testsuite name='s' failures='1'><testcase name='AT-052'/></testsuite>", id="a-failure"
        ),
        pytest.param(
            "<testsuites><testsuite name='AT-052' errors='1'><testcase name='AT-052'/></testsuite></testsuites>",
            id="a-suite-that-did-not-start",
        ),
        pytest.param(
            f"<testsuite failures='{'9' * 5000}'><testcase name='AT-052'/></testsuite>",
            id="more-than-anybody-counts",
        ),
        pytest.param(
            "<testsuite name='AT-052'><error/><testcase name='AT-052'/></testsuite>", id="its-own-error"
        ),
        pytest.param(
            "<testsuite><testsuite failures='2'><testcase name='x'><failure/></testcase></testsuite>"
            "<testcase name='AT-052'/></testsuite>",
            id="one-more-than-is-shown",
        ),
        pytest.param(
            "<testsuite failures='1' skipped='1'><testcase name='x'><skipped/></testcase><testcase name='AT-052'/>"
            "</testsuite>",
            id="a-skipped-test-hides-no-failure",
        ),
        pytest.param("<testsuite Failures='1'><testcase name='AT-052'/></testsuite>", id="in-capitals"),
        pytest.param("<testsuite failed='1'><testcase name='AT-052'/></testsuite>", id="another-word"),
        pytest.param("<testsuite failures='1.0'><testcase name='AT-052'/></testsuite>", id="a-float"),
        pytest.param("<testsuite failures='some'><testcase name='AT-052'/></testsuite>", id="no-number"),
        pytest.param("<testsuite errors='-1'><testcase name='AT-052'/></testsuite>", id="less-than-none"),
        pytest.param("<testsuite status='failed'><testcase name='AT-052'/></testsuite>", id="its-status"),
        pytest.param("<testsuite result='Failed'><testcase name='AT-052'/></testsuite>", id="its-result"),
        pytest.param("<testsuite success='false'><testcase name='AT-052'/></testsuite>", id="no-success"),
        pytest.param(
            "<testsuites><testsuite name='s'/><error message='setup'/><testcase name='AT-052'/></testsuites>",
            id="an-error-beside-the-suites",
        ),
    ],
)
def test_a_suite_that_failed_beside_its_tests_is_unknown(report: str) -> None:
    reading = reading_of(asks(kind="junit", source="at", tests=["AT-052"]), report.encode())
    assert isinstance(reading, Unknown)
    assert "failed beside its tests" in reading.why


@pytest.mark.parametrize(
    ("counters", "cases", "unknown"),
    [
        pytest.param("tests='1' skipped='1'", case(), True, id="the-only-one-was-skipped"),
        pytest.param("tests='1' disabled='1'", case(), True, id="the-only-one-was-disabled"),
        pytest.param("tests='2' skipped='1'", case() + case(name="x"), True, id="one-of-both"),
        pytest.param(
            "tests='2' skipped='1'", case() + case("<skipped/>", name="x"), False, id="which-one-is-said"
        ),
        pytest.param(
            "tests='1' skipped='1'", case() + case("<skipped/>", name="x"), False, id="tests-are-those-run"
        ),
        pytest.param("tests='2' skipped='1'", case(), False, id="the-skipped-one-is-left-out"),
        pytest.param(
            "tests='2' disabled='1'", case() + case(name="x", more="status='notrun'"), False, id="gtest"
        ),
        pytest.param("tests='' skipped=''", case(), False, id="says-nothing"),
    ],
)
def test_a_suite_that_counts_fewer_green_tests_than_it_shows_is_unknown(
    counters: str, cases: str, unknown: bool
) -> None:
    report = f"<testsuites><testsuite name='s' {counters}>{cases}</testsuite></testsuites>".encode()
    reading = reading_of(asks(kind="junit", source="at", tests=["AT-052"]), report)
    assert isinstance(reading, Unknown) is unknown


def test_counters_that_add_up_say_nothing() -> None:
    report = (
        "<testsuites failures='1' errors='1'><testsuite failures='1' errors='1'><testcase name='x'><failure/><error/>"
        "</testcase><testcase name='AT-052'/></testsuite></testsuites>"
    )
    reading = reading_of(asks(kind="junit", source="at", tests=["AT-052"]), report.encode(), exit_code=1)
    assert codes(reading) == set()


@pytest.mark.parametrize(
    ("inside", "more"),
    [
        pytest.param("<broken/>", "", id="an-unknown-word"),
        pytest.param("<fail/>", "", id="fail"),
        pytest.param("<timeout/>", "", id="timeout"),
        pytest.param("<notrun/>", "", id="not-run"),
        pytest.param("<x:inconclusive xmlns:x='urn:x'/>", "", id="of-another-namespace"),
        pytest.param("<steps><step><failure/></step></steps>", "", id="within-a-step"),
        pytest.param("<steps><step status='failed'/></steps>", "", id="a-step's-status"),
        pytest.param("<testcase name='inner'><failure/></testcase>", "", id="a-case-within-it"),
        pytest.param("", "outcome='failed'", id="outcome"),
        pytest.param("", "Status='FAILED'", id="status-in-capitals"),
        pytest.param("", "executed='0'", id="executed-0"),
        pytest.param("", "success='false'", id="no-success"),
        pytest.param("", "passed='no'", id="not-passed"),
        pytest.param("", "skipped='true'", id="skipped"),
        pytest.param("", "disabled='1'", id="disabled"),
        pytest.param("", "failed='yes'", id="failed"),
    ],
)
def test_what_a_case_says_in_words_of_no_known_writer_is_not_green(inside: str, more: str) -> None:
    reading = reading_of(
        asks(kind="junit", source="at", tests=["AT-052"]), suite(case(inside, more=more)), exit_code=1
    )
    assert "junit.not-passed" in codes(reading)


@pytest.mark.parametrize(
    ("inside", "more"),
    [
        pytest.param(
            "<properties><property name='status' value='failed'/></properties>", "", id="properties"
        ),
        pytest.param("<system-err>failure</system-err>", "", id="output"),
        pytest.param("<attachments><attachment path='a.png'/></attachments>", "", id="attachments"),
        pytest.param("<traits><trait name='Category' value='error'/></traits>", "", id="traits"),
        pytest.param("<steps><step name='one' status='passed'/></steps>", "", id="green-steps"),
        pytest.param("<!-- failure -->", "", id="a-comment"),
        pytest.param("", "skipped='0' disabled='false' executed='true' success='true'", id="flags"),
        pytest.param("", "result='Success' outcome='passed'", id="words"),
    ],
)
def test_what_says_nothing_of_how_a_case_ended(inside: str, more: str) -> None:
    reading = reading_of(asks(kind="junit", source="at", tests=["AT-052"]), suite(case(inside, more=more)))
    assert codes(reading) == set()
