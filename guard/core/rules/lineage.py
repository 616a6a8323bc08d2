"""Master first: a verdict and its reason for every commit that a promotion would bring.

A link (a trailer, a Change-Id, an equal patch-id) only says where to look. What counts is the content proof that
comes with it: picking the upstream commit onto this commit's parent gives exactly this commit's tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from guard.core.lineage_facts import CommitFacts, LineageFacts, Link
from guard.core.model import Commit, Deed, Fact, Finding, Outcome, Unknown, Verdict, blocked, undecided
from guard.core.rules.exemptions import applicable, describe

if TYPE_CHECKING:
    from guard.core.policy_branch import Exemption, Lineage

NO_DEEDS: Mapping[str, tuple[Deed, ...]] = {}

CLAIMED = frozenset({"trailer", "change-id"})
"""The links that a person made; only these can be adapted or altered. The others are guesses of ours."""

_VIA_RANK = {
    via: rank for rank, via in enumerate(("trailer", "change-id", "revert", "reapply", "patch-id", "squash"))
}


class Standing(StrEnum):
    """What a commit came to, in the order in which the counts are told."""

    ON_UPSTREAM = "on-upstream"
    CLEAN_MERGE = "clean-merge"
    EQUIVALENT = "equivalent"
    ADAPTED = "adapted"
    ALTERED = "altered"
    REVERTED = "reverted"
    REVERTED_UPSTREAM = "reverted-upstream"
    EXEMPT = "exempt"
    MISSING = "missing"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class NoPolicy:
    """What holds where no policy says anything: nobody's approval lets a commit pass."""

    adaptations: tuple[str, ...] = ()
    alterations: tuple[str, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitVerdict:
    """One commit's verdict. `outcome` says whether it may pass; `detail` is a bounded diff, or ""; `waits` are sets of
    roles, and the approval of all in one of them lets it pass."""

    commit: Commit
    subject: str
    standing: Standing
    outcome: Outcome
    why: str
    via: str | None = None
    upstream_commit: Commit | None = None
    fix: str | None = None
    detail: str = ""
    waits: tuple[tuple[str, ...], ...] = ()


def judge_lineage(
    facts: Fact[LineageFacts],
    policy: Lineage | NoPolicy,
    *,
    approved: frozenset[str] = frozenset(),
    deeds: Mapping[str, tuple[Deed, ...]] = NO_DEEDS,
) -> Verdict:
    """Whether every commit of the range may pass. `approved` are the roles whose approval the head has, `deeds` what
    would bring the approval of another one."""
    if isinstance(facts, Unknown):
        return undecided("lineage", "Every fix is on upstream first", facts, code="lineage.unknown")
    title = f"Every fix is on {facts.value.upstream_name} first"
    judged = judge_commits(facts.value, policy, approved=approved)
    summary = summarize(facts.value, judged)
    bad = sorted((one for one in judged if not one.outcome.allows), key=lambda one: -one.outcome.badness)
    if bad:
        return blocked("lineage", title, *(_finding(one, deeds) for one in bad), summary=summary)
    return Verdict(id="lineage", title=title, outcome=Outcome.PASS, summary=summary)


def judge_commits(
    facts: LineageFacts, policy: Lineage | NoPolicy, *, approved: frozenset[str] = frozenset()
) -> tuple[CommitVerdict, ...]:
    """Every listed commit's verdict, oldest first; the first match wins."""
    undone = _undone(facts)
    judge = _Judge(facts.upstream_name, policy, approved, undone)
    return tuple(judge.commit(commit) for commit in facts.commits)


def count(facts: LineageFacts, judged: Iterable[CommitVerdict]) -> dict[str, int]:
    """How many commits came to what; every standing is there, those that need no listing count as on-upstream."""
    found = Counter(one.standing for one in judged)
    found[Standing.ON_UPSTREAM] += facts.unlisted
    return {standing.value: found[standing] for standing in Standing}


def summarize(facts: LineageFacts, judged: Iterable[CommitVerdict]) -> str:
    """`14 commits: 12 on-upstream, 2 equivalent`."""
    counts = {standing: number for standing, number in count(facts, judged).items() if number}
    total = sum(counts.values())
    told = ", ".join(f"{number} {standing}" for standing, number in counts.items())
    if facts.head_on_upstream:
        return f"the head is on {facts.upstream_name} itself ({_commits(total)}): nothing to prove"
    return f"{_commits(total)}: {told}" if told else "no commits to judge"


def _commits(number: int) -> str:
    return f"{number} commit" if number == 1 else f"{number} commits"


def _finding(one: CommitVerdict, deeds: Mapping[str, tuple[Deed, ...]]) -> Finding:
    return Finding(
        code=f"lineage.{one.standing}",
        message=one.why,
        where=f"{one.commit[:10]} {one.subject}"[:120].rstrip(),
        fix=one.fix or "",
        who=("author",) if one.outcome is not Outcome.PENDING else ("release-owner",),
        outcome=one.outcome,
        detail=one.detail,
        deeds=tuple(_approving(roles, deeds) for roles in one.waits),
    )


def _approving(roles: tuple[str, ...], deeds: Mapping[str, tuple[Deed, ...]]) -> tuple[Deed, ...]:
    found = (deeds.get(role) or (Deed(f"have it approved by: {role}", (role,)),) for role in roles)
    return tuple(dict.fromkeys(deed for some in found for deed in some))


def _undone(facts: LineageFacts) -> frozenset[tuple[Commit, Commit]]:
    """(commit, upstream's revert) for each commit whose origin's revert a later commit of the proposal brings too.

    Only a later commit counts: a revert that came before the pick does not take it back.
    """
    parents = {one.commit: one.parents for one in facts.commits}
    bringers: dict[Commit, list[Commit]] = {}
    for one in facts.commits:
        for link in one.links:
            if link.pick == "same":
                bringers.setdefault(link.origin, []).append(one.commit)
    reverted = {(c.commit, link.reverted_by) for c in facts.commits for link in c.links if link.reverted_by}
    return frozenset(
        (commit, revert)
        for commit, revert in reverted
        if any(later != commit and _is_ancestor(commit, later, parents) for later in bringers.get(revert, ()))
    )


def _is_ancestor(old: Commit, new: Commit, parents: dict[Commit, tuple[Commit, ...]]) -> bool:
    seen: set[Commit] = set()
    waiting = [new]
    while waiting:
        commit = waiting.pop()
        if commit == old:
            return True
        if commit not in seen:
            seen.add(commit)
            waiting.extend(parent for parent in parents.get(commit, ()) if parent in parents)
    return False


@dataclass(frozen=True, slots=True)
class _Judge:
    upstream: str
    policy: Lineage | NoPolicy
    approved: frozenset[str]
    undone: frozenset[tuple[Commit, Commit]]

    def commit(self, facts: CommitFacts) -> CommitVerdict:
        if facts.on_upstream:
            return self._passes(
                facts, Standing.ON_UPSTREAM, f"is on {self.upstream}", "ancestor", facts.commit
            )
        if facts.remerge == "same":
            return self._passes(
                facts, Standing.CLEAN_MERGE, "merging its parents again gives the same tree", "merge"
            )
        if facts.remerge == "upstream":
            why = f"merges {self.upstream}, and its tree is exactly that of {self.upstream}'s head"
            return self._passes(facts, Standing.CLEAN_MERGE, why, "merge")
        links = sorted(facts.links, key=lambda link: _VIA_RANK.get(link.via, len(_VIA_RANK)))
        standing = [link for link in links if not self._is_reverted(facts, link)]
        proven = next((link for link in standing if link.pick == "same"), None)
        if proven is not None:
            return self._proven(facts, proven)
        reverted = next((link for link in links if self._is_reverted(facts, link)), None)
        if reverted is not None:
            return self._reverted_upstream(facts, reverted)
        if facts.unknown:
            return self._blocks(
                facts, Standing.ERROR, facts.unknown, fix=facts.unknown_fix, outcome=Outcome.ERROR
            )
        return self._unproven(facts, [link for link in links if link.via in CLAIMED])

    def _is_reverted(self, facts: CommitFacts, link: Link) -> bool:
        if link.pick != "same" and link.via not in CLAIMED:
            return False
        return link.reverted_by is not None and (facts.commit, link.reverted_by) not in self.undone

    def _proven(self, facts: CommitFacts, link: Link) -> CommitVerdict:
        if link.via == "revert":
            why = f"{self.upstream} has reverted it too, in {link.origin[:10]}: {link.how or 'the same tree'}"
            return self._passes(facts, Standing.REVERTED, why, link.via, link.origin)
        via = "revert" if link.via == "reapply" else link.via
        names = ", ".join(origin[:10] for origin in link.origins or (link.origin,))
        why = link.how or f"picking {names} from {self.upstream} gives exactly this tree"
        if link.reverted_by is not None:
            why += f"; {self.upstream} reverted it in {link.reverted_by[:10]}, and so does this proposal"
        return self._passes(facts, Standing.EQUIVALENT, why, via, link.origin)

    def _reverted_upstream(self, facts: CommitFacts, link: Link) -> CommitVerdict:
        revert = (link.reverted_by or "")[:10]
        why = f"its origin {link.origin[:10]} was reverted on {self.upstream} by {revert}, and not here"
        fix = f"take the revert too: git cherry-pick -x {revert}; or drop this: git rebase -i {facts.commit[:10]}~"
        return self._blocks(facts, Standing.REVERTED_UPSTREAM, why, fix=fix, link=link)

    def _unproven(self, facts: CommitFacts, claimed: list[Link]) -> CommitVerdict:
        altered = next((link for link in claimed if link.pick == "different"), None)
        if altered is not None:
            return self._altered(facts, altered)
        conflict = next((link for link in claimed if link.pick == "conflict"), None)
        if conflict is not None:
            return self._adapted(facts, conflict)
        return self._exempt(facts) or self._missing(facts)

    def _altered(self, facts: CommitFacts, link: Link) -> CommitVerdict:
        why = (
            f"picking {link.origin[:10]} is clean, and yet gives another tree: something was changed besides"
        )
        if not self.policy.alterations:
            return self._blocks(facts, Standing.ALTERED, why, fix=self._pick_again(facts, link), link=link)
        return self._with_approval(facts, Standing.ALTERED, why, self.policy.alterations, link=link)

    def _exempt(self, facts: CommitFacts) -> CommitVerdict | None:
        """What the policy's exemptions come to; None where none covers the commit."""
        found = applicable(facts, self.policy.exemptions)
        if not found:
            return None
        approved = next((one for one in found if self.approved.issuperset(one.approval)), None)
        one = approved or found[0]
        why = f"is not on {self.upstream}; the policy exempts {describe(one)}"
        if approved is not None:
            why += f"; approved by {', '.join(one.approval)}"
            return self._passes(facts, Standing.EXEMPT, why, "exemption")
        return replace(
            self._with_approval(facts, Standing.MISSING, why, one.approval),
            waits=tuple(self._waiting(one.approval) for one in found),
        )

    def _with_approval(
        self,
        facts: CommitFacts,
        standing: Standing,
        why: str,
        roles: tuple[str, ...],
        link: Link | None = None,
    ) -> CommitVerdict:
        """Pass with the approval of all of these roles; until then it waits."""
        waiting = self._waiting(roles)
        if waiting or not roles:
            why += f"; it waits for the approval of {', '.join(waiting)}"
            fix = f"have it approved by: {', '.join(waiting)}"
            waits = self._blocks(facts, standing, why, fix=fix, link=link, outcome=Outcome.PENDING)
            return replace(waits, waits=(waiting,) if waiting else ())
        why += f"; approved by {', '.join(roles)}"
        via, origin, detail = (link.via, link.origin, link.detail) if link else ("exemption", None, "")
        return self._passes(facts, standing, why, via, origin, detail=detail)

    def _waiting(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(role for role in roles if role not in self.approved)

    def _pick_again(self, facts: CommitFacts, link: Link) -> str:
        return (
            f"drop it (git rebase -i {facts.commit[:10]}~), pick it unchanged (git cherry-pick -x {link.origin[:10]}); "
            f"what else is needed lands on {self.upstream} first"
        )

    def _adapted(self, facts: CommitFacts, link: Link) -> CommitVerdict:
        why = f"picking {link.origin[:10]} conflicts, so a person resolved it by hand"
        roles = self.policy.adaptations
        if not roles:
            why += "; the policy names nobody whose approval would let that pass"
            fix = (
                f"pick what {link.origin[:10]} builds on first, so that it picks cleanly; or name the roles that may "
                "approve hand-made picks: lineage.adaptations in guard.toml"
            )
            return self._blocks(facts, Standing.ADAPTED, why, fix=fix, link=link)
        return self._with_approval(facts, Standing.ADAPTED, why, roles, link=link)

    def _missing(self, facts: CommitFacts) -> CommitVerdict:
        short = facts.commit[:10]
        why = f"is not on {self.upstream}"
        if facts.remerge == "conflict":
            why = (
                "this merge cannot be made again without a hand, and what the hand did is not on "
                + self.upstream
            )
        elif facts.remerge == "different":
            why = f"merging its parents again gives another tree: it hides a change that is not on {self.upstream}"
        elif facts.is_empty:
            why = f"changes nothing, and nothing on {self.upstream} stands behind it"
        fix = (
            f"land it on {self.upstream} first: git switch -c fix-{short} {self.upstream} && git cherry-pick {short}; "
            "then pick it from there: git cherry-pick -x <its commit on " + f"{self.upstream}>"
        )
        if facts.remerge is not None:
            fix = f"merge again without editing the result, and land the edit on {self.upstream} first"
        elif facts.is_empty:
            fix = f"drop it: git rebase -i {short}~"
        return self._blocks(
            facts, Standing.MISSING, "; ".join([why, *facts.notes]), fix=fix, detail=facts.detail
        )

    def _passes(
        self,
        facts: CommitFacts,
        standing: Standing,
        why: str,
        via: str,
        origin: Commit | None = None,
        *,
        detail: str = "",
    ) -> CommitVerdict:
        return CommitVerdict(
            facts.commit, facts.subject, standing, Outcome.PASS, why, via, origin, detail=detail
        )

    def _blocks(
        self, facts: CommitFacts, standing: Standing, why: str, *, fix: str,
        link: Link | None = None, outcome: Outcome = Outcome.FAIL, detail: str = "",
    ) -> CommitVerdict:  # fmt: skip
        return CommitVerdict(
            commit=facts.commit,
            subject=facts.subject,
            standing=standing,
            outcome=outcome,
            why=why,
            via=link.via if link else None,
            upstream_commit=link.origin if link else None,
            fix=fix,
            detail=link.detail if link else detail,
        )
