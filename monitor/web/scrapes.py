"""Many who ask for metrics at once cost as much as one: each gets values no older than its request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from monitor.telemetry.exposition import content_type_for

Scrape = tuple[bytes, str]
"""A body and its content type."""


class Scrapes:
    """Collects the requests that arrive while one is being answered and answers them together. For one event loop."""

    def __init__(self, scrape: Callable[[str], Scrape]) -> None:
        self._scrape = scrape
        self._next: dict[str, asyncio.Future[Scrape]] = {}

    async def get(self, accept: str) -> Scrape:
        """A scrape in the format that the ``Accept`` header asks for."""
        kind = content_type_for(accept)
        if kind not in self._next:
            loop = asyncio.get_running_loop()
            self._next[kind] = loop.create_future()
            loop.call_soon(self._answer, kind)  # after everyone who is there already has asked
        return await asyncio.shield(self._next[kind])

    def _answer(self, kind: str) -> None:
        waiting = self._next.pop(kind)
        try:
            waiting.set_result(self._scrape(kind))
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait, and is told by the application
            waiting.set_exception(error)
