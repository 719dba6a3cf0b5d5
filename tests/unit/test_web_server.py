"""The server takes its address at once, says what is wrong with it, and starts and stops cleanly."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
from contextlib import ExitStack

import pytest

from monitor.core.clock import ManualClock
from monitor.core.errors import PermissionDeniedError, UnavailableError
from monitor.telemetry import Telemetry
from monitor.web import Health, Server
from tests.unit.test_web import address, ask


@pytest.fixture
def health() -> Health:
    return Health(ManualClock())


def test_the_address_is_known_and_taken_before_start(telemetry: Telemetry, health: Health) -> None:
    server = Server("127.0.0.1:0", telemetry, health)
    try:
        host, port = address(server)
        assert (host, port > 0) == ("127.0.0.1", True)
        with pytest.raises(
            UnavailableError,
            match=rf"cannot listen on 127\.0\.0\.1:{port}: another process uses this address: stop it or set another",
        ):
            Server(f"127.0.0.1:{port}", telemetry, health)
    finally:
        server.stop()


def test_the_address_is_free_again_after_stop(telemetry: Telemetry, health: Health) -> None:
    first = Server("127.0.0.1:0", telemetry, health)
    first.start()
    assert ask(first, "/-/ready")[0] == 200
    first.stop()

    second = Server(f"127.0.0.1:{address(first)[1]}", telemetry, health)
    second.start()

    try:
        assert ask(second, "/-/ready")[0] == 200
    finally:
        second.stop()


@pytest.mark.parametrize("started", [True, False])
def test_stop_may_be_called_twice_and_before_start(telemetry: Telemetry, health: Health, *, started: bool) -> None:
    server = Server("127.0.0.1:0", telemetry, health)
    if started:
        server.start()

    server.stop()
    server.stop()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address(server), timeout=30)
    assert "http" not in {thread.name for thread in threading.enumerate()}


def test_stop_does_not_wait_for_clients_that_idle_or_do_not_read(telemetry: Telemetry, health: Health) -> None:
    for number in range(100):
        telemetry.stream(f"stream-{number}")  # an answer larger than the socket buffers
    server = Server("127.0.0.1:0", telemetry, health)
    server.start()
    with ExitStack() as stack:
        idle = stack.enter_context(socket.create_connection(address(server)))
        deaf = stack.enter_context(socket.socket())
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(address(server))
        deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 8)
        deaf.recv(1)

        server.stop()

        assert "http" not in {thread.name for thread in threading.enumerate()}
        idle.settimeout(30)
        assert idle.recv(1) == b""


def test_signal_handlers_are_left_alone(telemetry: Telemetry, health: Health) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    server = Server("127.0.0.1:0", telemetry, health)
    server.start()
    ask(server, "/-/ready")
    during = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    server.stop()

    assert during == before


@pytest.mark.parametrize("listen", ["", "9464", "localhost", "::1:80", "a:-1", "a:65536", "a:٣", "a: 80", "[::1]"])
def test_what_is_no_address_is_refused(telemetry: Telemetry, health: Health, listen: str) -> None:
    with pytest.raises(UnavailableError, match=r"^cannot listen on .*(expected HOST:PORT|stands in brackets)"):
        Server(listen, telemetry, health)


def test_a_server_that_is_off_has_no_address(telemetry: Telemetry, health: Health) -> None:
    with pytest.raises(UnavailableError, match="cannot listen on 'none': it switches the server off"):
        Server("none", telemetry, health)


def test_an_address_of_another_host_is_refused(telemetry: Telemetry, health: Health) -> None:
    with pytest.raises(UnavailableError, match=r"192\.0\.2\.1:0: this host has no such address"):
        Server("192.0.2.1:0", telemetry, health)


@pytest.mark.parametrize("host", ["a" * 70, "..", "a\x00b"])
def test_a_host_that_cannot_be_a_name_is_refused(telemetry: Telemetry, health: Health, host: str) -> None:
    with pytest.raises(UnavailableError, match="cannot listen on"):
        Server(f"{host}:0", telemetry, health)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may take any port")
def test_a_privileged_port_is_refused(telemetry: Telemetry, health: Health) -> None:
    with pytest.raises(PermissionDeniedError, match="ports below 1024 need privileges"):
        Server("127.0.0.1:1", telemetry, health)


def test_every_address_is_served_over_both_protocols(telemetry: Telemetry, health: Health) -> None:
    server = Server(":0", telemetry, health)
    server.start()
    try:
        port = address(server)[1]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/-/ready")
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        server.stop()


def test_ipv6_addresses_are_bracketed_in_the_url(telemetry: Telemetry, health: Health) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
    server = Server("[::1]:0", telemetry, health)
    server.start()
    try:
        assert server.url.startswith("http://[::1]:")
        assert ask(server, "/-/ready")[0] == 200
    finally:
        server.stop()
