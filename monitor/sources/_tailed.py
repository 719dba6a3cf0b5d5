"""One file being read: where it stands, and what its content was when it was last looked at."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field

from monitor.core.accounting import TAIL_BYTES, FileState, Position, tail_marker
from monitor.core.records import Chunk, Origin
from monitor.sources._identity import HEAD_BYTES, Locator, tail_before

NEWLINE = b"\n"
CLOSED = -1


class NotRegularError(OSError):
    """What a glob matches is not a plain file; it is left alone."""


def open_regular(path: str) -> tuple[int, os.stat_result]:
    """Open a plain file for reading, never waiting for the other end of a pipe.

    Raises:
        NotRegularError: it is something else.
        OSError: it cannot be opened.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise NotRegularError(errno.EINVAL, "not a plain file, so it is not read", path)
    return fd, status


@dataclass(frozen=True, slots=True)
class Replaced:
    """What was read stands no longer before the place; so many bytes of the old content will never be records."""

    lost_bytes: int


@dataclass(frozen=True, slots=True)
class Hole:
    """So many zeros were stepped over: a writer that did not notice the truncation went on where it was."""

    skipped_bytes: int


@dataclass(slots=True, eq=False)
class TailedFile:
    """One inode, in one epoch at a time. ``fd`` is ``CLOSED`` while the file is parked or done with.

    ``home`` is the path it is (or was last) live under. A file is ``leaving`` once its home no longer names it: it is
    read to its end and then let go. ``drained``: the last look found nothing more to read. ``ended``: its last chunk
    was final; whatever comes later begins a new epoch.
    """

    file_id: str
    epoch: int
    home: str
    locator: Locator
    fd: int
    read_offset: int
    head: bytes
    tail: bytes  # the <= 256 bytes before read_offset
    quiet_since: float  # monotonic seconds
    mtime_ns: int
    size: int = 0
    committed: int = 0
    handed: int = 0  # end of the last chunk of this epoch: what `committed` has to reach
    line_start: int = 0  # behind the last delimiter read
    leaving: bool = False
    left_mtime_ns: int = 0
    drained: bool = False
    ended: bool = False
    failing: bool = False  # the last attempt to read it failed
    truncated: bool = False  # the epoch began by truncation and nothing of it was read yet
    older: TailedFile | None = None  # to be drained before this one is read
    _origin: Origin | None = field(default=None, repr=False)

    @classmethod
    def begin(cls, place: tuple[str, int, int], home: str, fd: int, now: float) -> TailedFile:
        """Take over an open file; ``place`` is file id, epoch and offset. OSError when it cannot be read."""
        file_id, epoch, offset = place
        status = os.fstat(fd)
        return cls(
            file_id, epoch, home, Locator(status.st_dev, status.st_ino), fd, offset,
            os.pread(fd, HEAD_BYTES, 0), tail_before(fd, offset), now, status.st_mtime_ns,
            committed=offset, handed=offset, line_start=offset,
        )  # fmt: skip

    @property
    def origin(self) -> Origin:
        """What chunks are labelled with."""
        if self._origin is None:
            self._origin = Origin(self.file_id, self.epoch, self.home, *self.locator, self.head)
        return self._origin

    @property
    def active(self) -> bool:
        """Whether the file is open."""
        return self.fd != CLOSED

    @property
    def behind_bytes(self) -> int:
        """How much of what was seen of the file is not committed."""
        return max(0, self.size - self.committed)

    @property
    def waits(self) -> bool:
        """Whether an older part of the same log has to be read first."""
        if self.older is not None and (self.older.drained or self.older.failing or not self.older.active):
            self.older = None
        return self.older is not None

    def place(self) -> Position:
        """Where reading has come to."""
        return Position(self.origin, self.read_offset, self.tail)

    def evidence(self) -> FileState:
        """By what the file is known again."""
        return FileState(self.origin, self.read_offset, tail_marker(self.tail), tail_bytes=len(self.tail))

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
        if self.drained and self.same_as(status):
            return None
        before = len(self.tail)
        data = os.pread(self.fd, before + limit, self.read_offset - before)
        # One call reads the new bytes and the old ones before them, so that nothing can come between.
        if data[:before] != self.tail:
            return self._replaced()
        self.seen(status)
        if len(data) == before:
            return None
        self.quiet_since = now
        if self.truncated and (skipped := len(data) - before - len(data[before:].lstrip(b"\0"))):
            return self._skip(skipped)
        return self._hand(data, before)

    def same_as(self, status: os.stat_result) -> bool:
        """Whether the file looks as it did when it was last read."""
        return status.st_size == self.size and status.st_mtime_ns == self.mtime_ns

    def seen(self, status: os.stat_result) -> None:
        """Remember how the file looks."""
        self.size, self.mtime_ns = status.st_size, status.st_mtime_ns

    def at_end(self) -> bool:
        """Whether there is nothing to read this very moment."""
        return os.fstat(self.fd).st_size == self.read_offset

    def _hand(self, data: bytes, before: int) -> Chunk:
        self._grow_head(data)
        chunk = Chunk(self.origin, self.read_offset, data[before:])
        if (newline := data.rfind(NEWLINE, before)) >= 0:
            self.line_start = self.read_offset + newline + 1 - before
        self.truncated = False
        self._advance(self.read_offset + len(data) - before, data[-TAIL_BYTES:])
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
            self.head = os.pread(self.fd, HEAD_BYTES, 0) if self.read_offset else data[:HEAD_BYTES]
            self._origin = None

    def _replaced(self) -> Replaced:
        """Begin a new epoch at the start of the file."""
        lost = max(self.size, self.read_offset) - self.line_start
        self._next_epoch(0)
        self.size, self.head, self.tail, self.truncated = 0, b"", b"", True
        return Replaced(lost)

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
        self._origin = None

    def commit(self, position: Position) -> None:
        """So much is durable."""
        if position.origin.epoch == self.epoch:
            self.committed = max(self.committed, position.offset)

    def live_at(self, path: str) -> None:
        """This path names the file now."""
        self.leaving = False
        if path != self.home:
            self.home, self._origin = path, None

    def leave(self, now: float) -> None:
        """No path of ours names the file any more."""
        self.leaving, self.left_mtime_ns, self.quiet_since = True, self.mtime_ns, now

    def reopen(self, fd: int) -> None:
        """Go on with ``fd``, whose content the caller has compared with ``evidence``."""
        self.fd, self.drained = fd, False

    def close(self) -> None:
        """Close the file, but keep what it is known by."""
        if self.active:
            os.close(self.fd)
            self.fd = CLOSED
