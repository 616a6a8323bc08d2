"""The engine against commits of a public repository that people labelled by hand; it has to be on this machine."""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from guard.adapters.git import GitRepo
from guard.core.model import Commit
from guard.core.policy_branch import Lineage
from guard.core.rules.lineage import CommitVerdict, Standing, judge_commits

LABELS: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent / "lineage_labels/keystone.toml").read_text("utf-8")
)
REPOSITORY = os.environ.get("GUARD_TEST_LINEAGE_REPO", "")

needs_repository = pytest.mark.skipif(
    not REPOSITORY,
    reason=f"set GUARD_TEST_LINEAGE_REPO to a clone of {LABELS['repository']} to compare the labels",
)


@cache
def judged(name: str) -> dict[Commit, CommitVerdict]:
    """Every verdict of one range."""
    place = LABELS["ranges"][name]
    with GitRepo(REPOSITORY) as git:
        facts = git.lineage(
            Commit(LABELS["upstream"]), Commit(place["target"]), Commit(place["head"]), upstream_name="master"
        )
    return {one.commit: one for one in judge_commits(facts, Lineage())}


def test_the_labels_are_complete() -> None:
    rows = LABELS["commits"]
    assert len(rows) >= 40
    assert len({row["commit"] for row in rows}) == len(rows)
    assert all(row["reason"] and row["subject"] and row["range"] in LABELS["ranges"] for row in rows)
    labels = Counter(Standing(row["label"]) for row in rows)
    assert len(labels) >= 7, "they cover most of the verdicts"


@needs_repository
@pytest.mark.parametrize("row", [pytest.param(row, id=row["commit"][:10]) for row in LABELS["commits"]])
def test_the_engine_agrees(row: dict[str, str]) -> None:
    found = judged(row["range"])[Commit(row["commit"])]
    assert found.subject == row["subject"]
    assert found.standing == row["label"], (
        f"labelled so because: {row['reason']} The engine says: {found.why}"
    )
