"""Evidence kind `probe`: a condition asked of a running system that the operator allows, now."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from guard.adapters.evidence.dotted import different
from guard.adapters.evidence.fetching import NotThere, Target, fetch
from guard.adapters.evidence.routing import Routes, read_routes
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.untrusted import (
    Unreadable,
    digest_of,
    list_of,
    load_json,
    shown,
    table_of,
    text_of,
)
from guard.core.evidence import Observation, Probe, Reading
from guard.core.model import Finding, Known, Unknown

Table = Mapping[str, object]
COMPARISON = re.compile(r"(==|!=|<=|>=|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
NAMED = 5


@dataclass
class Asking:
    """The systems that one probe asks, and all that they answered."""

    spec: Probe
    targets: Mapping[str, Target]
    answers: list[bytes] = field(default_factory=list)

    def json(self, path: str = "", *, of: str | None = None) -> Table:
        """The JSON object at a path of the target. Raises ProbeError, Unreadable."""
        name = of or self.spec.target
        data = fetch(self.targets[name], path)
        self.answers.append(data)
        return table_of(load_json(data, f"the answer of {name}"), f"the answer of {name}")

    def list(self, path: str) -> list[object]:
        data = fetch(self.targets[self.spec.target], path)
        self.answers.append(data)
        what = f"the answer of {self.spec.target}"
        return list_of(load_json(data, what), what)


@dataclass(frozen=True, slots=True)
class Seen:
    summary: str
    problems: tuple[Finding, ...] = ()


def read_probe(gate_id: str, spec: Probe, sources: EvidenceSources) -> Reading:
    """Passes when the system answers now and says what the policy wants. What keeps it from answering is unknown."""
    del gate_id
    targets = sources.operator.targets
    if targets is None:
        return Unknown(
            "running systems are asked by the server side alone",
            fix="ask it: guard check --server BARE.git, or the service",
            who=("operator",),
        )
    for name in (spec.target, *([spec.alertmanager] if spec.alertmanager else [])):
        if name not in targets:
            fix = f'allow it in settings.toml: [probes.{name}] url = "https://…"'
            return Unknown(f"the operator's settings have no system {name}", fix=fix, who=("operator",))
    asking = Asking(spec, targets)
    seen = PROBES[spec.probe](asking)
    observation = Observation(
        summary=seen.summary,
        problems=seen.problems,
        dated=sources.now,
        digest=digest_of(b"\0".join(asking.answers)),
    )
    return Known(observation, f"{spec.target} ({spec.probe})", sources.now)


def _finding(code: str, message: str, fix: str) -> Finding:
    return Finding(f"probe.{code}", message, fix=fix, who=("operator",))


def _http(asking: Asking) -> Seen:
    spec = asking.spec
    answer = asking.json()
    problems = tuple(
        _finding(
            "field", f"{spec.target} {says} {path}; wanted is {wanted!r}", f"mend what {spec.target} tells"
        )
        for path, wanted, says in different(answer, spec.fields)
    )
    return Seen(f"{spec.target} answers as wanted", problems)


def _grafana(asking: Asking) -> Seen:
    spec = asking.spec
    health = asking.json("/api/health")
    problems = []
    if health.get("database") != "ok":
        said = shown(text_of(health.get("database")), limit=60) or "nothing"
        problems.append(_finding("grafana", f"{spec.target} says {said} of its database", "mend Grafana"))
    for uid in spec.dashboards:
        wrong = _dashboard(asking, uid)
        if wrong:
            problems.append(_finding("dashboard", f"the dashboard {uid} {wrong}", "import it into Grafana"))
    return Seen(f"{len(spec.dashboards) or 'all'} dashboards live (Grafana)", tuple(problems))


def _dashboard(asking: Asking, uid: str) -> str:
    try:
        answer = asking.json(f"/api/dashboards/uid/{quote(uid, safe='')}")
    except NotThere:
        return "is not there"
    dashboard = table_of(answer.get("dashboard"), f"the dashboard {uid}")
    return "" if dashboard.get("panels") or dashboard.get("rows") else "shows nothing"


def _prometheus(asking: Asking) -> Seen:
    spec = asking.spec
    problems: list[Finding] = []
    said = []
    if spec.query is not None:
        problems += _query(asking, spec.query, spec.expect or "")
        said.append(f"{spec.target} says {spec.expect}")
    if spec.rules:
        problems += _rules(asking)
        said.append(f"{len(spec.rules)} alert rules live")
    return Seen(", ".join(said), tuple(problems))


def _data(asking: Asking, path: str) -> Table:
    """What Prometheus' API answers with. Raises Unreadable for an error, and for a partial answer."""
    answer = asking.json(path)
    if answer.get("status") != "success" or answer.get("warnings"):
        why = text_of(answer.get("error")) or json.dumps(answer.get("warnings"))
        raise Unreadable(f"{asking.spec.target} could not answer in full: {shown(why)}")
    return table_of(answer.get("data"), f"the data of {asking.spec.target}")


