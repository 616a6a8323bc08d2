"""The demo's 28 gates: GO from evidence that was really made, and each piece broken turns exactly what cites it."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from guard.adapters.evidence import EvidenceSources, read_evidence
from guard.adapters.evidence.fetching import Target
from guard.adapters.evidence.operator import NO_OPERATOR
from guard.adapters.evidence.untrusted import digest_of
from guard.adapters.git import GitRepo
from guard.cli.demo.story import CHECKS, FLAWED, MENDED
from guard.core.decide import Question, decide
from guard.core.evidence import Reading, leaves
from guard.core.facts import (
    Approval,
    ApprovalFacts,
    CandidateFacts,
    ConditionFacts,
    Facts,
    Proposal,
    SignOff,
    Submission,
)
from guard.core.lineage_facts import LineageFacts
from guard.core.model import Candidate, Commit, Decision, Known, Outcome, Verdict
from guard.core.policy import AUTHORS, Policy
from guard.core.policy_names import GROUPS
from guard.core.policy_text import parse_policy
from guard.core.replay import pack
from guard.core.report_kinds import Submitted
from guard.core.rules.readiness import judge_readiness
from guard.journeys.records import make_record, open_record, replay_record
from guard.render.decision_record_schema import decision_record_schema
from guard.render.terminal import render_text
from tests.builders import verdict
from tests.decision_world import new_key, public
from tests.evidence_fakes import HeldForge, HeldRecords, people
from tests.gitrepo import Repo

PLATFORM = Path(__file__).parent.parent / "guard" / "cli" / "demo" / "platform"
NOW = datetime.now(UTC)
BRANCH = "release/platform-control"
CI, OWNER, SECURITY = "ci@demo.example", "owner@demo.example", "security@demo.example"
SIGNED = {
    "architecture.adrs": OWNER,
    "reliability.restore-drill": OWNER,
    "security.threat-model": SECURITY,
    "security.control-verification": SECURITY,
}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("bandit") is None, reason="the demo's tools are not installed"
)


@dataclass(frozen=True)
class World:
    """The demo's repository with everything that was made for its candidate."""

    repo: Repo
    ops: Path
    target: Target
    policy: Policy
    old: Commit
    new: Commit
    upstream: Commit
    submitted: dict[str, Submission]
    reports: dict[str, bytes] = field(default_factory=dict)
    signed: tuple[SignOff, ...] = ()
    approvals: Verdict = field(default_factory=lambda: verdict("approvals", summary="Approved"))

    @property
    def candidate(self) -> Candidate:
        return Candidate("demo/platform", f"refs/heads/{BRANCH}", self.old, self.new, self.upstream)

    def gathered(self) -> tuple[dict[str, Reading], ConditionFacts]:
        candidate = self.candidate
        with GitRepo(self.repo.path) as git:
            sources = EvidenceSources(
                git=git,
                upstream=self.upstream,
                candidate=candidate,
                records=HeldRecords(
                    Known(tuple(self.submitted.values()), "test", NOW),
                    Known(self.signed, "test", NOW),
                    self.reports,
                ),
                forge=HeldForge(),
                members={"platform": people(OWNER), "security": people(SECURITY)},
                submitters=people(CI),
                now=NOW,
                operator=replace(NO_OPERATOR, targets={"observability": self.target}),
            )
            readings = {
                key: read_evidence(gate.id, leaf, sources)
                for gate in self.policy.gates
                for key, leaf in leaves(gate.evidence, prefix=gate.id)
                if leaf.kind != "approvals"
            }
            changed = Known(git.changed(self.old, self.new), "git", NOW)
        return readings, ConditionFacts(changed)

    def decide(self) -> Decision:
        readings, conditions = self.gathered()
        gates = judge_readiness(
            self.policy.gates,
            readings,
            approvals=self.approvals,
            candidate=self.candidate,
            now=NOW,
            conditions=conditions,
            environments=self.policy.branches[BRANCH].environments,
        )
        return Decision(self.candidate, gates, "", "", "enforce", NOW)

    def decide_all(self) -> Decision:
        """By all rules of its policy, approved by both owners."""
        readings, conditions = self.gathered()
        proposal = Proposal("1", BRANCH, self.new, "Release", CI)
        approvals = ApprovalFacts(
            (Approval(OWNER, self.new, NOW), Approval(SECURITY, self.new, NOW)),
            dict.fromkeys(AUTHORS, frozenset({CI})),
        )
        facts = Facts(
            candidate=CandidateFacts(
                Known(True, "git", NOW), Known((proposal,), "test", NOW), Known("", "git", NOW)
            ),
            lineage=Known(
                LineageFacts(self.upstream, self.old, self.new, "master", (), head_on_upstream=True),
                "git",
                NOW,
            ),
            approvals=Known(approvals, "test", NOW),
            incidents=Known((), "test", NOW),
            members={"platform": people(OWNER), "security": people(SECURITY)},
            readings=readings,
            conditions=conditions,
            guarding=Known((), "git", NOW),
            queue=Known((), "git", NOW),
        )
        text = (self.repo.path / "guard.toml").read_bytes()
        policy = Known(parse_policy(text, where="guard.toml"), "guard.toml", NOW)
        return decide(Question(self.candidate, "master"), policy, facts, now=NOW)


