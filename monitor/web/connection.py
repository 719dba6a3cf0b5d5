"""One HTTP connection that cannot be held open for nothing: idle, slow or silent clients are cut off."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""From the connection, or from the previous answer, to the next complete answer: ten times what a slow link needs."""
LAST_ANSWER_SECONDS = 0.3
"""When the server stops: answers take milliseconds, so who has not got one by then does not read it."""
MOST_CONNECTIONS = 160
"""A scraper or two and some browsers need a dozen; the file descriptors belong to the logs that are read."""


class BoundedConnection(H11Protocol):
    """uvicorn's connection with a deadline and a bound on their number.

    uvicorn itself starts its keep-alive timer only after an answer and restarts it with every byte, so a client that
    sends nothing, or a byte now and then, would stay for ever; and once there are many of these it would turn away
    everybody. Here the idle connection that is open longest makes room for a new one.
    """

    deadline: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= MOST_CONNECTIONS:
            self._make_room()
        super().connection_made(transport)
        self._restart_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self.deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self.deadline.cancel()
        self._restart_deadline()
        super().on_response_complete()

    def shutdown(self) -> None:
        super().shutdown()
        self.loop.call_later(LAST_ANSWER_SECONDS, self.transport.abort)

    def _restart_deadline(self) -> None:
        # Abort, not close: closing waits for a client that does not read its answer.
        self.deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        # uvicorn declares the cycle as never None, yet it is before the first request.
        return self.cycle is None or self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]

    def _make_room(self) -> None:
        others = [c for c in self.connections if isinstance(c, BoundedConnection) and c.idle]
        oldest = min(others, key=lambda c: c.deadline.when(), default=None)
        if oldest is not None:
            oldest.transport.abort()
            self.connections.discard(oldest)  # at once: the loop tells it only in its next turn
