"""What no single table of a policy shows: names that must exist elsewhere in it, and gates that must.

These checks read the plain data of the file, so that they also find their problems in a file in which a table is
wrong; a value of the wrong type is passed over here, because the models name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guard.core.policy import ApprovalRule, BreakGlass, Incidents, Waivers
from guard.core.policy_branch import Branch
from guard.core.policy_names import GROUPS, RULES
from guard.core.policy_problems import Found, guess, one_of
from guard.core.toml_lines import KeyPath

Data = Mapping[str, object]


def reference_problems(data: Data, lines: Mapping[KeyPath, int]) -> list[Found]:
    """Every broken reference of a policy's plain data. `lines` is where each key stands."""
    return [
        *_duplicate_gates(data, lines),
        *_unknown_roles(data),
        *_empty_groups(data),
        *_own_upstreams(data),
        *_case_twins(data, lines),
        *_unlisted_environments(data),
    ]


def _duplicate_gates(data: Data, lines: Mapping[KeyPath, int]) -> Iterator[Found]:
    first: dict[str, int] = {}
    for index, gate in _gates(data):
        id_ = gate.get("id")
        if not isinstance(id_, str):
            continue
        if id_ in first:
            line = lines.get(("gates", first[id_], "id"), 0)
            yield (
                ("gates", index, "id"),
                f"{id_!r} is the id of gates[{first[id_]}] on line {line} already; expected one of its own",
            )
        first.setdefault(id_, index)


def _unknown_roles(data: Data) -> Iterator[Found]:
    """Every role that is named somewhere and stands in no `[roles.…]` table."""
    roles = list(_table(data, "roles"))
    for path, role in _named_roles(data):
        if role not in roles:
            there = f"expected {one_of(roles)}" if roles else f"expected a table [roles.{role}]"
            hint = guess(role, roles)
            yield path, f"there is no role {role!r}{_by_default(data, path)}; {hint}{there}"


def _by_default(data: Data, path: KeyPath) -> str:
    """A note for a list of roles that the file leaves to its default, so that its reader looks for it in vain."""
    table, key = str(path[0]), str(path[1])
    implied = table in {"approvals", "break_glass", "incidents", "waivers"} and key not in _table(data, table)
    return f" (which {table}.{key} names by default)" if implied else ""


def _named_roles(data: Data) -> Iterator[tuple[KeyPath, str]]:
    required = {rule for _, branch in _branches(data) for rule in _required(branch)}
    cited = any(leaf.get("kind") == "approvals" for _, leaf in _leaves(data))
    if "approvals" in data or "approvals" in required or cited:
        default = ApprovalRule.model_fields["roles"].default
        yield from _names(_table(data, "approvals").get("roles", default), ("approvals", "roles"))
    if "incidents" in data or "incidents" in required:
        default = Incidents.model_fields["close"].default
        yield from _names(_table(data, "incidents").get("close", default), ("incidents", "close"))
    if "break_glass" in data:
        default = BreakGlass.model_fields["roles"].default
        yield from _names(_table(data, "break_glass").get("roles", default), ("break_glass", "roles"))
    if "waivers" in data:
        default = Waivers.model_fields["roles"].default
        yield from _names(_table(data, "waivers").get("roles", default), ("waivers", "roles"))
    for name, branch in _branches(data):
        yield from _lineage_roles(_table(branch, "lineage"), ("branches", name, "lineage"))
        yield from _names(branch.get("promoters"), ("branches", name, "promoters"))
    for path, leaf in _leaves(data):
        role = leaf.get("role")
        if leaf.get("kind") in ("signoff", "adrs", "document") and isinstance(role, str):
            yield (*path, "role"), role.strip()
        if leaf.get("kind") == "contract":
            yield from _names(leaf.get("labelled_by"), (*path, "labelled_by"))


