"""The reader's side of a source that a thread of its own receives for: what came waits in an inbox until it is read."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Generic

from monitor.core.accounting import Position
from monitor.core.message_options import MessageOptions
from monitor.core.protocols import SourceContext
from monitor.core.records import Messages
from monitor.sources._inbox import Inbox, Receipt

PAUSE_SECONDS = 0.25
"""The reader is woken when something arrives; this is how often it looks all the same."""
CLOSE_SECONDS = 10.0
"""How long a broker may take to hear the last acknowledgements; whatever it did not hear of comes again."""


class Receiving(ABC, Generic[Receipt]):
    """See ``monitor.core.protocols.Source``. What the thread raises, the reader gets.

    A subclass calls ``_thread.start()`` when it is complete.
    """

    def __init__(self, config: MessageOptions, context: SourceContext, name: str) -> None:
        self._context = context
        self._events = context.events
        self._inbox = Inbox[Receipt](config.queue_bytes, context.wake)
        self._sightings: deque[Position] = deque()
        self._closing = self._caught_up = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    # -- the receiving thread ----------------------------------------------------------------------------------

    @abstractmethod
    def _receive(self) -> None:
        """Receive until ``_closing``, then acknowledge what is durable, and return.

        ``_caught_up`` is set once there is nothing more to wait for.
        """

    @abstractmethod
    def _stir(self) -> None:
        """Tell the thread that there is room, something has become durable, or it is to end. From another thread."""

    def _run(self) -> None:
        try:
            self._receive()
        except BaseException as error:  # noqa: BLE001 - raised again by `read`, in the thread of the reader
            self._failure = error
            self._context.wake()

    # -- the reader --------------------------------------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """Whether nothing will follow, and all that came was handed out."""
        return self._caught_up and self._inbox.empty

    @property
    def pause(self) -> float:
        """Seconds the driver may wait."""
        return PAUSE_SECONDS

    def read(self, budget_bytes: int) -> Sequence[Messages]:
        """What has arrived, about so many bytes."""
        if self._failure is not None:
            raise self._failure
        if taken := self._inbox.take(budget_bytes):
            self._stir()
        return taken

    def sightings(self) -> list[Position]:
        """What else is to be remembered, no later than what was read last."""
        return [self._sightings.popleft() for _ in range(len(self._sightings))]

    def forgettable(self) -> list[str]:
        """Nothing: whether a broker has lost something for good nobody can know."""
        return []

    def committed(self, position: Position) -> None:
        """It may be acknowledged now."""
        self._inbox.committed(position)
        self._stir()

    def close(self) -> None:
        """Acknowledge what is durable and let go of the connection."""
        self._closing = True
        self._stir()
        self._thread.join(CLOSE_SECONDS)
        self._inbox.close()


class AsyncReceiving(Receiving[Receipt]):
    """The same with an event loop in the thread. ``_stirred`` is set by ``_stir``; the loop clears it."""

    def __init__(self, config: MessageOptions, context: SourceContext, name: str) -> None:
        super().__init__(config, context, name)
        self._stirred = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    async def _main(self) -> None:
        """What ``_receive`` is to do."""

    def _receive(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._main())

    def _stir(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._stirred.set)

    async def _rest(self, seconds: float) -> None:
        """Wait until stirred, or so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), seconds)
        self._stirred.clear()