def _query(asking: Asking, query: str, expect: str) -> Iterator[Finding]:
    data = _data(asking, f"/api/v1/query?{urlencode({'query': query})}")
    values = [_number(sample) for sample in _samples(data)]
    fix = f"see what {shown(query, limit=100)} shows"
    if expect == "empty":
        if values:
            yield _finding("value", f"{shown(query)} gives {len(values)} values; wanted are none", fix)
        return
    match = COMPARISON.fullmatch(expect)
    if match is None:
        raise Unreadable(f"nobody knows how to expect {shown(expect)}")
    if not values:
        yield _finding("value", f"{shown(query)} gives no value; wanted is one that is {expect}", fix)
    bad = [value for value in values if math.isnan(value) or not COMPARE[match[1]](value, float(match[2]))]
    for value in bad[:NAMED]:
        yield _finding("value", f"{shown(query)} gives {value:g}; wanted is {expect}", fix)


def _samples(data: Table) -> list[object]:
    if data.get("resultType") == "scalar":
        return [{"value": data.get("result")}]
    if data.get("resultType") != "vector":
        raise Unreadable("the query gives no single value for each series: ask for an instant vector")
    return list_of(data.get("result"), "the result of the query")


def _number(sample: object) -> float:
    value = table_of(sample, "a sample").get("value")
    try:
        if isinstance(value, list) and len(value) == 2 and isinstance(value[1], str):
            return float(value[1])
    except ValueError:
        pass
    raise Unreadable("a sample of the query has no value")


def _rules(asking: Asking) -> Iterator[Finding]:
    spec = asking.spec
    groups = list_of(_data(asking, "/api/v1/rules?type=alert").get("groups"), "the groups of rules")
    rules = [
        table_of(rule, "a rule")
        for group in groups
        for rule in list_of(table_of(group, "a group").get("rules"), "rules")
    ]
    routes = _routes(asking, of=spec.alertmanager) if spec.alertmanager else None
    if spec.alertmanager and not _data(asking, "/api/v1/alertmanagers").get("activeAlertmanagers"):
        yield _finding(
            "wired", f"{spec.target} sends its alerts to no Alertmanager", "wire it: alerting.alertmanagers"
        )
    for name in spec.rules:
        same = [rule for rule in rules if rule.get("name") == name]
        if not same:
            yield _finding("rule", f"the alert rule {name} is not there", f"load it into {spec.target}")
        for rule in same:
            yield from _rule(rule, name, spec, routes)
    for rule in rules:
        for alert in list_of(rule.get("alerts"), "alerts"):
            table = table_of(alert, "an alert")
            if table.get("state") == "firing" and _is_severe(table, spec):
                yield _firing(text_of(rule.get("name")))


def _rule(rule: Table, name: str, spec: Probe, routes: Routes | None) -> Iterator[Finding]:
    if rule.get("health") != "ok":
        said = shown(text_of(rule.get("lastError")) or text_of(rule.get("health")), limit=100)
        yield _finding("rule", f"the alert rule {name} is not evaluated: {said}", "mend the rule")
    if routes is None:
        return
    labels = {key: str(value) for key, value in table_of(rule.get("labels"), "a rule's labels").items()}
    receivers = routes.receivers({**labels, "alertname": name})
    wanted = spec.receivers or receivers
    if not any(receiver in routes.wired and receiver in wanted for receiver in receivers):
        to = ", ".join(shown(receiver, limit=60) for receiver in receivers)
        yield _finding(
            "receiver", f"the alert {name} reaches nobody: it is sent to {to}", "route it to somebody"
        )


def _alertmanager(asking: Asking) -> Seen:
    spec = asking.spec
    routes = _routes(asking)
    problems = []
    for name in spec.receivers:
        wrong = "" if name in routes.wired else "reaches nobody: it has no integration, or is not there"
        wrong = wrong or ("" if name in routes.used else "is sent nothing: no route leads to it")
        if wrong:
            problems.append(
                _finding("receiver", f"the receiver {name} {wrong}", "mend Alertmanager's configuration")
            )
    if not routes.wired & routes.used:
        problems.append(
            _finding("receiver", "no route leads to anybody", "mend Alertmanager's configuration")
        )
    for alert in asking.list("/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true"):
        table = table_of(alert, "an alert")
        if _is_severe(table, spec) and not _is_silenced(table, spec):
            problems.append(_firing(text_of(table_of(table.get("labels"), "labels").get("alertname"))))
    return Seen(f"alerts wired to {', '.join(spec.receivers) or 'on-call'}, none critical", tuple(problems))


def _routes(asking: Asking, *, of: str | None = None) -> Routes:
    config = table_of(asking.json("/api/v2/status", of=of).get("config"), "Alertmanager's configuration")
    return read_routes(text_of(config.get("original")))


def _is_severe(alert: Table, spec: Probe) -> bool:
    severity = text_of(table_of(alert.get("labels"), "an alert's labels").get("severity"))
    return severity.casefold() in {name.casefold() for name in spec.severities}


def _is_silenced(alert: Table, spec: Probe) -> bool:
    """Whether somebody silenced it, where the policy lets that count; one that others inhibit is not silenced."""
    status = table_of(alert.get("status"), "an alert's status")
    silenced = status.get("state") == "suppressed" and bool(status.get("silencedBy"))
    return silenced and spec.silenced == "does-not-count"


def _firing(name: str) -> Finding:
    return _finding("firing", f"the alert {shown(name, limit=80) or 'without a name'} is firing", "see to it")


PROBES: dict[str, Callable[[Asking], Seen]] = {
    "http": _http,
    "prometheus": _prometheus,
    "alertmanager": _alertmanager,
    "grafana": _grafana,
}
"""How each kind of system is asked."""
