"""What git tells a hook about refs, parsed; and which refs are a protected one, or could be taken for it."""

from __future__ import annotations

from hooks.say import Stop
from hooks.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADS = "refs/heads/"
_RULES_ABOVE = ("refs/", "refs/tags/")
_RULES = (*_RULES_ABOVE, _HEADS, "refs/remotes/")
"""Where git looks a name up besides the name itself (gitrevisions): for `X` the first two come before the branch,
and a full `refs/heads/X` found in any of them makes a push to the branch ambiguous."""

OWN_REFS = ("refs/guard", "refs/proposals")
"""Namespaces of the guard's own refs: a client may push there, and on the server the full guard decides."""

_WORDS = {
    "case": (
        "refs.case",
        "{ref} differs from the protected {branch} in case only; some file systems take the two for one.",
    ),
    "shadow": ("refs.shadow", "{ref} would stand in the way of the protected {branch}."),
    "lookalike": (
        "refs.lookalike",
        "{ref} would be taken for the protected {branch} wherever its short name is used.",
    ),
}
"""Code and sentence for each kind of likeness but `same`."""


class Update(NamedTuple):
    """One ref that a push would move: all zeros stand for "not there"."""

    ref: str
    old: str
    new: str

    @property
    def creates(self) -> bool:
        return not self.old.strip("0")

    @property
    def deletes(self) -> bool:
        return not self.new.strip("0")


class Likeness(NamedTuple):
    """How a ref touches a protected one: it is it, differs from it in case only, stands in its way, or would be
    taken for it when only the branch's name is given."""

    kind: str
    protected: str

    @property
    def branch(self) -> str:
        return self.protected.removeprefix(_HEADS)

    def told(self, ref: str) -> tuple[str, str]:
        """The code and the sentence that say why `ref`, which is not the protected branch, is refused."""
        code, text = _WORDS[self.kind]
        return code, text.format(ref=ref, branch=self.branch)


def parse_pushed(text: bytes) -> list[Update]:
    """pre-push's lines `<local ref> <local oid> <remote ref> <remote oid>`; the first may hold spaces. Raises Stop."""
    updates = []
    for line in _lines(text):
        parts = line.rsplit(" ", 3)
        updates.append(_update(line, parts[2:3], parts[3:4], parts[1:2], complete=len(parts) == 4))
    return updates


def parse_received(text: bytes) -> list[Update]:
    """pre-receive's lines `<old oid> <new oid> <ref>`. Raises Stop."""
    updates = []
    for line in _lines(text):
        parts = line.split(" ", 2)
        updates.append(_update(line, parts[2:3], parts[0:1], parts[1:2], complete=len(parts) == 3))
    return updates


def parse_transaction(text: bytes) -> list[Update]:
    """reference-transaction's lines `<old> <new> <ref>`; a value may also be `ref:` and what a symbolic ref is to
    name, and a ref one outside of refs/ (HEAD). Raises Stop."""
    lines = [line.split(" ", 2) for line in _lines(text)]
    if bad := next((parts for parts in lines if len(parts) != 3), None):
        raise _not_understood(" ".join(bad))
    return [Update(ref, old, new) for old, new, ref in lines]


def likeness(ref: str, protected: Iterable[str]) -> Likeness | None:
    """How `ref` touches one of the protected refs, or None. On a file system that ignores case, a name in
    another case *is* the protected branch; a tag of its name wins wherever git looks a short name up."""
    names = tuple(protected)
    if ref in names:
        return Likeness("same", ref)
    folded = _fold(ref)
    for name in names:
        wanted = _fold(name)
        if folded == wanted:
            return Likeness("case", name)
        if folded.startswith(f"{wanted}/") or (folded.startswith(_HEADS) and wanted.startswith(f"{folded}/")):
            return Likeness("shadow", name)
        short = wanted.removeprefix(_HEADS)
        if folded in {f"{rule}{short}" for rule in _RULES_ABOVE} | {f"{rule}{wanted}" for rule in _RULES}:
            return Likeness("lookalike", name)
    return None


def is_own(ref: str) -> bool:
    """Whether the ref is in a namespace of the guard's, in whatever case it is written."""
    folded = _fold(ref)
    return any(folded == space or folded.startswith(f"{space}/") for space in OWN_REFS)


def _fold(name: str) -> str:
    if name.isascii():
        return name.lower()
    import unicodedata

    return unicodedata.normalize("NFC", name).casefold()


def is_oid(text: str) -> bool:
    """Whether it is a full object name, SHA-1 or SHA-256, as git writes it."""
    return len(text) in {40, 64} and not text.strip("0123456789abcdef")


def _lines(text: bytes) -> list[str]:
    return [line for line in text.decode("utf-8", "surrogateescape").split("\n") if line]


def _update(line: str, ref: list[str], old: list[str], new: list[str], *, complete: bool) -> Update:
    if not complete or not ref[0].startswith("refs/") or not is_oid(old[0]) or not is_oid(new[0]):
        raise _not_understood(line)
    return Update(ref[0], old[0], new[0])


def _not_understood(line: str) -> Stop:
    return Stop(
        "hooks.input", f"git said something that this hook does not understand: {line[:200]!r}", "try again"
    )
