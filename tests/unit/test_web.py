"""The HTTP side answers quickly and correctly whatever clients do, and starts and stops cleanly."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.core.clock import ManualClock
from monitor.telemetry import Telemetry
from monitor.web import Health, Server
from monitor.web.crowd import MOST_CONNECTIONS
from monitor.web.health import STALE_SECONDS
from monitor.web.server import LARGEST_REQUEST_HEAD

Answer = tuple[int, dict[str, str], str]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def health(clock: ManualClock) -> Health:
    return Health(clock)


@pytest.fixture
def telemetry(clock: ManualClock) -> Telemetry:
    return Telemetry(clock)


@pytest.fixture
def server(telemetry: Telemetry, health: Health) -> Iterator[Server]:
    running = Server("127.0.0.1:0", telemetry, health)
    running.start()
    yield running
    running.stop()


def address(server: Server) -> tuple[str, int]:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    return host.strip("[]"), int(port)


def ask(server: Server, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Answer:
    connection = http.client.HTTPConnection(*address(server), timeout=30)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def raw(server: Server, request: bytes) -> bytes:
    with socket.create_connection(address(server), timeout=30) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def cut_off(client: socket.socket) -> bool:
    """Wait until the other side closes the connection without a word."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


# -- routes ----------------------------------------------------------------------------------------------------


def test_metrics_are_served_in_the_plain_format(server: Server, telemetry: Telemetry) -> None:
    telemetry.stream("web").framed(3)

    status, headers, body = ask(server, "/metrics")

    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    samples = {s.name: s.value for family in text_string_to_metric_families(body) for s in family.samples}
    assert samples["aemonitor_records_read_total"] == 3


def test_metrics_are_served_as_openmetrics_to_whoever_asks(server: Server) -> None:
    status, headers, body = ask(server, "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert (status, headers["content-type"]) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert body.endswith("# EOF\n")


def test_health_follows_the_heartbeats(server: Server, health: Health, clock: ManualClock) -> None:
    health.beat("reader")
    health.beat("scorer")
    clock.advance(STALE_SECONDS - 0.1)
    health.beat("scorer")
    alive = ask(server, "/-/healthy")
    clock.advance(0.1)
    hanging = ask(server, "/-/healthy")
    health.ended("reader")
    ended = ask(server, "/-/healthy")

    assert (alive[0], alive[2]) == (200, "healthy\n")
    assert (hanging[0], hanging[2]) == (503, "reader: no sign of life for 10 s\n")
    assert ended[0] == 200


def test_a_jump_of_the_wall_clock_is_no_illness(server: Server, health: Health, clock: ManualClock) -> None:
    health.beat("reader")

    clock.jump(86_400)

    assert ask(server, "/-/healthy")[0] == 200


def test_readiness_lists_the_reasons_one_a_line(server: Server, health: Health) -> None:
    health.not_ready("model:web", "stream web has no model\nforged line \x1b[31m")
    health.not_ready("ledger", "the disk is full")
    health.not_ready("ledger", "the disk is still full")

    waiting = ask(server, "/-/ready")
    health.ready("model:web")
    health.ready("ledger")
    health.ready("never said")
    working = ask(server, "/-/ready")

    assert (waiting[0], waiting[1]["content-type"]) == (503, "text/plain; charset=utf-8")
    assert waiting[2] == "the disk is still full\nstream web has no model\\nforged line \\x1b[31m\n"
    assert (working[0], working[2]) == (200, "ready\n")


@pytest.mark.parametrize(
    "path", ["/nothing", "/metrics/", "/-/", "/-/reload", "//metrics", "/metrics/../etc", "/%00", "/%2e%2e"]
)
def test_an_unknown_path_is_not_found(server: Server, path: str) -> None:
    assert ask(server, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
def test_only_get_and_head_are_allowed(server: Server, path: str, method: str) -> None:
    status, headers, _ = ask(server, path, method)

    assert status == 405
    assert set(headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_head_answers_without_a_body(server: Server) -> None:
    status, _, body = ask(server, "/metrics", "HEAD")

    assert (status, body) == (200, "")


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/ready", "/nothing"])
def test_every_answer_carries_the_security_headers_and_no_server_name(server: Server, path: str) -> None:
    headers = ask(server, path)[1]

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


# -- hostile clients -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",  # a TLS hello
        b"GET /\r\n\r\n",
        b"\r\n\r\nnonsense nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /" + b"a" * (2 * LARGEST_REQUEST_HEAD),
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"b" * (2 * LARGEST_REQUEST_HEAD),
    ],
)
def test_what_is_no_proper_request_is_refused_and_the_next_client_served(server: Server, request_bytes: bytes) -> None:
    answer = raw(server, request_bytes)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert ask(server, "/-/healthy")[0] == 200


def test_a_hostile_accept_header_is_no_error(server: Server) -> None:
    for accept in ("application/openmetrics-text; version=x", "text/plain; version=..", ";;;=,", "a" * 8000):
        assert ask(server, "/metrics", headers={"Accept": accept})[0] == 200


def test_a_scrape_is_answered_while_a_hundred_connections_idle(server: Server) -> None:
    with ExitStack() as stack:
        for number in range(100):
            idle = stack.enter_context(socket.create_connection(address(server)))
            idle.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: "[: 45 * (number % 2)])

        status, _, body = ask(server, "/metrics")

    assert status == 200
    assert "aemonitor_config_last_reload_successful 1.0" in body


def test_more_connections_than_the_limit_cost_the_longest_idle_ones_not_the_scrape(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.web.connection.REQUEST_SECONDS", 3600.0)
    with ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(address(server), timeout=30))
            for _ in range(MOST_CONNECTIONS + 5)
        ]

        status, _, _ = ask(server, "/metrics")

        assert status == 200
        for first in idle[:6]:
            assert cut_off(first)


def test_a_silent_client_is_cut_off(telemetry: Telemetry, health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.web.connection.REQUEST_SECONDS", 0.05)
    running = Server("127.0.0.1:0", telemetry, health)
    running.start()
    try:
        with socket.create_connection(address(running), timeout=30) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\n")
            assert cut_off(client)
    finally:
        running.stop()


def test_a_connection_serves_several_requests(server: Server) -> None:
    connection = http.client.HTTPConnection(*address(server), timeout=30)
    statuses: list[int] = []
    for _ in range(3):
        connection.request("GET", "/-/ready")
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()

    assert statuses == [200, 200, 200]
