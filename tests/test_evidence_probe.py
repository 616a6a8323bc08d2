"""Probes: real servers that answer, lie, hang and lead elsewhere; and a real Prometheus with a real Alertmanager."""

from __future__ import annotations

import ipaddress
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from guard.adapters.evidence.fetching import MAX_ANSWER, Target, is_allowed
from guard.adapters.evidence.operator import NO_OPERATOR
from guard.adapters.evidence.routing import read_routes
from guard.adapters.evidence.untrusted import Unreadable
from guard.core.evidence import Reading
from guard.core.model import Known, Unknown
from tests.builders import NOW
from tests.evidence_fakes import asks, codes, read, seen, sources

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
Pages = dict[str, Any]


class Server(ThreadingHTTPServer):
    """Answers each path with a JSON value, with (status, headers, bytes), or by calling what is there."""

    daemon_threads = True
    pages: Pages
    asked: list[tuple[str, dict[str, str]]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        page = self.server.pages.get(self.path.partition("?")[0])
        if callable(page):
            page(self)
            return
        status, headers, body = page if isinstance(page, tuple) else (200, {}, json.dumps(page).encode())
        if page is None:
            status, body = 404, b"{}"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def serving(pages: Pages) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.pages, server.asked = pages, []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def at(server: Server, path: str = "") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def target(url: str, **fields: Any) -> Target:
    return Target(url, **{"networks": LOOPBACK, "timeout": timedelta(seconds=2), **fields})


def probed(spec: dict[str, Any], **targets: Target) -> Reading:
    asked = asks(kind="probe", **{"target": "it", **spec})
    return read(asked, sources(operator=replace(NO_OPERATOR, targets=targets)))


HTTP = {"probe": "http", "fields": {"status": "live", "dashboards.fresh": True}}
LIVE = {"status": "live", "dashboards": {"fresh": True}}


def test_a_system_that_answers_as_wanted() -> None:
    with serving({"/health": LIVE}) as server:
        found = probed({**HTTP, "max_age": "15m"}, it=target(at(server, "/health")))
    assert codes(found) == set()
    assert seen(found).dated == NOW
    assert seen(found).digest.startswith("sha256:")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({**LIVE, "status": "down"}, id="another-value"),
        pytest.param({**LIVE, "dashboards": {"fresh": 1}}, id="one-is-not-true"),
        pytest.param({"status": "live"}, id="not-said"),
        pytest.param({}, id="nothing"),
    ],
)
def test_a_system_that_answers_otherwise(answer: dict[str, object]) -> None:
    with serving({"/": answer}) as server:
        assert codes(probed(HTTP, it=target(at(server, "/")))) == {"probe.field"}


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(200):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def hang(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"status": "live"}')


def flood(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(MAX_ANSWER // 65536 + 2):
            handler.wfile.write(b" " * 65536)
    except OSError:
        pass


@pytest.mark.parametrize(
    ("page", "why"),
    [
        pytest.param((302, {"Location": "http://169.254.169.254/"}, b""), "is not followed", id="redirect"),
        pytest.param((500, {}, b"{}"), "answered 500", id="server-error"),
        pytest.param((204, {}, b""), "answered 204", id="no-content"),
        pytest.param((404, {}, b"{}"), "404", id="not-found"),
        pytest.param((200, {}, b"<html>"), "not JSON", id="no-json"),
        pytest.param((200, {}, b'{"status": "live", "status": "down"}'), "there twice", id="a-key-twice"),
        pytest.param((200, {}, b"[]"), "not an object", id="an-array"),
        pytest.param((200, {}, b"[" * 100_000), "", id="deep"),
        pytest.param(drip, "", id="drips"),
        pytest.param(hang, "", id="hangs"),
        pytest.param(cut, "", id="breaks-off"),
        pytest.param(flood, "answered more than", id="floods"),
    ],
)
def test_an_answer_that_cannot_be_used_is_unknown_and_bounded(page: object, why: str) -> None:
    with serving({"/": page}) as server:
        started = time.monotonic()
        found = probed(HTTP, it=target(at(server, "/"), timeout=timedelta(seconds=1)))
        assert time.monotonic() - started < 3
    assert isinstance(found, Unknown), found
    assert why in found.why


def test_nobody_there_is_unknown() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = probed(HTTP, it=target(f"http://127.0.0.1:{port}/"))
    assert isinstance(found, Unknown)
    assert "cannot be asked" in found.why
    found = probed(HTTP, it=target("http://no-such-host.invalid/"))
    assert isinstance(found, Unknown)
    assert "is not known" in found.why


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "0.0.0.0", "[::ffff:10.0.0.1]"]
)
def test_private_addresses_are_refused_before_anything_is_sent(host: str) -> None:
    found = probed(HTTP, it=target(f"http://{host}:9/", networks=()))
    assert isinstance(found, Unknown)
    assert "which is no public address" in found.why


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("100.100.100.200", False),
        ("168.63.129.16", False),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:a9fe:a9fe::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("255.255.255.255", False),
        ("127.0.0.1", False),
    ],
)
def test_which_addresses_are_public(address: str, allowed: bool) -> None:
    ip = ipaddress.ip_address(address)
    assert is_allowed(ip, ()) is allowed
    assert is_allowed(ip, (ipaddress.ip_network(getattr(ip, "ipv4_mapped", None) or ip),))


