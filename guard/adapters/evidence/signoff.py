"""Evidence kind `signoff`: a person who holds the role now put their name to this gate."""

from __future__ import annotations

from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.untrusted import shown
from guard.core.evidence import Absent, Observation, Reading, Signoff
from guard.core.facts import SignOff
from guard.core.model import Known, Unknown


def read_signoff(gate_id: str, spec: Signoff, sources: EvidenceSources) -> Reading:
    """The sign-off that serves best: one for the candidate's commit, else (where the policy gives an age) the newest.

    Whoever has left the role takes the sign-off along. Whether it is young enough is judged later, by the clock.
    """
    signed = sources.records.signoffs(gate_id)
    if isinstance(signed, Unknown):
        return signed
    members = sources.members.get(spec.role)
    if members is None:
        return Unknown(
            f"the policy has no role {spec.role}", fix=f"add [roles.{spec.role}]", who=("release-owner",)
        )
    if isinstance(members, Unknown):
        return members
    new = sources.candidate.new
    standing = [one for one in signed.value if one.gate == gate_id and one.actor in members.value]
    usable = [one for one in standing if one.commit == new] or (standing if spec.max_age else [])
    if not usable:
        return _absent(gate_id, spec, sources, signed.value)
    best = max(enumerate(usable), key=lambda item: (item[1].at, item[0]))[1]
    observation = Observation(
        summary=f"signed off by {shown(best.actor, limit=80)} on {best.at:%Y-%m-%d}",
        subject=best.commit,
        dated=best.at,
        digest=best.digest,
    )
    return Known(observation, f"sign-off of {gate_id}", sources.now)


def _absent(gate_id: str, spec: Signoff, sources: EvidenceSources, signed: tuple[SignOff, ...]) -> Absent:
    new = sources.candidate.new
    why = f"nobody who holds the role {spec.role} signed off {gate_id}"
    passed_over = [_passed_over(one, spec, sources) for one in signed if one.gate == gate_id]
    if passed_over:
        more = f" and {len(passed_over) - 3} more" if len(passed_over) > 3 else ""
        why = f"{why} for {new[:10]}: {'; '.join(passed_over[-3:])}{more}"
    alone = "" if spec.max_age else f" --commit {new}"
    return Absent(why, fix=f"guard signoff {gate_id}{alone}", who=(spec.role,))


def _passed_over(one: SignOff, spec: Signoff, sources: EvidenceSources) -> str:
    members = sources.members[spec.role]
    name = shown(one.actor, limit=80)
    if isinstance(members, Unknown) or one.actor not in members.value:
        return f"{name} signed, and does not hold the role {spec.role} now"
    return f"{name} signed for {one.commit[:10] if one.commit else 'no one commit'}"
