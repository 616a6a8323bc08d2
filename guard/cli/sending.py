"""What all commands that send a statement share: their options, where the facts come from, and what they print."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from guard.core.errors import UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.adapters.git import GitRepo
    from guard.core.claims import Claim
    from guard.core.model import Commit
    from guard.core.policy import Incidents
    from guard.journeys.remote_policy import RemotePolicies
    from guard.journeys.statements import Sender, Sent

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--target", metavar="BRANCH", help="The protected branch [default: the only one there is]."),
    click.option("--remote", default="origin", show_default=True, help="The remote that is guarded."),
    click.option("--as", "by", metavar="NAME", help="Who you are to the server [default: git's user.email]."),
    click.option(
        "--key",
        metavar="FILE",
        help="Your SSH key, private or .pub with an agent [default: GUARD_SSH_KEY, or git's user.signingkey].",
    ),
    click.option(
        "--repository", metavar="NAME", help="The repository's name [default: the target's policy tells]."
    ),
    click.option(
        "--service",
        metavar="URL",
        envvar="GUARD_SERVICE_URL",
        help="Send it to the guard's service over HTTP, not to the remote [default: GUARD_SERVICE_URL].",
    ),
    click.option(
        "--repo",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help="The clone to send from [default: this folder].",
    ),
)

form_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


def sending(function: F) -> F:
    """The options that every sending command takes; they arrive as the keyword arguments of `open_clone`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Clone:
    """A developer's clone and the options given with it."""

    git: GitRepo
    path: Path
    remote: str
    named_target: str | None
    named_repository: str | None
    by: str | None
    key: str | None
    service: str | None = None

    def _policies(self) -> RemotePolicies:
        """Those of the remote's branches, as this clone last saw them."""
        from guard.core.model import Commit
        from guard.journeys.remote_policy import RemotePolicies

        prefix = f"refs/remotes/{self.remote}/"
        refs = self.git.refs(prefix)
        return RemotePolicies(
            self.git, {ref.removeprefix(prefix): Commit(name) for ref, name in refs.items()}
        )

    def target(self) -> str:
        """The branch that is meant. Raises UsageError."""
        from guard.core.claim_forms import branch_name

        if self.named_target is None:
            return self._policies().target()
        try:
            return str(branch_name.check(self.named_target.removeprefix("refs/heads/")))
        except ValueError as error:
            raise UsageError(f"--target: {error}", fix="name a branch of the remote, without it") from None

    def commit(self, name: str, option: str = "--commit") -> Commit:
        """The commit behind a name. Raises UsageError."""
        from guard.core.model import Commit

        found = self.git.resolve(name) or self.git.resolve(f"refs/remotes/{self.remote}/{name}")
        if found is None:
            raise UsageError(
                f"{option}: there is no commit {plain(name)!r} in this clone",
                fix="check the spelling, or fetch it first: git fetch",
                code="ref.unknown",
            )
        return Commit(found)

    def source_of(self, gate: str) -> str:
        """The one name that the gate's reports are submitted under. Raises UsageError where it is not just one."""
        found = self._policies().sources(gate, target=self.target())
        if len(found) != 1:
            takes = f"takes reports as {', '.join(found)}" if found else "takes no report"
            raise UsageError(
                f"the gate {plain(gate)} {takes}",
                fix="name the source: --source NAME -- COMMAND",
                code="usage.gate",
            )
        return found[0]

    def service_named(self) -> str | None:
        """The service that the target's policy names, where it does."""
        return self._policies().service(target=self.named_target)

    def note_unknown(self, gate: str) -> None:
        """Say on standard error that the target's policy, as this clone last saw it, has no such gate."""
        target = self.target()
        if self._policies().lacks(gate, target=target):
            note(f"the policy of {target} has no gate {gate}, as this clone last saw it")

    def incidents(self) -> Incidents | None:
        """What the target's policy says of incidents, where this clone knows it."""
        return self._policies().incidents(target=self.named_target)

    def sender(self) -> Sender:
        from guard import wiring

        repository = self.named_repository or self._policies().repository(target=self.named_target)
        return wiring.clone_sender(
            self.path, self.remote, repository=repository, by=self.by, key=self.key, service=self.service
        )


@contextmanager
def open_clone(
    *,
    repo: Path,
    remote: str,
    target: str | None,
    repository: str | None,
    by: str | None,
    key: str | None,
    service: str | None = None,
) -> Iterator[Clone]:
    from guard.adapters.git import GitRepo

    if remote.startswith("-"):
        raise UsageError("--remote: a remote's name or URL does not start with '-'")
    with GitRepo(repo) as git:
        yield Clone(git, repo.resolve(), remote, target, repository, by, key, service)


def send_claim(claim: Claim, sender: Sender, *, report: bytes | None = None) -> Sent:
    """Sign and send it now. Raises GuardError."""
    from guard import wiring
    from guard.journeys.statements import send

    now = wiring.system_clock().now()
    return send(claim, sender, now=now, nonce=secrets.token_hex(16), report=report)


def made(claim: type[Claim], **fields: object) -> Claim:
    """The claim with these fields, checked. Raises UsageError naming the field."""
    from guard.core.claims import TYPE_OF, claim_of

    try:
        return claim_of(TYPE_OF[claim], fields)
    except ValueError as error:
        raise UsageError(str(error), fix="see --help") from None


def note(text: str) -> None:
    """What the sender should know, on standard error."""
    click.echo(f"note: {plain(text)}", err=True)


def print_sent(sent: Sent, line: str, *, form: str, err: bool = False) -> None:
    """Say what was recorded: a sentence and the statement's digest, or one JSON object."""
    from guard.core.statements import statement_fields

    if form == "json":
        document = {
            "statement": statement_fields(sent.statement), "digest": f"sha256:{sent.name}", "ref": sent.ref
        }  # fmt: skip
        click.echo(json.dumps(document, indent=2, ensure_ascii=False), err=err)
        return
    click.echo(f"{plain(line)}, as {plain(sent.statement.by)}", err=err)
    click.echo(f"  statement sha256:{sent.name}", err=err)
