"""Work in flight: an open entry that gates the release stops it, and a queue that nobody can read does too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.adapters.evidence.notes import queue_of
from guard.adapters.evidence.queue import read_queue
from guard.adapters.evidence.untrusted import Unreadable
from guard.adapters.git import GitRepo
from guard.core.facts import QueueEntry
from guard.core.model import Commit, Fact, Known, Outcome, Unknown, Verdict
from guard.core.policy import Queue
from guard.core.rules.queue import judge_queue
from tests.builders import NOW, UPSTREAM
from tests.evidence_fakes import HeldTree
from tests.gitrepo import Repo

MARKDOWN = """# Queue

| ID | Title | Gates release | Status |
|----|-------|---------------|--------|
| Q-1 | Outbox | yes | {} |
| Q-2 | Nicer page | no | open |
| Q-3 | Unmarked | | open |
"""
YAML = """
- {{id: Q-1, title: Outbox, gates_release: yes, status: {}}}
- {{id: Q-2, title: Nicer page, gates_release: no, status: open}}
- {{id: Q-3, status: open}}
"""


def read(text: str, *, path: str = "q.md", **fields: Any) -> Fact[tuple[QueueEntry, ...]]:
    queue = Queue.model_validate({"path": path, **fields})
    return read_queue(queue, HeldTree({path: text.encode()}), UPSTREAM, now=NOW)


def judged(text: str, *, path: str = "q.md", **fields: Any) -> Verdict:
    return judge_queue(Queue.model_validate({"path": path, **fields}), read(text, path=path, **fields))


@pytest.mark.parametrize("path", ["q.md", "q.yaml"])
@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("open", Outcome.FAIL),
        ("in progress", Outcome.FAIL),
        ('""', Outcome.FAIL),
        ("Done", Outcome.PASS),
        ("closed", Outcome.PASS),
    ],
)
def test_an_open_entry_that_gates_the_release_stops_it(path: str, state: str, outcome: Outcome) -> None:
    text = (MARKDOWN if path == "q.md" else YAML).format(state if path == "q.yaml" else state.strip('"'))
    found = judged(text, path=path)
    assert found.outcome == outcome
    if outcome == Outcome.FAIL:
        (finding,) = found.findings
        assert finding.message.startswith("Q-1: Outbox gates the release")
    else:
        assert found.summary == "nothing in it gates the release"


@pytest.mark.parametrize(
    ("text", "path", "fields", "code"),
    [
        pytest.param(MARKDOWN.replace("| yes |", "| relase |"), "q.md", {}, "queue.mark", id="a-word-nobody-knows"),
        pytest.param(MARKDOWN.replace("Gates release", "Blocks"), "q.md", {}, "queue.unknown", id="no-such-column"),
        pytest.param("# Queue\n\nAll is done.\n", "q.md", {}, "queue.unknown", id="no-table"),
        pytest.param("- {id: Q-1, status: open}", "q.yaml", {}, "queue.unknown", id="nothing-marked"),
        pytest.param("a: [", "q.yaml", {}, "queue.unknown", id="broken"),
        pytest.param(
            "| ID | Gates release | Status | State |\n|-|-|-|-|\n| Q-1 | no | done | open |",
            "q.md", {}, "queue.unknown", id="two-states",
        ),
    ],
)  # fmt: skip
def test_what_nobody_can_tell_is_an_error(text: str, path: str, fields: dict[str, object], code: str) -> None:
    found = judged(text.replace("{}", "open"), path=path, **fields)
    assert found.outcome == Outcome.ERROR
    assert {one.code for one in found.findings} == {code}


def test_words_and_columns_are_the_policy_s() -> None:
    text = "| Item | Blocks | State |\n|-|-|-|\n| Q-1 | GA | shipped |\n| Q-2 | beta | open |"
    fields: dict[str, Any] = {
        "gating_field": "blocks",
        "gating": ["GA"],
        "not_gating": ["beta"],
        "closed": ["shipped"],
    }
    assert judged(text, **fields).outcome == Outcome.PASS
    assert judged(text.replace("shipped", "late"), **fields).outcome == Outcome.FAIL


@pytest.mark.parametrize(
    ("state", "completed", "outcome"),
    [
        pytest.param("", "2026-04-20", Outcome.PASS, id="completed"),
        pytest.param("done", "2026-04-20", Outcome.PASS, id="completed-and-done"),
        pytest.param("", "–", Outcome.FAIL, id="not-completed"),
        pytest.param("open", "2026-04-20", Outcome.FAIL, id="two-stories"),
        pytest.param("", "soon", Outcome.ERROR, id="no-day"),
        pytest.param("", "2027-01-01", Outcome.ERROR, id="a-day-to-come"),
    ],
)
def test_the_rule_and_the_notes_read_the_same_columns(state: str, completed: str, outcome: Outcome) -> None:
    heading = "| ID | Task | Gates release | Status | Completed at |\n|-|-|-|-|-|\n"
    text = f"{heading}| Q-1 | Outbox | yes | {state} | {completed} |"
    found = judged(text)
    assert found.outcome == outcome
    if outcome is Outcome.ERROR:
        with pytest.raises(Unreadable, match="completed_at of Q-1"):
            queue_of(text.encode(), "q.md", now=NOW)
        return
    if outcome is Outcome.FAIL:
        assert found.findings[0].message.startswith("Q-1: Outbox gates the release")
    items = queue_of(text.encode(), "q.md", now=NOW)
    assert [(one.id, one.title) for one in items] == ([("Q-1", "Outbox")] if completed != "–" else [])


def test_an_empty_yaml_queue_gates_nothing() -> None:
    assert judged("[]", path="q.yaml").outcome == Outcome.PASS


def test_the_queue_is_upstream_s(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r")
    upstream = Commit(repo.commit("queue", {"q.md": MARKDOWN.format("open")}))
    repo.git("switch", "-q", "-c", "proposal")
    repo.commit("done, says the proposal", {"q.md": MARKDOWN.format("done")})
    with GitRepo(repo.path) as git:
        queue = Queue(path="q.md")
        assert judge_queue(queue, read_queue(queue, git, upstream, now=NOW)).outcome == Outcome.FAIL
        gone = read_queue(Queue(path="other.md"), git, upstream, now=NOW)
    assert isinstance(gone, Unknown)
    assert "is not on upstream" in gone.why


ENTRIES = st.builds(
    QueueEntry,
    st.just("Q"),
    st.just(""),
    st.sampled_from(["yes", "no", "", "maybe"]),
    st.sampled_from(["open", "done", ""]),
)


@given(st.lists(ENTRIES, max_size=5), ENTRIES)
@settings(max_examples=100, deadline=None)
def test_one_more_entry_or_a_lost_queue_never_helps(entries: list[QueueEntry], more: QueueEntry) -> None:
    queue = Queue(path="q.md")
    before = judge_queue(queue, Known(tuple(entries), "q", NOW)).outcome
    after = judge_queue(queue, Known((*entries, more), "q", NOW)).outcome
    assert after.badness >= before.badness
    assert judge_queue(queue, Unknown("lost")).outcome == Outcome.ERROR
