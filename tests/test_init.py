"""`guard init`: the complete catalogue, written once, for the repository that stands here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from guard.adapters.evidence import KINDS
from guard.cli.init import Origin, catalogue_template, filled_catalogue, parse_origin
from guard.cli.main import status_of
from guard.core.errors import UsageError
from guard.core.evidence import All, AnyOf, Approvals, leaves
from guard.core.policy import AUTHORS, Gate, Policy
from guard.core.policy_text import parse_policy
from guard.core.report_kinds import Junit, Submitted
from guard.core.upstream_kinds import Inventory, Register
from tests.gitrepo import Repo

TITLES = {
    # the gates of the release readiness page, in its order and its words
    "architecture.adrs": "ADR set finalized",
    "architecture.openapi": "OpenAPI validated + lint clean",
    "architecture.asyncapi": "AsyncAPI validated",
    "architecture.breaking-changes": "Breaking changes reviewed with migration notes",
    "security.threat-model": "Threat model reviewed",
    "security.control-verification": "Security control verification complete",
    "security.vulnerabilities": "No unresolved critical/high vulnerabilities",
    "security.secrets": "Secret scanning clean",
    "security.pen-test": "Pen test scope addressed",
    "security.encryption-envelope": "Encryption envelope baseline live",
    "security.mtls": "mTLS internal active in staging",
    "security.admin-token-deny-list": "Admin-token deny-list path live",
    "data.ledger-invariants": "Ledger invariants tested",
    "data.audit-immutability": "Audit immutability tested",
    "data.migrations": "Migration forward + rollback pass",
    "data.stripe-replay": "Stripe webhook replay test passes",
    "data.stripe-signature": "Stripe signature bypass test passes",
    "data.outbox-relay": "Outbox-relay at-least-once verified",
    "data.idempotency": "Idempotency tests on all mutations",
    "reliability.slo-dashboards": "SLO dashboards live",
    "reliability.alerts": "Alerts wired to on-call",
    "reliability.runbooks": "Runbooks published for critical incidents",
    "reliability.incident-policy": "Incident severity policy + escalation active",
    "reliability.restore-drill": "Backup/restore drill completed",
    "delivery.ci": "CI pipeline all required gates green",
    "delivery.release-notes": "Release notes complete",
    "delivery.compatibility-notes": "Compatibility notes complete",
    "delivery.approval": "Approval recorded by platform + security owners",
}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    repo = Repo.init(tmp_path / "platform")
    monkeypatch.chdir(repo.path)
    return repo


def written(file: Path) -> Policy:
    return parse_policy(file.read_bytes(), where=file.name).policy


@pytest.mark.parametrize("asked", [False, True], ids=["nobody", "two-owners"])
def test_an_emergency_has_to_be_asked_for(clone: Repo, asked: bool) -> None:
    assert status_of(["init", *(["--break-glass"] if asked else [])]) == 0
    policy = written(clone.path / "guard.toml")
    assert (policy.break_glass is not None) == asked
    assert "[break_glass]" in (clone.path / "guard.toml").read_text()
    assert policy.approvals.not_by == AUTHORS


@pytest.fixture(scope="module")
def catalogue() -> dict[str, Gate]:
    text = filled_catalogue(
        forge="gitlab", repository="gpuaas/platform", branch="release/platform-control", upstream="master"
    )
    policy = parse_policy(text.encode(), where="guard.toml").policy
    assert policy.incidents.labels == ("SEV-1", "SEV-2")
    return {gate.id: gate for gate in policy.gates}


def test_the_28_gates_of_the_five_groups(catalogue: dict[str, Gate]) -> None:
    assert {id_: gate.title for id_, gate in catalogue.items()} == TITLES
    groups = Counter(gate.group for gate in catalogue.values())
    assert groups == {"architecture": 4, "security": 8, "data": 7, "reliability": 5, "delivery": 4}
    assert all(id_.partition(".")[0] == gate.group for id_, gate in catalogue.items())
    assert all(gate.help.endswith(".") for gate in catalogue.values())


def test_three_gates_are_conditional(catalogue: dict[str, Gate]) -> None:
    conditional = {id_ for id_, gate in catalogue.items() if not gate.mandatory}
    assert conditional == {"security.pen-test", "security.encryption-envelope", "security.mtls"}
    assert all(catalogue[id_].when for id_ in conditional)


def test_the_evidence_that_the_page_names(catalogue: dict[str, Gate]) -> None:
    vulnerabilities = catalogue["security.vulnerabilities"].evidence
    assert isinstance(vulnerabilities, All)
    assert [(part.kind, part.source) for part in vulnerabilities.all if isinstance(part, Submitted)] == [
        ("sarif", "sast"),
        ("sarif", "dast"),
        ("vulnerabilities", "dependencies"),
    ]
    approval = catalogue["delivery.approval"].evidence
    assert isinstance(approval, All)
    assert [type(part) for part in approval.all] == [Approvals, Register]
    assert isinstance(catalogue["architecture.breaking-changes"].evidence, AnyOf)
    runbooks = catalogue["reliability.runbooks"].evidence
    assert isinstance(runbooks, Inventory)
    assert (runbooks.path, runbooks.minimum) == ("doc/operations/runbooks", 38)
    tests = [
        leaf.tests
        for gate in catalogue.values()
        for _, leaf in leaves(gate.evidence, prefix="")
        if isinstance(leaf, Junit)
    ]
    assert {name for names in tests for name in names} >= {"AT-051", "AT-052", "AT-053"}


@pytest.mark.parametrize(
    "named",
    [
        "architecture/adrs",
        "scripts/ci/contracts_validate.sh",
        "scripts/ci/contracts_breaking_change.sh",
        "BREAKING:",
        "Security_Control_Verification.md",
        "Pen_Test_Scope.md",
        "Encryption_Envelope_Spec.md",
        "A-014",
        "A-016",
        "Incident_Severity.md",
        "Contract_Versioning_Policy.md",
        "Phase_Readiness_Tracker.md",
        "Platform_Control_Release_Promotion_Policy.md",
        "Multi_Agent_Lane_Worktrees_v1.md",
    ],
)
def test_the_documents_that_the_page_names_are_in_it(named: str) -> None:
    assert named in catalogue_template()


def test_it_writes_a_valid_policy_and_says_what_to_do_next(
    clone: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    clone.git("remote", "add", "origin", "git@gitlab.example.com:gpuaas/platform.git")
    assert status_of(["init"]) == 0
    policy = written(clone.path / "guard.toml")
    assert (policy.project.forge, policy.project.repository) == ("gitlab", "gpuaas/platform")
    assert policy.roles["security"].members == ("@gpuaas/security-owners",)
    assert policy.branches["release/platform-control"].promote
    said = capsys.readouterr().out
    assert "28 gates" in said
    assert "guard policy validate" in said
    assert status_of(["policy", "validate"]) == 0


def test_it_writes_to_the_root_from_a_folder_below(clone: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    below = clone.path / "doc" / "security"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert status_of(["init"]) == 0
    assert (clone.path / "guard.toml").exists()
    assert not (below / "guard.toml").exists()


def test_without_a_remote_and_without_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "somewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert status_of(["init"]) == 0
    policy = written(folder / "guard.toml")
    assert (policy.project.forge, policy.project.repository) == ("local", "somewhere")
    assert policy.roles["platform"].members == ("@platform-owners",)


def test_options_win_over_the_remote(clone: Repo) -> None:
    clone.git("remote", "add", "origin", "https://github.com/other/name.git")
    options = ["--forge", "gitlab", "--repository", "a/b/c", "--branch", "release/1.4", "--upstream", "main"]
    assert status_of(["init", *options]) == 0
    policy = written(clone.path / "guard.toml")
    assert (policy.project.forge, policy.project.repository) == ("gitlab", "a/b/c")
    assert list(policy.branches) == ["release/1.4"]
    assert policy.branches["release/1.4"].upstream == "main"
    assert policy.branches["release/1.4"].promote is None, "the page's script moves the page's branch only"


def test_it_never_replaces_a_file_unless_told_to(clone: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    file = clone.path / "guard.toml"
    file.write_text("mine", encoding="utf-8")
    assert status_of(["init"]) == 64
    assert "init.exists" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "mine"
    assert status_of(["init", "--force"]) == 0
    assert written(file).version == 1


def test_it_does_not_write_through_a_dangling_link(clone: Repo, tmp_path: Path) -> None:
    (clone.path / "guard.toml").symlink_to(tmp_path / "elsewhere.toml")
    assert status_of(["init"]) == 64
    assert not (tmp_path / "elsewhere.toml").exists()


def test_another_file_and_standard_output(clone: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["init", "--output", "policy/guard.toml"]) == 64
    assert status_of(["init", "--output", "other.toml"]) == 0
    assert written(clone.path / "other.toml").version == 1
    capsys.readouterr()
    assert status_of(["init", "--output", "-"]) == 0
    assert parse_policy(capsys.readouterr().out.encode(), where="-").policy.version == 1
    assert not (clone.path / "guard.toml").exists()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--branch", "a b"], id="branch-that-git-refuses"),
        pytest.param(["--branch", "master"], id="its-own-upstream"),
        pytest.param(["--branch", "refs/heads/x"], id="full-ref"),
        pytest.param(["--repository", "x" * 300], id="name-too-long"),
        pytest.param(["--repository", "a\udcff"], id="name-that-is-no-text"),
        pytest.param(["--forge", "bitbucket"], id="unknown-forge"),
    ],
)
def test_names_that_no_policy_can_hold(options: list[str], clone: Repo) -> None:
    assert status_of(["init", *options]) == 64
    assert not (clone.path / "guard.toml").exists()


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nmode = 1", "{{branch}}", "é/ü", "a'''b", "\\g<0>"])
def test_a_name_stays_a_name_whatever_it_holds(name: str) -> None:
    text = filled_catalogue(forge="local", repository=name, branch="release/x", upstream="master")
    assert parse_policy(text.encode(), where="g").policy.project.repository == name


def test_a_name_with_a_control_character_that_toml_refuses() -> None:
    with pytest.raises(UsageError):
        filled_catalogue(forge="local", repository="a\x7fb", branch="release/x", upstream="master")


@pytest.mark.parametrize(
    ("url", "forge", "repository"),
    [
        ("git@gitlab.example.com:gpuaas/platform.git", "gitlab", "gpuaas/platform"),
        ("gitlab.com:a/b/c", "gitlab", "a/b/c"),
        ("https://oauth2:secret@gitlab.com/gpuaas/platform.git", "gitlab", "gpuaas/platform"),
        ("ssh://git@github.example.com:2222/gpuaas/platform.git/", "github", "gpuaas/platform"),
        ("https://git.example.com/a/b.git", "", "a/b"),
        ("/srv/git/platform.git", "local", "platform"),
        ("../platform.git", "local", "platform"),
        ("file:///srv/git/platform.git", "local", "platform"),
        ("https://[bad/a/b", "", ""),
        ("https://gitlab.com/a\x1b[31m/b", "gitlab", ""),
        ("", "local", ""),
    ],
)
def test_what_a_remote_says(url: str, forge: str, repository: str) -> None:
    assert parse_origin(url) == Origin(forge, repository)


def test_no_credential_of_the_remote_reaches_the_file(clone: Repo) -> None:
    clone.git("remote", "add", "origin", "https://me:hunter2@gitlab.example.com/gpuaas/platform.git")
    assert status_of(["init"]) == 0
    text = (clone.path / "guard.toml").read_text(encoding="utf-8")
    assert "hunter2" not in text
    assert "me:" not in text


@pytest.mark.parametrize(
    ("forge", "ci"),
    [
        pytest.param("gitlab", ("ci", None), id="jobs"),
        pytest.param("github", ("ci", "ci.yml"), id="jobs-of-a-workflow"),
        pytest.param("local", ("script", None), id="a-script-where-there-is-no-forge"),
    ],
)
def test_each_forge_gets_a_catalogue_that_it_can_satisfy(forge: str, ci: tuple[str, str | None]) -> None:
    text = filled_catalogue(forge=forge, repository="a/b", branch="release/x", upstream="main")
    gates = {gate.id: gate for gate in parse_policy(text.encode(), where="guard.toml").policy.gates}
    assert len(gates) == 28
    evidence = gates["delivery.ci"].evidence
    assert (getattr(evidence, "kind", None), getattr(evidence, "workflow", None)) == ci
    kinds = {leaf.kind for gate in gates.values() for _, leaf in leaves(gate.evidence, prefix="")}
    assert kinds <= {name for name, reader in KINDS.items() if reader} | {"approvals"}, (
        "every kind can be read"
    )


def test_the_page_leads_from_every_gate_to_its_line_in_the_profile() -> None:
    from guard.cli.catalogue import DOCUMENTS, catalogue_page, catalogue_text, gate_lines

    lines, text, page = gate_lines(), catalogue_text().splitlines(), catalogue_page()
    assert set(lines) == set(TITLES)
    for gate, number in lines.items():
        assert text[number - 1] == f'id = "{gate}"'
        assert f"| `{gate}` | {number} |" in page
    named = {gate for _, place in DOCUMENTS if isinstance(place, tuple) for gate in place}
    assert named <= set(TITLES)
