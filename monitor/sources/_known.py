"""What is known of one file: where it stands, how far it was read and committed, and by what it is known again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from monitor.core.accounting import FileState, Position, tail_marker
from monitor.core.protocols import Boundary, behind_newline
from monitor.core.records import Mark, Origin
from monitor.sources._epochs import Closed
from monitor.sources._identity import LAST_LINE_BYTES, Locator, tail_before

CLOSED = -1


@dataclass(slots=True, eq=False)
class KnownFile:
    """One inode, in one epoch at a time, and how far it was read. ``fd`` is ``CLOSED`` while it is parked or done with.

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
    named_size: int = 0  # its size as the last scan found it under a path
    behind_since: tuple[int, float] = (0, 0.0)  # a size it had, and when; see `unread_since`
    marks: tuple[Mark, ...] = field(default=(), repr=False)
    early: tuple[Mark, ...] = field(default=(), repr=False)  # those within what was read of this epoch at first
    stamped_at: float = 0.0  # monotonic seconds: when its time stamp was first seen
    settled: bool = False  # and it was compared so much later that whatever changes it gets another stamp
    boundary: Boundary = behind_newline
    older: KnownFile | None = None  # to be drained before this one is read
    _origin: Origin | None = field(default=None, repr=False)

    @property
    def origin(self) -> Origin:
        """What chunks are labelled with."""
        if self._origin is None:
            self._origin = Origin(self.file_id, self.epoch, self.home, *self.locator, self.head, self.early)
        return self._origin

    @property
    def active(self) -> bool:
        """Whether the file is open."""
        return self.fd != CLOSED

    @property
    def known_size(self) -> int:
        """What is there to be read: of a file that cannot be read now, as the last scan saw it."""
        return self.size if self.active and not self.failing else max(self.size, self.named_size)

    @property
    def behind_bytes(self) -> int:
        """How much of what was seen of the file is not committed."""
        return max(0, self.known_size - self.committed)

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
            self.behind_since = (self.known_size, now)
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

    # -- what is seen and done ---------------------------------------------------------------------------------

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
