"""ADRs: every active one accepted and signed off, in the forms that adr-tools and MADR really write."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.adapters.evidence.adr_status import read_status
from guard.adapters.evidence.adrs import is_record, number_of, signoff_id
from guard.core.evidence import Absent, Observation
from guard.core.facts import SignOff
from guard.core.model import Known, Outcome, Unknown
from tests.builders import NEW, NOW
from tests.evidence_fakes import asks, codes, read, seen, sources

SAMPLES = Path(__file__).parent / "samples" / "adrs"
FOLDER = "architecture/adrs"
GATE = "architecture.adrs"
TEXT = "\n\n## Context\n\nBalances that are stored drift away from what was really billed to the customer.\n"


def adr(status: str = "Accepted", *, title: str = "1. A decision") -> str:
    return f"# {title}\n\nDate: 2026-04-20\n\n## Status\n\n{status}{TEXT}"


def folder(**files: str) -> dict[str, bytes]:
    """`_0001_ledger="…"` is 0001-ledger.md."""
    return {f"{FOLDER}/{name.strip('_').replace('_', '-')}.md": text.encode() for name, text in files.items()}


def judged(files: dict[str, bytes], **spec: object) -> Observation:
    return seen(read(asks(kind="adrs", path=FOLDER, **spec), sources(files=files), gate=GATE))


def sample(name: str, *, leave_out: str = "") -> dict[str, bytes]:
    files = sorted((SAMPLES / name).iterdir())
    return {f"{FOLDER}/{file.name}": file.read_bytes() for file in files if file.name != leave_out}


def test_what_adr_tools_writes() -> None:
    observation = judged(sample("adr-tools"))
    assert observation.problems == ()
    assert observation.summary == "4 ADRs accepted, 1 no longer in force"


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        pytest.param("madr-4", "1 ADRs accepted, 1 no longer in force", id="front-matter"),
        pytest.param("madr-2", "1 ADRs accepted", id="fields-under-the-title"),
    ],
)
def test_what_madr_writes(name: str, summary: str) -> None:
    own = "0000-use-markdown-architectural-decision-records.md"
    observation = judged(sample(name, leave_out=own))
    assert observation.problems == ()
    assert observation.summary == summary
    # MADR's own first record states no status, and the templates beside it are none of them records.
    (problem,) = judged(sample(name)).problems
    assert (problem.code, problem.where) == ("adrs.no-status", f"{FOLDER}/{own}")


@pytest.mark.parametrize(
    "status",
    [
        "Accepted",
        "accepted",
        "**Accepted**",
        "Accepted.",
        "Accepted (2026-04-20)",
        "Accepted, 2026-04-20",
        "Accepted on 2026-04-20",
        "- Accepted",
        "Accepted\n\nAmended by [5. Signed](0005-signed.md)\n\nIt was discussed for a long time.",
    ],
)
def test_accepted(status: str) -> None:
    assert judged(folder(_0001_a=adr(status))).problems == ()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param("Proposed", "adrs.status", id="proposed"),
        pytest.param("Draft", "adrs.status", id="draft"),
        pytest.param("Accepted in principle", "adrs.status", id="more-than-the-word"),
        pytest.param("Not accepted", "adrs.status", id="less-than-the-word"),
        pytest.param("Pending", "adrs.status", id="a-status-that-nobody-knows"),
        pytest.param("~~Accepted~~", "adrs.status", id="struck-out"),
        pytest.param("", "adrs.no-status", id="none"),
        pytest.param("<!-- Accepted -->", "adrs.no-status", id="commented-out"),
        pytest.param("```\nAccepted\n```", "adrs.no-status", id="in-a-code-block"),
        pytest.param("Accepted\n\nProposed", "adrs.ambiguous", id="two-statuses"),
        pytest.param("Accepted\n\n* Draft: this part is not decided", "adrs.ambiguous", id="and-a-draft"),
        pytest.param("Superseded", "adrs.superseded", id="superseded-by-nothing"),
        pytest.param("Superseded by [2. X](0002-x.md)", "adrs.superseded", id="by-no-record-here"),
        pytest.param("Superseded by [1. Me](0001-a.md)", "adrs.superseded", id="by-itself"),
        pytest.param("Superseded by the new broker", "adrs.superseded", id="by-words"),
    ],
)
def test_what_is_not_finished_fails_and_is_named(status: str, code: str) -> None:
    observation = judged(folder(_0001_a=adr(status), _0009_b=adr()))
    assert {(finding.code, finding.where) for finding in observation.problems} == {
        (code, f"{FOLDER}/0001-a.md")
    }


NEWER = {"_0002_b": adr("Accepted"), "_0009_z": adr()}


@pytest.mark.parametrize(
    ("first", "others", "wrong"),
    [
        pytest.param("Superseded by [2. B](0002-b.md)", NEWER, "", id="a-link"),
        pytest.param("Superceded by [2. B](0002-b.md)", NEWER, "", id="as-old-adr-tools-spelt-it"),
        pytest.param("superseded by ADR-0002", NEWER, "", id="adr-and-number"),
        pytest.param("Superseded by ADR 2", NEWER, "", id="number-without-noughts"),
        pytest.param("Superseded by 0002-b.md", NEWER, "", id="a-file-name"),
        pytest.param("Superseded by [ADR-2](./0002-b.md#context)", NEWER, "", id="an-anchor"),
        pytest.param(
            "Superseded by [2](0002-b.md)",
            {"_0002_b": adr("Proposed")},
            "is not accepted",
            id="by-a-proposal",
        ),
        pytest.param(
            "Superseded by [2](0002-b.md)",
            {"_0002_b": adr("Rejected")},
            "is not accepted",
            id="by-a-rejected",
        ),
        pytest.param(
            "Superseded by [2](0002-b.md)",
            {"_0002_b": adr("Superseded by ADR-3"), "_0003_c": adr()},
            "",
            id="by-a-chain",
        ),
        pytest.param(
            "Superseded by [2](0002-b.md)",
            {"_0002_b": adr("Superseded by ADR-1"), "_0003_c": adr()},
            "circle",
            id="circle",
        ),
        pytest.param(
            "Superseded by [2](0002-b.md)",
            {"_0002_b": adr("Superseded"), "_0003_c": adr()},
            "by way of",
            id="chain-to-nothing",
        ),
        pytest.param(
            "Superseded by [2](0002-b.md) and [3](0003-c.md)",
            {"_0002_b": adr("Superseded by ADR-4"), "_0003_c": adr("Superseded by ADR-4"), "_0004_d": adr()},
            "",
            id="two-ways-to-one",
        ),
        pytest.param(
            "Superseded by ADR-2", {**NEWER, "_0002_other": adr()}, "more than one record", id="number-twice"
        ),
    ],
)
def test_superseded_counts_where_an_accepted_record_took_its_place(
    first: str, others: dict[str, str], wrong: str
) -> None:
    problems = [one for one in judged(folder(_0001_a=adr(first), **others)).problems if "0001-a" in one.where]
    assert [wrong in problem.message for problem in problems] == ([True] if wrong else [])


def test_rejected_and_deprecated_are_not_in_force() -> None:
    files = folder(_0001_a=adr("Rejected"), _0002_b=adr("Deprecated"), _0003_c=adr())
    assert judged(files).summary == "1 ADRs accepted, 2 no longer in force"
    assert codes(read(asks(kind="adrs", path=FOLDER, retired=[]), sources(files=files))) == {"adrs.status"}


def test_without_an_active_record_there_is_nothing_to_rely_on() -> None:
    assert {one.code for one in judged(folder(_0001_a=adr("Rejected"))).problems} == {"adrs.none"}
    assert isinstance(read(asks(kind="adrs", path=FOLDER), sources()), Absent)


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("0001-ledger.md", True),
        ("adr-0001.md", True),
        ("ADR_12 queue.md", True),
        ("0012-template-engine.md", True),
        ("0012-template.md", True),
        ("deep/er/0007-x.markdown", True),
        ("templates/0007-really-a-record.md", True),
        ("0000-use-markdown-architectural-decision-records.md", True),
        ("queue-in-a-broker.md", True),
        ("README.md", False),
        ("sub/index.md", False),
        ("template.md", False),
        ("0000-template.md", False),
        ("adr-template-bare-minimal.md", False),
        ("templates/nygard.md", False),
        ("diagram.png", False),
        ("0001-old.adoc", False),
    ],
)
def test_what_a_record_is_by_its_name(path: str, record: bool) -> None:
    assert is_record(f"{FOLDER}/{path}") is record


def test_a_record_that_is_not_markdown_does_not_slip_by() -> None:
    files = {**folder(_0001_a=adr()), f"{FOLDER}/0002-b.adoc": b"= B\n\n== Status\n\nProposed\n"}
    assert {(one.code, one.where) for one in judged(files).problems} == {
        ("adrs.unread", f"{FOLDER}/0002-b.adoc")
    }


def test_stubs_and_dates_in_the_future() -> None:
    late = adr().replace("2026-04-20", "2026-05-02")
    problems = judged(folder(_0001_a=late, _0002_b="# B\n\n## Status\n\nAccepted\n")).problems
    assert {(one.code, one.outcome) for one in problems} == {
        ("adrs.future", Outcome.ERROR),
        ("adrs.stub", Outcome.FAIL),
    }


def test_many_faults_are_named_up_to_ten() -> None:
    problems = judged(folder(**{f"_{n:04}_a": adr("Proposed") for n in range(1, 31)}, _0040_b=adr())).problems
    assert len(problems) == 11
    assert problems[-1].message == "20 more records: each is proposed, not accepted"


def signoff(gate: str = GATE, *, actor: str = "pam@example.com", commit: str | None = NEW) -> SignOff:
    return SignOff(gate, actor, NOW, commit, digest="sha256:" + "5" * 64)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("signed", "unsigned"),
    [
        pytest.param([signoff()], [], id="all-of-them-at-once"),
        pytest.param([signoff(f"{GATE}.0001-a"), signoff(f"{GATE}.0002-b")], [], id="each-by-itself"),
        pytest.param([signoff(f"{GATE}.0001-a")], ["0002-b"], id="one-is-left"),
        pytest.param([], ["0001-a", "0002-b"], id="nobody"),
        pytest.param([signoff(actor="sue@example.com")], ["0001-a", "0002-b"], id="another-role"),
        pytest.param([signoff(commit=None)], ["0001-a", "0002-b"], id="for-no-commit"),
        pytest.param([signoff("security.threat-model")], ["0001-a", "0002-b"], id="another-gate"),
    ],
)
def test_each_active_record_is_signed_off(signed: list[SignOff], unsigned: list[str]) -> None:
    files = folder(_0001_a=adr(), _0002_b=adr(), _0003_c=adr("Rejected"))
    spec = asks(kind="adrs", path=FOLDER, role="platform")
    found = read(spec, sources(files=files, signed=tuple(signed)), gate=GATE)
    problems = seen(found).problems
    assert [one.where for one in problems] == [f"{FOLDER}/{name}.md" for name in unsigned]
    for problem in problems:
        assert (problem.code, problem.outcome, problem.who) == (
            "adrs.unsigned",
            Outcome.MISSING,
            ("platform",),
        )
        assert "guard signoff architecture.adrs --commit" in problem.fix


def test_without_the_role_it_is_unknown() -> None:
    spec = asks(kind="adrs", path=FOLDER, role="platform")
    given = sources(files=folder(_0001_a=adr()), members={"platform": Unknown("HTTP 502")})
    assert read(spec, given) == Unknown("HTTP 502")
    assert isinstance(read(spec, sources(files=folder(_0001_a=adr()), members={})), Unknown)


def test_numbers_and_ids() -> None:
    names = ("0012-a.md", "ADR-7.md", "12.md", "a-12.md", "2026.md")
    assert [number_of(name) for name in names] == [12, 7, 12, None, 2026]
    assert signoff_id(GATE, "a/0012-Queue in_a Bröker.md") == f"{GATE}.0012-queue-in-a-br-ker"
    assert len(signoff_id(GATE, f"a/{'x' * 300}.md")) == 100


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("## Status\n\n" + "Accepted\n" * 100_000, id="very-many-lines"),
        pytest.param("## Status\n\nSuperseded by " + "[x](" * 100_000, id="links-without-end"),
        pytest.param("## Status\n\nSuperseded by " + "1 " * 200_000, id="numbers"),
        pytest.param("## Status\n" * 100_000, id="sections"),
        pytest.param("---\nstatus: " + "a" * 1_000_000 + "\n---\n", id="a-long-word"),
    ],
)
def test_hostile_records_are_read_quickly(text: str) -> None:
    started = time.monotonic()
    read_status(text)
    assert time.monotonic() - started < 5


def test_a_circle_of_many_is_found_quickly() -> None:
    files = folder(**{f"_{n:04}_a": adr(f"Superseded by ADR-{n % 300 + 1}") for n in range(1, 301)})
    started = time.monotonic()
    assert {one.code for one in judged(files).problems} == {"adrs.superseded", "adrs.none"}
    assert time.monotonic() - started < 10


MARKS = ["## Status", "\n\n", "---\n", "status: ", "<!--", "-->", "* ", "```", "(2026-04-20)"]
WORDS = st.sampled_from(["Accepted", "Proposed", "Superseded by ", "ADR-2", "[2](0002-b.md)", *MARKS])


@given(st.lists(WORDS, max_size=25))
@settings(max_examples=200, deadline=None)
def test_any_words_give_a_reading(words: list[str]) -> None:
    found = read(asks(kind="adrs", path=FOLDER), sources(files=folder(_0001_a="".join(words) + TEXT)))
    assert isinstance(found, (Known, Unknown))
    if isinstance(found, Known) and not found.value.problems:
        assert "Accepted" in words


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_never_pass(data: bytes) -> None:
    found = read(asks(kind="adrs", path=FOLDER), sources(files={f"{FOLDER}/0001-a.md": data}))
    assert not isinstance(found, Known) or found.value.problems


@given(
    st.sampled_from(["Proposed", "Draft", "Superseded", "", "Accepted maybe", "Superseded by ADR-77"]),
    st.integers(0, 4),
)
@settings(max_examples=40, deadline=None)
def test_making_one_of_five_worse_never_passes(status: str, which: int) -> None:
    files = folder(**{f"_{n + 1:04}_a": adr(status if n == which else "Accepted") for n in range(5)})
    assert {one.where for one in judged(files).problems} == {f"{FOLDER}/{which + 1:04}-a.md"}


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        pytest.param(["0001-a", "0001-b"], True, id="one-number-for-two"),
        pytest.param(["0001-a", "ADR-1-b"], True, id="in-two-spellings"),
        pytest.param(["0001-a", "0002-a"], False, id="two-numbers"),
        pytest.param(["0001-a", "0001-a.de"], False, id="a-translation"),
        pytest.param(["billing/0001-a", "nodes/0001-b"], False, id="in-two-folders"),
        pytest.param(["2026-04-20-a", "2026-04-21-b"], False, id="dates"),
        pytest.param(["1.1-a", "1.2-b"], False, id="parts-of-a-number"),
        pytest.param(["ledger", "outbox"], False, id="no-numbers"),
    ],
)
def test_a_number_that_two_records_have_is_refused(names: list[str], refused: bool) -> None:
    files = {f"{FOLDER}/{name}.md": adr().encode() for name in names}
    assert [one.code for one in judged(files).problems] == (["adrs.duplicate"] if refused else [])
