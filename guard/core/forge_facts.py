"""What is known of a forge itself: the guard's statuses and comments there, who speaks, what is protected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """What the guard says on a commit. `state` is `success`, `failure`, `pending` or `error`; `description` has at
    most 140 characters, the smaller of the forges' limits; `by` is who posted it, where it was read."""

    context: str
    state: str
    description: str
    url: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment of a proposal. `author` is the forge's name for who wrote it. It counts as `edited` unless the forge
    shows that it was not since `written_at`; `by_program` where the forge says that no person typed it."""

    id: str
    author: str
    body: str
    written_at: datetime | None = None
    edited: bool = True
    by_program: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class ForgeIssue:
    """An issue on the forge that the guard opened itself."""

    id: str
    body: str
    is_open: bool
    url: str = ""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who wrote a comment, as the forge knows the account now."""

    name: str
    is_person: bool
    may_write: bool


@dataclass(frozen=True, slots=True)
class Protection:
    """How a forge protects a branch. `pushers` and `mergers` are everyone who may push to it or merge into it, as
    the forge names them (`@group`, a user, or a level such as `Maintainers`)."""

    branch: str
    pushers: tuple[str, ...]
    mergers: tuple[str, ...]
    force_push: bool
    deletable: bool


@dataclass(frozen=True, slots=True)
class Wake:
    """What to look at again: the proposal with this id, those with this head commit, those that a branch of this
    name has to do with, or (with the key "") all that are open; or what a merge queue made, with the key
    `BRANCH COMMIT REF`, where the ref holds the commit (no name of a ref has a space)."""

    kind: Literal["proposal", "commit", "branch", "everything", "queue"]
    key: str
