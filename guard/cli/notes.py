"""`guard notes`: drafts release and compatibility notes from the log, and says what written ones leave out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guard.core.errors import GuardError, UsageError

if TYPE_CHECKING:
    from guard.adapters.git import GitRepo
    from guard.core.model import Commit
    from guard.core.notes import Left, Notes

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
MAX_FILE = 32 * 1024 * 1024


@click.command()
@click.option(
    "--repo",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default="this folder",
    help="The repository whose log is read.",
)
@click.option(
    "--since",
    metavar="REF",
    required=True,
    help="Where the last promotion led: the release branch, as it stands before this one.",
)
@click.option("--head", metavar="REF", default="HEAD", show_default=True, help="The commit to promote.")
@click.option(
    "--queue",
    type=_FILE,
    help="The work queue, whose entries with `completed_at` are told: a Markdown table, YAML, JSON.",
)
@click.option("--contract", type=_FILE, help="A contract report, whose breaking changes are told.")
@click.option(
    "--ignore", metavar="GLOB", multiple=True, help="Titles that need no note, such as 'ci:*'; repeatable."
)
@click.option(
    "--check", "checked", type=_FILE, multiple=True, help="Check these notes instead of drafting; repeatable."
)
@click.option(
    "--part",
    type=click.Choice(["release", "compatibility", "both"]),
    default="both",
    show_default=True,
    help="What the checked notes have to tell.",
)
@click.option(
    "--format", "form", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write there instead of printing."
)
def notes(
    *, repo: Path, since: str, head: str, queue: Path | None, contract: Path | None, ignore: tuple[str, ...],
    checked: tuple[Path, ...], part: str, form: str, out: Path | None,
) -> int:  # fmt: skip
    """Draft release notes and compatibility notes from what was committed since the last promotion.

    A change is told by its commit's name, by what it was picked from, by its merge request's number, or by its whole
    title. It breaks something when its title has a `!` or begins with `BREAKING:`, or its message says
    `BREAKING CHANGE:`. The gates of kind `notes` check the same.

    \b
    guard notes --since origin/release/platform-control --queue doc/Active_Work_Queue.md --out NOTES.md
    guard notes --since origin/release/platform-control --check NOTES.md

    Exit status: 0 drafted, or complete; 1 the checked notes leave something out; 2 it could not be told.
    """  # fmt: skip
    from guard.adapters.git import GitRepo

    with GitRepo(repo) as git:
        start, end = _resolved(git, since, "--since"), _resolved(git, head, "--head")
        found = _collected(
            git, start, end, queue=queue, contract=contract, ignore=ignore, own=_inside(repo, checked)
        )
        left = _left(git, start, found, repo=repo, files=checked, part=part) if checked else None
    _tell(_rendered(found, left, form, names=[str(file) for file in checked]), out)
    return 1 if left else 0


def _collected(
    git: GitRepo, start: Commit, end: Commit, *, queue: Path | None, contract: Path | None, ignore: tuple[str, ...],
    own: Sequence[str],
) -> Notes:  # fmt: skip
    from guard.adapters.evidence.notes import contracted_of, queue_of
    from guard.core.notes import collect
    from guard.wiring import system_clock

    log = git.log(start, end)
    return collect(
        log.commits, since=start, head=end, after=log.since_at, own=own, ignore=ignore,
        items=queue_of(_read(queue), str(queue), now=system_clock().now()) if queue else (),
        contracted=contracted_of(_read(contract), str(contract)) if contract else (),
    )  # fmt: skip


def _left(
    git: GitRepo, start: Commit, found: Notes, *, repo: Path, files: tuple[Path, ...], part: str
) -> tuple[Left, ...]:
    from guard.adapters.evidence.notes import left_out
    from guard.adapters.evidence.untrusted import decode

    texts = tuple(decode(_read(file), str(file)) for file in files)
    before = (git.read(start, path) for path in _inside(repo, files))
    old = "\n".join(data.decode("utf-8", "replace") for data in before if data is not None)
    parts = ("release", "compatibility") if part == "both" else (part,)
    every = (one for each in parts for one in left_out(each, found, texts, old=old))
    return tuple(dict.fromkeys(every))


def _inside(repo: Path, files: Sequence[Path]) -> list[str]:
    """The paths of these files in the repository's tree, of those that are in it."""
    top = next(
        (folder for folder in (repo.resolve(), *repo.resolve().parents) if (folder / ".git").exists()), None
    )
    return [
        file.resolve().relative_to(top).as_posix()
        for file in files
        if top is not None and file.resolve().is_relative_to(top)
    ]


def _resolved(git: GitRepo, name: str, option: str) -> Commit:
    commit = git.resolve(name) or git.resolve(f"refs/remotes/origin/{name}")
    if commit is None:
        raise UsageError(
            f"{option}: there is no commit {name!r} in this repository",
            fix="name a branch, a tag or a commit",
        )
    return commit


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", fix="mend the path or its permissions") from None
    if len(data) > MAX_FILE:
        raise UsageError(f"{file} has more than {MAX_FILE} bytes", fix="give a smaller file")
    return data


def _rendered(found: Notes, left: Sequence[Left] | None, form: str, *, names: Sequence[str]) -> str:
    from guard.render.notes import left_text, notes_markdown, notes_report

    if form == "json":
        return json.dumps(notes_report(found, left), indent=2) + "\n"
    return notes_markdown(found) if left is None else left_text(left, names)


def _tell(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GuardError(
            f"{out}: {error.strerror}", fix="name a place that can be written", code="output.failed"
        ) from None
