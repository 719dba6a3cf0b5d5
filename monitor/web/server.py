"""The HTTP server in a thread of its own: its address is known and taken as soon as it is made."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol, cast

import uvicorn
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from monitor.telemetry import Telemetry
from monitor.web.address import bound, is_loopback
from monitor.web.crowd import MOST_CONNECTIONS, Crowd
from monitor.web.entrance import entrances
from monitor.web.guards import guards
from monitor.web.health import Health
from monitor.web.passwords import Passwords
from monitor.web.routes import build_app
from monitor.web.web_file import WebFile, WebSettings

KEEP_ALIVE_SECONDS = 5
LARGEST_REQUEST_HEAD = 16 * 1024
"""Bytes of request line and headers: a browser with many cookies sends 8 KiB, a scraper 500 bytes."""
STOP_SECONDS = 2.0
"""Stopping takes 0.2 s, and 0.6 s when a client does not read its answer."""


class AppBuilder(Protocol):
    """``build_app``, or with more of its arguments given."""

    def __call__(self, telemetry: Telemetry, health: Health, *, guards: Sequence[Middleware]) -> ASGIApp: ...


class Server:
    """Serves metrics, health and the status page.

    The constructor takes the address, so that a wrong or busy one is known before anything else starts; clients are
    answered from ``start`` on. ``stop`` may be called before ``start`` and twice.

    Args:
        listen: ``host:port``, ``[ipv6]:port`` or ``:port`` (every address); port 0 takes a free one.
        telemetry: what ``/metrics`` and the page show.
        health: what ``/-/healthy`` and ``/-/ready`` answer.
        web_config: the file with TLS, users and the like; None: plain HTTP for everybody.
        host_names: what else a server on the loopback address may be called in requests while it has no users.
        build: makes the application; by default one without history and feedback.

    Raises:
        UnavailableError: the address is in use, does not exist or is not an address.
        PermissionDeniedError: the operating system refuses the port or ``web_config``.
        ConfigError, NoInputError: ``web_config`` is wrong or not there.
    """

    def __init__(
        self,
        listen: str,
        telemetry: Telemetry,
        health: Health,
        *,
        web_config: Path | None = None,
        host_names: Collection[str] = (),
        build: AppBuilder = build_app,
    ) -> None:
        self._web = WebFile(web_config, telemetry)
        self._socket = bound(listen)
        self._passwords = Passwords()
        self._crowd = Crowd()
        self._host_names = host_names
        names = self._names if is_loopback(self._socket) else None
        app = build(telemetry, health, guards=guards(self._settings, self._passwords, telemetry, names=names))
        entrance = entrances(self._settings, self._crowd, telemetry)
        self._server = _Uvicorn(_configuration(app, cast("type[asyncio.Protocol]", entrance)), self._crowd)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        host, port = self._socket.getsockname()[:2]
        self._place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def url(self) -> str:
        """Where the server is, without a path."""
        return f"{'https' if self._settings().tls else 'http'}://{self._place}"

    def start(self) -> None:
        """Answer from now on. Signal handlers are left alone: uvicorn takes none outside the main thread."""
        self._web.in_force()
        self._thread.start()

    def refresh(self) -> None:
        """Take up what has changed in the web configuration and its certificates; to be called now and then."""
        self._web.refresh()

    def adopt(self, web: WebFile, host_names: Collection[str]) -> None:
        """Go by another web configuration from the next connection and request on."""
        self._web, self._host_names = web, host_names
        web.in_force()

    def stop(self) -> None:
        """Finish running answers, cut off everyone else and give the address back; well under a second."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._passwords.close()
        self._socket.close()

    def _settings(self) -> WebSettings:
        return self._web.settings

    def _names(self) -> Collection[str]:
        return self._host_names

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


class _Uvicorn(uvicorn.Server):
    """Cuts off at its end who is still shaking hands: uvicorn does not know of them; Python 3.12 waits for them."""

    def __init__(self, config: uvicorn.Config, crowd: Crowd) -> None:
        super().__init__(config)
        self._crowd = crowd

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._crowd.disperse()
        await super().shutdown(sockets)


def _configuration(app: ASGIApp, protocol: type[asyncio.Protocol]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol,
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
