"""What people told the guard in comments, carried out once ever.

The comments are read from the forge, never from a delivery. What a command does is one entry of the ledger, and the
answer another, both under the comment's own id; the reaction comes last and can be given twice. So whatever is killed
in between is done again without doing anything twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from guard.core.claims import BreakGlassAsked, Claim, HoldLifted, HoldPlaced, SignedOff, WaiverApproved
from guard.core.commands import Command, Misread, read_commands
from guard.core.errors import ForgeError, GuardError
from guard.core.facts import Proposal, Reaction
from guard.core.forge_facts import Comment
from guard.core.model import Commit, Unknown
from guard.core.policy import Policy
from guard.core.rules.commanding import Standing, refusal
from guard.core.statements import Statement, statement_fields
from guard.journeys.receiving import take_back
from guard.journeys.waiving import waiver_claim
from guard.ports import Clock, Forge, Ledger, Voice
from guard.render.comment import Answer

OLDEST = timedelta(days=1)
"""A command that was not read by then is not carried out: what it was said about has changed."""
SHOWN = 5
"""The answers that the comment shows."""
LOOKED_AT = 500

EDITED = "it was edited, and only what stands as it was written counts: write it again in a new comment"
NEW_HEAD = "the head is new, and it is not sure that you have seen it: look at {head}, and write it again"
HEAD_BOUND = frozenset({"signoff", "waive", "break-glass"})
"""What is said about exactly one head. A push may overtake a comment."""
TOO_OLD = "it was written more than a day ago: write it again"


@dataclass(frozen=True, slots=True)
class Post:
    """Where commands are read and carried out: one proposal, with the target's policy. `head_is_known` where the guard
    decided on this very head before it saw the comments that it has not answered."""

    repository: str
    proposal: Proposal
    policy: Policy
    forge: Forge
    voice: Voice
    ledger: Ledger
    clock: Clock
    check: Callable[[], None]
    head_is_known: bool
    last: bool = False


def obey(comments: Sequence[Comment], post: Post) -> None:
    """Carry out every command that was not yet, and answer it. Raises the first of what went wrong, after the rest."""
    failures: list[GuardError] = []
    for comment in comments:
        try:
            _obey(comment, post)
        except GuardError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def answers(ledger: Ledger, proposal: Proposal) -> tuple[Answer, ...]:
    """What was answered on this proposal last, newest first."""
    found = islice(ledger.entries("command.answered", newest_first=True), LOOKED_AT)
    mine = (
        one.body for one in found
        if (one.body.get("proposal"), one.body.get("target")) == (proposal.id, proposal.target)
        and one.body.get("heard")
    )  # fmt: skip
    return tuple(islice((answer for body in mine for answer in _answers_of(body)), SHOWN))


def _answers_of(body: Mapping[str, object]) -> Iterator[Answer]:
    rows = body.get("answers")
    for row in rows if isinstance(rows, list | tuple) else ():
        yield Answer(str(body.get("by")), row["line"], row["outcome"], row["said"], gate=row["gate"])


def _obey(comment: Comment, post: Post) -> None:
    found = read_commands(comment.body)
    if not found or comment.author == post.voice.me():
        return
    once = f"command:{comment.id}"
    entry = post.ledger.find(once)
    if entry is None:
        done = [] if comment.by_program else _carry_out(comment, found, post)
        heard = bool(done) and done[0] is not None
        rows = [_row(answer) for answer in done if answer is not None]
        body = {
            "comment": comment.id, "url": comment.url, "proposal": post.proposal.id, "target": post.proposal.target,
            "head": post.proposal.head, "by": comment.author, "heard": heard, "answers": rows,
        }  # fmt: skip
        entry = post.ledger.append("command.answered", body, at=post.clock.now(), once=once)
    _react(comment, tuple(_answers_of(entry.body)), post)


def _react(comment: Comment, said: Sequence[Answer], post: Post) -> None:
    if not said or post.ledger.find(f"reaction:{comment.id}") is not None:
        return
    outcomes = {one.outcome for one in said}
    worst: Reaction = next((one for one in _WORST if one in outcomes), "done")
    post.check()
    post.voice.react(post.proposal, comment, worst)
    post.ledger.append(
        "command.reacted", {"comment": comment.id, "reaction": worst}, at=post.clock.now(),
        once=f"reaction:{comment.id}",
    )  # fmt: skip


_WORST: tuple[Reaction, ...] = ("refused", "unclear", "done")


def _carry_out(comment: Comment, found: Sequence[Command | Misread], post: Post) -> list[Answer | None]:
    """An answer to each; [None] where none is due, to a bot or a stranger. Raises ForgeError where it cannot be told
    who speaks, unless this is the last try."""
    speaker = post.voice.speaker(comment)
    is_proposer = post.proposal.proposer == speaker.name
    if not Standing(speaker, is_proposer, {}).is_heard:
        return [None]
    members = {name: post.forge.members(role.members) for name, role in post.policy.roles.items()}
    standing = Standing(speaker, is_proposer, members)
    if comment.edited and not any(_was_done(comment, number, post) for number in range(len(found))):
        return [_answer(comment, one, "refused", EDITED) for one in found]
    if comment.written_at is None or post.clock.now() - comment.written_at > OLDEST:
        return [_answer(comment, one, "refused", TOO_OLD) for one in found]
    return [_one(comment, number, one, standing, post) for number, one in enumerate(found)]


def _one(comment: Comment, number: int, one: Command | Misread, standing: Standing, post: Post) -> Answer:
    if isinstance(one, Misread):
        return _answer(comment, one, "unclear", one.hint)
    if _was_done(comment, number, post):
        return _answer(comment, one, "done", DONE[one.name])
    why = refusal(one, post.policy, standing)
    if not why and one.name in HEAD_BOUND and not post.head_is_known:
        why = NEW_HEAD.format(head=post.proposal.head[:10])
    if isinstance(why, Unknown):
        if not post.last:
            raise ForgeError(why.why, fix=why.fix)
        why = f"it could not be checked whether you may: {why.why}; write it again later"
    if why:
        return _answer(comment, one, "refused", why)
    claim = CLAIMS[one.name](one, comment.author, post)
    if isinstance(claim, str):
        return _answer(comment, one, "refused", claim)
    if claim is not None:
        post.check()
        record(claim, comment, number, post)
    return _answer(comment, one, "done", AGREED if isinstance(claim, WaiverApproved) else DONE[one.name])


def record(claim: Claim, comment: Comment, number: int, post: Post) -> None:
    """Put the claim on record as its writer's statement; the forge stands for who that is, in place of a signature."""
    now = post.clock.now()
    key = f"{comment.id}:{number}"
    nonce = hashlib.sha256(f"{post.repository}:{key}".encode()).hexdigest()
    statement = Statement(post.repository, comment.author, now.replace(microsecond=0), nonce, claim)
    fields = statement_fields(statement)
    body = {
        "statement": fields, "digest": f"sha256:{nonce}", "key": f"forge:{comment.author.casefold()}",
        "comment": comment.id, "url": comment.url,
    }  # fmt: skip
    post.ledger.append(f"statement.{statement.type}", body, at=now, once=f"command:{key}")
    take_back(statement, post.ledger, now)


