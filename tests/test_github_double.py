"""The double itself: what it serves beyond the guard's own calls, that it notices a broken contract, and apps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from github import Auth

from guard.adapters.github import GitHubForge
from tests.doubles.github import contract
from tests.doubles.github.double import GitHubDouble
from tests.doubles.github.handlers import HANDLERS
from tests.doubles.github.operations import OPERATIONS, PAGES
from tests.doubles.github.state import Ruleset
from tests.doubles.server import Answer, Request
from tests.forge_contract import known
from tests.github_world import TARGET, GitHubWorld, SteadyClock


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    world = GitHubWorld(tmp_path)
    yield world
    world.close()


def asked(method: str = "GET", body: bytes = b"", **query: str) -> Request:
    return Request(method, "", {name: [value] for name, value in query.items()}, {}, body)


def test_checks_and_statuses_of_a_commit_are_described_answers(world: GitHubWorld) -> None:
    """What a gate of evidence kind `ci` will read."""
    pull = world.pull()
    head = world.state.head_of(pull)
    world.state.check(head, "build", None)
    world.state.check(head, "build", "success")
    world.state.set_status(head, "lint", "success", by="ci[bot]")
    world.state.set_status(head, "lint", "failure", by="ci[bot]")
    ask = world.double.client().requester.requestJsonAndCheck
    repo = f"/repos/{world.state.full_name}"
    _, checks = ask("GET", f"{repo}/commits/{head}/check-runs")
    assert [(one["name"], one["conclusion"]) for one in checks["check_runs"]] == [("build", "success")]
    _, combined = ask("GET", f"{repo}/commits/{head}/status")
    assert (combined["state"], combined["total_count"]) == ("failure", 1)
    assert ask("GET", f"{repo}/pulls/{pull.number}")[1]["head"]["sha"] == head
    assert world.bare.rev(f"refs/pull/{pull.number}/head") == head
    assert world.double.uncovered == set()


def test_pygithubs_own_objects_can_be_used_on_it_too(world: GitHubWorld) -> None:
    pull = world.pull(title="A release")
    world.state.review(pull, by="bob")
    world.double.largest_page = 1
    world.state.review(pull, by="cid")
    found = world.double.client().get_repo(world.state.full_name).get_pull(pull.number)
    assert (found.title, found.head.sha) == ("A release", world.state.head_of(pull))
    assert [review.user.login for review in found.get_reviews()] == ["bob", "cid"]


def test_a_wrong_token_is_refused(world: GitHubWorld) -> None:
    forge = GitHubForge(world.double.client(Auth.Token("stolen")), "acme/platform", clock=SteadyClock())
    answer = forge.head(TARGET)
    assert "token" in getattr(answer, "fix", "")


@pytest.mark.parametrize(
    ("operation", "values", "request_", "answer"),
    [
        pytest.param(
            "GET /repos/{owner}/{repo}/pulls", {"owner": "a", "repo": "b"}, asked(state="ajar"), Answer(body=[]),
            id="a-parameter-of-a-wrong-value",
        ),
        pytest.param(
            "POST /repos/{owner}/{repo}/statuses/{sha}", {"owner": "a", "repo": "b", "sha": "c"},
            asked("POST", b'{"context": "guard"}'), Answer(201, {}), id="a-body-without-its-state",
        ),
        pytest.param(
            "GET /repos/{owner}/{repo}/pulls", {"owner": "a", "repo": "b"}, asked(), Answer(body=[{"number": 1}]),
            id="an-answer-without-its-fields",
        ),
        pytest.param(
            "GET /repos/{owner}/{repo}/git/ref/{ref}", {"owner": "a", "repo": "b", "ref": "heads/x"}, asked(),
            Answer(body=[]), id="a-list-for-an-object",
        ),
    ],
)  # fmt: skip
def test_a_broken_contract_is_noticed(
    operation: str, values: Mapping[str, str], request_: Request, answer: Answer
) -> None:
    with pytest.raises(contract.ContractBroken):
        contract.check(operation, values, request_, answer)


def test_what_the_double_cannot_answer_fails_the_test(tmp_path: Path) -> None:
    double = GitHubDouble(GitHubWorld(tmp_path).bare)
    double.server.take(Request("GET", "/zen", {}, {"authorization": "token ghp_double"}, b""))
    with pytest.raises(AssertionError, match="GET /zen"):
        double.close()


def test_every_operation_has_its_page_and_its_handler() -> None:
    assert HANDLERS.keys() == OPERATIONS.keys()
    assert all("#" in page and not page.startswith(PAGES) for page in OPERATIONS.values())


def test_an_app_that_signs_in_with_its_key_knows_itself_in_a_bypass_list(tmp_path: Path) -> None:
    world = GitHubWorld(tmp_path, is_app=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    auth = Auth.AppInstallationAuth(Auth.AppAuth(77, pem.decode()), 5)
    forge = GitHubForge(world.double.client(auth), world.state.full_name, clock=SteadyClock())
    bypass = (("Integration", 77, "always"), ("Integration", 78, "always"))
    world.state.rulesets.append(Ruleset(7, (TARGET,), ("update",), bypass))
    found = known(forge.protection(TARGET))
    assert found
    assert found.pushers == ("release-guard[bot]", "app 78")
    assert forge.me() == "release-guard[bot]"
    world.close()
