"""Which bytes of which file became which records: what `aemonitor verify` proves the totals by."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from monitor.core.accounting import TAIL_BYTES, Counts, Outcome, Position, tail_marker
from monitor.ledger import progress
from monitor.ledger.errors import ProgressError
from monitor.ledger.seals import SEALED

COUNTED = ("read", "scored", "unparsed", "filtered", "sampled_out")
"""What is kept of each range, in the order of the columns."""

SETTLED = "settled_"
"""Counters of this prefix hold the sums of ranges that are kept no longer: totals = settled + what the ranges say."""

MAX_RANGES = 100
"""Kept of one file: a log that is truncated every hour is remembered for four days, and no file fills the disk."""

_SUMS = [f"{name} + :{name}" for name in COUNTED]
GROW = f"""
UPDATE ranges SET
  stop = :stop, marker = :marker, tail_bytes = :tail_bytes,
  {", ".join(f"{name} = {grown}" for name, grown in zip(COUNTED, _SUMS, strict=True))},
  seal = seal(stream, file_id, epoch, start, :stop, {", ".join(_SUMS)}, :marker, :tail_bytes)
WHERE stream = :stream AND file_id = :file_id AND epoch = :epoch AND stop = :start
  AND start = (SELECT max(start) FROM ranges WHERE stream = :stream AND file_id = :file_id AND epoch = :epoch)
"""  # noqa: S608 - our own names

_VALUES = ", ".join(f":{name}" for name in SEALED["ranges"].split(", "))
INSERT = f"INSERT INTO ranges VALUES ({_VALUES}, seal({_VALUES}))"  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes ``start`` to ``stop`` of an epoch of a file, all committed, and what became of the records in them.

    ``marker`` is the hash of the ``tail_bytes`` bytes before ``stop``.
    """

    file_id: str
    epoch: int
    start: int
    stop: int
    counts: Counts
    marker: bytes
    tail_bytes: int


def add(connection: sqlite3.Connection, outcome: Outcome) -> None:
    """Account for a batch: its records are the ``counts.bytes`` bytes before its (last) position.

    Positions without records (where a file was begun, or what stands before was read elsewhere) end a range. Messages
    of a broker stand in no file where they could be counted again: there is nothing before their position, and they are
    settled at once.

    Raises:
        ProgressError: some of these bytes were counted before; a fault of the program.
    """
    if not outcome.positions:
        return
    if not (outcome.counts.read or outcome.counts.bytes):
        for position in outcome.positions:
            _step_over(connection, outcome.stream, position)
        return
    position = outcome.positions[-1]
    if not position.tail:
        _settle_counts(connection, outcome.stream, outcome.counts)
        return
    put(connection, outcome.stream, position, position.offset - outcome.counts.bytes, outcome.counts)


def put(connection: sqlite3.Connection, stream: str, position: Position, start: int, counts: Counts) -> None:
    """Add what lies from ``start`` to ``position``: to the newest range of the epoch if it ends there.

    Raises:
        ProgressError: see ``add``.
    """
    origin, tail = position.origin, position.tail[-TAIL_BYTES:]
    row = {
        "stream": stream, "file_id": origin.file_id, "epoch": origin.epoch, "start": start, "stop": position.offset,
        "marker": tail_marker(tail), "tail_bytes": len(tail), **{name: getattr(counts, name) for name in COUNTED},
    }  # fmt: skip
    if not connection.execute(GROW, row).rowcount:
        _demand_free(connection, row, origin.path)
        connection.execute(INSERT, row)
        _settle_oldest(connection, stream, origin.file_id)


def _step_over(connection: sqlite3.Connection, stream: str, position: Position) -> None:
    """What lies between the newest range of the epoch and the position belongs to none."""
    (until,) = connection.execute(
        "SELECT max(stop) FROM ranges WHERE stream = ? AND file_id = ? AND epoch = ?",
        (stream, position.origin.file_id, position.origin.epoch),
    ).fetchone()
    if until is not None and until < position.offset:
        put(connection, stream, position, position.offset, Counts())


def _demand_free(connection: sqlite3.Connection, row: Mapping[str, Any], path: str) -> None:
    (until,) = connection.execute(
        "SELECT coalesce(max(stop), 0) FROM ranges WHERE stream = :stream AND file_id = :file_id AND epoch = :epoch",
        row,
    ).fetchone()
    if until > row["start"]:
        raise ProgressError(
            f"bytes {row['start']}-{row['stop']} of {path} (epoch {row['epoch']}) would be counted twice: "
            f"they are committed up to {until}; nothing was committed"
        )


def of_stream(connection: sqlite3.Connection, stream: str) -> list[Range]:
    """Every range of a stream, by file, epoch and place."""
    rows = connection.execute(
        f"SELECT file_id, epoch, start, stop, marker, tail_bytes, {', '.join(COUNTED)} FROM ranges "  # noqa: S608
        "WHERE stream = ? ORDER BY file_id, epoch, start",
        (stream,),
    )
    return [_range(*row) for row in rows]


def _range(file_id: str, epoch: int, start: int, stop: int, marker: bytes, tail_bytes: int, *numbers: int) -> Range:
    counts = Counts(**dict(zip(COUNTED, numbers, strict=True)), bytes=stop - start)
    return Range(file_id, epoch, start, stop, counts, marker, tail_bytes)


def total(ranges: Iterable[Range]) -> Counts:
    """What all of these hold together."""
    return sum((each.counts for each in ranges), Counts())


def settled(totals: dict[str, int]) -> Counts:
    """What the counters of a stream say of ranges that are kept no longer."""
    return Counts(**{name: totals.get(SETTLED + name, 0) for name in (*COUNTED, "bytes")})


def settle(connection: sqlite3.Connection, stream: str, ranges: Sequence[Range]) -> None:
    """Drop these ranges and keep their sums."""
    _settle_counts(connection, stream, total(ranges))
    connection.executemany(
        "DELETE FROM ranges WHERE stream = ? AND file_id = ? AND epoch = ? AND start = ?",
        [(stream, each.file_id, each.epoch, each.start) for each in ranges],
    )


def _settle_counts(connection: sqlite3.Connection, stream: str, counts: Counts) -> None:
    for name in (*COUNTED, "bytes"):
        progress.add_one(connection, stream, SETTLED + name, getattr(counts, name))


def settle_files(connection: sqlite3.Connection, stream: str, file_ids: Sequence[str]) -> None:
    """The same for all ranges of these files."""
    gone = set(file_ids)
    settle(connection, stream, [each for each in of_stream(connection, stream) if each.file_id in gone])


def _settle_oldest(connection: sqlite3.Connection, stream: str, file_id: str) -> None:
    (held,) = connection.execute(
        "SELECT count(*) FROM ranges WHERE stream = ? AND file_id = ?", (stream, file_id)
    ).fetchone()
    if held > MAX_RANGES:
        of_file = [each for each in of_stream(connection, stream) if each.file_id == file_id]
        settle(connection, stream, of_file[: held - MAX_RANGES])


def identity(counts: Counts) -> Counts:
    """The counts that the proof is about, the others left out."""
    return replace(Counts(), **{name: getattr(counts, name) for name in (*COUNTED, "bytes")})