def test_the_token_is_the_operator_s_and_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving({"/": LIVE}) as server:
        known = target(at(server, "/"), token="GRAFANA", environ={"GRAFANA": "s3cret\n"})
        assert codes(probed(HTTP, it=known)) == set()
        assert server.asked[0][1]["Authorization"] == "Bearer s3cret"
        found = probed(HTTP, it=replace(known, environ={}))
    assert isinstance(found, Unknown)
    assert "the variable GRAFANA is not set" in found.why
    assert len(server.asked) == 1
    assert "s3cret" not in repr(known)


def test_only_what_the_operator_names_is_asked_and_only_on_the_server_side() -> None:
    found = probed(HTTP, other=target("http://127.0.0.1:9/"))
    assert isinstance(found, Unknown)
    assert "no system it" in found.why
    clone = read(asks(kind="probe", target="it", **HTTP), sources())
    assert isinstance(clone, Unknown)
    assert "by the server side alone" in clone.why


@pytest.mark.parametrize(
    "spec",
    [
        {"probe": "http"},
        {"probe": "prometheus"},
        {"probe": "prometheus", "query": "up"},
        {"probe": "prometheus", "query": "up", "expect": "fine"},
        {"probe": "grafana", "rules": ["A"]},
        {"probe": "alertmanager", "fields": {"a": 1}},
        {**HTTP, "target": "http://elsewhere/", "url": "http://elsewhere/"},
    ],
)
def test_probes_that_make_no_sense_are_refused(spec: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        asks(kind="probe", **{"target": "it", **spec})


GRAFANA = {
    "/api/health": {"database": "ok", "version": "11.0"},
    "/api/dashboards/uid/slo-1": {"dashboard": {"uid": "slo-1", "panels": [{"id": 1}]}},
    "/api/dashboards/uid/empty": {"dashboard": {"uid": "empty", "panels": []}},
}


@pytest.mark.parametrize(
    ("change", "dashboards", "problems"),
    [
        pytest.param({}, ["slo-1"], set(), id="live"),
        pytest.param({}, [], set(), id="health-alone"),
        pytest.param({}, ["slo-1", "gone"], {"probe.dashboard"}, id="not-there"),
        pytest.param({}, ["empty"], {"probe.dashboard"}, id="shows-nothing"),
        pytest.param(
            {"/api/health": {"database": "failing"}}, ["slo-1"], {"probe.grafana"}, id="database-failing"
        ),
        pytest.param({"/api/health": {}}, ["slo-1"], {"probe.grafana"}, id="says-nothing"),
    ],
)
def test_grafana(change: Pages, dashboards: list[str], problems: set[str]) -> None:
    with serving({**GRAFANA, **change}) as server:
        spec = {"probe": "grafana", "dashboards": dashboards}
        assert codes(probed(spec, it=target(at(server)))) == problems


def vector(*values: str) -> Pages:
    result = [{"metric": {}, "value": [1.0, value]} for value in values]
    return {"/api/v1/query": {"status": "success", "data": {"resultType": "vector", "result": result}}}


@pytest.mark.parametrize(
    ("values", "expect", "passes"),
    [
        (("0.995",), ">= 0.99", True),
        (("0.98",), ">= 0.99", False),
        (("1", "0"), "== 1", False),
        ((), "== 1", False),
        ((), "empty", True),
        (("1",), "empty", False),
        (("NaN",), "!= 1", False),
        (("+Inf",), "> 1", True),
    ],
)
def test_prometheus_queries(values: tuple[str, ...], expect: str, passes: bool) -> None:
    with serving(vector(*values)) as server:
        spec = {"probe": "prometheus", "query": "slo", "expect": expect}
        assert (codes(probed(spec, it=target(at(server)))) == set()) is passes


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "error", "error": "bad_data"},
        {"status": "success", "warnings": ["partial"], "data": {"resultType": "vector", "result": []}},
        {"status": "success", "data": {"resultType": "matrix", "result": []}},
        {"status": "success", "data": {"resultType": "vector", "result": [{"value": 1}]}},
        {"status": "success", "data": []},
    ],
)
def test_a_query_that_was_not_answered_is_unknown(answer: object) -> None:
    with serving({"/api/v1/query": answer}) as server:
        spec = {"probe": "prometheus", "query": "slo", "expect": "empty"}
        assert isinstance(probed(spec, it=target(at(server))), Unknown)


