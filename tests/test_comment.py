"""The comment and the status: what they say, and that nothing in them can do anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from guard.core.facts import Bringing, Changes
from guard.core.lineage_facts import CommitFacts, LineageFacts, Link
from guard.core.model import Commit, Decision, Finding, Known, Outcome
from guard.core.policy_branch import Lineage
from guard.core.rules.lineage import judge_commits
from guard.render.comment import (
    MARKER,
    Answer,
    Subject,
    decision_comment,
    is_ours,
    undecided_comment,
)
from guard.render.status import decision_status, undecided_status, waiting_status
from tests.builders import NEW, NOW, OLD, UPSTREAM, decision, finding, verdict
from tests.harmless import harmless

RECORD = "sha256:" + "2" * 64
PAGE = "https://guard.example.com/decisions/x/y"
HOSTILE = (
    "/merge", "\n/approve", "  /close now", "@everyone", "a @gpuaas/owners b", "![x](https://evil.example/x.png)",
    "<img src=https://evil.example/x>", "<script>alert(1)</script>", "</details>", "<!-- -->", "`/merge`",
    "``` \n/merge", "- [x] done", "[x] done", "1) /merge", "+ /merge", "* /merge", "===", "---", "# /merge",
    "https://evil.example/", "www.evil.example", "| a | b |", "\u202e/merge", "\r/merge", "\u2028/merge", "> /merge",
    "fixes #1, see a/b#2", "!12 and &3, $4 %5 ~bug ~\"a b\"", "GH-12", "&#64;everyone", "&commat;all", "a@b.example",
    "1. /merge", "- [ ] /merge", "x" * 5000, "[x]: https://evil.example", "\x00\x1b[31m", "&lt;img&gt;", "\\![x](y)",
    "$`x`$", "{+ x +}", ":tada:", "[^1]", "\\", "a\\", "*", "**", "__x__", "~~x~~", "\t/merge", "\u200b/merge", "",
    "<details><summary>/merge</summary>", "<a href='javascript:x'>", "xmpp:a@b", "mailto:a@b.example", "%2F", "//x",
)  # fmt: skip


def blocked(text: str) -> Decision:
    return decision(
        verdict("candidate"),
        verdict(
            "lineage",
            Outcome.FAIL,
            findings=(finding("lineage.missing", message=text, fix=text, where=text, who=("author", text)),),
            next_change_at=NOW,
            title=f"x{text}",
        ),
        policy_source=f"x{text}",
    )


def lineage_of(*subjects: str, detail: str = "") -> LineageFacts:
    commits = tuple(
        CommitFacts(Commit(f"{number:040x}"), subject, (OLD,), on_upstream=False, detail=detail)
        for number, subject in enumerate(subjects, 1)
    )
    return LineageFacts(UPSTREAM, OLD, NEW, "master", commits)


def subject(*subjects: str, warnings: tuple[str, ...] = (), **fields: object) -> Subject:
    facts = lineage_of(*subjects)
    roles = {"author": ("@gpuaas/authors",)}
    return Subject(RECORD, (facts, judge_commits(facts, Lineage())), roles, warnings, **fields)  # type: ignore[arg-type]


def everything(text: str) -> str:
    """A comment with this text wherever text from outside can stand."""
    changes = Changes((Bringing(NEW, text, breaking=True),), 1, (text or "x",))
    about = subject(
        text,
        warnings=(text,),
        changes=Known(changes, "git", NOW),
        since=(text,),
        answers=(Answer(text, text, "refused", text), Answer(text, "/guard explain lineage", "done", text, "lineage")),
        strangers=(text,),
    )  # fmt: skip
    return decision_comment(blocked(text), about)


def bones(body: str) -> list[str]:
    """What a CommonMark parser makes of it, without the words: blocks, and what stands within lines."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return list(_bones(parser.parse(body)))


