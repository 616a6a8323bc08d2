"""Generated worlds to decide in: a policy that asks for everything, facts that satisfy it, and ways to spoil them.

A world starts good, so that what spoils it is what is judged; each entry of WORSE makes one thing worse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import find
from hypothesis import strategies as st

from guard.core.decide import Question, decide
from guard.core.evidence import KINDS, Absent, Observation, Reading, leaves
from guard.core.facts import (
    Approval,
    ApprovalFacts,
    BreakGlassAsk,
    CandidateFacts,
    ConditionFacts,
    Consent,
    Debt,
    DebtEntry,
    EmergencyFacts,
    Facts,
    HoldMark,
    Incident,
    Objection,
    Proposal,
    QueueEntry,
    Waiver,
    WaiverFacts,
)
from guard.core.lineage_facts import CommitFacts, LineageFacts, Link
from guard.core.model import Commit, Decision, Fact, Finding, Known, Outcome, Unknown
from guard.core.policy import AUTHORS, Policy
from guard.core.policy_names import GROUPS, RULES
from guard.core.policy_text import LoadedPolicy
from guard.core.rules.waivers import finding_id
from tests.builders import NEW, NOW, OLD, UPSTREAM, candidate

BRANCH = "release/platform-control"
ROLES = {
    "platform": frozenset({"ann", "pat"}),
    "security": frozenset({"sam", "ann"}),
    "ops": frozenset({"ola"}),
}
DAY = timedelta(days=1)
LOST = Unknown("HTTP 502 from the other side", "try again", ("operator",))
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True, slots=True)
class World:
    """All that one decision is made of."""

    policy: Fact[LoadedPolicy]
    facts: Facts
    now: datetime = NOW
    only: tuple[str, ...] = ()

    @property
    def table(self) -> Policy:
        assert isinstance(self.policy, Known)
        return self.policy.value.policy

    def decided(self) -> Decision:
        return decide(Question(candidate(), "master", self.only), self.policy, self.facts, now=self.now)


def seen(value: Any) -> Known[Any]:
    return Known(value, "test", NOW)


# What a policy may say -------------------------------------------------------------------------------------------

MAX_AGE = {"max_age": "7d"}
LEAF: dict[str, dict[str, Any]] = {
    "ci": {"jobs": ["build"]},
    "sarif": {"source": "sast"},
    "vulnerabilities": {"source": "deps"},
    "secrets": {"source": "leaks"},
    "junit": {"source": "unit", "tests": ["AT-052"]},
    "script": {"source": "contracts", "script": "scripts/ci/contracts_validate.sh"},
    "contract": {"source": "openapi"},
    "document": {"path": "doc/a.md", "reviewed_field": "reviewed"},
    "adrs": {"path": "architecture/adrs"},
    "inventory": {"path": "doc/runbooks"},
    "register": {"path": "doc/r.md", "entry": "A-016", "state": ["done"], "date_field": "on"},
    "notes": {"part": "release", "path": "doc/notes"},
    "signoff": {"role": "security"},
    "probe": {"probe": "grafana", "target": "grafana"},
    "attestation": {"source": "built", "predicate_type": "https://x/1", "key": "builder"},
    "approvals": {},
}
assert LEAF.keys() == KINDS.keys()
AGEING = {kind for kind, model in KINDS.items() if "max_age" in model.model_fields}

LEAVES = st.sampled_from(sorted(LEAF)).flatmap(
    lambda kind: st.booleans().map(
        lambda aged: {"kind": kind, **LEAF[kind], **(MAX_AGE if aged and kind in AGEING else {})}
    )
)
EVIDENCE = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda how, parts: {how: parts},
        st.sampled_from(["all", "any"]),
        st.lists(inner, min_size=1, max_size=2),
    ),
    max_leaves=3,
)
WHEN = st.sampled_from(
    [
        None,
        {"changed": ["cmd/**"]},
        {"register_open": "A-014", "register_file": "doc/a.md", "closed": ["validated"]},
        {"environment": "staging"},
        {"environment": "ci"},
        {"changed": ["cmd/**"], "environment": "production"},
    ]
)


@st.composite
def gates(draw: Draw) -> list[dict[str, Any]]:
    """Some gates with ids of their own; each of the five groups has one, so that no empty group hides the others."""
    some = draw(st.lists(st.tuples(EVIDENCE, WHEN, st.booleans()), min_size=5, max_size=7))
    groups = list(GROUPS)
    return [
        {
            "id": f"{groups[number % 5]}.g{number}",
            "group": groups[number % 5],
            "title": f"Gate {number}",
            "evidence": evidence,
            "mandatory": mandatory or when is None,
            **({} if mandatory or when is None else {"when": when}),
        }
        for number, (evidence, when, mandatory) in enumerate(some)
    ]


SUBSETS = st.lists(st.sampled_from(["platform", "security", "ops"]), min_size=1, max_size=2, unique=True)


@st.composite
def policies(draw: Draw) -> Policy:
    required = draw(st.just(list(RULES)) | st.lists(st.sampled_from(RULES), min_size=1, unique=True))
    lineage = {
        "adaptations": draw(st.just([]) | SUBSETS),
        "alterations": draw(st.just([]) | SUBSETS),
        "exemptions": draw(
            st.just([]) | SUBSETS.map(lambda roles: [{"paths": ["tox.ini"], "approval": roles}])
        ),
    }
    waivers = draw(
        st.none()
        | st.fixed_dictionaries(
            {
                "roles": SUBSETS,
                "mandatory": st.sampled_from([[], ["*"]]),
                "incidents": st.booleans(),
                "errors": st.booleans(),
                "any_commit": st.booleans(),
                "tech_debt": st.sampled_from([None, {"path": "doc/debt.md", "states": ["accepted"]}]),
            }
        )
    )
    glass = draw(st.none() | st.fixed_dictionaries({"roles": SUBSETS}))
    return Policy.model_validate(
        {
            "version": 1,
            "mode": draw(st.sampled_from(["enforce", "observe"])),
            "project": {"forge": "local", "repository": "gpuaas/platform"},
            "branches": {BRANCH: {"upstream": "master", "require": required, "lineage": lineage}},
            "roles": {name: {"members": [f"@{name}"]} for name in ROLES},
            "approvals": {
                "roles": draw(SUBSETS),
                "not_by": draw(st.just(list(AUTHORS)) | st.just(["proposer", "author"])),
                "keep": draw(st.sampled_from([[], ["re-pick"], ["re-pick", "target-merge"]])),
            },
            "break_glass": glass,
            "queue": draw(st.sampled_from([None, {"path": "doc/q.md"}])),
            "waivers": waivers,
            "gates": draw(gates()),
        }
    )


# Facts that satisfy it -------------------------------------------------------------------------------------------


def commit_facts(number: int, **fields: Any) -> CommitFacts:
    name = Commit(f"{number:040x}")
    return CommitFacts(name, f"Fix {number}", (Commit(f"{number - 1:040x}"),), on_upstream=False, **fields)


COMMITS = st.sampled_from(
    [
        commit_facts(1, links=(Link("trailer", UPSTREAM, "same"),)),
        commit_facts(2, links=(Link("patch-id", UPSTREAM, "same"),)),
        commit_facts(3, remerge="same"),
        commit_facts(4, links=(Link("trailer", UPSTREAM, "conflict"),)),
        commit_facts(5, links=(Link("change-id", UPSTREAM, "different"),)),
        commit_facts(6, paths=("tox.ini",)),
        replace(commit_facts(7), on_upstream=True),
    ]
)


def lineage_facts(commits: tuple[CommitFacts, ...]) -> LineageFacts:
    return LineageFacts(UPSTREAM, OLD, NEW, "master", commits)


def approval(actor: str, **fields: Any) -> Approval:
    return Approval(actor, fields.pop("commit", NEW), NOW - DAY, **fields)


def proposal(id: str = "7", **fields: Any) -> Proposal:
    return Proposal(id, BRANCH, NEW, "Promote", "dev", **fields)


@st.composite
def approval_facts(draw: Draw) -> ApprovalFacts:
    actors = draw(
        st.just(["pat", "sam", "ola"]) | st.lists(st.sampled_from(["ann", "pat", "sam", "ola"]), unique=True)
    )
    older = draw(st.sampled_from(["", "", "re-pick", "target-merge"]))
    given = tuple(approval(actor, commit=OLD if older and actor == "pat" else NEW) for actor in actors)
    kept = {OLD: older} if older else {}
    return ApprovalFacts(given, {kind: frozenset({"dev"}) for kind in AUTHORS}, kept=kept)


@st.composite
def good_facts(draw: Draw, policy: Policy) -> Facts:
    keys = [key for gate in policy.gates for key, _ in leaves(gate.evidence, prefix=gate.id)]
    readings: dict[str, Reading] = {}
    for key in keys:
        dated = NOW - draw(st.integers(0, 6)) * DAY
        ends = draw(st.sampled_from([None, None, None, NOW + DAY]))
        readings[key] = seen(Observation("fine", (), NEW, dated, f"sha256:{len(key):064x}", ends))
    members: dict[str, Fact[frozenset[str]]] = {role: seen(people) for role, people in ROLES.items()}
    when = {gate.id for gate in policy.gates if gate.when and gate.when.register_open}
    state = draw(st.sampled_from(["validated", "open"]))
    return Facts(
        candidate=CandidateFacts(seen(True), seen((proposal(),)), seen("")),
        lineage=seen(lineage_facts(tuple(draw(st.lists(COMMITS, max_size=3, unique=True))))),
        approvals=seen(draw(approval_facts())),
        incidents=seen(()),
        members=members,
        readings=readings,
        conditions=ConditionFacts(
            seen(draw(st.sampled_from([(), ("cmd/api/a.go",)]))), {gate: seen(state) for gate in when}
        ),
        queue=seen((QueueEntry("Q-1", "Outbox", "yes", "done"), QueueEntry("Q-2", "Page", "no", "open"))),
        guarding=seen(()),
        emergency=draw(st.none() | st.just(EmergencyFacts(seen(()), seen(())))),
        holds=draw(st.sampled_from([None, seen(()), seen((hold(), hold(lifts=True)))])),
    )


def hold(*, lifts: bool = False, by: str = "pat") -> HoldMark:
    return HoldMark(by, NOW - DAY, "smoke is red", lifts=lifts)


# What people may have said about a world that is not good ----------------------------------------------------------


@st.composite
def pleas(draw: Draw, world: World) -> World:
    """Waivers of some of what blocks there, and perhaps an emergency."""
    waivers = [
        draw(waiver(verdict.id, finding, number))
        for verdict in world.decided().blockers
        for number, finding in enumerate(verdict.findings)
        if finding.id and draw(st.booleans())
    ]
    entries = seen((DebtEntry("TD-1", "accepted", expires_at=draw(st.sampled_from([None, NOW + DAY]))),))
    facts = replace(world.facts, waivers=WaiverFacts(seen(tuple(waivers)), entries))
    if world.facts.emergency is not None:
        facts = replace(facts, emergency=EmergencyFacts(seen(draw(ASKS)), seen(draw(DEBTS))))
    return replace(world, facts=facts)


@st.composite
def waiver(draw: Draw, gate: str, finding: Finding, number: int) -> Waiver:
    people = draw(
        st.just(("ann", "pat", "sam", "ola")) | st.lists(st.sampled_from(["ann", "pat", "sam"]), unique=True)
    )
    return Waiver(
        id=f"sha256:{number:064x}",
        target=BRANCH,
        gate=gate,
        finding=finding.id,
        commit=draw(st.sampled_from([NEW, NEW, None])),
        reason="only in a test tool",
        requester="cid",
        requested_at=NOW - DAY,
        expires_at=NOW + draw(st.integers(-1, 10)) * DAY,
        entry=draw(st.sampled_from(["", "", "TD-1"])),
        consents=tuple(Consent(name, NOW) for name in people),
    )


def ask(actor: str, minutes: int) -> BreakGlassAsk:
    return BreakGlassAsk(
        actor, f"key:{actor}", BRANCH, NEW, NOW - timedelta(minutes=minutes), "billing is down"
    )


ASKS = st.sampled_from(
    [(), (), (ask("pat", 9), ask("sam", 8)), (ask("pat", 9),), (ask("pat", 9), ask("sam", 8), ask("ola", 7))]
)
DEBT = Debt(OLD, ("pat", "sam"), seen(lineage_facts((commit_facts(8),))))
DEBTS = st.sampled_from(
    [(), (), (replace(DEBT, lineage=seen(lineage_facts((commit_facts(3, remerge="same"),)))),)]
)


# Ways to make one thing worse --------------------------------------------------------------------------------------

Worse = Callable[[World, Draw], World]


def _with(world: World, **facts: Any) -> World:
    return replace(world, facts=replace(world.facts, **facts))


def _one_reading(change: Callable[[Known[Observation]], Reading]) -> Worse:
    def worse(world: World, draw: Draw) -> World:
        readings: Mapping[str, Reading] = world.facts.readings
        if not readings:
            return world
        key = draw(st.sampled_from(sorted(readings)))
        was = readings[key]
        new = change(was) if isinstance(was, Known) else LOST
        return _with(world, readings={**readings, key: new})

    return worse


def _reading(**fields: Any) -> Worse:
    return _one_reading(lambda was: replace(was, value=replace(was.value, **fields)))


def _problem(was: Known[Observation]) -> Known[Observation]:
    more = Finding("x.y", "something else is wrong")
    return replace(was, value=replace(was.value, problems=(*was.value.problems, more)))


def _older(was: Known[Observation]) -> Known[Observation]:
    seen_ = was.value
    return replace(was, value=replace(seen_, dated=(seen_.dated or NOW) - 8 * DAY))


def _approvals(change: Callable[[ApprovalFacts, Draw], ApprovalFacts]) -> Worse:
    def worse(world: World, draw: Draw) -> World:
        was = world.facts.approvals
        return (
            _with(world, approvals=replace(was, value=change(was.value, draw)))
            if isinstance(was, Known)
            else world
        )

    return worse


def _each_approval(**fields: Any) -> Worse:
    def change(was: ApprovalFacts, draw: Draw) -> ApprovalFacts:
        chosen = draw(st.sampled_from(range(len(was.approvals)))) if was.approvals else None
        return replace(
            was,
            approvals=tuple(
                replace(one, **fields) if at == chosen else one for at, one in enumerate(was.approvals)
            ),
        )

    return _approvals(change)


def _had_a_hand(was: ApprovalFacts, draw: Draw) -> ApprovalFacts:
    kind, name = draw(st.sampled_from(AUTHORS)), draw(st.sampled_from(["ola", "ann", "pat", "SAM"]))
    return replace(was, authors={**was.authors, kind: was.authors.get(kind, frozenset()) | {name}})


def _one_role(change: Callable[[Fact[frozenset[str]], Draw], Fact[frozenset[str]]]) -> Worse:
    def worse(world: World, draw: Draw) -> World:
        role = draw(st.sampled_from(sorted(ROLES)))
        members = world.facts.members
        return _with(world, members={**members, role: change(members.get(role, LOST), draw)})

    return worse


def _leaves_it(was: Fact[frozenset[str]], draw: Draw) -> Fact[frozenset[str]]:
    return (
        replace(was, value=was.value - {draw(st.sampled_from(["ola", "ann", "pat", "sam"]))})
        if isinstance(was, Known)
        else was
    )


def _more(fact: str, thing: Any) -> Worse:
    """One more in a list of which each is bad."""

    def worse(world: World, draw: Draw) -> World:
        was = getattr(world.facts, fact)
        return _with(
            world, **{fact: replace(was, value=(*was.value, thing)) if isinstance(was, Known) else was}
        )

    return worse


def _lost(fact: str) -> Worse:
    return lambda world, _draw: _with(world, **{fact: LOST})


def _candidate(**fields: Any) -> Worse:
    return lambda world, _draw: _with(world, candidate=replace(world.facts.candidate, **fields))


def _proposals(change: Callable[[tuple[Proposal, ...]], tuple[Proposal, ...]]) -> Worse:
    def worse(world: World, _draw: Draw) -> World:
        was = world.facts.candidate.proposals
        return (
            _candidate(proposals=seen(change(was.value)))(world, _draw) if isinstance(was, Known) else world
        )

    return worse


def _commit(change: Callable[[CommitFacts], CommitFacts]) -> Worse:
    """A commit of which less is proved. One that is exempted is asked for approvals in place of a proof, and so is
    left alone."""

    def worse(world: World, draw: Draw) -> World:
        was = world.facts.lineage
        if not isinstance(was, Known) or not was.value.commits:
            return world
        commits = was.value.commits
        at = draw(st.sampled_from(range(len(commits))))
        changed = commits[at] if commits[at].paths else change(commits[at])
        return _with(world, lineage=seen(lineage_facts((*commits[:at], changed, *commits[at + 1 :]))))

    return worse


def _by_hand(was: CommitFacts) -> CommitFacts:
    """Not the other way: whether a conflict or a difference is let pass sooner is the policy's to say."""
    links = tuple(replace(link, pick="different" if link.pick == "same" else link.pick) for link in was.links)
    return replace(was, on_upstream=False, remerge="different" if was.remerge else None, links=links)


