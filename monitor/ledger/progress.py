"""How far each file is read, with the evidence to find it again; and the counters of each stream."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from monitor.core.accounting import TAIL_BYTES, Counts, FileState, Position
from monitor.core.errors import StateError
from monitor.core.fingerprint import Prefix, prefixes
from monitor.core.records import Mark, Origin
from monitor.ledger.errors import ProgressError

COUNTS = tuple(field.name for field in fields(Counts))

MARK = struct.Struct("<Q8sH")
PREFIX = struct.Struct("<H8s")

STATE = "file_id, epoch, path, device, inode, head, offset, marker, tail_bytes, committed_at, marks"

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
        before = _known(connection, stream, position.origin.file_id)
        state = FileState.behind(position, now, before)
        if not connection.execute(ADVANCE, _row(stream, state)).rowcount:
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


def _known(connection: sqlite3.Connection, stream: str, file_id: str) -> FileState | None:
    row = connection.execute(
        f"SELECT {STATE} FROM files WHERE stream = ? AND file_id = ?",  # noqa: S608 - our own names
        (stream, file_id),
    ).fetchone()
    return None if row is None else _state(row)


def _row(stream: str, state: FileState) -> tuple[object, ...]:
    origin = state.origin
    return (
        stream, origin.file_id, origin.epoch, state.offset, state.marker, state.tail_bytes, _packed(state.prefixes),
        str(origin.device), str(origin.inode), os.fsencode(origin.path), state.committed_at,
        b"".join(MARK.pack(*mark) for mark in state.marks),
    )  # fmt: skip


def _packed(head: Sequence[Prefix]) -> bytes:
    return b"".join(PREFIX.pack(*prefix) for prefix in head)


def fingerprint(head: bytes) -> bytes:
    """What the ledger keeps of the first bytes of a file. Migrations know it as the function of that name."""
    return _packed(prefixes(head))


def _marks(packed: bytes) -> tuple[Mark, ...]:
    """Marks as they are stored; ValueError when no commit ever wrote that."""
    try:
        return tuple(Mark(*mark) for mark in MARK.iter_unpack(packed))
    except struct.error as error:
        raise ValueError(f"marks: {error}") from None


def _prefixes(packed: bytes) -> tuple[Prefix, ...]:
    """By what the head is known, as it is stored; ValueError when no commit ever wrote that."""
    try:
        return tuple(Prefix(*prefix) for prefix in PREFIX.iter_unpack(packed))
    except struct.error as error:
        raise ValueError(f"head: {error}") from None


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
        f"SELECT {STATE} FROM files WHERE stream = ? ORDER BY committed_at, epoch, file_id",  # noqa: S608 - our own names
        (stream,),
    )
    try:
        return [_state(row) for row in rows]
    except (TypeError, ValueError) as error:
        raise StateError(f"the ledger's progress of stream {stream} is damaged: {error}; see `state show`") from error


def _state(row: tuple[Any, ...]) -> FileState:
    """A row of ``resume``; ValueError or TypeError when it holds what no commit ever wrote."""
    file_id, epoch, path, device, inode, head, offset, marker, tail_bytes, committed_at, marks = row
    origin = Origin(file_id, int(epoch), os.fsdecode(path), int(device), int(inode))
    if offset < 0 or not 0 <= tail_bytes <= TAIL_BYTES:
        raise ValueError(f"offset {offset}, {tail_bytes} bytes before it")
    return FileState(
        origin, offset, memoryview(marker).tobytes(), tail_bytes=tail_bytes, committed_at=float(committed_at),
        marks=_marks(memoryview(marks).tobytes()), prefixes=_prefixes(memoryview(head).tobytes()),
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
