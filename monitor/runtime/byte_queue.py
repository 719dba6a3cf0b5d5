"""A queue that is full by bytes, not by items, so that memory is bounded whatever the records' size."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from monitor.core.accounting import MemoryChange, Position
from monitor.core.records import RawBatch
from monitor.runtime.helpers import Ahead


@dataclass(frozen=True, slots=True)
class Queued:
    """A framed batch waiting to be scored, perhaps prepared ``ahead``, or places in new files waiting for a commit.

    With a place may come what another daemon remembered there.
    """

    stream: str
    raw: RawBatch | None = None
    ahead: Ahead | None = None
    sightings: tuple[Position, ...] = ()
    memories: Sequence[MemoryChange] = ()

    @property
    def records(self) -> int:
        """Records in the batch."""
        return 0 if self.raw is None else len(self.raw)

    @property
    def bytes(self) -> int:
        """Bytes of the batch's text."""
        return 0 if self.raw is None else len(self.raw.data)


class ByteQueue:
    """First in, first out between the reader thread and the scorer thread.

    ``room`` tells the reader how many bytes it may still read; it never blocks in ``put``, so that it goes on
    scanning directories and holding files open while the scorer is behind. A single batch larger than the limit is
    accepted when the queue is empty.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._items: deque[Queued] = deque()
        self._bytes = 0
        self._unfinished = Counter[str]()  # by stream: items that were put and are not committed
        self._put = 0
        self._changed = threading.Condition()

    def room(self) -> int:
        """Bytes that may be read now; 0 when full."""
        with self._changed:
            return max(0, self.limit_bytes - self._bytes)

    def size(self) -> tuple[int, int]:
        """Bytes and batches waiting."""
        with self._changed:
            return self._bytes, len(self._items)

    def put(self, item: Queued) -> None:
        """Add a batch at the end."""
        with self._changed:
            self._items.append(item)
            self._bytes += item.bytes
            self._unfinished[item.stream] += 1
            self._put += 1
            self._changed.notify_all()

    def take(self, max_records: int, timeout_seconds: float) -> list[Queued]:
        """What is there, up to about ``max_records`` but at least one batch; empty after the timeout."""
        with self._changed:
            if not self._items:
                self._changed.wait(timeout_seconds)
            taken: list[Queued] = []
            records = 0
            while self._items and (not taken or records + self._items[0].records <= max_records):
                item = self._items.popleft()
                records += item.records
                self._bytes -= item.bytes
                taken.append(item)
            return taken

    def wake(self) -> None:
        """Let whoever waits look again at once, and find what there is or nothing."""
        with self._changed:
            self._changed.notify_all()

    def done(self, taken: Sequence[Queued]) -> None:
        """The scorer has committed what it took."""
        with self._changed:
            self._unfinished.subtract(item.stream for item in taken)
            self._changed.notify_all()

    @property
    def put_so_far(self) -> int:
        """How many items were ever put."""
        with self._changed:
            return self._put

    def passed(self, count: int) -> bool:
        """Whether the first ``count`` items that were ever put are committed or withdrawn."""
        with self._changed:
            return self._put - self._unfinished.total() >= count

    def drained(self, timeout_seconds: float) -> bool:
        """Wait until everything that was put is committed; False after the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: self._unfinished.total() == 0, timeout_seconds)

    def withdraw(self, streams: Collection[str], timeout_seconds: float) -> bool:
        """Take back the records of these streams that nobody has taken, and wait until the others are committed.

        Where new files were found is still committed: it is told once. After the timeout False, and all waits again.
        Nothing of these streams may be put meanwhile.
        """
        with self._changed:
            withdrawn = [item for item in self._items if item.raw is not None and item.stream in streams]
            self._items = deque(item for item in self._items if item.raw is None or item.stream not in streams)
            left = len(withdrawn)
            if not self._changed.wait_for(lambda: self._unfinished_of(streams) == left, timeout_seconds):
                self._items.extendleft(reversed(withdrawn))
                return False
            self._bytes -= sum(item.bytes for item in withdrawn)
            self._unfinished.subtract(item.stream for item in withdrawn)
            return True

    def _unfinished_of(self, streams: Collection[str]) -> int:
        return sum(self._unfinished[stream] for stream in streams)
