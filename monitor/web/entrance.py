"""What happens between a client's connection and its first request: it is counted, and shakes hands where TLS is asked.

asyncio's own servers know nothing of a connection before its handshake is done, and have one certificate for good. Here
each connection belongs to the crowd from its first moment on and gets the certificate that is in force then.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from monitor.telemetry import Telemetry
from monitor.web.connection import BoundedConnection
from monitor.web.crowd import Crowd
from monitor.web.pace import Buckets, client_address
from monitor.web.tls import Tls, in_words
from monitor.web.web_file import WebSettings

HANDSHAKE_SECONDS = 5.0
"""Two round trips and milliseconds of work; more than that only a client that stalls needs."""
GOODBYE_SECONDS = 1.0
"""For the client's part of the goodbye, which many leave out."""


class Entrance(asyncio.Protocol):
    """A connection before its first byte of HTTP; the transport is then ``connection``'s."""

    since: float
    address: str
    idle = True

    def __init__(
        self,
        connection: BoundedConnection,
        *,
        settings: WebSettings,
        crowd: Crowd,
        arrivals: Buckets,
        telemetry: Telemetry,
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._crowd = crowd
        self._arrivals = arrivals
        self._telemetry = telemetry
        self._early = b""
        self._loop = connection.loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server makes
        self._transport = transport
        self.since = self._loop.time()
        peer = transport.get_extra_info("peername")
        self.address = client_address(str(peer[0]) if peer else "")
        if self._arrivals.wait(self.address, self._settings.pace, self.since):
            self._telemetry.web.refused("rate")
            transport.abort()
            return
        if self._crowd.enter(self):
            self._telemetry.web.refused("connections")
        if self._settings.tls is None:
            self._hand_over(transport)
        else:
            transport.pause_reading()
            self._handshake = self._loop.create_task(self._shake_hands(self._settings.tls))

    def data_received(self, data: bytes) -> None:
        """What came encrypted along with the end of the handshake."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._crowd.leave(self)

    def expel(self) -> None:
        """Whatever it was waiting for, it is over."""
        self._transport.abort()

    async def _shake_hands(self, tls: Tls) -> None:
        transport, reason = None, "the client went away"
        if self._transport.is_closing():  # it has had to make room already
            return
        try:
            transport = await self._loop.start_tls(
                self._transport,
                self,
                tls.context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=GOODBYE_SECONDS,
            )
        except ssl.SSLError as error:  # asyncio closes without telling the client, so that only we can say why
            reason = in_words(error)
        except OSError as error:
            reason = type(error).__name__
        if transport is None or transport.is_closing():
            self._telemetry.web.handshake_failed(reason)
            self._crowd.leave(self)
        elif not tls.admits(transport.get_extra_info("peercert")):
            self._telemetry.web.refused("certificate")
            self._crowd.leave(self)
            transport.abort()
        else:
            self._hand_over(transport)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        self._crowd.leave(self)
        transport.set_protocol(self._connection)
        self._connection.connection_made(transport)
        if self._early:
            self._connection.data_received(self._early)


def entrances(settings: Callable[[], WebSettings], crowd: Crowd, telemetry: Telemetry) -> Callable[..., Entrance]:
    """Makes the protocol of each new connection, as uvicorn asks for it."""
    arrivals = Buckets()

    def entrance(**uvicorns: Any) -> Entrance:
        connection = BoundedConnection(crowd, **uvicorns)
        return Entrance(connection, settings=settings(), crowd=crowd, arrivals=arrivals, telemetry=telemetry)

    return entrance
