"""Evidence kind `ci`: which jobs count, what came of each, and by whose configuration they ran."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from guard.adapters.evidence.ci_config import differing_configuration, local_includes
from guard.adapters.evidence.untrusted import Unreadable
from guard.adapters.git import GitRepo
from guard.adapters.local import LocalForge
from guard.core.evidence import Reading
from guard.core.facts import Job
from guard.core.model import Commit, Known, Outcome, Unknown
from guard.core.policy import Gate
from guard.core.rules.readiness import judge_readiness
from tests.builders import NEW, NOW, UPSTREAM, candidate, verdict
from tests.evidence_fakes import HeldForge, HeldTree, asks, codes, read, seen, sources
from tests.gitrepo import Repo

ACTIONS, JENKINS = 15368, 42
CI_YML, OTHER_YML = ".github/workflows/ci.yml", ".github/workflows/other.yml"


def job(name: str = "test", state: str = "success", number: int = 1, **fields: Any) -> Job:
    ended = NOW - timedelta(hours=1) if state != "running" else None
    given: dict[str, Any] = {
        "source": "push",
        "ref": "master",
        "is_protected": True,
        "finished_at": ended,
    } | fields
    return Job(name, state, number, **given)


def check(name: str = "test", app_id: int = JENKINS, **fields: Any) -> Job:
    """What an app other than Actions reported on GitHub."""
    return job(name, source="", ref="", is_protected=None, app_id=app_id, **fields)


def ci(
    *jobs: Job, differs: tuple[str, ...] = (), files: dict[str, bytes] | None = None, **spec: Any
) -> Reading:
    forge = HeldForge(ran=Known(jobs, "test", NOW))
    asked = asks(**{"kind": "ci", "jobs": ["test"], **spec})
    return read(asked, sources(forge=forge, differs=differs, files=files or {}))


@pytest.mark.parametrize(
    ("jobs", "found"),
    [
        pytest.param([job()], set(), id="green"),
        pytest.param([], {"ci.absent"}, id="nothing-ran"),
        pytest.param([job("tests")], {"ci.absent"}, id="another-name"),
        pytest.param([job("Test")], {"ci.absent"}, id="capital-letters-tell"),
        pytest.param([job(state="failed")], {"ci.not-green"}, id="red"),
        pytest.param([job(state="allowed-failure")], {"ci.not-green"}, id="allowed-to-fail"),
        pytest.param([job(state="skipped")], {"ci.not-green"}, id="skipped"),
        pytest.param([job(state="manual")], {"ci.not-green"}, id="manual"),
        pytest.param([job(state="cancelled")], {"ci.not-green"}, id="cancelled"),
        pytest.param([job(state="neutral")], {"ci.not-green"}, id="neutral"),
        pytest.param([job(state="action_required")], {"ci.not-green"}, id="a-word-of-the-forge's-own"),
        pytest.param([job(state="running")], {"ci.running"}, id="running"),
        pytest.param([job(state="failed", number=1), job(number=2)], set(), id="retried-and-green"),
        pytest.param([job(number=2), job(state="failed", number=1)], set(), id="order-of-the-list-does-not-matter"),
        pytest.param([job(number=1), job(state="failed", number=2)], {"ci.not-green"}, id="green-then-red"),
        pytest.param([job(number=1), job(state="cancelled", number=2)], set(), id="a-cancelled-duplicate"),
        pytest.param(
            [job(number=1), job(state="cancelled", number=2), job(state="failed", number=3)],
            {"ci.not-green"}, id="cancelled-and-then-red",
        ),
        pytest.param(
            [job(state="failed", number=1), job(state="cancelled", number=2)], {"ci.not-green"}, id="red-then-cancelled"
        ),
        pytest.param([job(number=1), job(state="running", number=2)], {"ci.running"}, id="green-then-running-again"),
        pytest.param([job(number=1), job(state="skipped", number=2)], {"ci.not-green"}, id="green-then-skipped"),
        pytest.param(
            [job(workflow=CI_YML), job(state="failed", number=2, workflow=OTHER_YML)],
            {"ci.not-green"}, id="two-workflows-have-a-job-of-the-name",
        ),
    ],
)  # fmt: skip
def test_the_newest_run_of_each_job_counts(jobs: list[Job], found: set[str]) -> None:
    assert codes(ci(*jobs)) == found


@pytest.mark.parametrize(
    ("spec", "counts", "does_not"),
    [
        pytest.param({}, job(), check(), id="an-app-that-is-not-named"),
        pytest.param({"app_id": JENKINS}, check(), check(app_id=7), id="an-app"),
        pytest.param({"app_id": ACTIONS}, job(app_id=ACTIONS), job(app_id=None), id="an-app-that-is-not-known"),
        pytest.param({"workflow": "ci.yml"}, job(workflow=CI_YML), job(workflow=OTHER_YML),
                     id="a-workflow-by-its-name"),
        pytest.param({"workflow": CI_YML}, job(workflow=CI_YML), job(), id="a-workflow"),
        pytest.param({"pipeline_source": "schedule"}, job(source="schedule"), job(source="push"), id="what-started-it"),
        pytest.param({}, job(source="merge_request_event"), job(source="web"), id="started-by-hand"),
        pytest.param({}, job(), job(source="pull_request"), id="on-a-merge-with-the-base"),
        pytest.param({}, job(), job(source="parent_pipeline"), id="by-another-job"),
        pytest.param({"protected_ref": True}, job(), job(is_protected=False), id="a-branch-that-anybody-pushes-to"),
        pytest.param({"protected_ref": True}, job(), job(is_protected=None), id="nobody-knows-the-branch"),
    ],
)  # fmt: skip
def test_only_pinned_jobs_count(spec: dict[str, Any], counts: Job, does_not: Job) -> None:
    assert codes(ci(counts, **spec)) == set()
    assert codes(ci(does_not, **spec)) == {"ci.absent"}
    red = job(number=9, state="failed", **{name: getattr(does_not, name) for name in
              ("source", "ref", "is_protected", "workflow", "app_id")})  # fmt: skip
    assert codes(ci(counts, red, **spec)) == set(), "what does not count can't do harm either"


def test_it_says_why_a_job_of_the_name_does_not_count() -> None:
    (finding,) = seen(ci(job(source="web"), job(source="schedule", number=2))).problems
    assert finding.message == (
        "no job test that counts ran on this commit; there is one started by web, which the gate does not name as "
        "pipeline_source, one started by schedule, which the gate does not name as pipeline_source"
    )
    assert finding.outcome is Outcome.MISSING


def test_globs_and_a_minimum_count() -> None:
    shards = [job(f"test {n}/3", number=n) for n in (1, 2, 3)]
    spec: dict[str, Any] = {"jobs": ["test */3", "build"], "minimum": 1}
    assert codes(ci(*shards, job("build"), **spec)) == set()
    assert codes(ci(*shards, job("build"), **spec | {"jobs": ["test *"], "minimum": 3})) == set()
    assert codes(ci(*shards[:2], jobs=["test *"], minimum=3)) == {"ci.too-few"}
    assert codes(ci(*shards[:2], job("test 3/3", "failed", 3), jobs=["test *"])) == {"ci.not-green"}
    assert seen(ci(*shards, job("build"), **spec)).summary == "4 jobs green"
    matrix = job("deploy: [aws, 1]")
    assert codes(ci(matrix, jobs=["deploy: [aws, 1]"])) == codes(ci(matrix, jobs=["deploy: *"])) == set()


def test_a_forge_that_does_not_answer_is_unknown_and_so_is_one_that_runs_no_ci() -> None:
    spec = asks(kind="ci", jobs=["test"])
    assert read(spec, sources(forge=HeldForge(ran=Unknown("HTTP 502")))) == Unknown("HTTP 502")
    local = LocalForge(Path("none.git"), ledger=None, groups={}, clock=None)  # type: ignore[arg-type]
    reading = read(spec, sources(forge=local))
    assert isinstance(reading, Unknown)
    assert "guard evidence run" in reading.fix


def test_running_is_pending_and_old_jobs_turn_stale() -> None:
    def judged(*jobs: Job) -> Outcome:
        evidence = asks(kind="ci", jobs=["test"], max_age="24h")
        one = Gate(id="delivery.ci", group="delivery", title="CI", evidence=evidence)
        reading = ci(*jobs, max_age="24h")
        (found, *_) = judge_readiness(
            [one], {one.id: reading}, approvals=verdict(), candidate=candidate(), now=NOW
        )
        return found.outcome

    assert judged(job()) is Outcome.PASS
    assert judged(job(state="running")) is Outcome.PENDING
    assert judged(job(finished_at=NOW - timedelta(days=2))) is Outcome.STALE
    assert judged(job(finished_at=None)) is Outcome.ERROR


INCLUDING = b"""
spec: {inputs: {job-prefix: {}}}
---
include:
  - /ci/test.yml
  - local: ci/build/*.yml
  - project: other/project
    file: /ci/elsewhere.yml
  - remote: https://example.com/x.yml
  - https://example.com/y.yml
  - template: Auto-DevOps.gitlab-ci.yml
child:
  trigger:
    include: [{local: ci/child.yml}]
job:
  script: [!reference [.a, script], "true"]
"""
TREE = {
    ".gitlab-ci.yml": INCLUDING,
    "ci/test.yml": b"include: ci/deep/more.yml\n",
    "ci/build/one.yml": b"include: {local: 'ci/$KIND/x.yml'}\n",
    "ci/deep/more.yml": b"a: 1\n",
}


def test_local_includes_are_followed() -> None:
    assert set(local_includes(HeldTree(TREE), UPSTREAM)) == {
        "ci/test.yml", "ci/build/*.yml", "ci/child.yml", "ci/deep/more.yml", "ci/$KIND/x.yml",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        pytest.param(".gitlab-ci.yml", True, id="gitlab"),
        pytest.param(".github/workflows/new.yml", True, id="a-workflow"),
        pytest.param(".github/actions/setup/action.yml", True, id="a-local-action"),
        pytest.param(".github", True, id="a-link-in-place-of-the-folder"),
        pytest.param("scripts/ci/check.sh", True, id="a-script"),
        pytest.param("scripts/ci", True, id="a-link-in-place-of-the-scripts"),
        pytest.param("ci/test.yml", True, id="included"),
        pytest.param("ci/deep/more.yml", True, id="included-by-what-is-included"),
        pytest.param("ci/child.yml", True, id="a-child-pipeline's"),
        pytest.param("ci/build/new.yml", True, id="new-and-included-by-a-wildcard"),
        pytest.param("ci/build/deep/new.yml", False, id="one-star-stays-in-its-folder"),
        pytest.param("ci/any/x.yml", True, id="a-variable-may-be-anything"),
        pytest.param("Makefile", True, id="named-by-the-gate"),
        pytest.param("ci/elsewhere.yml", False, id="another-project's"),
        pytest.param("src/app.py", False, id="the-change-itself"),
        pytest.param("scripts/cirrus.sh", False, id="a-longer-name"),
        pytest.param(".github/CODEOWNERS", False, id="no-workflow"),
    ],
)
def test_ci_configuration_must_be_upstreams(path: str, matters: bool) -> None:
    reading = ci(job(), differs=(path,), files=TREE, config=["Makefile"])
    assert codes(reading) == ({"ci.configuration"} if matters else set())
    if matters:
        assert path in seen(reading).problems[0].message


def test_what_differs_is_seen_in_a_real_repository(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "repo")
    upstream = Commit(
        repo.commit("first", {"scripts/ci/check.sh": "#!/bin/sh\nexit 1\n", ".gitlab-ci.yml": "a: 1\n"})
    )
    repo.commit("quietly", {"scripts/ci/check.sh": "#!/bin/sh\nexit 0\n", "app": "1"})
    (repo.path / ".gitlab-ci.yml").chmod(0o755)
    head = Commit(repo.commit("a mode", {".github/workflows/x.yml": "on: push\n"}))
    with GitRepo(repo.path) as git:
        assert differing_configuration(git, head, upstream) == (
            ".github/workflows/x.yml", ".gitlab-ci.yml", "scripts/ci/check.sh",
        )  # fmt: skip
        assert differing_configuration(git, upstream, upstream) == ()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"a: [", id="broken"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"\xff\xfe", id="no-text"),
        pytest.param(b"? [a]\n: 1\n", id="a-key-that-is-a-list"),
        pytest.param(b"a: 2026-99-99\n", id="a-date-that-is-none"),
        pytest.param(b" " * 2_000_000, id="too-large"),
    ],
)
def test_a_configuration_that_nobody_can_read_is_unknown(text: bytes) -> None:
    reading = ci(job(), differs=("x",), files={".gitlab-ci.yml": text})
    assert isinstance(reading, Unknown), reading


def test_too_many_includes_are_unknown() -> None:
    tree = {".gitlab-ci.yml": b"include: ci/0.yml\n"}
    tree |= {f"ci/{n}.yml": f"include: ci/{n + 1}.yml\n".encode() for n in range(200)}
    with pytest.raises(Unreadable, match="more than 150"):
        local_includes(HeldTree(tree), UPSTREAM)


def test_it_is_bound_to_the_commit_and_its_digest_follows_what_ran() -> None:
    one, other = seen(ci(job())), seen(ci(job(number=2)))
    assert one.subject == NEW
    assert one.digest != other.digest
