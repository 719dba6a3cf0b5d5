"""What requests have in common: who asks, how much may be sent, and that the event loop never waits for a disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request

T = TypeVar("T")

LARGEST_BODY = 16 * 1024
"""Bytes: a note has at most 1,000 characters, of up to six bytes each where they are escaped."""

READERS = 2
"""Requests that read the ledger at a time: more would only wait for the disk, and take turns with scoring."""

MOST_WAITING = 16
"""More are turned away: each takes a tenth of a second at the most, and a browser does not wait for ever."""


class Readers:
    """Runs what may block beside the event loop, a few at a time; a scrape is answered meanwhile."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter | None = None  # made in the event loop, which it belongs to
        self._here = 0  # those that are served, and those that wait

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``.

        Raises:
            HTTPException: 503, too many wait already.
        """
        if self._limiter is None:
            self._limiter = CapacityLimiter(READERS)
        if self._here >= READERS + MOST_WAITING:
            raise HTTPException(503, "too many requests at a time: try again in a moment", {"Retry-After": "1"})
        self._here += 1
        try:
            return await to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._here -= 1


def user_of(request: Request) -> str | None:
    """Who logged in; None: nobody did, or nobody can."""
    user = request.scope.get("user")
    return str(user.display_name) if user is not None and user.is_authenticated else None


async def body_of(request: Request) -> bytes:
    """The whole body.

    Raises:
        HTTPException: 413, it is longer than anything asked for here.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"a request may have {LARGEST_BODY} bytes at most")
    return bytes(body)