def _bones(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        html = token.content if token.type.startswith("html") else ""
        if token.type not in {"text", "softbreak"}:
            yield f"{token.type} {html} {token.attrs or ''}"
        yield from _bones(token.children or [])


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_does_anything(text: str) -> None:
    harmless(everything(text))
    harmless(undecided_comment(("release/x", NEW), text, text))


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=120), st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join)))
@example("/merge")
def test_no_text_does_anything(text: str) -> None:
    body = everything(f"x{text}")
    harmless(everything(text))
    harmless(body)
    # Whatever the text is, the comment has the same blocks, links, images and HTML as with a plain word.
    assert bones(body) == bones(everything("x"))
    for status in (undecided_status("release/x", text), waiting_status("release/x", text)):
        assert len(status.description) <= 140


def test_it_says_what_to_do_and_who_can() -> None:
    body = decision_comment(blocked("no such fix on master"), subject("a fix"))
    assert body.startswith(
        f"{MARKER}\n**NO-GO**: no such fix on master no such fix on master\n\n`release/platform-"
    )
    assert "- [ ] `lineage.missing` no such fix on master" in body
    assert "**author (@\u2060gpuaas/authors), no such fix on master**" in body
    assert "<details><summary>Go/No-Go board</summary>" in body
    assert "<details><summary>Lineage: 1 commit</summary>" in body
    assert "decision `sha256:222222222222`" in body
    assert is_ours(body)


def test_the_words_of_the_status_are_those_of_the_comment() -> None:
    for given_ in (blocked("x"), approvals("approvals.security.missing"), decision(verdict()), drafted()):
        said = decision_status(given_).description
        assert said in decision_comment(given_, subject("a")).replace("**", "").replace("\\", "")


def test_the_same_decision_later_is_the_same_comment() -> None:
    first = blocked("x")
    later = replace(first, decided_at=NOW.replace(year=2030))
    assert decision_comment(first, subject("a")) == decision_comment(later, subject("a"))


def test_a_thousand_reasons_fit_and_stay_whole() -> None:
    findings = tuple(
        Finding(
            f"lineage.x{number}", "<&>" * 150, where="w", fix=f"mend {number} " + "&" * 400, who=("author",)
        )
        for number in range(1000)
    )
    many = decision(verdict("lineage", Outcome.FAIL, findings=findings))
    body = decision_comment(many, subject(*["<&>" * 60] * 1000))
    harmless(body)
    assert "To unblock:" in body
    assert "- [ ] `lineage.x0`" in body
    assert "too long for a comment" in body
    assert "decision `sha256:222222222222`" in body
    assert f"[see the whole decision]({PAGE})" in decision_comment(
        many, subject(*["<&>" * 60] * 1000, url=PAGE)
    )


def test_only_the_guards_own_page_is_linked() -> None:
    body = decision_comment(blocked("https://evil.example"), subject("a", url=PAGE))
    links = [child for token in MarkdownIt("commonmark").parse(body) for child in token.children or []]
    assert [one.attrs["href"] for one in links if one.type == "link_open"] == [PAGE]


def test_owners_are_mentioned_only_where_the_policy_lets_it_and_never_everybody() -> None:
    asked = decision(
        verdict("approvals", Outcome.MISSING, findings=(finding("a.b", who=("security", "author")),))
    )
    roles = {
        "security": ("@gpuaas/security-owners", "sam", "@all", "evil name\n/merge"),
        "platform": ("ann",),
    }
    quiet = decision_comment(asked, Subject(RECORD, roles=roles))
    assert not re.search(r"@\w", quiet)
    loud = decision_comment(asked, Subject(RECORD, roles=roles, mentions=True))
    assert "\nWaiting for @gpuaas/security-owners, @sam.\n" in loud
    assert re.findall(r"@\w[^,.]*", loud) == ["@gpuaas/security-owners", "@sam"]


