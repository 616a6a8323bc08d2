"""The few ways in which the world fails; a door maps each to an exit status in one place."""

from __future__ import annotations

from dataclasses import dataclass


class GuardError(Exception):
    """The world failed, and the guard could not decide. `code` is stable, `fix` says what would help."""

    code = "guard.error"
    exit_status = 2

    def __init__(self, message: str, *, fix: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        if code is not None:
            self.code = code


class UsageError(GuardError):
    """What was asked makes no sense as asked: a wrong option, a ref that does not exist."""

    code = "usage"
    exit_status = 64


class Refused(GuardError):
    """What was asked is understood and not allowed."""

    code = "refused"
    exit_status = 1


class GitError(GuardError):
    """git could not answer."""

    code = "git.failed"


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One thing that is wrong with a policy: the key path as a person writes it ("" for the file as a whole), the
    1-based line it stands on (0 where there is none), and what is wrong and what was expected."""

    path: str
    line: int
    message: str


class PolicyError(GuardError):
    """A policy cannot be used; the message names each key path, its line and what was expected, a line for each
    of `problems`."""

    code = "policy.invalid"

    def __init__(
        self,
        message: str,
        *,
        fix: str = "",
        code: str | None = None,
        problems: tuple[PolicyProblem, ...] = (),
    ) -> None:
        super().__init__(message, fix=fix, code=code)
        self.problems = problems

    @property
    def brief(self) -> str:
        """The first problem and how many more there are, on one line."""
        first, _, more = self.message.partition("\n")
        return f"{first} (and {len(self.problems) - 1} more)" if more else first


class LedgerError(GuardError):
    """The ledger cannot be read or written, or does not add up."""

    code = "ledger.failed"


class SettingsError(GuardError):
    """The operator's settings or keys are missing or wrong."""

    code = "settings.invalid"


class ForgeError(GuardError):
    """The forge could not be asked or told."""

    code = "forge.failed"