def _lineage_roles(lineage: Data, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    for key in ("adaptations", "alterations"):
        yield from _names(lineage.get(key), (*path, key))
    exemptions = lineage.get("exemptions")
    for index, exemption in enumerate(exemptions if isinstance(exemptions, list) else ()):
        if isinstance(exemption, dict):
            yield from _names(exemption.get("approval"), (*path, "exemptions", index, "approval"))


def _names(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, list | tuple):
        yield from (((*path, index), name) for index, name in enumerate(value) if isinstance(name, str))


def _empty_groups(data: Data) -> Iterator[Found]:
    """All five groups are mandatory where readiness is required. Source: "The five mandatory groups"."""
    needing = [name for name, branch in _branches(data) if "readiness" in _required(branch)]
    groups = [gate.get("group") for _, gate in _gates(data)]
    misspelt = any(not isinstance(group, str) or group not in GROUPS for group in groups)
    empty = [group for group in GROUPS if group not in groups]
    if not needing or not empty or misspelt:
        return
    path: KeyPath = ("gates",) if groups else ("branches", needing[0], "require")
    yield (
        path,
        (
            f"no gate in {one_of(empty).replace(' or ', ' and ')}; expected at least one in each of the five groups, "
            f"because {needing[0]} requires readiness (guard init writes the complete catalogue)"
        ),
    )


def _own_upstreams(data: Data) -> Iterator[Found]:
    for name, branch in _branches(data):
        if branch.get("upstream") == name:
            yield (
                ("branches", name, "upstream"),
                f"{name!r} is the branch itself; expected the branch that fixes land on first, such as 'master'",
            )


def _case_twins(data: Data, lines: Mapping[KeyPath, int]) -> Iterator[Found]:
    """Two such branches are one file on a file system that does not tell cases apart."""
    first: dict[str, str] = {}
    for name in _table(data, "branches"):
        twin = first.setdefault(name.casefold(), name)
        if twin != name:
            line = lines.get(("branches", twin), 0)
            yield (
                ("branches", name),
                f"differs from {twin!r} on line {line} only in upper and lower case; expected one of the two",
            )


def _unlisted_environments(data: Data) -> Iterator[Found]:
    """A gate for an environment that no branch's step has would never apply, and nobody would miss it."""
    steps = [
        branch.get("environments", Branch.model_fields["environments"].default)
        for _, branch in _branches(data)
    ]
    known = [
        name for step in steps if isinstance(step, list | tuple) for name in step if isinstance(name, str)
    ]
    listed = list(dict.fromkeys(name.strip() for name in known))
    for index, gate in _gates(data):
        name = _table(gate, "when").get("environment")
        if isinstance(name, str) and listed and name.strip() not in listed:
            message = (
                f"no branch's step has the environment {name!r}, so the gate would never apply; "
                f"{guess(name, listed)}expected {one_of(listed)}"
            )
            yield ("gates", index, "when", "environment"), message


def _table(data: Data, key: str) -> Data:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _branches(data: Data) -> Iterator[tuple[str, Data]]:
    branches = _table(data, "branches")
    return ((name, branch) for name, branch in branches.items() if isinstance(branch, dict))


def _required(branch: Data) -> tuple[str, ...]:
    value = branch.get("require", RULES)
    return (
        tuple(rule for rule in value if isinstance(rule, str)) if isinstance(value, list | tuple) else RULES
    )


def _gates(data: Data) -> Iterator[tuple[int, Data]]:
    gates = data.get("gates")
    listed = gates if isinstance(gates, list) else []
    return ((index, gate) for index, gate in enumerate(listed) if isinstance(gate, dict))


def _leaves(data: Data) -> Iterator[tuple[KeyPath, Data]]:
    """Every elementary piece of evidence; no deeper than `policy_text.MAX_DEPTH` lets a document be."""
    for index, gate in _gates(data):
        yield from _below(gate.get("evidence"), ("gates", index, "evidence"))


def _below(evidence: object, path: KeyPath) -> Iterator[tuple[KeyPath, Data]]:
    if not isinstance(evidence, dict):
        return
    composed = next((key for key in ("all", "any") if key in evidence), None)
    if composed is None:
        yield path, evidence
        return
    parts = evidence[composed]
    for index, part in enumerate(parts if isinstance(parts, list) else ()):
        yield from _below(part, (*path, composed, index))
