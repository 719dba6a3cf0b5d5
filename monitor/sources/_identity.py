"""Whether an open file is the one that was read before: by its locator, its first bytes and those before the place."""

from __future__ import annotations

import os
from typing import NamedTuple

from monitor.core.accounting import TAIL_BYTES, FileState, tail_marker
from monitor.core.records import Mark

HEAD_BYTES = 1024
"""How much of a file's beginning is remembered: more than the header most logs begin with."""

TICK_SECONDS = 2.0
"""Within this time a file may change and keep its time stamp: some file systems keep no more than even seconds."""

LAST_LINE_BYTES = 262_144
"""How far back the start of an unfinished last line is looked for."""


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
    if os.fstat(fd).st_size < state.offset:
        return "shrunk"
    if state.repeated(os.pread(fd, state.head_bytes, 0)) != state.head_bytes:
        return "head"
    if not _has(fd, state):
        return "marker"
    return None


def copied_until(fd: int, state: FileState, home: str) -> int | None:
    """Up to where an open file, a part of the log at ``home``, repeats what was read; None when it does not.

    A copy may end before the place that was reached: what is written between the copy and the truncation may be read
    in the original. It is known then by a place before, so all of it was read; or, as a part of the same log, by all
    that it has, or by its whole lines, if that is in the head. What was seen of the head and not read, it need not
    have; but where nothing was read nothing else tells a copy.
    """
    size = os.fstat(fd).st_size
    repeated = state.repeated(os.pread(fd, state.head_bytes, 0))
    if repeated is None or (repeated < state.head_bytes and not state.offset):
        return None
    if size >= state.offset:
        return state.offset if _has(fd, state) else None
    passed = [mark for mark in state.marks if mark.offset <= size]
    if passed and _has(fd, passed[-1]):
        return size
    short = 0 < size <= state.head_bytes and home == state.origin.path
    return repeated if short else None


def _has(fd: int, mark: Mark | FileState) -> bool:
    return tail_marker(tail_before(fd, mark.offset, mark.tail_bytes)) == mark.marker


def tail_before(fd: int, offset: int, limit: int = TAIL_BYTES) -> bytes:
    """The last bytes before ``offset``."""
    size = min(limit, offset)
    return os.pread(fd, size, offset - size)


def is_evident(state: FileState) -> bool:
    """Whether the state has content to be recognised by; without, only its locator speaks for it."""
    return state.offset > 0 and state.tail_bytes > 0


def is_unread(state: FileState) -> bool:
    """Whether no more is known than that the file was there: it was empty, or could not be opened."""
    return not state.offset and not state.head_bytes
