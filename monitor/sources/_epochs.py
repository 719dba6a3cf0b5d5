"""What is told when the content of a file leaves its place, or is none: an epoch is over, or begins behind a hole."""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.core.accounting import FileState
from monitor.core.records import Chunk


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
