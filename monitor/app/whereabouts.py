"""Finds the file in which committed bytes stand today: in place, renamed beside it, copied, or compressed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from monitor.core.accounting import FileState, tail_marker
from monitor.core.errors import AemonitorError
from monitor.ingest.reading import opened
from monitor.ledger import Range

MOST_CANDIDATES = 1_000
"""Files of one directory that are looked into for the bytes of a log: more backups than anyone keeps."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The bytes before ``stop``: a hash of the last ``tail_bytes`` of them, and where they were read."""

    home: Path
    inode: int
    stop: int
    marker: bytes
    tail_bytes: int

    @classmethod
    def of_range(cls, each: Range, state: FileState) -> Evidence:
        """What is known of a range of a file."""
        return cls(Path(state.origin.path), state.origin.inode, each.stop, each.marker, each.tail_bytes)

    @classmethod
    def of_place(cls, state: FileState) -> Evidence:
        """What is known of the place where a file is read on."""
        return cls(Path(state.origin.path), state.origin.inode, state.offset, state.marker, state.tail_bytes)


def whereabouts(evidence: Evidence) -> Path | None:
    """The first file that holds the bytes; None when they stand nowhere near where they were read."""
    return next((path for path in _candidates(evidence) if holds(path, evidence)), None)


def holds(path: Path, evidence: Evidence) -> bool:
    """Whether the file has these bytes where they were; a file of which nothing was read has to be the same inode."""
    try:
        if evidence.tail_bytes == 0:
            return path.stat().st_ino == evidence.inode
        with opened(str(path)) as readable:
            stream = cast("IO[bytes]", readable)  # all that it opens can be searched
            stream.seek(evidence.stop - evidence.tail_bytes)
            tail = stream.read(evidence.tail_bytes)
    except (AemonitorError, OSError, EOFError):
        return False
    return len(tail) == evidence.tail_bytes and tail_marker(tail) == evidence.marker


def _candidates(evidence: Evidence) -> Iterator[Path]:
    """The home of the file, then its inode under another name, then whatever is named like it, the newest first."""
    yield evidence.home
    stem = evidence.home.name.split(".")[0]
    beside: list[tuple[bool, float, Path]] = []
    with suppress(OSError):
        for path in evidence.home.parent.iterdir():
            with suppress(OSError):
                status = path.stat()
                same = status.st_ino == evidence.inode
                if path != evidence.home and path.is_file() and (same or path.name.startswith(stem)):
                    beside.append((same, status.st_mtime, path))
    yield from (path for _, _, path in sorted(beside, reverse=True)[:MOST_CANDIDATES])
