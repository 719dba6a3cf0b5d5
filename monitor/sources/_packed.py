"""Reads a compressed file as the bytes it stands for, as if it were plain: in turns, to its end, by whatever packed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from monitor.core.records import Chunk
from monitor.sources._epochs import Hole, Replaced
from monitor.sources._identity import Locator
from monitor.sources._tailed import TailedFile
from monitor.sources._unpacking import Unpacked


@dataclass(frozen=True, slots=True)
class Found:
    """A compressed part of the log at ``home``, as it looked when it was looked into; ``head`` is unpacked."""

    home: str
    locator: Locator
    size: int
    mtime_ns: int
    head: bytes


@dataclass(slots=True, eq=False)
class PackedFile(TailedFile):
    """A rotated part of a log that was compressed. ``size`` is that of the compressed file.

    Nothing is appended to what is compressed; one that grows is still being written, and read again from its start up
    to where reading has come. ``damage`` says why it ended too early.
    """

    unpacked: Unpacked | None = field(default=None, repr=False)

    @classmethod
    def unpack(
        cls, place: tuple[str, int], origin: Found, unpacked: Unpacked, now: float, committed: int
    ) -> PackedFile:
        """Go on where ``unpacked`` has come to; ``place`` is file id and epoch."""
        return cls(
            *place, origin.home, origin.locator, unpacked.fd, unpacked.offset, origin.head, unpacked.tail, now,
            origin.mtime_ns, committed=committed, handed=unpacked.offset, line_start=unpacked.offset,
            size=origin.size, behind_since=(0, now), leaving=True, left_at=now, left_mtime_ns=origin.mtime_ns,
            unpacked=unpacked,
        )  # fmt: skip

    def take(self, limit: int, now: float) -> Chunk | Replaced | Hole | None:
        """The next bytes, at most ``limit``; None: there are none now.

        Raises:
            OSError: the file cannot be read now.
        """
        assert self.unpacked is not None  # noqa: S101 - until it is closed
        status = os.fstat(self.fd)
        if not self.same_as(status):
            self.seen(status)
            self.unpacked.rewind()
            self.quiet_since = now
        self.drained = False
        if not self.unpacked.skip_to(self.read_offset):
            return None
        before = self.tail or self.unpacked.tail
        data = self.unpacked.read(limit)
        self.drained = not data
        return self._hand(before + data, len(before)) if data else None

    @property
    def damage(self) -> tuple[str, int]:
        """Why it ended before its packing did, and how many of its bytes were not taken in for that; 0: all is well."""
        if self.unpacked is None or not self.unpacked.damage:
            return "", 0
        return self.unpacked.damage, max(1, self.unpacked.unread_bytes())

    def unread_bytes(self) -> int:
        """How many compressed bytes stand behind the place: not more than about, but none only at the end."""
        return 0 if self.unpacked is None or self.unpacked.ended else max(1, self.unpacked.unread_bytes())

    @property
    def behind_bytes(self) -> int:
        """How much is not committed: of compressed bytes it can only be told that there are some."""
        return 0 if self.drained and self.committed >= self.handed else self.size

    def unread_since(self, now: float) -> float:
        """See ``TailedFile``; what is compressed has been there for as long as we know it."""
        return self.behind_since[1] if self.behind_bytes else now

    def at_end(self) -> bool:
        """Whether there is nothing to read this very moment."""
        return self.same_as(os.fstat(self.fd))

    def _grow_head(self, data: bytes) -> None:
        """All of it is known from the start."""

    def close(self) -> None:
        """Close the file, but keep what it is known by."""
        if self.unpacked is not None:
            self.unpacked.close()
            self.unpacked = None
        super(PackedFile, self).close()
