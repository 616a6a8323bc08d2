"""The command `guard`: one table of subcommands, imported only when called, and one door for every error."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
from collections.abc import Sequence

import click

from guard import __version__
from guard.cli.streams import fill_closed, tolerate
from guard.core.errors import GuardError

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module:command, one line for the list of commands)
    "check": ("guard.cli.check:check", "Decide whether a release branch may move, and say why not."),
    "readiness": ("guard.cli.check:readiness", "Show the Go/No-Go board: the same as check."),
    "decision": ("guard.cli.decision:decision", "Check the signed record of a decision, or make it again."),
    "explain": (
        "guard.cli.explain:explain",
        "Say what a gate means, why it stands so, and what would change it.",
    ),
    "lineage": ("guard.cli.lineage:lineage", "Show only whether every fix is on upstream first."),
    "drift": ("guard.cli.drift:drift", "List what a release branch has that upstream has not."),
    "notes": ("guard.cli.notes:notes", "Draft release notes from the log, or say what they leave out."),
    "approve": ("guard.cli.statements:approve", "Approve the promotion of one commit."),
    "withdraw": ("guard.cli.statements:withdraw", "Withdraw your approval of a commit."),
    "signoff": ("guard.cli.statements:signoff", "Sign off one readiness gate."),
    "waive": ("guard.cli.waive:waive", "Ask for, approve, withdraw and list waivers of findings."),
    "propose": ("guard.cli.statements:propose", "Propose a commit for promotion, or close a proposal."),
    "incident": ("guard.cli.incident:incident", "Open, close and list incidents that stop promotions."),
    "evidence": ("guard.cli.evidence:evidence", "Submit what a tool reports about a commit."),
    "hold": ("guard.cli.hold:hold", "Stop every promotion of a branch until it is lifted."),
    "unhold": ("guard.cli.hold:unhold", "Say that a hold on a branch's promotions may end."),
    "restore": ("guard.cli.restore:restore", "Put a branch back that was moved without a permit."),
    "holds": ("guard.cli.hold:holds", "List what holds the promotions of a branch."),
    "break-glass": (
        "guard.cli.break_glass:break_glass",
        "Ask, as one of two, to let a head pass in an emergency.",
    ),
    "simulate": ("guard.cli.simulate:simulate", "Show what would be decided; nothing is recorded or posted."),
    "init": ("guard.cli.init:init", "Write a policy with the complete catalogue of gates."),
    "policy": ("guard.cli.policy:policy", "Check a policy file, or print the JSON Schema of one."),
    "install": (
        "guard.cli.install:install",
        "Install the hooks in a clone, or on a server's bare repository.",
    ),
    "uninstall": ("guard.cli.install:uninstall", "Take the hooks away and put back what stood there."),
    "doctor": ("guard.cli.doctor:doctor", "Check a clone's hooks, and say how to mend what is wrong."),
    "hook": (
        "guard.cli.hook:hook",
        "",
    ),  # git's hooks call it; people have no use for it, so it is not listed
    "promote": ("guard.cli.promote:promote", "Move a protected release branch, with a permit, if it is GO."),
    "push": (
        "guard.cli.push:push",
        "Have the guard's service move the branch; for promote scripts on a hosted forge.",
    ),
    "adopt": (
        "guard.cli.adopt:adopt",
        "Record where a protected branch stands, as the baseline of promotions.",
    ),
    "audit": ("guard.cli.audit:audit", "Read the ledger, and check that it adds up."),
    "keys": ("guard.cli.keys:keys", "List, replace, retire and revoke the guard's signing keys."),
    "backup": ("guard.cli.backup:backup", "Keep a copy of a server side, and put it back."),
    "database": ("guard.cli.database:database", "Make a PostgreSQL database ready for the ledger."),
    "serve": ("guard.cli.serve:serve", "Serve the webhooks of a GitLab project or GitHub repository."),
    "completion": ("guard.cli.completion:completion", "Print the completion script for a shell."),
    "demo": ("guard.cli.demo.command:demo", "Show the main job on real git, checked as it is shown."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand's module only when it is called or its help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items() if line])


def _missing_extra(error: ModuleNotFoundError) -> GuardError:
    if (error.name or "").partition(".")[0] in {"guard", "hooks", "webhook_app", ""}:
        raise error  # a bug of ours, not a package that was left out
    return GuardError(
        f"this command runs on the server side and needs the package {error.name}, which is not installed",
        fix="pip install 'release-guard[service]'",
        code="install.extra-missing",
    )


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="guard")
def guard() -> None:
    """Release Guard: a protected release branch moves only by a promotion.

    Exit status: 0 allowed or GO, 1 refused or NO-GO, 2 could not decide, 64 wrong usage.
    """


def run(arguments: Sequence[str] | None = None) -> None:
    """The door: every expected failure becomes a message with its fix and an exit status; a bug crashes."""
    # Classes and tables made at the start all stay: looking for garbage every 700 objects costs a twentieth of a run.
    gc.set_threshold(20_000)
    fill_closed()
    tolerate()
    status = status_of(arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        # What could not be told was not decided; and nothing may be written again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141 if isinstance(error, BrokenPipeError) else 2
        sys.stderr.write(f"output.failed: the answer could not be written: {error.strerror}\n")
    sys.exit(status)


def status_of(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    try:
        result = _run_one(arguments)
    except GuardError as error:
        _complain(error)
        return error.exit_status
    except click.ClickException as error:
        error.show()
        return 64
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: nothing further was done", err=True)
        return 130
    except SystemExit as ended:
        # click leaves with 1 when nobody reads its output any more; a server leaves with its own status.
        return 141 if ended.code == 1 else int(ended.code or 0)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        return 2
    return result if isinstance(result, int) else 0


def _run_one(arguments: Sequence[str] | None) -> object:
    try:
        return guard.main(args=arguments, prog_name="guard", standalone_mode=False)
    except ModuleNotFoundError as error:
        raise _missing_extra(error) from error


def _complain(error: GuardError) -> None:
    from guard.render.safe import plain

    first, *more = (plain(line, limit=2000) for line in error.message.splitlines() or [""])
    click.echo(
        f"{click.style(error.code, fg='red', bold=True) if _colour() else error.code}: {first}", err=True
    )
    for line in more:
        click.echo(line, err=True)
    if error.fix:
        click.echo(f"fix: {plain(error.fix, limit=2000)}", err=True)


def _colour() -> bool:
    # click itself leaves colours out where stderr is no terminal.
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


if __name__ == "__main__":
    run()