CONFIG = """
route:
  receiver: nobody
  routes:
    - matchers: ['severity="critical"']
      receiver: on-call
      routes:
        - match: {team: billing}
          receiver: billing
    - match_re: {severity: "warn.*"}
      continue: true
    - matchers: ['team!="infra"', severity=~"info|note"]
      receiver: chat
receivers:
  - name: nobody
  - name: on-call
    webhook_configs: [{url: "http://127.0.0.1/"}]
  - {name: billing, email_configs: [{to: "b@example.com"}]}
  - {name: chat, slack_configs: []}
"""


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"severity": "critical"}, ("on-call",)),
        ({"severity": "critical", "team": "billing"}, ("billing",)),
        ({"severity": "warning"}, ("nobody",)),
        ({"severity": "info", "team": "web"}, ("chat",)),
        ({"severity": "info", "team": "infra"}, ("nobody",)),
        ({}, ("nobody",)),
    ],
)
def test_where_alertmanager_sends_an_alert(labels: dict[str, str], receivers: tuple[str, ...]) -> None:
    routes = read_routes(CONFIG)
    assert routes.receivers(labels) == receivers
    assert routes.wired == {"on-call", "billing"}
    assert routes.used == {"nobody", "on-call", "billing", "chat"}


@pytest.mark.parametrize("config", ["", "route: x", "a: [", "route: {}\nreceivers: {}", "- 1"])
def test_a_configuration_that_is_none(config: str) -> None:
    with pytest.raises(Unreadable):
        read_routes(config)


def alert(name: str = "Down", severity: str = "critical", **status: object) -> dict[str, object]:
    given = {"state": "active", "silencedBy": [], "inhibitedBy": [], **status}
    return {"labels": {"alertname": name, "severity": severity}, "status": given}


SILENCED: dict[str, Any] = {"state": "suppressed", "silencedBy": ["x"]}


@pytest.mark.parametrize(
    ("alerts", "more", "problems"),
    [
        pytest.param([], {}, set(), id="nothing-fires"),
        pytest.param([alert()], {}, {"probe.firing"}, id="a-critical-one"),
        pytest.param([alert(severity="Critical")], {}, {"probe.firing"}, id="in-any-case"),
        pytest.param([alert(severity="warning")], {}, set(), id="a-warning"),
        pytest.param(
            [alert(severity="page")], {"severities": ["page"]}, {"probe.firing"}, id="the-policy-s-word"
        ),
        pytest.param([alert(**SILENCED)], {}, {"probe.firing"}, id="silenced-counts"),
        pytest.param([alert(**SILENCED)], {"silenced": "does-not-count"}, set(), id="silenced-does-not"),
        pytest.param(
            [alert(state="suppressed", inhibitedBy=["y"])],
            {"silenced": "does-not-count"},
            {"probe.firing"},
            id="inhibited",
        ),
        pytest.param(
            [alert(state="unprocessed")], {"silenced": "does-not-count"}, {"probe.firing"}, id="unprocessed"
        ),
        pytest.param([], {"receivers": ["on-call", "billing"]}, set(), id="wired"),
        pytest.param([], {"receivers": ["chat"]}, {"probe.receiver"}, id="without-integration"),
        pytest.param([], {"receivers": ["gone"]}, {"probe.receiver"}, id="not-there"),
    ],
)
def test_alertmanager(alerts: list[object], more: dict[str, Any], problems: set[str]) -> None:
    pages = {"/api/v2/status": {"config": {"original": CONFIG}}, "/api/v2/alerts": alerts}
    with serving(pages) as server:
        assert codes(probed({"probe": "alertmanager", **more}, it=target(at(server)))) == problems


@given(
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "status",
                        "data",
                        "groups",
                        "rules",
                        "result",
                        "value",
                        "config",
                        "original",
                        "labels",
                        "database",
                    ]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=10,
    )
)
@settings(max_examples=30, deadline=None)
def test_any_answer_gives_a_reading(answer: object) -> None:
    paths = ("/api/v1/query", "/api/v1/rules", "/api/v2/status", "/api/v2/alerts", "/api/health", "/")
    specs: tuple[dict[str, Any], ...] = (
        HTTP, {"probe": "grafana"}, {"probe": "alertmanager"}, {"probe": "prometheus", "rules": ["A"]},
        {"probe": "prometheus", "query": "a", "expect": "== 1"},
    )  # fmt: skip
    with serving(dict.fromkeys(paths, answer)) as server:
        for spec in specs:
            found = probed(spec, it=target(at(server)))
            assert isinstance(found, (Known, Unknown))
            assert isinstance(found, Unknown) or found.value.problems


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in 40 s"
        time.sleep(0.1)


