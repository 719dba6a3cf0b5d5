"""How far each file is read, with the evidence to find it again; and the counters of each stream."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from monitor.core.accounting import TAIL_BYTES, Counts, FileState, Mark, Position, marked, tail_marker
from monitor.core.errors import StateError
from monitor.core.records import Origin
from monitor.ledger.errors import ProgressError

COUNTS = tuple(field.name for field in fields(Counts))

MARK = struct.Struct("<Q8sH")

ADVANCE = """
INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
  seal(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12))
ON CONFLICT (stream, file_id) DO UPDATE SET
  epoch = excluded.epoch, offset = excluded.offset, marker = excluded.marker, tail_bytes = excluded.tail_bytes,
  head = excluded.head, device = excluded.device, inode = excluded.inode, path = excluded.path,
  committed_at = excluded.committed_at, marks = excluded.marks, seal = excluded.seal
WHERE (excluded.epoch, excluded.offset) >= (epoch, offset)
"""


def advance(connection: sqlite3.Connection, stream: str, positions: Sequence[Position], now: float) -> None:
    """Store positions; of several of one file the last counts.

    Raises:
        ProgressError: one lies before what is stored, by epoch or by offset within the epoch.
    """
    for position in _checked(positions):
        marks = _marks(connection, stream, position)
        changed = connection.execute(ADVANCE, (*_row(stream, position, now), marks)).rowcount
        if not changed:
            _refuse(connection, stream, position)


def _checked(positions: Sequence[Position]) -> list[Position]:
    """The last position of each file; within one batch they must not move backwards either."""
    last: dict[str, Position] = {}
    for position in positions:
        before = last.get(position.origin.file_id)
        if before is not None and (position.origin.epoch, position.offset) < (before.origin.epoch, before.offset):
            raise ProgressError(_backwards(position, before.origin.epoch, before.offset))
        last[position.origin.file_id] = position
    return list(last.values())


def _row(stream: str, position: Position, now: float) -> tuple[object, ...]:
    origin, tail = position.origin, position.tail[-TAIL_BYTES:]
    return (
        stream, origin.file_id, origin.epoch, position.offset, tail_marker(tail), len(tail), origin.head,
        str(origin.device), str(origin.inode), os.fsencode(origin.path), now,
    )  # fmt: skip


def _marks(connection: sqlite3.Connection, stream: str, position: Position) -> bytes:
    """The places passed in this epoch, as bytes: those stored, and the one that the position goes on from."""
    row = connection.execute(
        "SELECT offset, marker, tail_bytes, marks FROM files WHERE stream = ? AND file_id = ? AND epoch = ?",
        (stream, position.origin.file_id, position.origin.epoch),
    ).fetchone()
    if row is None:
        return b""
    offset, marker, tail_bytes, packed = row
    marks = marked(_unpacked(packed), Mark(offset, marker, tail_bytes), position.offset)
    return b"".join(MARK.pack(*mark) for mark in marks)


def _unpacked(marks: bytes) -> tuple[Mark, ...]:
    """Marks as they are stored; ValueError when no commit ever wrote that."""
    try:
        return tuple(Mark(*mark) for mark in MARK.iter_unpack(marks))
    except struct.error as error:
        raise ValueError(f"marks: {error}") from None


def _refuse(connection: sqlite3.Connection, stream: str, position: Position) -> None:
    epoch, offset = connection.execute(
        "SELECT epoch, offset FROM files WHERE stream = ? AND file_id = ?", (stream, position.origin.file_id)
    ).fetchone()
    raise ProgressError(_backwards(position, epoch, offset))


def _backwards(position: Position, epoch: int, offset: int) -> str:
    return (
        f"position of {position.origin.path} would move back from epoch {epoch} offset {offset} "
        f"to epoch {position.origin.epoch} offset {position.offset}; nothing was committed"
    )


def resume(connection: sqlite3.Connection, stream: str) -> list[FileState]:
    """What is known of each file of a stream, the most recently committed last.

    What came to stand in the place of a truncated file is of a later epoch: it follows that, also of one commit.
    """
    rows = connection.execute(
        "SELECT file_id, epoch, path, device, inode, head, offset, marker, tail_bytes, committed_at, marks "
        "FROM files WHERE stream = ? ORDER BY committed_at, epoch, file_id",
        (stream,),
    )
    try:
        return [_state(row) for row in rows]
    except (TypeError, ValueError) as error:
        raise StateError(f"the ledger's progress of stream {stream} is damaged: {error}; see `state show`") from error


def _state(row: tuple[Any, ...]) -> FileState:
    """A row of ``resume``; ValueError or TypeError when it holds what no commit ever wrote."""
    file_id, epoch, path, device, inode, head, offset, marker, tail_bytes, committed_at, marks = row
    origin = Origin(file_id, int(epoch), os.fsdecode(path), int(device), int(inode), memoryview(head).tobytes())
    if offset < 0 or not 0 <= tail_bytes <= TAIL_BYTES:
        raise ValueError(f"offset {offset}, {tail_bytes} bytes before it")
    return FileState(
        origin, offset, memoryview(marker).tobytes(), tail_bytes=tail_bytes, committed_at=float(committed_at),
        marks=_unpacked(memoryview(marks).tobytes()),
    )  # fmt: skip


def forget(connection: sqlite3.Connection, stream: str, file_ids: Sequence[str], before: float) -> list[str]:
    """Drop those of ``file_ids`` whose last commit is older than ``before``; which ones that were."""
    return [
        file_id
        for file_id in file_ids
        if connection.execute(
            "DELETE FROM files WHERE stream = ? AND file_id = ? AND committed_at < ?", (stream, file_id, before)
        ).rowcount
    ]


def add(connection: sqlite3.Connection, stream: str, counts: Counts) -> None:
    """Add a batch's counts to the totals of its stream."""
    for name in COUNTS:
        add_one(connection, stream, name, getattr(counts, name))


def add_one(connection: sqlite3.Connection, stream: str, name: str, value: int) -> None:
    """Add to one counter."""
    if value:
        connection.execute(
            "INSERT INTO counters VALUES (?1, ?2, ?3, seal(?1, ?2, ?3)) ON CONFLICT (stream, name) "
            "DO UPDATE SET value = value + ?3, seal = seal(?1, ?2, value + ?3)",
            (stream, name, value),
        )


def totals(connection: sqlite3.Connection, stream: str) -> dict[str, int]:
    """All counters of a stream by name."""
    return dict(connection.execute("SELECT name, value FROM counters WHERE stream = ?", (stream,)).fetchall())


def counted(totals: Mapping[str, int]) -> Counts:
    """The totals as counts; what else is counted (dead letters, say) is left out."""
    return Counts(**{name: totals.get(name, 0) for name in COUNTS})


def streams(connection: sqlite3.Connection) -> list[str]:
    """Every stream that ever committed anything, sorted."""
    rows = connection.execute("SELECT stream FROM files UNION SELECT stream FROM counters ORDER BY 1")
    return [stream for (stream,) in rows]
