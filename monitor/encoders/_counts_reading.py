"""The events of records and their counts: of each record's own list, or of the window that a record falls into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from monitor.core.arrays import I64, Bools, Column
from monitor.core.arrow import pa
from monitor.core.groups import by_key
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.rows import without_lines
from monitor.encoders._counts_codes import Counted
from monitor.encoders._counts_events import Found, Successions, hashes, in_lists, successions
from monitor.encoders._reading import typed
from monitor.encoders._windows import Windows
from monitor.encoders._wording import MISSING

EMPTY = "empty"

PART_ROWS = 2048
"""Records looked at together: what is counted of them, a few hundred numbers each, stays in the cache."""


class Sight(NamedTuple):
    """What is seen in n records. ``masks`` are the rows in each state, [n] each; ``MISSING`` ones have no tally."""

    events: Found
    pairs: Successions
    tallies: I64  # [n, width]
    masks: Mapping[str, Bools]


class Reader(Protocol):
    """Counts the events in records. One that remembers keys must be shown all records, in order."""

    @property
    def counted(self) -> Counted: ...
    def look(self, part: RecordBatch) -> Sight: ...


@dataclass(frozen=True)
class OfLists:
    """Each record has a list of events."""

    field: str
    mask: bool
    counted: Counted

    def look(self, part: RecordBatch) -> Sight:
        column = typed(part.column(self.field, FieldType.TEXTS), pa.list_(pa.string()))
        events = in_lists(column, mask=self.mask)
        pairs = successions(events)
        missing: Bools = column.is_null().to_numpy(zero_copy_only=False)
        empty = ~missing & (np.bincount(events.rows, minlength=len(part)) == 0)
        tallies = self.counted.tally(events, pairs.found, len(part))
        return Sight(events, pairs, tallies, {MISSING: missing, EMPTY: empty})


@dataclass(frozen=True)
class InWindows:
    """Each record is an event, counted together with those of its key before it in the same window."""

    field: str
    mask: bool
    windows: Windows

    @property
    def counted(self) -> Counted:
        return self.windows.counted

    def look(self, part: RecordBatch) -> Sight:
        column: Column = typed(part.column(self.field, FieldType.TEXT), pa.string())
        times = np.full(len(part), np.nan) if part.times is None else part.times
        present = column.is_valid().to_numpy(zero_copy_only=False) & np.isfinite(times)
        items, rows = hashes(column, mask=self.mask), np.flatnonzero(present)
        tallies, pairs = self.windows.count(part.once(by_key).among(present), times, items)
        return Sight(Found(items[rows], rows), pairs, tallies, {MISSING: ~present})


def parts(batch: RecordBatch, wanted: Field) -> Iterator[tuple[slice, RecordBatch]]:
    """A batch in pieces, at least one, that are small enough to count, and the rows of each; with only one column."""
    for start in range(0, max(1, len(batch)), PART_ROWS):
        rows = slice(start, min(start + PART_ROWS, len(batch)))
        yield rows, _part(batch, wanted, rows)


def _part(batch: RecordBatch, wanted: Field, rows: slice) -> RecordBatch:
    size = rows.stop - rows.start
    return RecordBatch(
        raw=without_lines(),
        columns={wanted: batch.columns[wanted].slice(rows.start, size)},
        ok=batch.ok[rows],
        times=None if batch.times is None else batch.times[rows],
        keys=None if batch.keys is None else batch.keys.slice(rows.start, size),
        stretches=None if batch.stretches is None else batch.stretches[rows],
    )
