"""How long a scrape over TLS with a password takes while others besiege the server: `python benches/http_siege.py`.

The server runs in a process of its own; each scrape is a new connection. The flood comes from another loopback address,
as limits are per address. Certificates are made for the occasion (trustme, of the development extra).
"""

from __future__ import annotations

import argparse
import base64
import http.client
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import bcrypt
import trustme

from monitor.core.clock import SystemClock
from monitor.telemetry import Telemetry
from monitor.web import Health, Server

PASSWORD = "correct horse"
SCRAPES = 100
COST = 12


def prepare(directory: Path) -> None:
    """Write a certificate, its authority and a web configuration with one user."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "web.crt")
    certificate.private_key_pem.write_to_path(directory / "web.key")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(COST)).decode()
    (directory / "web.yaml").write_text(
        f"tls_server_config: {{cert_file: web.crt, key_file: web.key}}\nbasic_auth_users: {{scraper: {hashed}}}\n"
    )


def serve(directory: Path) -> None:
    """Serve five streams until standard input ends; prints the port."""
    telemetry = Telemetry(SystemClock())
    for number in range(5):
        telemetry.stream(f"stream-{number}")
    server = Server("127.0.0.1:0", telemetry, Health(SystemClock()), web_config=directory / "web.yaml")
    server.start()
    print(server.url.rpartition(":")[2], flush=True)
    sys.stdin.read()
    server.stop()


class Client:
    """Scrapes and besieges."""

    def __init__(self, port: int, directory: Path) -> None:
        self.port = port
        self.context = ssl.create_default_context(cafile=directory / "ca.pem")

    def scrape(self, password: str = PASSWORD, source: str = "127.0.0.1") -> tuple[int, float]:
        """Status and milliseconds."""
        begun = time.perf_counter()
        client = http.client.HTTPSConnection(
            "localhost", self.port, context=self.context, timeout=30, source_address=(source, 0)
        )
        credentials = base64.b64encode(f"scraper:{password}".encode()).decode()
        client.request("GET", "/metrics", headers={"Authorization": f"Basic {credentials}"})
        answer = client.getresponse()
        answer.read()
        client.close()
        return answer.status, 1000 * (time.perf_counter() - begun)

    def measure(self, what: str) -> None:
        """Print one row."""
        answers = [self.scrape() for _ in range(SCRAPES)]
        ordered = sorted(milliseconds for _, milliseconds in answers)
        refused = sum(status != 200 for status, _ in answers)
        figures = f"{statistics.median(ordered):8.1f} {ordered[int(0.95 * SCRAPES)]:8.1f} {ordered[-1]:8.1f}"
        print(f"{what:45}{figures} ms {refused:5} refused", flush=True)

    def hold(self, stack: ExitStack, count: int, sent: bytes = b"", *, tls: bool = True) -> list[socket.socket]:
        """Open connections that say this and no more."""
        held: list[socket.socket] = []
        for _ in range(count):
            client: socket.socket = socket.create_connection(("localhost", self.port))
            client = self.context.wrap_socket(client, server_hostname="localhost") if tls else client
            client.sendall(sent)
            held.append(stack.enter_context(client))
        return held

    def flood(self, seconds: float) -> None:
        """Try wrong passwords from sixteen threads."""
        until = time.monotonic() + seconds

        def guess(number: int) -> None:
            tried = 0
            while time.monotonic() < until:
                tried += 1
                with suppress(OSError, http.client.HTTPException):  # cut off for asking too often
                    self.scrape(f"wrong-{number}-{tried}", "127.0.0.2")

        threads = [threading.Thread(target=guess, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def besiege(client: Client, directory: Path) -> None:
    """One row after the other, each with what is held by then."""
    print(f"{'':45}{'median':>8} {'95 %':>8} {'max':>8}")
    client.scrape()
    client.measure("nobody else")
    with ExitStack() as stack:
        client.hold(stack, 100)
        client.measure("100 idle TLS connections")
        client.hold(stack, 20, b"GET / HTTP/1.1\r\nX: ")
        client.measure("and 20 unfinished requests")
        client.hold(stack, 20, b"\x16\x03\x01", tls=False)
        client.measure("and 20 stalled handshakes")
    flood = subprocess.Popen([sys.executable, __file__, "--flood", str(client.port), "--directory", str(directory)])
    time.sleep(1.5)  # it has to import and connect
    client.measure("wrong passwords from 16 connections")
    flood.wait()


def main() -> None:
    """Besiege, or be one of the parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--flood", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.directory)
    elif options.flood:
        Client(options.flood, options.directory).flood(12)
    else:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            prepare(directory)
            command = [sys.executable, __file__, "--serve", "--directory", name]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
                assert server.stdout
                besiege(Client(int(server.stdout.readline()), directory), directory)
                server.communicate()


if __name__ == "__main__":
    main()
