"""All that was counted of a stream: its totals, and the files and byte ranges they come from."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.accounting import Counts, FileState
from monitor.ledger import progress, ranges
from monitor.ledger.ranges import Range


@dataclass(frozen=True, slots=True)
class StreamAccount:
    """``counts`` are the totals; ``settled`` is the part of them whose ranges are kept no longer."""

    stream: str
    counts: Counts
    settled: Counts
    files: Sequence[FileState]
    ranges: Sequence[Range]

    def of_file(self, file_id: str) -> list[Range]:
        """The ranges of one file, in the order in which they were read."""
        return [each for each in self.ranges if each.file_id == file_id]


def of_stream(connection: sqlite3.Connection, stream: str) -> StreamAccount:
    """The account of a stream as this connection sees it now."""
    totals = progress.totals(connection, stream)
    return StreamAccount(
        stream,
        ranges.identity(progress.counted(totals)),
        ranges.settled(totals),
        progress.resume(connection, stream),
        ranges.of_stream(connection, stream),
    )