def _reverted(was: CommitFacts) -> CommitFacts:
    return replace(was, on_upstream=False, links=tuple(replace(link, reverted_by=OLD) for link in was.links))


def _one_more_commit(world: World, _draw: Draw) -> World:
    was = world.facts.lineage
    if not isinstance(was, Known):
        return world
    return _with(world, lineage=seen(lineage_facts((*was.value.commits, commit_facts(9)))))


def _conditions(**fields: Any) -> Worse:
    return lambda world, _draw: _with(world, conditions=replace(world.facts.conditions, **fields))


def _entries(state: Fact[str | None]) -> Worse:
    return lambda world, _draw: _conditions(entries=dict.fromkeys(world.facts.conditions.entries, state))(
        world, _draw
    )


def _waivers(change: Callable[[Waiver], Waiver | None]) -> Worse:
    def worse(world: World, draw: Draw) -> World:
        was = world.facts.waivers
        if not isinstance(was.asked, Known) or not was.asked.value:
            return world
        asked = was.asked.value
        at = draw(st.sampled_from(range(len(asked))))
        new = change(asked[at])
        kept = (*asked[:at], *([new] if new else []), *asked[at + 1 :])
        return _with(world, waivers=replace(was, asked=seen(kept)))

    return worse


def _debt_entries(entries: Fact[tuple[DebtEntry, ...]]) -> Worse:
    return lambda world, _draw: _with(world, waivers=replace(world.facts.waivers, entries=entries))


