"""What one file may be a copy of, and how the two are compared: a bit at a time, by bytes."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from monitor.sources._identity import HEAD_BYTES, difference, locator_of, tail_before
from monitor.sources._packed import PackedFile
from monitor.sources._regular import open_regular
from monitor.sources._tailed import TailedFile


@dataclass(frozen=True, slots=True)
class Original:
    """A file in the epoch in which it was met, and the size it had before the copy was there: a copy is no smaller."""

    file: TailedFile
    epoch: int
    least_size: int


@dataclass(slots=True)
class Suspicion:
    """What one file may be a copy of. ``covered``: all of it was read in the first of the originals.

    ``repeated``: all of it up to there was read in a file whose content has left its place.
    """

    originals: list[Original]
    quiet_since: float
    size: int = 0
    compared: int = 0
    covered: bool = False
    repeated: int | None = None

    def acquit(self) -> None:
        """The first of the originals is another file after all; begin with the next."""
        self.originals.pop(0)
        self.compared, self.covered = 0, False

    def look(self, size: int, now: float) -> None:
        """See whether the copy has grown."""
        if size != self.size:
            self.size, self.quiet_since, self.covered, self.repeated = size, now, False, None
            self.compared = min(self.compared, size)


def is_durable(original: TailedFile, size: int) -> bool:
    """Whether so much of a file was read, and the lines in it committed."""
    return original.read_offset >= size and original.committed >= min(size, original.line_start)


def still_has(original: TailedFile, path: str, copy: TailedFile, size: int) -> bool | None:
    """Whether the original begins and ends, up to the size of the copy, as that does; None: it has changed."""
    head, tail = os.pread(copy.fd, HEAD_BYTES, 0), tail_before(copy.fd, size)
    try:
        with content(original, path) as fd:
            if os.pread(fd, len(head), 0) == head and tail_before(fd, size) == tail:
                return True
            return None if difference(fd, original.evidence()) is not None else False
    except OSError:
        return False


def may_be_copied(known: TailedFile, file: TailedFile, head: bytes) -> bool:
    """Whether the known file begins alike, and this one is not just what follows it after a rotation."""
    if known is file or not known.cleared or isinstance(known, PackedFile):
        return False
    now = os.pread(known.fd, HEAD_BYTES, 0) if known.active and not known.drained else b""  # it may be another
    if not any(theirs and (theirs.startswith(head) or head.startswith(theirs)) for theirs in (known.head, now)):
        return False
    follows = known.leaving and not file.leaving and known.home == file.home
    return not follows or (known.active and os.fstat(known.fd).st_nlink == 0)


def is_replaced(known: TailedFile) -> bool:
    """Whether a file has another content by now, which reading will find out."""
    return known.active and not known.drained and difference(known.fd, known.evidence()) is not None


@contextmanager
def content(file: TailedFile, path: str) -> Generator[int]:
    """A descriptor of the file, opened for a moment at ``path`` when it is closed.

    Raises:
        OSError: it is no longer there.
    """
    if file.active:
        yield file.fd
        return
    fd, status = open_regular(path)
    try:
        if locator_of(status) != file.locator:
            raise FileNotFoundError(path)
        yield fd
    finally:
        os.close(fd)
