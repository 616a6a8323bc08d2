"""The service's bare mirror of a repository on a forge: only ever fetched into, never checked out, never run.

Credentials come from this process's environment and reach git through an askpass program; they are in no URL, no
argument and no file.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from guard.adapters.git_process import environment
from guard.core.errors import GitError, SettingsError
from guard.core.facts import Proposal

HEAD_REFS: Mapping[str, str] = {
    # GitLab: docs.gitlab.com/user/project/merge_requests/reviews, "checkout … through the head ref"
    "gitlab": "refs/merge-requests/{id}/head",
    # GitHub: docs.github.com/pull-requests, "checking out pull requests locally"
    "github": "refs/pull/{id}/head",
}
"""Where each forge shows a proposal's head, a fork's too."""

USERNAME, PASSWORD = "GUARD_GIT_USERNAME", "GUARD_GIT_PASSWORD"
"""What the mirror fetches with, where the forge asks."""

TIMEOUT = 600.0
"""Seconds that one git process may take; the first fetch brings everything."""

PUSH_SECONDS = 100
"""Seconds that a push may take, whatever becomes of the process that started it."""

TIMED_OUT = (124, 137)
"""What timeout(1) of the GNU coreutils ends with when it had to end the program."""

_PASSED_ON = (
    "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "HOME",
)  # fmt: skip
"""The operator's ways to the forge: proxies, certificates, ssh."""

_OPTIONS = (
    "-c", "safe.directory=*", "-c", "credential.helper=", "-c", "http.followRedirects=false",
    "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
    "-c", "protocol.allow=never", "-c", "protocol.https.allow=always", "-c", "protocol.http.allow=always",
    "-c", "protocol.ssh.allow=always", "-c", "protocol.file.allow=always",
)  # fmt: skip

_ASKPASS = f"""\
#!/bin/sh
case "$1" in
  Username*) printf '%s\\n' "${{{USERNAME}}}" ;;
  *) printf '%s\\n' "${{{PASSWORD}}}" ;;
esac
"""

_ID = re.compile(r"[0-9]{1,18}")
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")


