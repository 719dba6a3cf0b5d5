"""What a thread received for a source of messages: until it is read, and then until it is durable.

The receiving thread puts in and acknowledges, the reader takes out and tells what is committed. Nothing here blocks but
the two ``wait`` methods, which are the receiving thread's.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from monitor.core.accounting import Position
from monitor.core.records import Messages, Origin

Receipt = TypeVar("Receipt")
"""What the receiving thread needs to acknowledge a batch."""


@dataclass(frozen=True, slots=True)
class _Item(Generic[Receipt]):
    messages: Messages
    receipt: Receipt
    size: int  # bytes

    @property
    def place(self) -> tuple[str, int]:
        return self.messages.origin.file_id, self.messages.origin.epoch


class Inbox(Generic[Receipt]):
    """Batches of messages between two threads.

    Args:
        limit_bytes: so much may wait to be read; the receiving thread stops receiving at it.
        wake: called when something is there to read.
    """

    def __init__(self, limit_bytes: int, wake: Callable[[], None]) -> None:
        self._limit = limit_bytes
        self._wake = wake
        self._changed = threading.Condition()
        self._waiting: deque[_Item[Receipt]] = deque()
        self._waiting_bytes = 0
        self._handed: deque[_Item[Receipt]] = deque()  # read, not durable
        self._taken: dict[str, tuple[int, int]] = {}  # by origin: the epoch, and up to which number it was read
        self._durable: list[Receipt] = []
        self._closed = False

    # -- the receiving thread ----------------------------------------------------------------------------------

    def put(self, messages: Messages, receipt: Receipt) -> None:
        """Add a batch at the end, whether or not there is room."""
        size = sum(map(len, messages.payloads))
        with self._changed:
            self._waiting.append(_Item(messages, receipt, size))
            self._waiting_bytes += size
        self._wake()

    @property
    def held_bytes(self) -> int:
        """Received and not read."""
        with self._changed:
            return self._waiting_bytes

    @property
    def full(self) -> bool:
        """Whether nothing more should be received."""
        with self._changed:
            return self._waiting_bytes >= self._limit

    def wait_for_room(self, timeout_seconds: float) -> bool:
        """Wait until not ``full``; False after the timeout, and once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting_bytes < self._limit, timeout_seconds)
            return not self._closed and self._waiting_bytes < self._limit

    def durable(self) -> list[Receipt]:
        """The receipts of what has become durable since the last call, in the order it was put."""
        with self._changed:
            receipts, self._durable = self._durable, []
            return receipts

    def withdraw(self, file_ids: Collection[str]) -> list[Receipt]:
        """Take back what of these origins was not read yet; its receipts."""
        with self._changed:
            gone = [item for item in self._waiting if item.messages.origin.file_id in file_ids]
            self._waiting = deque(item for item in self._waiting if item.messages.origin.file_id not in file_ids)
            self._waiting_bytes -= sum(item.size for item in gone)
            self._changed.notify_all()
            return [item.receipt for item in gone]

    def taken(self, file_id: str) -> tuple[int, int] | None:
        """The epoch, and up to which number the origin was read by now, durable or not; None: nothing of it."""
        with self._changed:
            return self._taken.get(file_id)

    def holds(self, file_id: str) -> bool:
        """Whether anything of the origin waits to be read, or to become durable."""
        with self._changed:
            return any(item.messages.origin.file_id == file_id for item in (*self._waiting, *self._handed))

    def wait_until_durable(self, file_ids: Collection[str], timeout_seconds: float) -> bool:
        """Wait until all that was read of these origins is durable; False if it is not after the timeout."""

        def settled() -> bool:
            return self._closed or not any(item.messages.origin.file_id in file_ids for item in self._handed)

        with self._changed:
            return self._changed.wait_for(settled, timeout_seconds) and not self._closed

    # -- the reader --------------------------------------------------------------------------------------------

    def take(self, budget_bytes: int, most_flying: float = math.inf) -> list[Messages]:
        """The next batches, about so many bytes but at least one; none for no bytes.

        None either while ``most_flying`` messages, or more, are read and not durable.

        One that comes again out of turn waits until nothing of its origin is on the way: what is told as committed is a
        number, and with two batches up to the same one it would not be clear which of them is meant.
        """
        taken: list[Messages] = []
        with self._changed:
            flying = sum(len(item.messages.payloads) for item in self._handed)
            while self._waiting and budget_bytes > 0 and flying < most_flying and self._in_turn(self._waiting[0]):
                item = self._waiting.popleft()
                flying += len(item.messages.payloads)
                self._waiting_bytes -= item.size
                budget_bytes -= max(1, item.size)
                self._handed.append(item)
                self._note(item)
                taken.append(item.messages)
            if taken:
                self._changed.notify_all()
        return taken

    def committed(self, position: Position) -> None:
        """Everything of the origin that was taken up to there is durable."""
        place = (position.origin.file_id, position.origin.epoch)
        with self._changed:
            kept: deque[_Item[Receipt]] = deque()
            for item in self._handed:
                if item.place == place and item.messages.next_number <= position.offset:
                    self._durable.append(item.receipt)
                else:
                    kept.append(item)
            self._handed = kept
            self._changed.notify_all()
        self._wake()  # what waited for its turn may come now

    def close(self) -> None:
        """End the waits; what was not read is dropped."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._waiting_bytes = 0
            self._changed.notify_all()

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be read."""
        with self._changed:
            return not self._waiting

    def _note(self, item: _Item[Receipt]) -> None:
        origin = item.messages.origin
        place = origin.epoch, item.messages.next_number
        self._taken[origin.file_id] = max(place, self._taken.get(origin.file_id, place))

    def _in_turn(self, item: _Item[Receipt]) -> bool:
        return not any(
            other.place == item.place and other.messages.next_number >= item.messages.next_number
            for other in self._handed
        )


def joined(batches: Sequence[Messages], most: int) -> list[Messages]:
    """The same messages in fewer batches, of at most so many: those of one origin share what a batch costs.

    What was taken together is committed together, so each receipt becomes durable as before.
    """
    made: list[Messages] = []
    last: dict[Origin, int] = {}
    for batch in batches:
        at = last.get(batch.origin)
        if at is None or len(made[at].payloads) + len(batch.payloads) > most:
            last[batch.origin] = len(made)
            made.append(batch)
        else:
            payloads, numbers = [*made[at].payloads, *batch.payloads], [*made[at].numbers, *batch.numbers]
            made[at] = Messages(batch.origin, payloads, numbers, batch.next_number)
    return made
