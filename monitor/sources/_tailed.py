"""One file being read: what comes next, whether it is still the same content, where one epoch ends and one begins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from monitor.core.accounting import TAIL_BYTES, marked, tail_marker
from monitor.core.records import Chunk, Mark
from monitor.sources._epochs import Closed, Hole, Replaced
from monitor.sources._identity import HEAD_BYTES, TICK_SECONDS, Locator, tail_before
from monitor.sources._known import KnownFile


@dataclass(slots=True, eq=False)
class TailedFile(KnownFile):
    """A file whose content is read as it grows."""

    @classmethod
    def begin(cls, place: tuple[str, int, int], home: str, fd: int, now: float) -> TailedFile:
        """Take over an open file; ``place`` is file id, epoch and offset. OSError when it cannot be read."""
        file_id, epoch, offset = place
        status = os.fstat(fd)
        return cls(
            file_id, epoch, home, Locator(status.st_dev, status.st_ino), fd, offset,
            os.pread(fd, HEAD_BYTES, 0), tail_before(fd, offset), now, status.st_mtime_ns,
            size=status.st_size, stamped_at=now, committed=offset, handed=offset, line_start=offset,
        )  # fmt: skip

    def begin_at(self, offset: int) -> None:
        """Read from here on: nothing was read yet, and what stands before was read elsewhere."""
        self._grow_head(b"")
        self._advance(offset, tail_before(self.fd, offset))
        self.committed = self.handed = self.line_start = offset
        self.cleared = True

    def continue_from(self, closed: Closed) -> None:
        """Go on with the content of an epoch where reading had come to: nothing was read here yet."""
        self.file_id, self.epoch = closed.successor()
        self.begin_at(closed.evidence.offset)
        self.marks = closed.evidence.marks
        if not closed.ended:
            self.committed = closed.committed

    # -- reading -----------------------------------------------------------------------------------------------

    def take(self, limit: int, now: float) -> Chunk | Replaced | Hole | None:
        """The next bytes, at most ``limit``, or why there are none; None: everything has been read.

        Raises:
            OSError: the file cannot be read now.
        """
        status = os.fstat(self.fd)
        if status.st_size < self.read_offset:
            return self._replaced()
        self.drained = status.st_size == self.read_offset
        if self.drained and self.settled and self.same_as(status):
            return None
        before = len(self.tail)
        data = os.pread(self.fd, before + limit, self.read_offset - before)
        # One call reads the new bytes and the old ones before them, so that nothing can come between.
        if data[:before] != self.tail or (not self.read_offset and data[: len(self.head)] != self.head[:limit]):
            return self._replaced()
        if not self.same_as(status):
            self.stamped_at = now
        self.settled = now - self.stamped_at >= TICK_SECONDS
        self.seen(status)
        if len(data) == before:
            return None
        self.quiet_since = now
        if self.truncated and (skipped := len(data) - before - len(data[before:].lstrip(b"\0"))):
            return self._skip(skipped)
        return self._hand(data, before)

    def _hand(self, data: bytes, before: int) -> Chunk:
        self._grow_head(data)
        if not self.read_offset:
            self.early, self._origin = tuple(_places_within(data)), None
        chunk = Chunk(self.origin, self.read_offset, data[before:])
        behind = self.boundary(self.head, data, self.read_offset - before)
        if behind is not None and behind > before:
            self.line_start = self.read_offset + behind - before
        self.truncated = False
        end = self.read_offset + len(data) - before
        for mark in (self._mark(), *(self.early if not self.read_offset else ())):
            self.marks = marked(self.marks, mark, end)
        self._advance(end, data[-TAIL_BYTES:])
        self.handed = self.read_offset
        return chunk

    def _skip(self, count: int) -> Hole:
        """Step over zeros, and over the rest of the hole without reading it."""
        target = self.read_offset + count
        with suppress(OSError):  # nothing but hole up to the end, or a file system that cannot tell
            target = os.lseek(self.fd, target, os.SEEK_DATA)
        skipped = target - self.read_offset
        self._advance(target, tail_before(self.fd, target))
        self.handed = self.committed = self.line_start = target
        return Hole(skipped)

    def _advance(self, offset: int, tail: bytes) -> None:
        self.read_offset, self.tail, self.drained = offset, tail, False

    def _grow_head(self, data: bytes) -> None:
        """Remember more of the beginning of a file that was short when it was met."""
        if len(self.head) < HEAD_BYTES:
            self.head = os.pread(self.fd, HEAD_BYTES, 0) if self.read_offset or not data else data[:HEAD_BYTES]
            self._origin = None

    def glance(self) -> None:
        """Remember the beginning of what is not read yet, so that it is missed should it be truncated before it is."""
        if not self.read_offset and len(self.head) < HEAD_BYTES:
            head = os.pread(self.fd, HEAD_BYTES, 0)
            if head.startswith(self.head):
                self.head, self._origin = head, None

    def _replaced(self) -> Replaced:
        """Begin a new epoch at the start of the file; the old id is that of the old content."""
        lost, closed = max(self.size, self.read_offset) - self.line_start, self.closed()
        self.file_id, self.left_mtime_ns = uuid4().hex, self.mtime_ns
        self._next_epoch(0)
        self.size = self.scanned_size = 0
        self.head = self.tail = b""
        self.truncated = self.held = True
        return Replaced(lost, closed)

    # -- epochs and ends ---------------------------------------------------------------------------------------

    def end(self) -> Chunk:
        """The last chunk of this epoch: an unfinished record is complete as it stands."""
        self.ended = True
        self.line_start = self.read_offset
        return Chunk(self.origin, self.read_offset, b"", final=True)

    def go_on(self) -> None:
        """Begin a new epoch where the ended one stopped: the file has grown since."""
        self._next_epoch(self.read_offset)

    def _next_epoch(self, offset: int) -> None:
        self.epoch += 1
        self.read_offset = self.committed = self.handed = self.line_start = offset
        self.drained = self.ended = False
        self.given_up_at = 0
        self.behind_since = (offset, 0.0)
        self.marks = self.early = ()
        self._origin = None


def _places_within(beginning: bytes) -> Iterator[Mark]:
    """Places in what is read of a file at first, further and further apart: a copy of it may end before the first read.

    The evidence for the first of them begins where that of the head ends.
    """
    place = HEAD_BYTES + TAIL_BYTES
    while place < len(beginning):
        yield Mark(place, tail_marker(beginning[place - TAIL_BYTES : place]), TAIL_BYTES)
        place *= 2