PROMETHEUS_RULES = """
groups:
  - name: slo
    interval: 1s
    rules:
      - alert: LedgerDrift
        expr: vector(0) > 1
        labels: {severity: critical}
      - alert: Warned
        expr: vector(1)
        labels: {severity: warning}
"""


@contextmanager
def monitoring(folder: Path) -> Iterator[tuple[str, str]]:
    """A real Prometheus that sends its alerts to a real Alertmanager; their addresses."""
    prometheus, alertmanager = free_port(), free_port()
    (folder / "rules.yml").write_text(PROMETHEUS_RULES)
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yml]\nalerting:\n"
        f"  alertmanagers:\n    - static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]\n"
        f"scrape_configs:\n  - job_name: self\n    static_configs: [{{targets: ['127.0.0.1:{prometheus}']}}]\n"
    )
    (folder / "alertmanager.yml").write_text(
        CONFIG.replace("slack_", "webhook_").replace(
            'email_configs: [{to: "b@example.com"}]', 'webhook_configs: [{url: "http://127.0.0.1/"}]'
        )
    )
    commands = (
        ("prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{prometheus}"),
        ("prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am",
         f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address="),
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        running = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
        try:
            urls = f"http://127.0.0.1:{prometheus}", f"http://127.0.0.1:{alertmanager}"
            until(lambda: ready(f"{urls[0]}/-/ready") and ready(f"{urls[1]}/-/ready"))
            yield urls
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(timeout=20)


def post(url: str, value: object) -> None:
    request = urllib.request.Request(url, json.dumps(value).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=5).close()


@pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
    reason="Debian's prometheus and prometheus-alertmanager are not installed",
)
def test_a_real_prometheus_and_alertmanager(tmp_path: Path) -> None:
    with monitoring(tmp_path) as (prometheus, alertmanager):
        targets = {"it": target(prometheus), "am": target(alertmanager)}

        def asked(**spec: Any) -> Reading:
            return probed({"probe": "prometheus", **spec}, **targets)

        def of_alertmanager(**spec: Any) -> set[str]:
            return codes(probed({"probe": "alertmanager", "target": "am", **spec}, **targets))

        rules = {"rules": ["LedgerDrift"], "alertmanager": "am", "receivers": ["on-call"]}
        until(lambda: codes(asked(**rules)) == set())
        assert codes(asked(rules=["LedgerDrift", "Gone"])) == {"probe.rule"}
        assert codes(asked(rules=["Warned"], alertmanager="am")) == {"probe.receiver"}
        assert codes(asked(rules=["Warned"], severities=["warning"])) == {"probe.firing"}
        until(lambda: codes(asked(query="up", expect="== 1")) == set())
        assert codes(asked(query="up", expect="== 0")) == {"probe.value"}
        assert isinstance(asked(query="up{", expect="== 1"), Unknown)

        assert of_alertmanager(receivers=["on-call"]) == set()
        post(f"{alertmanager}/api/v2/alerts", [{"labels": {"alertname": "Down", "severity": "critical"}}])
        until(lambda: of_alertmanager() == {"probe.firing"})
        now = datetime.now(UTC)
        silence = {
            "matchers": [{"name": "alertname", "value": "Down", "isRegex": False}],
            "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "test", "comment": "known",
        }  # fmt: skip
        post(f"{alertmanager}/api/v2/silences", silence)
        until(lambda: of_alertmanager(silenced="does-not-count") == set())
        assert of_alertmanager() == {"probe.firing"}


def test_the_operator_s_settings_name_the_systems(tmp_path: Path) -> None:
    from guard.core.errors import SettingsError
    from guard.settings import load_home
    from guard.wiring_readers import operator_of

    def written(table: str) -> Path:
        (tmp_path / "settings.toml").write_text(
            f'repository = "r"\ngit_dir = "/r.git"\n[probes.slo]\n{table}\n'
        )
        return tmp_path

    home = load_home(
        written(
            'url = "https://g.example/x"\naddresses = ["10.0.0.0/8"]\ntoken = "T"\nca = "ca.pem"\ntimeout = "9s"'
        )
    )
    targets = operator_of(home, now=NOW).targets or {}
    slo = targets["slo"]
    assert (slo.url, slo.networks, slo.token) == (
        "https://g.example/x",
        (ipaddress.ip_network("10.0.0.0/8"),),
        "T",
    )
    assert (slo.ca, slo.timeout) == (tmp_path / "ca.pem", timedelta(seconds=9))
    for wrong in (
        'url = "file:///etc/passwd"',
        'url = "https://me:pw@g.example/"',
        'url = "https://g/?a=1"',
        'addresses = ["x"]',
    ):
        with pytest.raises(SettingsError):
            load_home(written(wrong))
