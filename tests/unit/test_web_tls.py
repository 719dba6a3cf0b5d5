"""TLS as peers of every kind meet it: curl, openssl, Python; with and without certificates of their own."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import subprocess
from contextlib import ExitStack, suppress

import pytest
import trustme
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from monitor.telemetry import Telemetry
from monitor.web import Health, Server
from monitor.web.crowd import MOST_CONNECTIONS
from monitor.web.web_file import HSTS
from tests.support_web import TLS, Site, address, ask, connect, cut_off, serving, value

CLIENTS = f"{TLS.rstrip()[:-1]}, client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert"
HANDSHAKE_REFUSED = 'aemonitor_http_refusals_total{reason="handshake"}'
WEB = TLS


def openssl(server: Server, *options: str, typed: str = "") -> str:
    host, port = address(server)
    command = ["openssl", "s_client", "-connect", f"{host}:{port}", *options]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_pages_are_served_over_tls_and_say_so(server: Server, here: Site) -> None:
    status, headers, body = ask(server, "/-/ready", tls=here.client())

    assert server.url.startswith("https://127.0.0.1:")
    assert (status, body) == (200, "ready\n")
    assert headers["strict-transport-security"] == HSTS


def test_curl_verifies_the_certificate(server: Server, here: Site) -> None:
    url = f"https://localhost:{address(server)[1]}/-/ready"

    trusting = subprocess.run(
        ["curl", "-sS", "--cacert", here.directory / "ca.pem", url], capture_output=True, text=True, check=False
    )
    doubting = subprocess.run(["curl", "-sS", url], capture_output=True, text=True, check=False)

    assert trusting.stdout == "ready\n"
    assert "certificate" in doubting.stderr


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_new_versions_are_spoken(server: Server, here: Site, version: str) -> None:
    said = openssl(server, version, "-CAfile", str(here.directory / "ca.pem"), "-alpn", "h2,http/1.1")

    assert "Verify return code: 0 (ok)" in said
    assert "ALPN protocol: http/1.1" in said


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_not(server: Server, version: str) -> None:
    assert "Cipher is (NONE)" in openssl(server, version, "-cipher", "ALL:@SECLEVEL=0")


def test_weak_suites_are_not_spoken(server: Server) -> None:
    assert "Cipher is (NONE)" in openssl(server, "-tls1_2", "-cipher", "AES128-SHA:AES256-SHA:CAMELLIA128-SHA")


def test_nobody_renegotiates(server: Server) -> None:
    said = openssl(server, "-tls1_2", typed="R\n")

    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said


def test_the_lowest_version_is_as_configured(here: Site) -> None:
    here.write(f"{TLS.rstrip()[:-1]}, min_version: TLS13}}")
    with serving(here.web_config) as server:
        assert "Cipher is (NONE)" in openssl(server, "-tls1_2")
        assert "Cipher is TLS_" in openssl(server, "-tls1_3")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\xff\xff" + b"\x01" * 2000,
        b"\x80\x2e\x01\x00\x02",
        b"\0" * 99,
    ],
)
def test_what_is_no_handshake_is_cut_off_and_counted(
    server: Server, here: Site, telemetry: Telemetry, sent: bytes
) -> None:
    with connect(server) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass

    assert ask(server, tls=here.client())[0] == 200
    assert value(telemetry, HANDSHAKE_REFUSED) == 1


def test_a_stalled_handshake_is_cut_off(here: Site, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.web.entrance.HANDSHAKE_SECONDS", 0.05)
    with serving(here.web_config, telemetry) as server, connect(server) as client:
        client.sendall(b"\x16\x03\x01")

        assert cut_off(client)


def test_a_scrape_is_answered_while_a_hundred_clients_idle_and_others_dawdle(server: Server, here: Site) -> None:
    trusting = here.client()
    with ExitStack() as stack:
        for number in range(100):
            idle = stack.enter_context(connect(server))
            if number % 3 == 1:
                idle.sendall(b"\x16\x03\x01\x00")
            elif number % 3 == 2:
                secure = stack.enter_context(trusting.wrap_socket(idle, server_hostname="localhost"))
                secure.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")

        assert ask(server, tls=trusting)[0] == 200


def test_clients_that_never_shake_hands_make_room_for_each_other(
    server: Server, here: Site, telemetry: Telemetry
) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(connect(server)) for _ in range(MOST_CONNECTIONS + 5)]

        assert ask(server, tls=here.client())[0] == 200
        for first in silent[:6]:
            assert cut_off(first)
    assert value(telemetry, 'aemonitor_http_refusals_total{reason="connections"}') >= 6


def test_the_server_stops_at_once_while_clients_shake_hands(here: Site) -> None:
    with ExitStack() as stack:
        with serving(here.web_config) as server:
            silent = [stack.enter_context(connect(server)) for _ in range(5)]
            ask(server, tls=here.client())

        for client in silent:
            assert cut_off(client)


def test_a_connection_serves_several_requests(server: Server, here: Site) -> None:
    with here.client().wrap_socket(connect(server), server_hostname="localhost") as client:
        for _ in range(3):
            client.sendall(b"HEAD /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("options", "reason"),
    [(("-tls1_1",), "unsupported protocol"), (("-tls1_2", "-cipher", "AES128-SHA"), "no shared cipher")],
)
def test_why_a_handshake_failed_is_logged(
    server: Server, here: Site, caplog: pytest.LogCaptureFixture, options: tuple[str, ...], reason: str
) -> None:
    with caplog.at_level(logging.INFO, "aemonitor"):
        openssl(server, *options, "-cipher", "AES128-SHA:@SECLEVEL=0")
        ask(server, tls=here.client())  # what came before is over when this is answered

    logged = [vars(record)["fields"] for record in caplog.records if record.msg == "tls_handshake_failed"]
    assert logged == [{"reason": reason}]


# -- client certificates ---------------------------------------------------------------------------------------


def test_clients_without_a_certificate_stay_outside(here: Site) -> None:
    here.write(f"{CLIENTS}}}")
    with serving(here.web_config) as server:
        mine = here.authority.issue_cert("scraper.example.org")
        stranger = trustme.CA().issue_cert("scraper.example.org")

        assert ask(server, tls=here.client(mine))[0] == 200
        for identity in (None, stranger):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                ask(server, tls=here.client(identity))


def test_a_certificate_that_is_optional_is_verified_all_the_same(here: Site) -> None:
    here.write(f"{CLIENTS.replace('RequireAndVerifyClientCert', 'VerifyClientCertIfGiven')}}}")
    with serving(here.web_config) as server:
        assert ask(server, tls=here.client())[0] == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(server, tls=here.client(trustme.CA().issue_cert("scraper.example.org")))


@pytest.mark.parametrize("name", ["scraper.example.org", "192.0.2.7", "ops@example.org"])
def test_only_the_names_that_are_allowed_come_in(here: Site, telemetry: Telemetry, name: str) -> None:
    here.write(f"{CLIENTS}, client_allowed_sans: [{name}, other]}}")
    with serving(here.web_config, telemetry) as server:
        assert ask(server, tls=here.client(here.authority.issue_cert(name)))[0] == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(server, tls=here.client(here.authority.issue_cert("scraper.example.com")))
    assert value(telemetry, 'aemonitor_http_refusals_total{reason="certificate"}') == 1


def waiting(_telemetry: Telemetry, _health: Health, *, guards: list[Middleware]) -> Starlette:
    """An application that answers ``/wait`` when somebody has asked for ``/go``."""
    gone = asyncio.Event()

    async def wait(_: Request) -> PlainTextResponse:
        await gone.wait()
        return PlainTextResponse("")

    async def go(_: Request) -> PlainTextResponse:
        gone.set()
        return PlainTextResponse("")

    return Starlette(routes=[Route("/wait", wait), Route("/go", go)], middleware=guards)


def test_what_follows_a_request_that_was_refused_is_passed_over(here: Site, caplog: pytest.LogCaptureFixture) -> None:
    with (
        serving(here.web_config, build=waiting) as server,
        here.client().wrap_socket(connect(server), server_hostname="localhost") as client,
    ):
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\nno request\r\n\r\n")
        ask(server, "/nothing", tls=here.client())  # what was sent is being answered
        client.sendall(b"nor this\r\n\r\n")
        ask(server, "/go", tls=here.client())
        received = b""
        with suppress(ConnectionError, ssl.SSLError):
            while got := client.recv(4096):
                received += got

    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 400 Bad Request\r\n" in received
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
