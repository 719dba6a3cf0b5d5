"""Choosing and joining rows: the few places where a batch is cut up or several become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.core.arrays import I64, Bools
from monitor.core.arrow import pa
from monitor.core.records import Origin, RawBatch, RecordBatch

NO_ORIGIN = Origin(file_id="", epoch=0, path="")


def lines_of(raw: RawBatch, rows: I64) -> RawBatch:
    """The given records of a batch as a batch of their own, for the few rows that are explained."""
    lines = [raw.data[raw.starts[row] : raw.ends[row]] for row in rows]
    ends = np.cumsum([len(line) + 1 for line in lines], dtype=np.int64) - 1
    starts = ends - np.fromiter(map(len, lines), dtype=np.int64, count=len(lines))
    return RawBatch(
        origin=raw.origin,
        data=b"".join(line + b"\n" for line in lines),
        starts=starts,
        ends=ends,
        offsets=raw.offsets[rows],
        next_offset=raw.next_offset,
        tail=raw.tail,
        truncated=raw.truncated[rows],
    )


def without_lines() -> RawBatch:
    """Stands for the text of records that were gathered for training: it is not kept."""
    none = np.empty(0, dtype=np.int64)
    return RawBatch(NO_ORIGIN, b"", none, none, none, 0, b"", np.empty(0, dtype=np.bool_))


def places_only(origin: Origin, count: int) -> RawBatch:
    """Stands for the text of ``count`` records of a table: record ``i`` is at ``i``."""
    rows, none = np.arange(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    return RawBatch(origin, b"", none, none, rows, count, b"", np.zeros(count, dtype=np.bool_))


def keep(records: RecordBatch, mask: Bools) -> RecordBatch:
    """The rows where ``mask`` [n] is True, without their text."""
    return take(records, np.flatnonzero(mask))


def take(records: RecordBatch, rows: I64) -> RecordBatch:
    """The given rows in the given order, without their text."""
    chosen = pa.array(rows)
    return RecordBatch(
        raw=without_lines(),
        columns={name: column.take(chosen) for name, column in records.columns.items()},
        ok=records.ok[rows],
        times=None if records.times is None else records.times[rows],
        keys=None if records.keys is None else records.keys.take(chosen),
        stretches=None if records.stretches is None else records.stretches[rows],
        warming=None if records.warming is None else records.warming[rows],
        apart=None if records.apart is None else records.apart[rows],
    )


def joined(batches: Sequence[RecordBatch]) -> RecordBatch:
    """Batches with the same columns as one, in order, without their text. At least one batch is needed."""
    first = batches[0]
    return RecordBatch(
        raw=without_lines(),
        columns={name: pa.concat_arrays([b.columns[name] for b in batches]) for name in first.columns},
        ok=np.concatenate([b.ok for b in batches]),
        times=None if first.times is None else np.concatenate([b.times for b in batches if b.times is not None]),
        keys=None if first.keys is None else pa.concat_arrays([b.keys for b in batches]),
        stretches=None
        if first.stretches is None
        else np.concatenate([b.stretches for b in batches if b.stretches is not None]),
        warming=None
        if first.warming is None
        else np.concatenate([b.warming for b in batches if b.warming is not None]),
        apart=None if first.apart is None else np.concatenate([b.apart for b in batches if b.apart is not None]),
    )


def joined_lines(batches: Sequence[RawBatch]) -> RawBatch:
    """The records of several batches as one, in order, as if of the first one's origin: for samples only."""
    shifts = np.cumsum([0, *(len(b.data) for b in batches[:-1])], dtype=np.int64)
    return RawBatch(
        origin=batches[0].origin,
        data=b"".join(b.data for b in batches),
        starts=np.concatenate([b.starts + shift for b, shift in zip(batches, shifts, strict=True)]),
        ends=np.concatenate([b.ends + shift for b, shift in zip(batches, shifts, strict=True)]),
        offsets=np.concatenate([b.offsets for b in batches]),
        next_offset=batches[-1].next_offset,
        tail=batches[-1].tail,
        truncated=np.concatenate([b.truncated for b in batches]),
    )