def _was_done(comment: Comment, number: int, post: Post) -> bool:
    return post.ledger.find(f"command:{comment.id}:{number}") is not None


def _answer(comment: Comment, one: Command | Misread, outcome: Reaction, said: str) -> Answer:
    gate = one.gate if isinstance(one, Command) and one.name == "explain" and outcome == "done" else ""
    return Answer(comment.author, one.line, outcome, said, gate=gate)


def _row(answer: Answer) -> dict[str, str]:
    return {"line": answer.line, "outcome": answer.outcome, "said": answer.said, "gate": answer.gate}


def _nothing(_command: Command, _by: str, _post: Post) -> None:
    """It changes nothing: the proposal is looked at again because of the comment."""


def _signed_off(command: Command, _by: str, post: Post) -> Claim:
    return SignedOff(command.gate, Commit(post.proposal.head), command.text)


def _break_glass(command: Command, _by: str, post: Post) -> Claim:
    return BreakGlassAsked(post.proposal.target, Commit(post.proposal.head), command.text)


def _held(command: Command, _by: str, post: Post) -> Claim:
    return HoldPlaced(post.proposal.target, command.text, kind=command.hold or "manual")


def _lifted(command: Command, _by: str, post: Post) -> Claim:
    return HoldLifted(post.proposal.target, command.text, command.hold)


def _restored(command: Command, _by: str, post: Post) -> Claim:
    return HoldLifted(post.proposal.target, command.text, command.hold, way="restore")


def _waived(command: Command, by: str, post: Post) -> Claim | str:
    return waiver_claim(command, by, post.proposal, post.ledger, post.clock)


CLAIMS: Mapping[str, Callable[[Command, str, Post], Claim | str | None]] = {
    "recheck": _nothing,
    "explain": _nothing,
    "signoff": _signed_off,
    "waive": _waived,
    "hold": _held,
    "unhold": _lifted,
    "restore": _restored,
    "break-glass": _break_glass,
}
"""What each command by somebody puts on record: nothing where None, and for a text nothing either, because of that."""

AGREED = "agreed to"

DONE: Mapping[str, str] = {
    "recheck": "looked at again",
    "explain": "explained below",
    "signoff": "signed off for this head",
    "waive": "asked for; it counts when others agree by the same comment, as many as the policy wants",
    "hold": "promotions of the branch are held until /guard unhold",
    "unhold": "said that this hold may end; what goes on holding the branch stands in the decision",
    "restore": "asked for; the branch is put back when another holder of an approving role asks for it too",
    "break-glass": "asked for; it opens when the other role's holder asks within 30 minutes too, for this head alone",
}
