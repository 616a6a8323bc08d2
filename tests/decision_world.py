"""A decision with something of every kind in it, what it is made of, and keys to sign it with."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guard.adapters.keys import SigningKey, public_jwk
from guard.core.decide import Question, decide
from guard.core.evidence import Absent, Observation, Reading
from guard.core.facts import (
    Approval,
    ApprovalFacts,
    BreakGlassAsk,
    CandidateFacts,
    ConditionFacts,
    Consent,
    Debt,
    EmergencyFacts,
    Facts,
    HoldMark,
    Incident,
    Proposal,
    QueueEntry,
    Waiver,
    WaiverFacts,
)
from guard.core.lineage_facts import CommitFacts, LineageFacts, Link
from guard.core.model import Commit, Decision, Finding, Known, Outcome, Unknown
from guard.core.policy_text import LoadedPolicy, parse_policy
from tests.builders import NEW, NOW, OLD, UPSTREAM, candidate

POLICY = """\
version = 1
[project]
forge = "gitlab"
repository = "gpuaas/platform"
[branches."release/platform-control"]
upstream = "master"
require = ["lineage", "approvals", "readiness", "incidents"]
environments = ["staging", "production"]
[roles.platform]
members = ["@owners"]
[roles.security]
members = ["@security"]
[waivers]
[waivers.tech_debt]
path = "doc/Tech_Debt.md"
states = ["accepted"]
[break_glass]
[queue]
path = "doc/Queue.md"
[[gates]]
id = "architecture.adrs"
group = "architecture"
title = "ADR set finalized"
evidence = { kind = "adrs", path = "architecture/adrs", role = "platform" }
[[gates]]
id = "security.vulnerabilities"
group = "security"
title = "No high vulnerabilities – grün"
evidence = { all = [
  { kind = "sarif", source = "sast", max_age = "7d" },
  { any = [{ kind = "vulnerabilities", source = "deps" }, { kind = "signoff", role = "security" }] },
] }
[[gates]]
id = "security.pen-test"
group = "security"
title = "Pen test scope addressed"
mandatory = false
when = { changed = ["auth/**"], register_open = "A-014", register_file = "doc/A.md", closed = ["done"] }
evidence = { kind = "document", path = "doc/Pen_Test.md" }
[[gates]]
id = "data.ledger"
group = "data"
title = "Ledger invariants"
evidence = { kind = "junit", source = "tests", tests = ["AT-052"] }
[[gates]]
id = "reliability.alerts"
group = "reliability"
title = "Alerts wired"
evidence = { kind = "probe", probe = "prometheus", target = "prom", rules = ["down"] }
[[gates]]
id = "delivery.approval"
group = "delivery"
title = "Approval recorded"
evidence = { kind = "approvals" }
"""
KEYS = (
    "architecture.adrs", "security.vulnerabilities/0", "security.vulnerabilities/1/0",
    "security.vulnerabilities/1/1", "security.pen-test", "data.ledger", "reliability.alerts",
)  # fmt: skip
QUESTION = Question(candidate(), "master")


def loaded(text: str = POLICY) -> Known[LoadedPolicy]:
    policy = parse_policy(text.encode(), where="guard.toml at release/platform-control")
    return Known(policy, "guard.toml at release/platform-control (aaaaaaaaaa)", NOW)


def seen(summary: str, **more: object) -> Known[Observation]:
    return Known(Observation(summary, **{"subject": NEW, "dated": NOW, **more}), "ci", NOW)  # type: ignore[arg-type]


def whole_facts(**changes: object) -> Facts:
    """Facts with every kind of fact that there is; a GO but for what is wrong with it on purpose."""
    lacking = Finding(
        "sarif.result", "caf\udcc3 is unsafe", where="src/caf\udcc3.py", detail="-x\n+y", id="sarif.result:1"
    )
    readings: dict[str, Reading] = {
        "architecture.adrs": seen("60 ADRs", subject=None),
        "security.vulnerabilities/0": seen("1 finding", problems=(lacking,), digest="sha256:" + "2" * 64),
        "security.vulnerabilities/1/0": Absent("no report was submitted", "submit one", ("ci",)),
        "security.vulnerabilities/1/1": Unknown("HTTP 502"),
        "data.ledger": seen("AT-052 passed", digest="sha256:" + "3" * 64),
        "reliability.alerts": seen("wired", holds_until=NOW, subject=None),
    }
    link = Link("trailer", Commit("e" * 40), "different", "-a\n+b", (Commit("e" * 40),), None, "by hand")
    lineage = LineageFacts(
        UPSTREAM,
        OLD,
        NEW,
        "master",
        (CommitFacts(NEW, "A fix", (OLD,), False, links=(link,), paths=("a\udcff",)),),
    )
    waiver = Waiver(
        "sha256:" + "4" * 64, "release/platform-control", "security.vulnerabilities", "sarif.result:1", NEW,
        "accepted", "cid", NOW, NOW, "TD-1", (Consent("ann", NOW, "ledger"),),
    )  # fmt: skip
    known = {
        "candidate": CandidateFacts(
            Known(True, "git", NOW),
            Known((Proposal("7", "release/platform-control", NEW, "Release", "cid", "https://f/7"),), "forge", NOW),
            Known("", "git", NOW),
        ),
        "lineage": Known(lineage, "git", NOW),
        "approvals": Known(
            ApprovalFacts(
                (Approval("ann", NEW, NOW), Approval("bob", OLD, NOW)),
                {"proposer": frozenset({"cid"})}, (), {"pusher": Unknown("not told")}, {OLD: "re-pick"},
            ), "forge", NOW,
        ),
        "incidents": Known((Incident("9", "SEV-1", "Down"),), "forge", NOW),
        "members": {"platform": Known(frozenset({"ann"}), "forge", NOW), "security": Unknown("HTTP 502")},
        "readings": readings,
        "conditions": ConditionFacts(Known(("auth/x",), "git", NOW), {"security.pen-test": Known("open", "git", NOW)}),
        "queue": Known((QueueEntry("Q-1", "Work", "yes", "open"),), "git", NOW),
        "guarding": Known(("guard.toml",), "git", NOW),
        "emergency": EmergencyFacts(
            Known((BreakGlassAsk("ann", "k", "release/platform-control", NEW, NOW, "fire"),), "ledger", NOW),
            Known((Debt(OLD, ("ann", "bob"), Known(lineage, "git", NOW)),), "git", NOW),
        ),
        "holds": Known((HoldMark("ann", NOW, "wait"),), "ledger", NOW),
        "waivers": WaiverFacts(Known((waiver,), "ledger", NOW), Unknown("no register")),
    }  # fmt: skip
    return Facts(**{**known, **changes})  # type: ignore[arg-type]


def whole_decision() -> Decision:
    return decide(QUESTION, loaded(), whole_facts(), now=NOW)


def new_key() -> SigningKey:
    private = Ed25519PrivateKey.generate()
    return SigningKey(public_jwk(private.public_key())["kid"], private)


def public(*keys: SigningKey) -> dict[str, Ed25519PublicKey]:
    return {key.kid: key.private.public_key() for key in keys}


__all__ = [
    "KEYS",
    "NOW",
    "POLICY",
    "QUESTION",
    "Outcome",
    "loaded",
    "new_key",
    "public",
    "whole_decision",
    "whole_facts",
]
