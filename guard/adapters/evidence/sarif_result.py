"""One result of a SARIF run: does it count, and how bad is it? (SARIF 2.1.0, sections 3.27.9, 3.27.10, 3.27.23)"""

from __future__ import annotations

from dataclasses import dataclass, field

from guard.adapters.evidence.severity import SEVERITIES, UNKNOWN, of_score
from guard.adapters.evidence.untrusted import list_of, shown, table_of, text_of

LEVELS = {"error": "high", "warning": "medium", "note": "low", "none": "none"}
"""What a SARIF level amounts to where the tool gives no security severity."""

PARENTS = 10
"""How many levels of sub-rules are looked through for the rule they belong to."""

NOT_A_FINDING = frozenset({"pass", "notApplicable", "informational"})
"""Kinds of result that report no defect. `open` and `review` could not be settled by the tool, and count."""


@dataclass(frozen=True, slots=True)
class Result:
    """A result that counts, unless `suppressed`."""

    severity: str
    rule: str
    message: str
    where: str
    suppressed: bool


@dataclass(frozen=True, slots=True)
class Component:
    """The tool's driver or one of its extensions, with its rules in order and by id."""

    table: dict[str, object]
    rules: tuple[dict[str, object], ...]
    by_id: dict[str, dict[str, object]]

    def named(self, name: str) -> dict[str, object]:
        """A result may name a sub-rule: `CA1000/1` is about the rule `CA1000`. {} where there is no such rule."""
        for _ in range(PARENTS):
            if name in self.by_id:
                return self.by_id[name]
            name = name.rpartition("/")[0]
        return {}


@dataclass(frozen=True, slots=True)
class Rules:
    """A run's rules: the driver's and each extension's, and the levels that the invocation set differently."""

    components: tuple[Component, ...]
    overrides: dict[tuple[int, str], str] = field(default_factory=dict)

    def of(self, result: dict[str, object]) -> tuple[dict[str, object], int]:
        """The rule that a result is about and its component's number; ({}, 0) where it names none that is there."""
        reference = table_of(result.get("rule"), "a result's rule")
        number = self._number(table_of(reference.get("toolComponent"), "a rule's toolComponent"))
        component = self.components[number]
        index = _index(reference.get("index", result.get("ruleIndex")), len(component.rules))
        name = text_of(reference.get("id")) or text_of(result.get("ruleId"))
        return (component.rules[index] if index is not None else component.named(name)), number

    def _number(self, reference: dict[str, object]) -> int:
        index = _index(reference.get("index"), len(self.components) - 1)
        if index is not None:
            return index + 1
        for number, component in enumerate(self.components):
            for key in ("guid", "name"):
                if text_of(reference.get(key)) and reference[key] == component.table.get(key):
                    return number
        return 0


def _index(value: object, length: int) -> int | None:
    """A JSON number that is an index into something of this length; None for anything else."""
    return value if type(value) is int and 0 <= value < length else None


def rules_of(run: dict[str, object]) -> Rules:
    """Raises Unreadable for wrong types."""
    tool = table_of(run.get("tool"), "a run's tool")
    tables = [tool.get("driver"), *list_of(tool.get("extensions"), "a tool's extensions")]
    rules = Rules(tuple(_component(table_of(table, "a tool's component")) for table in tables))
    for invocation in list_of(run.get("invocations"), "a run's invocations"):
        table = table_of(invocation, "an invocation")
        for item in list_of(table.get("ruleConfigurationOverrides"), "ruleConfigurationOverrides"):
            _override(rules, table_of(item, "a ruleConfigurationOverride"))
    return rules


def _component(table: dict[str, object]) -> Component:
    rules = tuple(table_of(rule, "a rule") for rule in list_of(table.get("rules"), "a tool's rules"))
    return Component(table, rules, {name: rule for rule in rules if (name := text_of(rule.get("id")))})


def _override(rules: Rules, item: dict[str, object]) -> None:
    """Remember a level set for this invocation; of several, the worst."""
    level = text_of(table_of(item.get("configuration"), "a configuration").get("level"))
    if not level:
        return
    rule, component = rules.of({"rule": item.get("descriptor")})
    key = (component, text_of(rule.get("id")))
    rules.overrides[key] = min(level, rules.overrides.get(key, level), key=lambda one: _rank(_of_level(one)))


def result_of(result: dict[str, object], rules: Rules, *, otherwise: str = "warning") -> Result | None:
    """None for a result that reports no defect. `otherwise` is the level where neither it nor its rule gives one.
    Raises Unreadable for wrong types."""
    if _kind(result) in NOT_A_FINDING or result.get("baselineState") == "absent":
        return None
    rule, component = rules.of(result)
    override = rules.overrides.get((component, text_of(rule.get("id"))))
    return Result(
        severity=severity_of(result, rule, override, otherwise=otherwise),
        rule=shown(
            text_of(result.get("ruleId")) or text_of(rule.get("id")) or "a rule without a name", limit=80
        ),
        message=shown(text_of(table_of(result.get("message"), "a message").get("text"))),
        where=_where(result),
        suppressed=_suppressed(result),
    )


def severity_of(
    result: dict[str, object],
    rule: dict[str, object],
    override: str | None = None,
    *,
    otherwise: str = "warning",
) -> str:
    """By `security-severity` (of the result, else of its rule), else by level (of the result, else the one set for
    the invocation, else the rule's own, else `otherwise`). What cannot be understood is critical."""
    for holder in (result, rule):
        score = table_of(holder.get("properties"), "properties").get("security-severity")
        if score is not None:
            return _of_score(score)
    default = table_of(rule.get("defaultConfiguration"), "a defaultConfiguration").get("level")
    if _kind(result) != "fail":  # such a result must say level "none", which tells nothing
        return _of_level(override or default or otherwise)
    return _of_level(result.get("level") or override or default or otherwise)


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)


def _of_level(level: object) -> str:
    return LEVELS.get(text_of(level), "critical")


def _of_score(score: object) -> str:
    found = of_score(score)
    return "critical" if found == UNKNOWN else found


def _kind(result: dict[str, object]) -> str:
    return text_of(result.get("kind")) or "fail"


def _suppressed(result: dict[str, object]) -> bool:
    """Suppressed when it has suppressions and none of them is still under review or was rejected."""
    entries = [
        table_of(item, "a suppression") for item in list_of(result.get("suppressions"), "suppressions")
    ]
    return bool(entries) and all(entry.get("status") in {None, "accepted"} for entry in entries)


def _where(result: dict[str, object]) -> str:
    locations = list_of(result.get("locations"), "locations")
    if not locations:
        return ""
    physical = table_of(table_of(locations[0], "a location").get("physicalLocation"), "a physicalLocation")
    file = text_of(table_of(physical.get("artifactLocation"), "an artifactLocation").get("uri"))
    line = table_of(physical.get("region"), "a region").get("startLine")
    return shown(f"{file}:{line}" if file and isinstance(line, int) else file)
