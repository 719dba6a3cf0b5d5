"""What offline scoring writes: a table for each batch, made where the batch is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from monitor.app.line_numbers import LineNumbers
from monitor.app.offline import Offline, OfflineBatch
from monitor.app.pipeline import count as counted
from monitor.app.spread import Share, model, spread
from monitor.core.progress import Progress
from monitor.ingest.splits import Split

LINE = "line"
"""The column with the number of a record's line in its file, from 1."""


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one batch: rows to write (a ``pyarrow.Table``) and the counts for the last line on stderr.

    Lines that are column headers are no records: they have no row and are not counted, but among ``lines``.
    """

    table: Any
    records: int
    anomalies: int
    unparsed: int
    lines: int = 0

    def after(self, lines: int) -> Part:
        """The same behind so many more lines of its file."""
        if not lines or LINE not in self.table.column_names:
            return self
        place = self.table.column_names.index(LINE)
        moved = pc.add(self.table.column(LINE), pa.scalar(lines, pa.int64()))
        return replace(self, table=self.table.set_column(place, LINE, moved))


Make = Callable[[Offline, OfflineBatch], Part]
"""Makes the part of a batch; can be sent to another process."""


def part(batch: OfflineBatch, table: Any) -> Part:
    """A table of all rows of a batch without its headers, and the counts."""
    headers, counts = batch.scored.records.headers, counted(batch.scored.records)
    return Part(
        table=table.filter(pa.array(~headers)) if headers.any() else table,
        records=counts.read - counts.filtered,
        anomalies=len(batch.scored.alerting),
        unparsed=counts.unparsed,
        lines=len(batch.scored.records),
    )


def parts(offline: Offline, inputs: Sequence[Path], progress: Progress, make: Make) -> Iterator[Part]:
    """A part for every batch, in the order of the input.

    Raises:
        AemonitorError: whatever ``Offline.batches`` raises.
    """
    if offline.engine is None or offline.pipeline.in_order:
        for batch in offline.batches(inputs, progress):
            yield make(offline, batch)
        return
    done = before = 0
    for split, found in spread(offline.engine, offline.share, partial(_made, make), inputs):
        before = before if split.begin else 0
        yield from (each.after(before) for each in found)
        count = sum(each.lines for each in found)
        before, done = before + count, done + count
        progress("scoring", done, 0, "")


def _made(make: Make, share: Share, split: Split) -> list[Part]:
    """A worker's part of it; its lines are numbered from the beginning of the piece."""
    offline, lines = Offline(share.config, share.stream, model(share)), LineNumbers()
    return [make(offline, OfflineBatch(offline.pipeline.score(raw), lines.first(raw))) for raw in share.read(split)]
