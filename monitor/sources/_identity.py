"""Whether an open file is the one that was read before: by its locator, its first bytes and those before the place."""

from __future__ import annotations

import os
from typing import NamedTuple

from monitor.core.accounting import TAIL_BYTES, FileState, tail_marker

HEAD_BYTES = 1024
"""How much of a file's beginning is remembered: more than the header most logs begin with."""


class Locator(NamedTuple):
    """Where the file system keeps a file. Reused at once after deletion, so never proof by itself."""

    device: int
    inode: int


def locator_of(status: os.stat_result) -> Locator:
    """The locator in a file's status."""
    return Locator(status.st_dev, status.st_ino)


def known_locator(state: FileState) -> Locator:
    """Where a file was when its state was committed."""
    return Locator(state.origin.device, state.origin.inode)


def difference(fd: int, state: FileState) -> str | None:
    """What speaks against the open file being the one of ``state``; None when all evidence agrees.

    The marker covers the delimiter before the offset, so the offset needs no check of its own that it is the start of
    a record. (One exists that is not: the end of a file whose unfinished last record was taken as complete.)
    The evidence is blind to content that repeats with the distance of the offset, byte for byte.
    """
    head = state.origin.head
    if os.fstat(fd).st_size < state.offset:
        return "shrunk"
    if os.pread(fd, len(head), 0) != head:
        return "head"
    if tail_marker(tail_before(fd, state.offset, state.tail_bytes)) != state.marker:
        return "marker"
    return None


def tail_before(fd: int, offset: int, limit: int = TAIL_BYTES) -> bytes:
    """The last bytes before ``offset``."""
    size = min(limit, offset)
    return os.pread(fd, size, offset - size)


def is_evident(state: FileState) -> bool:
    """Whether the state has content to be recognised by; without, only its locator speaks for it."""
    return state.offset > 0 and state.tail_bytes > 0
