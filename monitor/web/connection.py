"""One HTTP connection that cannot be held open for nothing: idle, slow or silent clients are cut off."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from h11 import LocalProtocolError
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.web.authentication import CERTIFICATE_USER
from monitor.web.crowd import Crowd
from monitor.web.pace import client_address
from monitor.web.tls import user_of

REQUEST_SECONDS = 10.0
"""From the connection, or from the previous answer, to the next complete answer: ten times what a slow link needs."""
LAST_ANSWER_SECONDS = 0.3
"""When the server stops: answers take milliseconds, so who has not got one by then does not read it."""


class BoundedConnection(H11Protocol):
    """uvicorn's connection with a deadline, as one of a bounded crowd.

    uvicorn itself starts its keep-alive timer only after an answer and restarts it with every byte, so a client that
    sends nothing, or a byte now and then, would stay for ever; and once there are many of these it would turn away
    everybody.
    """

    deadline: asyncio.TimerHandle
    since: float
    address: str

    def __init__(self, crowd: Crowd, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._crowd = crowd

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = client_address(self.client[0] if self.client else "")
        name = user_of(transport.get_extra_info("peercert"))
        self.app_state = {**self.app_state, CERTIFICATE_USER: name}
        self._restart_deadline()
        self._crowd.enter(self)

    def data_received(self, data: bytes) -> None:
        # TLS hands over what it still has after the connection was closed, and uvicorn would refuse it a second time.
        if not self.transport.is_closing():
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, also in one whose answer may have begun, over which uvicorn would stumble."""
        if not self.idle:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        with suppress(LocalProtocolError):  # part of an answer is out already, or it was HEAD, whose answer has no text
            super().send_400_response(msg)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        self.deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self.deadline.cancel()
        self._restart_deadline()
        super().on_response_complete()

    def shutdown(self) -> None:
        super().shutdown()
        self.loop.call_later(LAST_ANSWER_SECONDS, self.transport.abort)

    def expel(self) -> None:
        """Cut off a client that does not read its answer, too, which closing would wait for."""
        self.connections.discard(self)
        self.transport.abort()

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        # uvicorn declares the cycle as never None, yet it is before the first request.
        return self.cycle is None or self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]

    def _restart_deadline(self) -> None:
        self.since = self.loop.time()
        self.deadline = self.loop.call_later(REQUEST_SECONDS, self.expel)
