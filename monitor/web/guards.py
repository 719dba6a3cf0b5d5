"""What stands before every route: headers, the pace of each client, whose name the client calls us by, who it is."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from contextlib import suppress
from math import ceil
from time import monotonic

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.core.names import quoted
from monitor.telemetry import Telemetry
from monitor.web.authentication import Users, refusal
from monitor.web.pace import Buckets, client_address
from monitor.web.passwords import Passwords
from monitor.web.web_file import WebSettings

LARGEST_BODY = 64 * 1024
"""Bytes of a request's body: feedback on an alert is a few words."""
OPEN_PATHS = ("/metrics", "/-/healthy", "/-/ready")
"""Numbers that say nothing of any record, for scrapers and load balancers, which come by any name."""
Settings = Callable[[], WebSettings]


def guards(
    settings: Settings, passwords: Passwords, telemetry: Telemetry, *, names: Callable[[], Collection[str]] | None
) -> list[Middleware]:
    """The guards in their order, the first one outermost.

    Args:
        settings: gives those in force at the moment.
        passwords: checks them.
        telemetry: counts who is refused.
        names: gives what clients may call this server besides localhost while it has no users; None: anything.
    """
    return [
        Middleware(GoneGuard),
        Middleware(ExtraHeaders, settings=settings),
        Middleware(PaceGuard, settings=settings, telemetry=telemetry),
        *([] if names is None else [Middleware(NameGuard, settings=settings, telemetry=telemetry, names=names)]),
        Middleware(AuthenticationMiddleware, backend=Users(settings, passwords, telemetry), on_error=refusal),
        Middleware(RequestBodyLimitMiddleware, max_body_size=LARGEST_BODY),
    ]


class GoneGuard:
    """A client that goes away in the middle of its request is no error of ours, and nobody is left to be answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):
            await self._app(scope, receive, send)


class ExtraHeaders:
    """Adds the headers of the web configuration to every response."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._settings().headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class PaceGuard:
    """429 for an address that asks too often."""

    def __init__(self, app: ASGIApp, settings: Settings, telemetry: Telemetry) -> None:
        self._app = app
        self._settings = settings
        self._telemetry = telemetry
        self._buckets = Buckets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        address = client_address(client[0] if client else "")
        if seconds := self._buckets.wait(address, self._settings().pace, monotonic()):
            self._telemetry.web.refused("rate")
            headers = {"Retry-After": str(ceil(seconds))}
            answer = PlainTextResponse("too many requests; wait\n", status_code=429, headers=headers)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


class NameGuard:
    """421 for a request that means another host, while nobody has to say who he is.

    A page from anywhere can let its own name point to the loopback address and then read, in the browser of whoever
    looks at it, what only this machine should see (DNS rebinding). It cannot change the name that the browser sends.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, telemetry: Telemetry, names: Callable[[], Collection[str]]
    ) -> None:
        self._app = app
        self._settings = settings
        self._telemetry = telemetry
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host", "")
        if self._settings().users or scope["path"] in OPEN_PATHS or self._is_known(host_name(host)):
            await self._app(scope, receive, send)
            return
        self._telemetry.web.refused("host")
        text = f"this is not {quoted(host)}: add the name to `server.host_names`, or ask for localhost\n"
        await PlainTextResponse(text, status_code=421)(scope, receive, send)

    def _is_known(self, name: str) -> bool:
        if not name or name == "localhost" or name.endswith(".localhost"):
            return True
        if name in (known.lower() for known in self._names()):
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def host_name(host: str) -> str:
    """The name in a ``Host`` header, without port and brackets.

    >>> host_name("[::1]:9464"), host_name("Example.org:80"), host_name("127.0.0.1")
    ('::1', 'example.org', '127.0.0.1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().removesuffix(".")