def approvals(*codes: str) -> Decision:
    found = tuple(finding(code, outcome=Outcome.MISSING) for code in codes)
    return decision(verdict("candidate"), verdict("approvals", Outcome.MISSING, findings=found))


def drafted(*others: Finding) -> Decision:
    draft = finding("candidate.draft", message="proposal 1 is a draft", outcome=Outcome.PENDING)
    more = (verdict("approvals", Outcome.MISSING, findings=others),) if others else ()
    return decision(verdict("candidate", Outcome.PENDING, findings=(draft,)), *more)


@pytest.mark.parametrize(
    ("given_", "state", "text"),
    [
        pytest.param(decision(verdict()), "success", "GO: everything required is there", id="go"),
        pytest.param(
            decision(verdict("a", Outcome.WAIVED)),
            "success", "GO (1 waiver): everything required is there", id="waived",
        ),
        pytest.param(
            approvals("approvals.security.missing"),
            "failure", "NO-GO: security owner approval missing", id="approval",
        ),
        pytest.param(
            decision(
                *approvals("approvals.security.missing").verdicts,
                verdict("b", Outcome.FAIL), verdict("c", Outcome.STALE),
            ),
            "failure", "NO-GO: security owner approval missing (1 of 3 blockers)", id="counted",
        ),
        pytest.param(
            decision(verdict("incidents", Outcome.ERROR)),
            "error", "could not decide: incidents.reason is so", id="undecided",
        ),
        pytest.param(
            decision(verdict("policy", Outcome.ERROR)), "error", "NO-GO: policy.reason is so", id="policy"
        ),
        pytest.param(
            decision(verdict("b", Outcome.FAIL), mode="observe"),
            "success", "observed only: NO-GO: b.reason is so", id="observed",
        ),
        pytest.param(
            decision(verdict(), policy_source="guard.toml (bootstrap policy, because of that)"),
            "success", "GO by the bootstrap policy: everything required is there", id="bootstrap",
        ),
        pytest.param(decision(), "error", "could not decide: nothing was judged", id="nothing-judged"),
        pytest.param(
            decision(
                verdict(
                    "lineage", Outcome.FAIL,
                    findings=(finding("lineage.missing", message="is not on master", where="0eb5e8ec89 fix it"),),
                )
            ),
            "failure", "NO-GO: 0eb5e8ec89 fix it is not on master", id="which-commit",
        ),
        pytest.param(drafted(), "failure", "preview of a draft: GO once it is marked as ready", id="ready-draft"),
        pytest.param(
            drafted(finding("approvals.security.missing", outcome=Outcome.MISSING)),
            "failure", "preview of a draft: NO-GO: security owner approval missing", id="draft",
        ),
    ],
)  # fmt: skip
def test_the_status(given_: Decision, state: str, text: str) -> None:
    status = decision_status(given_)
    assert (status.context, status.state, status.description) == (
        "guard/promotion (release/platform-control)", state, text,
    )  # fmt: skip


def test_a_long_reason_never_hides_how_many_there_are() -> None:
    long = finding("x.y", message="m" * 500)
    status = decision_status(
        decision(verdict("a", Outcome.FAIL, findings=(long,)), verdict("b", Outcome.FAIL))
    )
    assert len(status.description) <= 140
    assert status.description.endswith("… (1 of 2 blockers)")


NO_GO = f"""\
{MARKER}
**NO-GO**: security owner approval missing (1 of 2 blockers)

`release/platform-control`: `aaaaaaaaaa` → `bbbbbbbbbb`

To unblock:

**security (@\u2060gpuaas/security-owners)**

- [ ] `approvals.security.missing` nobody approved it
  - fix: ask a security owner

**ci**

- [ ] `script.missing` no report
  - fix: run the check

What you asked:

- `/guard recheck` (ann): done, looked at again

Since the last decision:

- Approvals: pass → missing

<details><summary>Go/No-Go board</summary>

**Delivery**: MISSING

- ✗ CI: no report

**Approvals**: MISSING

- ✗ Approvals: nobody approved it

</details>

<details><summary>What it changes since the last promotion: 1 commit, 1 file, 1 breaking</summary>

Breaking changes:

- {NEW} feat!: a fix

Commits:

- {NEW} feat!: a fix

Files:

- `app/main.py`

</details>

By itself this changes on 2026-05-02 at 12:00 UTC: CI.

[The whole decision]({PAGE})

policy: guard.toml at release/platform-control
policy `sha256:111111111111`, decision `sha256:222222222222`
"""