class Mirror:
    """A bare repository kept up to date with a remote, branch by branch and proposal by proposal.

    `head_ref` is where the remote shows a proposal's head (a value of HEAD_REFS). Several processes may share one.
    """

    def __init__(
        self, git_dir: Path, url: str, *, head_ref: str, credentials: tuple[str, str] | None = None
    ) -> None:
        """Raises SettingsError for a URL that carries a secret."""
        if re.match(r"[a-z+]+://[^/]*:[^/]*@", url):
            raise SettingsError(
                "the mirror's URL carries a password",
                fix=f"take it out; put it into {USERNAME} and {PASSWORD}",
            )
        self.git_dir = git_dir
        self._url = url
        self._head_ref = head_ref
        self._credentials = credentials

    def refresh(self, branches: Iterable[str], proposals: Iterable[Proposal] = ()) -> None:
        """Bring these branches (or refs, by their full names) and proposals' heads here; what the remote has not is
        taken away here too.

        Raises GitError: `mirror.unreachable`, or `mirror.head-missing` where a proposal's head is not to be had,
        as for a moment during a forced push.
        """
        heads = tuple(proposals)
        full = [name if name.startswith("refs/") else f"refs/heads/{name}" for name in branches]
        wanted = {name: name for name in full}
        wanted |= {
            self._head_ref.format(id=one.id): f"refs/guard/proposals/{one.id}"
            for one in heads
            if _ID.fullmatch(one.id)
        }
        with self._alone():
            self._make()
            there = self._remote_refs(wanted)
            gone = [local for remote, local in wanted.items() if remote not in there]
            for ref in gone:
                self._git("update-ref", "-d", ref)
            if specs := [f"+{remote}:{local}" for remote, local in wanted.items() if remote in there]:
                self._git(
                    "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--force",
                    "--no-auto-maintenance", "--", self._url, *specs,
                )  # fmt: skip
        self._demand(heads)

    def push(self, ref: str, old: str, new: str, *, token: str = "") -> str:
        """Move the remote's branch from exactly `old` ("": it is not there) to `new`, never otherwise: "" when it did,
        else why not, in git's words. `token` is a permit for a server that verifies those. Raises GitError where it is
        not known whether it did.

        git gives up when the remote's branch does not stand at `old`; the remote compares once more when it writes.
        """
        lease = f"--force-with-lease={ref}:{old}"
        command = (
            "push", "--porcelain", "--no-follow-tags", "--no-verify", "--no-signed", "--recurse-submodules=no", lease,
            "--", self._url, f"{new}:{ref}",
        )  # fmt: skip
        done = self._run(command, bounded=True, token=token)
        if done.returncode == 0:
            return ""
        words = _USERINFO.sub(
            "", f"{done.stdout.decode('utf-8', 'replace')} {done.stderr.decode('utf-8', 'replace')}"
        )
        if done.returncode in TIMED_OUT:
            raise GitError(
                f"git push did not end within {PUSH_SECONDS} seconds",
                fix="look again",
                code="mirror.push-unknown",
            )
        return "the forge did not take the push: " + (" ".join(words.split())[:500] or "no reason given")

    def prepare(self) -> None:
        """Have a repository there, if an empty one. Raises GitError."""
        if not (self.git_dir / "HEAD").exists():
            with self._alone():
                self._make()

    def _demand(self, proposals: Sequence[Proposal]) -> None:
        names = "".join(f"{one.head}^{{commit}}\n" for one in proposals)
        rows = self._git("cat-file", "--batch-check", stdin=names.encode()).splitlines() if names else []
        for proposal, row in zip(proposals, rows, strict=True):
            if b" commit " not in row:
                raise GitError(
                    f"the head {proposal.head[:10]} of proposal {proposal.id} cannot be fetched yet",
                    fix="wait; it is tried again. Is the branch being pushed?",
                    code="mirror.head-missing",
                )

    def _remote_refs(self, names: Iterable[str]) -> frozenset[str]:
        out = self._git("ls-remote", "--quiet", "--refs", "--", self._url, *names)
        rows = (line.partition("\t") for line in out.decode("utf-8", "surrogateescape").splitlines())
        return frozenset(ref for _, _, ref in rows)

    def _make(self) -> None:
        if (self.git_dir / "HEAD").exists():
            return
        self._git("init", "--quiet", "--bare", "--template=", "--", str(self.git_dir), inside=False)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two fetches into the same refs would trip over each other's locks."""
        try:
            self.git_dir.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.git_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise GitError(
                f"no mirror can be kept in {self.git_dir}: {error.strerror}", fix="mend its permissions"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _environment(self) -> dict[str, str]:
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        env = {**environment(), **passed}
        if self._credentials is not None:
            user, password = self._credentials
            env |= {"GIT_ASKPASS": str(self._askpass()), USERNAME: user, PASSWORD: password}
        return env

    def _askpass(self) -> Path:
        file = self.git_dir / "guard-askpass"
        if not file.exists():
            fresh = file.with_name(f"guard-askpass.{os.getpid()}")
            fresh.write_text(_ASKPASS, encoding="ascii")
            fresh.chmod(0o700)
            fresh.rename(file)
        return file

    def _git(self, *arguments: str, stdin: bytes = b"", inside: bool = True) -> bytes:
        done = self._run(arguments, stdin=stdin, inside=inside)
        if done.returncode:
            words = _USERINFO.sub("", done.stderr.decode("utf-8", "replace")).strip()[:500]
            raise GitError(
                f"git {arguments[0]}: {words or 'no reason given'}",
                code="mirror.unreachable",
                fix="is the forge up, and may the guard read the repository?",
            )
        return done.stdout

    def _run(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        inside: bool = True,
        bounded: bool = False,
        token: str = "",
    ) -> subprocess.CompletedProcess[bytes]:
        """git with these arguments, whatever its exit status. `bounded`: it ends in time even if this process does not
        live to end it. Raises GitError."""
        where = (f"--git-dir={self.git_dir}",) if inside else ()
        limit = (
            ("timeout", "--kill-after=5", str(PUSH_SECONDS)) if bounded and shutil.which("timeout") else ()
        )
        try:
            return subprocess.run(
                [*limit, "git", "--no-pager", *_OPTIONS, *where, *arguments],
                cwd=self.git_dir, env={**self._environment(), **_push_option(token)}, input=stdin, capture_output=True,
                timeout=TIMEOUT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise GitError(
                f"git {arguments[0]} took longer than {TIMEOUT:g} seconds", code="mirror.unreachable"
            ) from None
        except OSError as error:
            raise GitError(
                f"git cannot be run: {error}", code="git.unusable", fix="install git 2.39 or newer"
            ) from None


def _push_option(token: str) -> dict[str, str]:
    """The permit as a push option, which stands in no list of processes (git-config(1), GIT_CONFIG_COUNT)."""
    if not token:
        return {}
    option = {"GIT_CONFIG_KEY_0": "push.pushOption", "GIT_CONFIG_VALUE_0": f"guard-permit={token}"}
    return {"GIT_CONFIG_COUNT": "1", **option}
