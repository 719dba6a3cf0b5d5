"""What one client may take from the others: connections, requests, bytes, names; and who is cut off for whom."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from monitor.core.clock import ManualClock
from monitor.telemetry import Telemetry
from monitor.web import Health, Server
from monitor.web.crowd import MOST_CONNECTIONS, Crowd
from monitor.web.guards import LARGEST_BODY
from monitor.web.pace import MOST_ADDRESSES, Buckets, Pace, client_address
from monitor.web.scrapes import Scrapes
from tests.support_web import SECRET, USERS, ask, connect, serving, site, value


@pytest.fixture
def server(telemetry: Telemetry) -> Iterator[Server]:
    with serving(telemetry=telemetry) as running:
        yield running


# -- how often -------------------------------------------------------------------------------------------------


def test_an_address_may_ask_in_a_burst_and_then_at_its_pace() -> None:
    buckets, pace = Buckets(), Pace(interval=0.5, burst=3)

    burst = [buckets.wait("a", pace, 10.0) for _ in range(5)]

    assert burst == [0, 0, 0, 0.5, 0.5]
    assert buckets.wait("a", pace, 10.4) == pytest.approx(0.1)
    assert buckets.wait("a", pace, 10.5) == 0
    assert buckets.wait("a", pace, 10.5) == 0.5
    assert buckets.wait("b", pace, 10.5) == 0
    assert [buckets.wait("a", pace, 99.0) for _ in range(4)] == [0, 0, 0, 0.5]


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5))
def test_no_pattern_of_asking_gets_more_than_its_pace(gaps: list[float], burst: int) -> None:
    buckets, pace, now, taken = Buckets(), Pace(1.0, burst), 0.0, 0
    for gap in gaps:
        now += gap
        taken += not buckets.wait("a", pace, now)

    assert taken <= burst + now + 1e-6


def test_without_an_interval_there_is_no_limit() -> None:
    buckets = Buckets()

    assert not any(buckets.wait("a", Pace(0.0, 1), 0.0) for _ in range(1000))


def test_addresses_beyond_the_memory_forget_the_longest_known() -> None:
    buckets, pace = Buckets(), Pace(1.0, 1)
    for number in range(MOST_ADDRESSES + 1):
        assert buckets.wait(str(number), pace, 0.0) == 0

    assert buckets.wait("0", pace, 0.0) == 0
    assert buckets.wait(str(MOST_ADDRESSES), pace, 0.0) == 1
    assert buckets.wait("new", pace, 5.0) == 0  # nobody waits any more: all of them are forgotten


@pytest.mark.parametrize(
    ("host", "address"), [("fe80::1%eth0", "fe80::"), ("2001:db8:0:1::9", "2001:db8:0:1::"), ("", ""), ("unix", "unix")]
)
def test_an_ipv6_network_is_one_client(host: str, address: str) -> None:
    assert client_address(host) == address


def test_who_asks_too_often_is_told_to_wait(tmp_path: Path, telemetry: Telemetry) -> None:
    web_config = site(tmp_path, "rate_limit: {interval: 1m, burst: 3}").web_config
    with serving(web_config, telemetry) as server, connect(server) as client:
        answer = ""
        for _ in range(4):
            client.sendall(b"HEAD /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = client.recv(65536).decode()

    assert answer.startswith("HTTP/1.1 429 ")
    assert "\r\nretry-after: 60\r\n" in answer
    assert "\r\nx-content-type-options: nosniff\r\n" in answer
    assert value(telemetry, 'aemonitor_http_refusals_total{reason="rate"}') == 1


def test_who_connects_too_often_is_cut_off(tmp_path: Path, telemetry: Telemetry) -> None:
    with serving(site(tmp_path, "rate_limit: {interval: 1m, burst: 2}").web_config, telemetry) as server:
        assert [ask(server, "/-/ready")[0] for _ in range(2)] == [200, 200]
        with pytest.raises(ConnectionError):
            ask(server, "/-/ready")


# -- how many --------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Visitor:
    """A connection that notes when it is cut off."""

    address: str
    since: float
    idle: bool = True
    expelled: list[str] = field(default_factory=list[str])

    def expel(self) -> None:
        self.expelled.append(f"{self.address}@{self.since:g}")


def crowded(*visitors: Visitor) -> list[str]:
    """Who has to go, in this order, when these come after as many others from 192.0.2.1 as there may be."""
    crowd, expelled = Crowd(), list[str]()
    for number in range(MOST_CONNECTIONS):
        assert not crowd.enter(Visitor("192.0.2.1", number, expelled=expelled))
    for visitor in visitors:
        visitor.expelled = expelled
        assert crowd.enter(visitor)
        assert len(crowd) == MOST_CONNECTIONS
    return expelled


def test_who_has_most_connections_loses_the_longest_idle() -> None:
    assert crowded(Visitor("198.51.100.1", 900), Visitor("198.51.100.2", 901)) == ["192.0.2.1@0", "192.0.2.1@1"]


def test_many_newcomers_of_one_address_push_out_each_other_not_the_scraper() -> None:
    crowd, expelled = Crowd(), list[str]()
    scraper = Visitor("198.51.100.1", 0.0)
    crowd.enter(scraper)
    for number in range(1, 1000):
        crowd.enter(Visitor("192.0.2.1", number, idle=bool(number % 2), expelled=expelled))

    assert not scraper.expelled
    assert len(crowd) == MOST_CONNECTIONS
    assert expelled[:2] == ["192.0.2.1@1", "192.0.2.1@3"]


def test_where_all_are_busy_the_oldest_goes() -> None:
    crowd, expelled = Crowd(), list[str]()
    for number in range(MOST_CONNECTIONS + 2):
        crowd.enter(Visitor("192.0.2.1", number, idle=False, expelled=expelled))

    assert expelled == ["192.0.2.1@0", "192.0.2.1@1"]


def test_at_the_end_only_the_idle_are_sent_away() -> None:
    crowd = Crowd()
    busy, idle = Visitor("a", 0, idle=False), Visitor("a", 1)
    crowd.enter(busy)
    crowd.enter(idle)

    crowd.disperse()
    crowd.leave(idle)
    crowd.leave(idle)

    assert (busy.expelled, idle.expelled, len(crowd)) == ([], ["a@1"], 1)


def test_clients_that_do_not_read_their_answers_keep_nobody_out(server: Server, telemetry: Telemetry) -> None:
    for number in range(100):
        telemetry.stream(f"stream-{number}")  # an answer larger than the socket buffers
    with ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS + 5):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.settimeout(30)
            host, _, port = server.url.removeprefix("http://").rpartition(":")
            deaf.connect((host, int(port)))
            deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")

        assert ask(server)[0] == 200


def test_scrapes_at_once_are_one_and_those_that_come_later_another() -> None:
    made: list[str] = []

    def scrape(kind: str) -> tuple[bytes, str]:
        made.append(kind)
        return b"%d" % len(made), kind

    async def all_at_once() -> list[bytes]:
        scrapes = Scrapes(scrape)
        together = await asyncio.gather(*(scrapes.get(f"text/plain; q=0.{number}") for number in range(100)))
        later = await scrapes.get("")
        other = await scrapes.get("application/openmetrics-text; version=1.0.0")
        return [*sorted({body for body, _ in together}), later[0], other[0]]

    assert asyncio.run(all_at_once()) == [b"1", b"2", b"3"]
    assert [kind.partition(";")[0] for kind in made] == ["text/plain", "text/plain", "application/openmetrics-text"]


def test_a_scrape_that_fails_fails_for_all_who_wait_and_for_nobody_else() -> None:
    outcomes: list[Exception | None] = [ValueError("no"), None]

    def scrape(kind: str) -> tuple[bytes, str]:
        if error := outcomes.pop(0):
            raise error
        return b"", kind

    async def twice() -> list[object]:
        scrapes = Scrapes(scrape)
        first = await asyncio.gather(scrapes.get(""), scrapes.get(""), return_exceptions=True)
        return [*map(str, first), (await scrapes.get(""))[0]]

    assert asyncio.run(twice()) == ["no", "no", b""]


# -- how much --------------------------------------------------------------------------------------------------


def reading(_telemetry: Telemetry, _health: Health, *, guards: list[Middleware]) -> Starlette:
    """An application that reads what it is sent."""

    async def read(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    async def answer_early(request: Request) -> StreamingResponse:
        return StreamingResponse(request.stream())

    routes = [Route("/", read, methods=["POST", "HEAD"]), Route("/early", answer_early, methods=["POST"])]
    return Starlette(routes=routes, middleware=guards)


def test_a_body_within_the_limit_is_read_and_a_larger_one_refused() -> None:
    with serving(build=reading) as server:
        fits = ask(server, "/", "POST", body=b"x" * LARGEST_BODY)
        exceeds = ask(server, "/", "POST", body=b"x" * (LARGEST_BODY + 1))

    assert (fits[0], fits[2]) == (200, str(LARGEST_BODY))
    assert exceeds[0] == 413


def test_a_body_that_does_not_say_its_size_is_counted() -> None:
    with serving(build=reading) as server, connect(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        for _ in range(4):
            client.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")

        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.web.connection.REQUEST_SECONDS", 0.05)
    with serving(build=reading) as server, connect(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1")

        assert client.recv(4096) == b""


@pytest.mark.parametrize(
    "unfinished",
    [
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzzz\r\n",
        b"HEAD / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"POST /early HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzzz\r\n",
    ],
)
def test_bodies_that_break_off_leave_nothing_in_the_log(caplog: pytest.LogCaptureFixture, unfinished: bytes) -> None:
    with serving(build=reading) as server:
        with connect(server) as client:
            head, blank, rest = unfinished.partition(b"\r\n\r\n")
            client.sendall(head + blank)
            ask(server, "/nothing")  # it is being answered
            client.sendall(rest)
            ask(server, "/nothing")
        ask(server, "/nothing")

    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


# -- by what name ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example.com", "evil.example.com:9464", "localhost.evil.com", "192.0.2.1", "[::2]"]
)
def test_a_page_of_another_name_does_not_read_ours(server: Server, telemetry: Telemetry, host: str) -> None:
    status, headers, body = ask(server, "/", headers={"Host": host})

    assert status == 421
    assert body == f"this is not '{host}': add the name to `server.host_names`, or ask for localhost\n"
    assert headers["x-content-type-options"] == "nosniff"
    assert value(telemetry, 'aemonitor_http_refusals_total{reason="host"}') == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nor_does_it_change_anything(server: Server, method: str) -> None:
    assert ask(server, "/metrics/../", method, headers={"Host": "evil.example.com"})[0] == 421


@pytest.mark.parametrize("host", ["localhost:1", "LOCALHOST", "127.8.8.8:9464", "[::1]", "a.localhost", "localhost."])
def test_names_of_this_machine_are_ours(server: Server, host: str) -> None:
    assert ask(server, "/", headers={"Host": host})[0] == 200


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/-/ready"])
def test_scrapers_come_by_any_name(server: Server, path: str) -> None:
    assert ask(server, path, headers={"Host": "node7.example.org:9464"})[0] == 200


def test_a_request_without_a_name_comes_from_no_browser(server: Server) -> None:
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_names_may_be_added() -> None:
    with serving(host_names=["Monitor.Example.org"]) as server:
        assert ask(server, "/", headers={"Host": "monitor.example.org"})[0] == 200


def test_with_users_any_name_will_do(tmp_path: Path) -> None:
    with serving(site(tmp_path, USERS).web_config) as server:
        assert ask(server, "/", user=f"scraper:{SECRET}", headers={"Host": "monitor.example.org"})[0] == 200


def test_a_server_for_the_network_has_names_we_do_not_know(telemetry: Telemetry) -> None:
    server = Server("0.0.0.0:0", telemetry, Health(ManualClock()))
    server.start()
    try:
        assert ask(server, "/", headers={"Host": "monitor.example.org"})[0] == 200
    finally:
        server.stop()