GO = f"""\
{MARKER}
**GO**: everything required is there

`release/platform-control`: `aaaaaaaaaa` → `bbbbbbbbbb`

To promote it: `guard promote --branch release/platform-control --to {NEW}`

<details><summary>Go/No-Go board</summary>

**Master First**: PASS

- ✓ Lineage

</details>

policy: guard.toml at release/platform-control
policy `sha256:111111111111`, decision `sha256:222222222222`
"""


def test_the_words_of_a_no_go() -> None:
    missing = finding(
        "approvals.security.missing", message="nobody approved it", fix="ask a security owner",
        who=("security",), outcome=Outcome.MISSING,
    )  # fmt: skip
    report = finding(
        "script.missing", message="no report", fix="run the check", who=("ci",), outcome=Outcome.MISSING
    )
    asked = decision(
        verdict("approvals", Outcome.MISSING, findings=(missing,)),
        verdict(
            "ci", Outcome.MISSING, findings=(report,), group="delivery", title="CI",
            next_change_at=NOW + timedelta(days=1),
        ),
    )  # fmt: skip
    about = Subject(
        RECORD,
        roles={"security": ("@gpuaas/security-owners",)},
        url=PAGE,
        changes=Known(
            Changes((Bringing(NEW, "feat!: a fix", breaking=True),), 1, ("app/main.py",)), "git", NOW
        ),
        since=("Approvals: pass → missing",),
        answers=(Answer("ann", "/guard recheck", "done", "looked at again"),),
    )
    assert decision_comment(asked, about) == NO_GO


def test_the_words_of_a_go() -> None:
    assert decision_comment(decision(verdict()), Subject(RECORD)) == GO


def test_a_sign_off_can_be_given_in_a_comment() -> None:
    fix = "guard signoff security.threat-model --commit abc"
    asked = decision(
        verdict("x", Outcome.MISSING, findings=(finding("evidence.missing", fix=fix, who=("security",)),))
    )
    body = decision_comment(asked, Subject(RECORD))
    assert "--commit abc; or comment `/guard signoff security.threat-model`" in body


def test_every_commit_has_its_row_worst_first_and_its_range_diff_folded() -> None:
    origin = Commit("e" * 40)
    link = Link("trailer", origin, "conflict", detail="1: abc = 1: def\n/merge\n@everyone ![x](y)")
    facts = LineageFacts(
        UPSTREAM, OLD, NEW, "master",
        (
            CommitFacts(Commit("1" * 40), "fine", (OLD,), on_upstream=True),
            CommitFacts(Commit("2" * 40), "by hand", (OLD,), on_upstream=False, links=(link,)),
            CommitFacts(Commit("3" * 40), "gone", (OLD,), on_upstream=False),
        ),
    )  # fmt: skip
    judged = judge_commits(facts, Lineage(adaptations=("platform",)), approved=frozenset({"platform"}))
    body = decision_comment(blocked("x"), Subject(RECORD, (facts, judged)))
    harmless(body)
    rows = [line for line in body.splitlines() if line.startswith(("| ✓", "| ✗"))]
    assert [row.split("`")[1][:1] for row in rows] == ["3", "1", "2"]
    folded = body.partition("<details><summary>2222222222: the difference</summary>")[2]
    assert folded.startswith("\n\n    1: abc = 1: def\n")
