"""A server over TLS as clients meet it: certificates made on the spot, a web configuration, connections to it."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from monitor.core.clock import ManualClock
from monitor.telemetry import Telemetry
from monitor.web import Health, Server

PATIENCE = 30
TLS = "tls_server_config: {cert_file: web.crt, key_file: web.key}\n"
SECRET = "correct horse"
HASH = "$2b$04$AhyocwDO1yI7Jn6eY9tku.IE3q6JJNQntI6.YNXXj7SZI.XWK7yZa"
USERS = f"basic_auth_users: {{scraper: {HASH}}}\n"
Answer = tuple[int, dict[str, str], str]


@dataclass(frozen=True, slots=True)
class Site:
    """A directory with ``web.yaml`` and its certificates, and the authority that signed them."""

    directory: Path
    authority: trustme.CA

    @property
    def web_config(self) -> Path:
        return self.directory / "web.yaml"

    def write(self, text: str) -> None:
        self.web_config.write_text(text)

    def certify(self, *names: str) -> None:
        """Write a new certificate and its key."""
        certificate = self.authority.issue_cert(*(names or ("localhost", "127.0.0.1")))
        certificate.private_key_pem.write_to_path(self.directory / "web.key")
        certificate.cert_chain_pems[0].write_to_path(self.directory / "web.crt")

    def client(self, identity: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """What a careful client uses."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if identity is not None:
            identity.configure_cert(context)
        return context


def site(directory: Path, text: str) -> Site:
    made = Site(directory, trustme.CA())
    made.authority.cert_pem.write_to_path(directory / "ca.pem")
    made.certify()
    made.write(text)
    return made


@contextmanager
def serving(web_config: Path | None = None, telemetry: Telemetry | None = None, **options: object) -> Iterator[Server]:
    clock = ManualClock()
    server = Server("127.0.0.1:0", telemetry or Telemetry(clock), Health(clock), web_config=web_config, **options)  # type: ignore[arg-type]
    server.start()
    try:
        yield server
    finally:
        server.stop()


def address(server: Server) -> tuple[str, int]:
    host, _, port = server.url.partition("://")[2].rpartition(":")
    return host.strip("[]"), int(port)


def connect(server: Server) -> socket.socket:
    return socket.create_connection(address(server), timeout=PATIENCE)


def ask(
    server: Server,
    path: str = "/metrics",
    method: str = "GET",
    *,
    tls: ssl.SSLContext | None = None,
    user: str | None = None,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One request over a connection of its own; ``user`` is ``name:password``."""
    host, port = address(server)
    connection = (
        http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=tls)
        if tls
        else http.client.HTTPConnection(host, port, timeout=PATIENCE)
    )
    given = dict(headers or {})
    if user is not None:
        given["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    try:
        connection.request(method, path, body=body, headers=given)
        answer = connection.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def value(telemetry: Telemetry, series: str) -> float:
    """One series of a scrape, by its name and labels as they stand there."""
    body, _ = telemetry.scrape()
    lines = (line.rpartition(" ") for line in body.decode().splitlines() if not line.startswith("#"))
    return next(float(number) for name, _, number in lines if name == series)


def cut_off(client: socket.socket) -> bool:
    """Wait until the other side closes the connection without a word."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