def _emergency(change: Callable[[EmergencyFacts], EmergencyFacts]) -> Worse:
    def worse(world: World, _draw: Draw) -> World:
        was = world.facts.emergency
        return _with(world, emergency=change(was)) if was is not None else world

    return worse


def _owing(was: EmergencyFacts) -> EmergencyFacts:
    return replace(was, debts=seen((*was.debts.value, DEBT))) if isinstance(was.debts, Known) else was


def _held(world: World, _draw: Draw, *then: HoldMark) -> World:
    was = world.facts.holds
    if isinstance(was, Unknown):
        return world
    return _with(world, holds=seen((*(was.value if was else ()), hold(), *then)))


def _more_of_it(world: World, _draw: Draw) -> World:
    """Where evidence has a problem already, which may be waived, another one."""
    return _with(
        world,
        readings={
            key: _problem(one) if isinstance(one, Known) and one.value.problems else one
            for key, one in world.facts.readings.items()
        },
    )


WORSE: dict[str, Worse] = {
    "the policy is lost": lambda world, _draw: replace(world, policy=LOST),
    "a source is lost": _one_reading(lambda _was: LOST),
    "evidence is not there": _one_reading(lambda _was: Absent("it is not there")),
    "evidence shows a problem": _one_reading(_problem),
    "evidence shows one more problem": _more_of_it,
    "evidence is older": _one_reading(_older),
    "evidence bears no date": _reading(dated=None),
    "evidence is of another commit": _reading(subject=OLD),
    "evidence is of no known commit": _reading(subject=None),
    "time passes": lambda world, draw: replace(world, now=world.now + draw(st.integers(1, 90)) * DAY),
    "no evidence was gathered": lambda world, _draw: _with(world, readings={}),
    "an approval is withdrawn": _approvals(lambda was, _draw: replace(was, approvals=was.approvals[1:])),
    "an approval is of another head": _each_approval(commit=UPSTREAM),
    "an approval is void": _each_approval(void="approved it into another branch"),
    "an approval is a bot's": _each_approval(is_bot=True),
    "no approval is kept": _approvals(lambda was, _draw: replace(was, kept={})),
    "an approver had a hand in it": _approvals(_had_a_hand),
    "a hand is not known": _approvals(lambda was, draw: replace(was, unsure={draw(st.sampled_from(AUTHORS)): LOST})),
    "hands are not known": _approvals(lambda was, _draw: replace(was, authors={})),
    "somebody objects": _approvals(
        lambda was, draw: replace(
            was,
            objections=(*was.objections, Objection(draw(st.sampled_from(["ola", "ann", "Pat", "sam"])), NOW)),
        )
    ),
    "approvals are lost": _lost("approvals"),
    "a role is lost": _one_role(lambda _was, _draw: LOST),
    "somebody leaves a role": _one_role(_leaves_it),
    "an incident opens": _more("incidents", Incident("INC-1", "SEV-1", "billing is down")),
    "incidents are lost": _lost("incidents"),
    "work gates the release": _more("queue", QueueEntry("Q-9", "Retry", "yes", "open")),
    "a mark is not understood": _more("queue", QueueEntry("Q-8", "Retry", "perhaps", "open")),
    "the queue is lost": _lost("queue"),
    "the guard's own files change": _more("guarding", "guard.toml"),
    "what changed is not known to the guard": _lost("guarding"),
    "promotions are held": _held,
    "a stranger lifts a hold": lambda world, draw: _held(world, draw, hold(lifts=True, by="dev")),
    "holds are lost": _lost("holds"),
    "it does not descend": _candidate(descends=seen(False)),
    "descent is lost": _candidate(descends=LOST),
    "the policy would go": _candidate(policy_harm=seen("it removes guard.toml")),
    "what becomes of the policy is lost": _candidate(policy_harm=LOST),
    "the proposal is closed": _proposals(lambda _was: ()),
    "there are two proposals": _proposals(lambda was: (*was, proposal("8"))),
    "the proposal is a draft": _proposals(lambda was: tuple(replace(one, draft=True) for one in was)),
    "the proposal is from a fork": _proposals(lambda was: tuple(replace(one, from_fork=True) for one in was)),
    "proposals are lost": _candidate(proposals=LOST),
    "a commit is not on upstream": _one_more_commit,
    "a commit has no link": _commit(lambda was: replace(was, on_upstream=False, remerge=None, links=())),
    "a commit could not be read": _commit(
        lambda was: replace(was, on_upstream=False, remerge=None, links=(), unknown="missing object")
    ),
    "a commit was changed by hand": _commit(_by_hand),
    "an origin was reverted": _commit(_reverted),
    "lineage is lost": _lost("lineage"),
    "what a condition needs changed": _conditions(changed=seen(("cmd/api/b.go",))),
    "what changed is lost": _conditions(changed=LOST),
    "an entry is open again": _entries(seen("open")),
    "an entry is gone": _entries(seen(None)),
    "an entry is lost": _entries(LOST),
    "a waiver is withdrawn": _waivers(lambda _was: None),
    "a waiver has nobody's yes": _waivers(lambda was: replace(was, consents=())),
    "a waiver is for another commit": _waivers(lambda was: replace(was, commit=OLD)),
    "a waiver is over": _waivers(lambda was: replace(was, expires_at=NOW)),
    "waivers are lost": lambda world, _draw: _with(world, waivers=replace(world.facts.waivers, asked=LOST)),
    "the tech debt register is lost": _debt_entries(LOST),
    "the debt is no longer accepted": _debt_entries(seen((DebtEntry("TD-1", "open"),))),
    "nobody asked for break-glass": _emergency(lambda was: replace(was, asks=seen(()))),
    "who asked for break-glass is lost": _emergency(lambda was: replace(was, asks=LOST)),
    "break-glass is owed": _emergency(_owing),
    "what break-glass owes is lost": _emergency(lambda was: replace(was, debts=LOST)),
}  # fmt: skip


