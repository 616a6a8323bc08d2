"""The kinds of evidence that a tool's report gives, submitted under an envelope."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from guard.core.policy_words import Age, Name, Path, Scalar, Severity, Spec

EXPECT_PATTERN = r"^(empty|(==|!=|<=|>=|<|>)\s*-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)$"


class Submitted(Spec):
    """A tool's report under a submission envelope, known by the name of its source.

    It counts only when its envelope names the candidate's own commit; `max_age` is counted from the server's
    time of receipt.
    """

    source: Name = Field(description="the name that the report is submitted under, such as `sast`")
    max_age: Age = None


class Sarif(Submitted):
    """A SARIF 2.1.0 report without an unsuppressed result at or above `fail_at`."""

    kind: Literal["sarif"]
    fail_at: Severity = Field(
        default="high", description="the least severity that blocks: `low`, `medium`, `high` or `critical`"
    )
    tools: tuple[Name, ...] = Field(
        default=(), description="the tools that every run must be by one of; any, where none is named"
    )


class Ignored(Spec):
    """One advisory that does not block, until a day that is the last one."""

    id: Name = Field(
        description="the advisory, by any of its names such as `CVE-2026-0001`; or a package that the scanner could"
        " not look at"
    )
    until: date = Field(description="the last day on which it is ignored, such as `2026-12-31` (UTC)")
    reason: Name = Field(description="why it does not matter here")


class Vulnerabilities(Submitted):
    """The native JSON of pip-audit, npm audit, osv-scanner, trivy or grype, without anything at or above `fail_at`."""

    kind: Literal["vulnerabilities"]
    fail_at: Severity = Field(
        default="high", description="the least severity that blocks: `low`, `medium`, `high` or `critical`"
    )
    ignore: tuple[Ignored, ...] = Field(
        default=(), description="what does not block for a while: tables with `id`, `until` and `reason`"
    )


class Secrets(Submitted):
    """A gitleaks or detect-secrets report with nothing that upstream's baseline does not hold as looked into."""

    kind: Literal["secrets"]
    baseline: Path | None = Field(
        default=None, description="a file on upstream with the findings that are known and accepted"
    )


class Junit(Submitted):
    """A JUnit XML report in which every named test is present and passed; globs are allowed in names."""

    kind: Literal["junit"]
    tests: tuple[Name, ...] = Field(
        min_length=1,
        description="names or globs of tests; each must match one test, and all it matches must pass",
    )


class Script(Submitted):
    """The exit record of a named script and, where asked, fields of its JSON report."""

    kind: Literal["script"]
    script: Name = Field(
        description="the script or command that must have run, such as `scripts/ci/check.sh`"
    )
    exit_code: int = Field(default=0, strict=True, description="the exit status that it must have ended with")
    fields: dict[Name, Scalar] = Field(
        default_factory=dict, description="dotted keys of its JSON report, and the value that each must have"
    )


class Contract(Submitted):
    """A report of spectral, redocly, asyncapi, oasdiff or openapi-diff: clean, or its breaking changes documented."""

    kind: Literal["contract"]
    fail_at: Literal["error", "warning", "information", "hint"] = Field(
        default="warning", description="the least level of a linter's complaint that blocks"
    )
    unclassified: Literal["counts", "does-not-count"] = Field(
        default="counts", description="whether a change counts as breaking of which the tool cannot tell"
    )
    breaking_label: Name | None = Field(
        default=None, description="the label that marks a breaking change as documented, such as `BREAKING:`"
    )
    labelled_by: tuple[Name, ...] = Field(
        default=(), description="the roles whose members may set the label; the forge tells who set it"
    )
    migration_guide: Path | None = Field(
        default=None,
        description="the file on upstream that tells users how to migrate; needed beside the label",
    )


class Attestation(Submitted):
    """An in-toto statement in a DSSE envelope, signed by a configured key."""

    kind: Literal["attestation"]
    predicate_type: Name = Field(description="the statement's predicate type, a URI")
    key: Name = Field(description="the name that the operator's settings give the signing key")
    fields: dict[Name, Scalar] = Field(
        default_factory=dict, description="dotted keys of the predicate, and the value that each must have"
    )