def made(
    source: str, command: tuple[str, ...], repo: Repo, head: str, report: Path | None
) -> tuple[Submission, bytes]:
    """Run the tool for real, as CI does; the envelope and the report."""
    env = {**os.environ, "PYTHON": sys.executable, "RELEASED": "release", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=repo.path, env=env, capture_output=True, check=False)
    data = report.read_bytes() if report else b""
    envelope = Submission(
        id=source, source=source, subject=Commit(head), tool=Path(command[0]).name, tool_version="",
        exit_code=done.returncode, digest=digest_of(data) if report else "", submitter=CI,
        received_at=NOW - timedelta(minutes=1), command=command,
    )  # fmt: skip
    return envelope, data


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("demo")
    repo = Repo.init(folder / "dev")
    shutil.copytree(PLATFORM, repo.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for document in (repo.path / "doc").rglob("*.md"):
        document.write_text(document.read_text().replace("@TODAY@", NOW.date().isoformat()))
    for script in (repo.path / "scripts/ci").iterdir():
        script.chmod(0o755)
    old = repo.commit("A small platform")
    repo.git("branch", "release")
    new = repo.commit("Support", {"platform_control/support.py": MENDED})
    runs = [made(source, command, repo, new, report) for source, command, report in commands(folder)]
    ops = folder / "ops"
    shutil.copytree(repo.path / "ops", ops)
    observed = subprocess.Popen(
        [sys.executable, "-m", "platform_control.observe", str(ops)],
        cwd=repo.path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert observed.stdout is not None
    port = int(observed.stdout.readline())
    try:
        yield World(
            repo=repo,
            ops=ops,
            target=Target(f"http://127.0.0.1:{port}/", networks=(ipaddress.ip_network("127.0.0.1"),)),
            policy=parse_policy((repo.path / "guard.toml").read_bytes(), where="guard.toml").policy,
            old=Commit(old),
            new=Commit(new),
            upstream=Commit(new),
            submitted={envelope.source: envelope for envelope, _ in runs},
            reports={envelope.source: data for envelope, data in runs},
            signed=tuple(
                SignOff(gate, actor, NOW, Commit(new), digest="sha256:0") for gate, actor in SIGNED.items()
            ),
        )
    finally:
        observed.terminate()
        observed.communicate()


def commands(folder: Path) -> Iterator[tuple[str, tuple[str, ...], Path | None]]:
    sarif, junit = folder / "sast.sarif", folder / "acceptance.xml"
    bandit = ("-q", "-r", "platform_control", "-lll", "-f", "sarif", "-o", str(sarif))
    yield "sast", (sys.executable, "-m", "bandit", *bandit), sarif
    yield (
        "acceptance",
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}", "tests"),
        junit,
    )
    for source, script, name in CHECKS:
        report = folder / name if name else None
        yield source, (f"scripts/ci/{script}.sh", *([str(report)] if report else [])), report


def broken(world: World) -> set[str]:
    """The gates that do not pass, and that the decision goes with them."""
    decision = world.decide()
    found = {one.id for one in decision.verdicts if not one.outcome.allows}
    assert decision.allowed is not bool(found)
    return found


def test_go_from_evidence_that_was_really_made(world: World) -> None:
    decision = world.decide()
    assert decision.allowed
    assert len(decision.verdicts) == 28
    outcomes = {one.id: one.outcome for one in decision.verdicts}
    assert {gate for gate, outcome in outcomes.items() if outcome != Outcome.PASS} == {"security.pen-test"}
    assert outcomes["security.pen-test"] == Outcome.NOT_APPLICABLE
    assert all(one.exit_code == 0 for one in world.submitted.values())
    lines = render_text(decision).splitlines()
    assert sum(line.startswith(("  ✓ ", "  – ")) for line in lines) == 28
    headed = [line for line in lines if " ..." in line]
    assert headed == [f"{title} {'.' * (51 - len(title))} PASS" for title in GROUPS.values()]
    assert lines[-1] == "DECISION: GO"


def test_its_record_names_every_gate_with_its_evidence_and_is_made_again(world: World) -> None:
    decision, key = world.decide_all(), new_key()
    assert decision.allowed, [one.id for one in decision.blockers]
    record = open_record(make_record(decision, key, engine="0.1.0"), public(key))
    jsonschema.validate(record.statement, decision_record_schema())
    assert replay_record(record, engine="0.1.0").same
    gates = [one for one in record.predicate["gates"] if one["group"]]
    assert len(gates) == 28
    bare = {one["id"] for one in gates if not one["evidence"]}
    assert bare == set()
    dated = [piece for one in gates for piece in one["evidence"] if piece["observedAt"]]
    assert all(piece["recorded"] for piece in dated)
    assert decision.made_of is not None
    assert sum(len(zlib.compress(part)) for part in pack(decision.made_of).all) < 32_000


def landed(path: str, before: str, after: str) -> Callable[[World], World]:
    """Something is changed on upstream, on top of the candidate."""

    def change(world: World) -> World:
        text = world.repo.git("show", f"{world.new}:{path}") + "\n"
        assert before in text
        world.repo.git("switch", "-q", "--detach", world.new)
        upstream = world.repo.commit("worse", {path: text.replace(before, after)})
        return replace(world, upstream=Commit(upstream))

    return change


DOCUMENTS = [
    ("architecture/adrs/0002-events-leave-through-an-outbox.md", "Accepted", "Proposed", "architecture.adrs"),
    ("architecture/adrs/0001-append-only-ledger.md", "# 1.", "# One.", "architecture.adrs"),
    ("doc/security/Threat_Model.md", "Forged", "Some forged", "security.threat-model"),
    ("doc/security/Threat_Model.md", "reviewed: 2", "reviewed: 1", "security.threat-model"),
    ("doc/security/Security_Control_Verification.md", "complete", "partial", "security.control-verification"),
    ("doc/security/Encryption_Envelope_Spec.md", "live", "planned", "security.encryption-envelope"),
    (
        "doc/governance/Assumptions_Register.md",
        "authenticated | validated",
        "authenticated | open",
        "security.mtls",
    ),
    (
        "doc/governance/Assumptions_Register.md",
        "once | validated",
        "once | open",
        "security.admin-token-deny-list",
    ),
    ("doc/operations/Incident_Severity.md", "active", "draft", "reliability.incident-policy"),
    ("doc/operations/runbooks/ledger-drift.md", "Reviewed", "Written", "reliability.runbooks"),
    ("doc/governance/Contract_Versioning_Policy.md", "active", "draft", "delivery.compatibility-notes"),
    ("doc/governance/Phase_Readiness_Tracker.md", "signed-off", "open", "delivery.approval"),
]


@pytest.mark.parametrize(
    ("path", "before", "after", "gate"), DOCUMENTS, ids=[f"{row[3]}-{row[2]}" for row in DOCUMENTS]
)
def test_a_document_made_worse_turns_its_gate(
    world: World, path: str, before: str, after: str, gate: str
) -> None:
    assert broken(landed(path, before, after)(world)) == {gate}


SOURCES = ["sast", "acceptance", *(source for source, _, _ in CHECKS)]


def citing(world: World, source: str) -> set[str]:
    """The gates of which a part is submitted under this source."""
    return {
        gate.id
        for gate in world.policy.gates
        for _, leaf in leaves(gate.evidence, prefix="")
        if isinstance(leaf, Submitted) and leaf.source == source
    }


@pytest.mark.parametrize("source", SOURCES)
def test_a_report_lost_failed_or_by_a_stranger_turns_the_gates_that_cite_it(
    world: World, source: str
) -> None:
    expected = citing(world, source)
    assert expected
    rest = {name: one for name, one in world.submitted.items() if name != source}
    assert broken(replace(world, submitted=rest)) == expected
    envelope = world.submitted[source]
    for worse in (
        replace(envelope, exit_code=2),
        replace(envelope, submitter="dev@demo.example"),
        replace(envelope, subject=world.old),
        replace(envelope, received_at=NOW - timedelta(days=8)),
        replace(envelope, received_at=NOW + timedelta(days=1)),
    ):
        assert broken(replace(world, submitted={**rest, source: worse})) == expected


TESTS = {
    "AT_051": "data.ledger-invariants",
    "audit_is_immutable": "data.audit-immutability",
    "migration_forward": "data.migrations",
    "migration_rollback": "data.migrations",
    "AT_052": "data.stripe-replay",
    "AT_053": "data.stripe-signature",
    "outbox": "data.outbox-relay",
    "idempotency": "data.idempotency",
}


def reported(world: World, source: str, data: bytes) -> World:
    envelope = replace(world.submitted[source], digest=digest_of(data))
    return replace(
        world, submitted={**world.submitted, source: envelope}, reports={**world.reports, source: data}
    )


@pytest.mark.parametrize(("name", "gate"), TESTS.items())
def test_one_failed_test_turns_its_gate(world: World, name: str, gate: str) -> None:
    lines = world.reports["acceptance"].decode().replace("<testcase ", "\n<testcase ").splitlines()
    worse = [line.replace(" />", "><failure/></testcase>") if name in line else line for line in lines]
    assert worse != lines
    assert broken(reported(world, "acceptance", "\n".join(worse).encode())) == {gate}


@pytest.mark.parametrize("contract", ["openapi", "asyncapi"])
def test_one_invalid_contract_turns_its_gate(world: World, contract: str) -> None:
    data = world.reports["contracts"].replace(
        f'"{contract}": {{"valid": true'.encode(), f'"{contract}": {{"valid": false'.encode()
    )
    assert broken(reported(world, "contracts", data)) == {f"architecture.{contract}"}


def test_a_real_flaw_is_really_found(world: World, tmp_path: Path) -> None:
    (tmp_path / "support.py").write_text(FLAWED)
    report = tmp_path / "sast.sarif"
    command = (
        sys.executable,
        "-m",
        "bandit",
        "-q",
        "-r",
        str(tmp_path),
        "-lll",
        "-f",
        "sarif",
        "-o",
        str(report),
    )
    envelope, data = made("sast", command, world.repo, world.new, report)
    assert envelope.exit_code == 1
    worse = replace(
        world, submitted={**world.submitted, "sast": envelope}, reports={**world.reports, "sast": data}
    )
    assert broken(worse) == {"security.vulnerabilities"}


@pytest.mark.parametrize("gate", SIGNED)
def test_a_sign_off_that_is_missing_turns_its_gate(world: World, gate: str) -> None:
    assert broken(replace(world, signed=tuple(one for one in world.signed if one.gate != gate))) == {gate}


@pytest.mark.parametrize(
    ("file", "before", "after", "gate"),
    [
        ("dashboards/slo.json", '"panels"', '"rows"', ""),
        ("dashboards/slo.json", '"title": "entries per minute"', "", "reliability.slo-dashboards"),
        ("alerts.json", '"pager"', "", "reliability.alerts"),
        ("alerts.json", '{"rules"', '{"firing": [1], "rules"', "reliability.alerts"),
    ],
)
def test_what_runs_is_probed_as_it_is_now(
    world: World, file: str, before: str, after: str, gate: str
) -> None:
    path = world.ops / file
    good = path.read_text()
    compact = good.replace('{\n  "rules"', '{"rules"')
    assert before in compact
    both = {"reliability.slo-dashboards", "reliability.alerts"}
    worse = compact.replace(before, after)
    if gate == "reliability.slo-dashboards":
        worse = '{"title": "x", "panels": []}'
    path.write_text(worse)
    try:
        assert broken(world) == ({gate} if gate else both)  # what breaks the system itself breaks both
    finally:
        path.write_text(good)
    assert broken(replace(world, target=replace(world.target, url="http://127.0.0.1:9/"))) == both


def test_one_approval_withdrawn_turns_its_gate(world: World) -> None:
    assert broken(replace(world, approvals=verdict("approvals", Outcome.FAIL))) == {"delivery.approval"}


def test_what_the_promotion_changes_switches_the_conditional_gate_on(world: World) -> None:
    path = "platform_control/stripe.py"
    world.repo.git("switch", "-q", "--detach", world.old)
    other = world.repo.commit("older", {path: "# before\n"})
    gates = {one.id: one.outcome for one in replace(world, old=Commit(other)).decide().verdicts}
    assert gates["security.pen-test"] == Outcome.PASS
