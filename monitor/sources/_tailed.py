"""One file being read: where it stands, and what its content was when it was last looked at."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

from monitor.core.accounting import TAIL_BYTES, FileState, Mark, Position, marked, tail_marker
from monitor.core.protocols import Boundary, behind_newline
from monitor.core.records import Chunk, Origin
from monitor.sources._identity import HEAD_BYTES, LAST_LINE_BYTES, TICK_SECONDS, Locator, tail_before

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
class Closed:
    """An epoch whose content has left its place. Whoever holds a copy of it may hold what was left unread.

    ``evidence`` is as far as it was read, which is committed up to ``committed``. ``ended``: the last chunk was final.
    Its id and epoch belong to the content, not to the inode: the copy goes on under them, so that what was held of an
    unfinished record is finished, and so that the ledger remembers it until then.
    """

    evidence: FileState
    committed: int
    ended: bool = False
    mtime_ns: int = 0  # when it was last seen

    def may_be(self, mtime_ns: int) -> bool:
        """Whether a file of that time may be a copy: where nothing but the beginning is known, no older one is."""
        return self.evidence.offset > 0 or mtime_ns >= self.mtime_ns

    def successor(self) -> tuple[str, int]:
        """Id and epoch under which the content goes on."""
        return self.evidence.origin.file_id, self.evidence.origin.epoch + self.ended

    def dropped(self) -> Chunk:
        """What tells that nothing follows: what is unfinished is no record, since a new epoch begins, and ends."""
        origin = replace(self.evidence.origin, epoch=self.evidence.origin.epoch + 1)
        return Chunk(origin, self.evidence.offset, b"", final=True)


@dataclass(frozen=True, slots=True)
class Replaced:
    """What was read stands no longer before the place. Unless a copy has them, so many bytes will never be records."""

    lost_bytes: int
    closed: Closed


@dataclass(frozen=True, slots=True)
class Hole:
    """So many zeros were stepped over: a writer that did not notice the truncation went on where it was."""

    skipped_bytes: int


@dataclass(slots=True, eq=False)
class TailedFile:
    """One inode, in one epoch at a time. ``fd`` is ``CLOSED`` while the file is parked or done with.

    ``home`` is the path it is (or was last) live under. A file is ``leaving`` once its home no longer names it: it is
    read to its end and then let go. ``drained``: the last look found nothing more to read. ``ended``: its last chunk
    was final; whatever comes later begins a new epoch. Until a file is ``cleared`` it may be a copy of another, and
    none of it is read. It is ``held`` after a truncation until a copy of its old content has been looked for.
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
    path: str = ""  # where it was last seen; its home, unless it was rotated to a name that matches, too
    committed: int = 0
    handed: int = 0  # end of the last chunk of this epoch: what `committed` has to reach
    line_start: int = 0  # behind the last delimiter read
    leaving: bool = False
    left_mtime_ns: int = 0
    left_at: float = 0.0  # monotonic seconds
    drained: bool = False
    ended: bool = False
    failing: bool = False  # the last attempt to read it failed
    truncated: bool = False  # the epoch began by truncation and nothing of it was read yet
    cleared: bool = True
    met_earlier: bool = False  # it was seen some time before it could be opened
    held: bool = False
    given_up_at: int = 0  # its size when a limit forbade to read it on
    scanned_size: int = 0  # its size when the last scan ended
    behind_since: tuple[int, float] = (0, 0.0)  # a size it had, and when; see `unread_since`
    marks: tuple[Mark, ...] = field(default=(), repr=False)
    stamped_at: float = 0.0  # monotonic seconds: when its time stamp was first seen
    settled: bool = False  # and it was compared so much later that whatever changes it gets another stamp
    boundary: Boundary = behind_newline
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
            size=status.st_size, stamped_at=now, committed=offset, handed=offset, line_start=offset,
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
        """Whether something has to be done first: an older part of the same log is to be read, or a copy looked for.

        What may be a copy is not waited for: it is one only once the original has been read as far as it goes.
        """
        if self.older is not None and (self.older.drained or self.older.failing or not self.older.active):
            self.older = None
        return self.held or (self.older is not None and self.older.cleared)

    def unread_since(self, now: float) -> float:
        """Since when, at the latest, the oldest byte that is not committed has been there; ``now`` when there is none.

        Worked out from one size at a time, so it is told too late by no more than the time between two calls.
        """
        if self.committed >= self.behind_since[0]:
            self.behind_since = (self.size, now)
        return self.behind_since[1] if self.committed < self.behind_since[0] else now

    def place(self) -> Position:
        """Where reading has come to."""
        return Position(self.origin, self.read_offset, self.tail)

    def last_line(self, size: int) -> int:
        """Where the unfinished last line begins in the first ``size`` bytes: there when the last line is complete."""
        end = tail_before(self.fd, size, LAST_LINE_BYTES)
        behind = self.boundary(self.head, end, size - len(end))
        if behind is None:
            return 0 if len(end) == size else size
        return size - len(end) + behind

    def evidence(self) -> FileState:
        """By what the file is known again."""
        return FileState(self.origin, *self._mark(), marks=self.marks)

    def _mark(self) -> Mark:
        return Mark(self.read_offset, tail_marker(self.tail), len(self.tail))

    def closed(self) -> Closed:
        """By what a copy of this epoch is known, once its content is no longer here."""
        return Closed(self.evidence(), self.committed, self.ended, self.mtime_ns)

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

    def same_as(self, status: os.stat_result) -> bool:
        """Whether the file looks as it did when it was last read."""
        return status.st_size == self.size and status.st_mtime_ns == self.mtime_ns

    def seen(self, status: os.stat_result) -> None:
        """Remember how the file looks."""
        self.size, self.mtime_ns = status.st_size, status.st_mtime_ns

    def unread_bytes(self) -> int:
        """How much stands behind the place this very moment."""
        return os.fstat(self.fd).st_size - self.read_offset

    def at_end(self) -> bool:
        """Whether there is nothing to read this very moment."""
        return self.unread_bytes() == 0

    def _hand(self, data: bytes, before: int) -> Chunk:
        self._grow_head(data)
        chunk = Chunk(self.origin, self.read_offset, data[before:])
        behind = self.boundary(self.head, data, self.read_offset - before)
        if behind is not None and behind > before:
            self.line_start = self.read_offset + behind - before
        self.truncated = False
        end = self.read_offset + len(data) - before
        self.marks = marked(self.marks, self._mark(), end)
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
        self.size, self.head, self.tail = 0, b"", b""
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
        self.marks = ()
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
        self.leaving, self.left_mtime_ns, self.left_at, self.quiet_since = True, self.mtime_ns, now, now

    def reopen(self, fd: int) -> None:
        """Go on with ``fd``, whose content the caller has compared with ``evidence``."""
        self.fd, self.drained = fd, False

    def close(self) -> None:
        """Close the file, but keep what it is known by."""
        if self.active:
            os.close(self.fd)
            self.fd = CLOSED
