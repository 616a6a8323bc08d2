"""Evidence kind `contract`: an API contract's report is clean, or its breaking changes are documented.

Documented means both: the label on the proposal, put there by somebody who may, and a migration guide on upstream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guard.adapters.evidence.contract_reports import LEVELS, Change, Fault, Report, report_of
from guard.adapters.evidence.inventory import is_stub
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received, exit_problems
from guard.adapters.evidence.untrusted import MAX_DOCUMENT, bounded, decode, shown
from guard.core.evidence import Observation, Reading
from guard.core.model import Finding, Known, Outcome, Unknown
from guard.core.report_kinds import Contract

NAMED = 10

OWN_RULES = frozenset(
    {
        *(f".spectral.{suffix}" for suffix in ("yaml", "yml", "json", "js", "mjs", "cjs", "ts")),
        *("redocly.yaml", "redocly.yml", ".redocly.yaml", ".redocly.lint-ignore.yaml"),
    }
)
"""Files of the tree that tell linters which rules count, and what to pass over."""


@dataclass(frozen=True, slots=True)
class _Documented:
    """Whether breaking changes are documented: by which label and whose, else what is lacking."""

    words: str = ""
    lacking: tuple[Finding, ...] = ()


def read_contract(received: Received, spec: Contract, sources: EvidenceSources) -> Reading:
    """Passes when linters complain about nothing at or above `fail_at`, and every breaking change is documented."""
    envelope = received.envelope
    report = report_of(received.needed_report("contract report"), f"the report of {spec.source}")
    faults = [fault for fault in report.faults if _counts(spec, fault)]
    changes = [one for one in report.changes if one.is_classified or spec.unclassified == "counts"]
    documented = _documented(spec, sources) if changes else _Documented()
    if isinstance(documented, Unknown):
        return documented
    observation = Observation(
        summary=f"{len(changes)} breaking, documented: {documented.words}" if changes else "clean",
        problems=(
            *_nothing(spec, received, report),
            *_own_rules(spec, sources, report),
            *_complaints(spec, faults, received.again),
            *(_breaking(spec, changes) if documented.lacking else ()),
            *documented.lacking,
            *exit_problems(received, explained=bool(report.faults or report.changes)),
        ),
        subject=envelope.subject,
        dated=envelope.received_at,
        digest=envelope.digest,
    )
    return Known(observation, received.source, sources.now)


def _counts(spec: Contract, fault: Fault) -> bool:
    return fault.level not in LEVELS or LEVELS.index(fault.level) <= LEVELS.index(spec.fail_at)


def _nothing(spec: Contract, received: Received, report: Report) -> Iterator[Finding]:
    """`[]` may be anybody's, so the envelope has to name a tool that writes it so."""
    envelope, why = received.envelope, report.nothing
    words = " ".join((envelope.tool, *envelope.command)).lower()
    if not report.faults and not report.changes and not why:
        named = any(tool in words for tool in report.tools)
        why = (
            ""
            if named and envelope.tool_version
            else "the envelope names neither the tool that wrote it nor a version"
        )
    if why:
        message = f"{spec.source}: nothing shows that a contract was looked at: {why}"
        tools = " or ".join(report.tools)
        fix = f"name {tools} with its version, and let it look at the contract; then: {received.again}"
        yield Finding("contract.nothing-checked", message, fix=fix, who=("ci",))


def _own_rules(spec: Contract, sources: EvidenceSources, report: Report) -> Iterator[Finding]:
    """A proposal that brings its own rules decides for itself what is clean. Comparisons have none."""
    if set(report.tools).isdisjoint({"spectral", "redocly"}):
        return
    paths = sorted(OWN_RULES & set(sources.git.changed(sources.upstream, sources.candidate.new)))
    if paths:
        message = (
            f"{spec.source}: the contract was not checked by upstream's rules: {', '.join(paths)} differ"
        )
        yield Finding(
            "contract.configuration", message, fix="land the change on upstream first", who=("author",)
        )


