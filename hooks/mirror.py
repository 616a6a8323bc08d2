"""`git push --mirror` deletes on the remote what is not here and tells pre-push nothing of it: the wish is refused."""

from __future__ import annotations

from hooks.ancestry import running_command
from hooks.config import Config
from hooks.git import ask
from hooks.refs import Likeness
from hooks.refusing import refuse


def judge_mirror(config: Config, remote: tuple[str, ...], *, fork: bool) -> int:
    """May this push be made, when it is a mirror? Not while a protected branch exists on the remote."""
    name, url = (*remote, "", "")[:2]
    if fork or not _is_mirror(name):
        return 0
    standing = _standing(url or name, config)
    if not standing:
        return 0
    branch = config.branches[standing[0]]
    like = Likeness("same", standing[0])
    advice = f"Push what you mean by name: git push {name} BRANCH…"
    setting = f"or unset it: git config --unset remote.{name}.mirror"
    tried = "cannot be pushed over by a mirror, which would make it what it is here, or delete it"
    return refuse(branch, like, branch.ref, tried, f"{advice}; {setting}", code="refs.mirror")


def _is_mirror(name: str) -> bool:
    """By the command line, where git takes any beginning of the word that is unambiguous, or by configuration."""
    command = running_command()
    wish = False
    for word in command.arguments if command.verb == "push" else ():
        if word == "--":
            break
        if len(word) > 2 and "--mirror".startswith(word):
            wish = True
        elif word.startswith("--no-m") and "--no-mirror".startswith(word):
            wish = False
    if wish:
        return True
    _, said = ask("config", "--type=bool", "--get", f"remote.{name}.mirror", accept=(0, 1, 128))
    return said.strip() == "true"


def _standing(place: str, config: Config) -> list[str]:
    """The protected branches that the remote has; all of them when it cannot be asked."""
    refs = list(config.branches)
    status, lines = ask("ls-remote", "--", place, *refs, accept=(0, 128))
    if status:
        return refs
    there = {line.partition("\t")[2] for line in lines.splitlines()}
    return [ref for ref in refs if ref in there]