@st.composite
def worlds(draw: Draw, *, spoilt: int = 2) -> World:
    """A good world, spoilt in up to so many ways, with what people said of it."""
    policy = draw(policies())
    loaded = LoadedPolicy(policy, "sha256:" + "1" * 64, "guard.toml")
    world = World(seen(loaded), draw(good_facts(policy)))
    for name in draw(st.lists(st.sampled_from(sorted(WORSE)), max_size=spoilt)):
        if name != "the policy is lost":
            world = WORSE[name](world, draw)
    return draw(pleas(world)) if draw(st.booleans()) else world


# A world in which everything matters --------------------------------------------------------------------------------


def first(strategy: st.SearchStrategy[Any]) -> Any:
    """The simplest thing that a strategy gives."""
    return find(strategy, lambda _: True)


def full_world() -> World:
    """GO, and only just: nothing in it could be done without, nor be any worse."""
    policy = Policy.model_validate(
        {
            "version": 1,
            "project": {"forge": "local", "repository": "gpuaas/platform"},
            "branches": {BRANCH: {"upstream": "master"}},
            "roles": {name: {"members": [f"@{name}"]} for name in ROLES},
            "approvals": {"roles": list(ROLES), "keep": ["re-pick"]},
            "break_glass": {},
            "queue": {"path": "doc/q.md"},
            "waivers": {"mandatory": ["*"], "tech_debt": {"path": "doc/debt.md", "states": ["accepted"]}},
            "gates": [
                {
                    "id": f"{group}.g",
                    "group": group,
                    "title": group,
                    "evidence": {"all": [{"kind": kind, **LEAF[kind], **MAX_AGE} for kind in kinds]},
                }
                for group, kinds in zip(GROUPS, FIVE, strict=True)
            ]
            + [
                {
                    "id": "security.when-changed",
                    "mandatory": False,
                    "when": {"changed": ["cmd/**"]},
                    **ABSENT,
                },
                {"id": "security.when-open", "mandatory": False, "when": WHILE_OPEN, **ABSENT},
            ],
        }
    )
    keys = [key for gate in policy.gates for key, _ in leaves(gate.evidence, prefix=gate.id)]
    fine = seen(Observation("fine", (), NEW, NOW - 6 * DAY))
    flaw = Finding("sarif.result", "a flaw in a test tool", outcome=Outcome.FAIL)
    readings: dict[str, Reading] = {key: fine for key in keys if ".when-" not in key}
    readings["data.g/0"] = seen(Observation("1 result", (flaw,), NEW, NOW - 6 * DAY))
    accepted = Waiver(
        "sha256:1", BRANCH, "data.g", finding_id(flaw), NEW, "only in a test tool", "cid", NOW - DAY, NOW + 2 * DAY,
        entry="TD-1", consents=(Consent("pat", NOW), Consent("sam", NOW)),
    )  # fmt: skip
    given = (approval("pat", commit=OLD), approval("sam"), approval("ola"))
    facts = Facts(
        candidate=CandidateFacts(seen(True), seen((proposal(),)), seen("")),
        lineage=seen(lineage_facts((commit_facts(1, links=(Link("trailer", UPSTREAM, "same"),)),))),
        approvals=seen(
            ApprovalFacts(given, {kind: frozenset({"dev"}) for kind in AUTHORS}, kept={OLD: "re-pick"})
        ),
        incidents=seen(()),
        members={role: seen(people) for role, people in ROLES.items()},
        readings=readings,
        conditions=ConditionFacts(seen(()), {"security.when-open": seen("validated")}),
        queue=seen(()),
        guarding=seen(()),
        emergency=EmergencyFacts(seen(()), seen(())),
        holds=seen(()),
        waivers=WaiverFacts(seen((accepted,)), seen((DebtEntry("TD-1", "accepted"),))),
    )
    return World(seen(LoadedPolicy(policy, "sha256:" + "1" * 64, "guard.toml")), facts)


FIVE = (
    ("sarif", "document"),
    ("junit", "ci"),
    ("secrets", "register"),
    ("probe", "signoff"),
    ("script", "inventory"),
)
ABSENT = {"group": "security", "title": "x", "evidence": {"kind": "document", "path": "x.md"}}
WHILE_OPEN = {"register_open": "A-014", "register_file": "doc/a.md", "closed": ["validated"]}


def emergency_world() -> World:
    """GO only because two people opened break-glass for a head that would not be let pass."""
    world = WORSE["a commit is not on upstream"](full_world(), first)
    return _with(world, emergency=EmergencyFacts(seen((ask("pat", 9), ask("sam", 8))), seen(())))