def _complaints(spec: Contract, faults: Sequence[Fault], again: str) -> Iterator[Finding]:
    order = (*LEVELS, "unknown")
    for fault in sorted(faults, key=lambda one: (order.index(one.level), one.where, one.rule))[:NAMED]:
        message = f"{spec.source}: {fault.level} {fault.rule}{': ' if fault.message else ''}{fault.message}"
        yield Finding("contract.fault", message, fault.where, f"mend it, then: {again}", ("author",))
    if len(faults) > NAMED:
        message = f"{spec.source}: {len(faults) - NAMED} more at or above {spec.fail_at}"
        yield Finding("contract.fault", message, fix="see the whole report", who=("author",))


def _breaking(spec: Contract, changes: Sequence[Change]) -> Iterator[Finding]:
    fix = "take the change back, or document it: the label and a migration guide"
    for change in sorted(changes, key=lambda one: (not one.is_classified, one.where, one.rule))[:NAMED]:
        kind = "breaking change" if change.is_classified else "change that may break"
        what = " ".join(word for word in (change.rule, change.message) if word)
        yield Finding("contract.breaking", f"{spec.source}: {kind}: {what}", change.where, fix, ("author",))
    if len(changes) > NAMED:
        yield Finding(
            "contract.breaking", f"{spec.source}: {len(changes) - NAMED} more", fix=fix, who=("author",)
        )


def _documented(spec: Contract, sources: EvidenceSources) -> _Documented | Unknown:
    if spec.breaking_label is None or not spec.labelled_by or spec.migration_guide is None:
        names = ("breaking_label", "labelled_by", "migration_guide")
        unset = ", ".join(name for name in names if not getattr(spec, name))
        message = (
            f"{spec.source}: breaking changes cannot be documented, because the gate does not set {unset}"
        )
        fix = "take the changes back, or set it in the policy"
        return _Documented(
            lacking=(Finding("contract.undocumented", message, fix=fix, who=("release-owner",)),)
        )
    label = _label(spec, spec.breaking_label, sources)
    if isinstance(label, Unknown):
        return label
    guide = _guide(spec.migration_guide, sources)
    lacking = tuple(one for one in (label, guide) if isinstance(one, Finding))
    return _Documented(f"{label}, {guide}" if not lacking else "", lacking)


def _label(spec: Contract, label: str, sources: EvidenceSources) -> str | Finding | Unknown:
    """`BREAKING: by ann`; who may set it is the policy's to say, and who did the forge's."""
    allowed: set[str] = set()
    for role in spec.labelled_by:
        people = sources.members.get(role, Unknown(f"the policy has no role {role}"))
        if isinstance(people, Unknown):
            return people
        allowed |= {name.casefold() for name in people.value}
    proposals = sources.forge.proposals(sources.candidate.branch)
    if isinstance(proposals, Unknown):
        return proposals
    setters: list[str] = []
    for proposal in (one for one in proposals.value if one.head == sources.candidate.new):
        setter = sources.forge.labeller(proposal, label)
        if isinstance(setter, Unknown):
            return setter
        if setter.value is not None and setter.value.casefold() in allowed:
            return f"{shown(label, limit=80)} by {shown(setter.value, limit=80)}"
        setters += [setter.value] if setter.value is not None else []
    roles, name = " or ".join(spec.labelled_by), shown(label, limit=80)
    why = (
        f"was set by {shown(setters[0], limit=80)}, who is no {roles} owner"
        if setters
        else "is not on the proposal"
    )
    fix = f"let a {roles} owner look at the breaking changes and set the label {name} on the proposal"
    return Finding("contract.label", f"{spec.source}: the label {name} {why}", fix=fix, who=spec.labelled_by)


def _guide(path: str, sources: EvidenceSources) -> str | Finding:
    """Its path, where it stands on upstream and says something."""
    data = sources.git.read(sources.upstream, path)
    fix = f"write {path} for those who have to migrate, and land it on upstream"
    if data is None:
        message = f"the migration guide {path} is not on upstream ({sources.upstream[:10]})"
        return Finding("contract.guide", message, fix=fix, who=("author",), outcome=Outcome.MISSING)
    if is_stub(decode(bounded(data, path, limit=MAX_DOCUMENT), path)):
        return Finding("contract.guide", f"the migration guide {path} is a stub", path, fix, ("author",))
    return path
