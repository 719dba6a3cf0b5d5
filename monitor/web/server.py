"""The HTTP server in a thread of its own: its address is known and taken as soon as it is made."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Sequence
from typing import Any

import uvicorn

from monitor.core.config import parse_listen
from monitor.core.errors import AemonitorError, PermissionDeniedError, UnavailableError
from monitor.telemetry import Telemetry
from monitor.web.connection import MOST_CONNECTIONS, BoundedConnection
from monitor.web.health import Health
from monitor.web.routes import build_app

KEEP_ALIVE_SECONDS = 5
LARGEST_REQUEST_HEAD = 16 * 1024
"""Bytes of request line and headers: a browser with many cookies sends 8 KiB, a scraper 500 bytes."""
STOP_SECONDS = 2.0
"""Stopping takes 0.2 s, and 0.6 s when a client does not read its answer."""
AddressInfo = tuple[int, int, int, str, Any]
"""What ``socket.getaddrinfo`` gives: family, type, protocol, canonical name, address."""
_CURES = {
    errno.EADDRINUSE: "another process uses this address: stop it or set another `server.listen`",
    errno.EADDRNOTAVAIL: "this host has no such address: set another `server.listen`",
    errno.EACCES: "ports below 1024 need privileges: set another `server.listen`",
}


class Server:
    """Serves metrics, health and the status page.

    The constructor takes the address, so that a wrong or busy one is known before anything else starts; clients are
    answered from ``start`` on. ``stop`` may be called before ``start`` and twice.

    Args:
        listen: ``host:port``, ``[ipv6]:port`` or ``:port`` (every address); port 0 takes a free one.
        telemetry: what ``/metrics`` and the page show.
        health: what ``/-/healthy`` and ``/-/ready`` answer.

    Raises:
        UnavailableError: the address is in use, does not exist or is not an address.
        PermissionDeniedError: the operating system refuses the port.
    """

    def __init__(self, listen: str, telemetry: Telemetry, health: Health) -> None:
        self._socket = _bound(listen)
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._server = uvicorn.Server(_configuration(telemetry, health))
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Answer from now on. Signal handlers are left alone: uvicorn takes none outside the main thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish running answers, cut off everyone else and give the address back; well under a second."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def _configuration(telemetry: Telemetry, health: Health) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(telemetry, health),
        http=BoundedConnection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="error",  # what clients do wrong is theirs to log
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=LARGEST_REQUEST_HEAD,
        limit_concurrency=MOST_CONNECTIONS + 2,
        backlog=128,
    )


def _address(listen: str) -> tuple[str, int]:
    """Host and port; the host is empty for every address. UnavailableError when it is none."""
    try:
        address = parse_listen(listen)
    except ValueError as error:
        raise UnavailableError(f"cannot listen on {listen!r}: {error}") from None
    if address is None:
        raise UnavailableError(f"cannot listen on {listen!r}: it switches the server off")
    return address


def _bound(listen: str) -> socket.socket:
    host, port = _address(listen)
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # Every address means IPv6 with IPv4 mapped into it; a name means IPv4, which scrapers are told, if it has one.
        preferred = socket.AF_INET if host else socket.AF_INET6
        return _first_listening(sorted(found, key=lambda entry: entry[0] != preferred), every_address=not host)
    except (OSError, UnicodeError) as error:  # UnicodeError: the host cannot be a name
        raise _refusal(listen, error) from error


def _first_listening(candidates: Sequence[AddressInfo], *, every_address: bool) -> socket.socket:
    """The first address whose family this host has; an address that is taken is not passed over quietly."""
    for family, _, _, _, address in candidates[:-1]:
        try:
            return _listening(family, address, every_address=every_address)
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
    family, _, _, _, address = candidates[-1]
    return _listening(family, address, every_address=every_address)


def _listening(family: int, address: Any, *, every_address: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without it a restart would have to wait for connections of its predecessor that are closing.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if every_address and family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.bind(address)
        opened.listen(128)
    except OSError:
        opened.close()
        raise
    return opened


def _refusal(listen: str, error: OSError | UnicodeError) -> AemonitorError:
    number = error.errno if isinstance(error, OSError) else None
    kind = PermissionDeniedError if number in (errno.EACCES, errno.EPERM) else UnavailableError
    return kind(f"cannot listen on {listen}: {_CURES.get(number or 0) or error}")
