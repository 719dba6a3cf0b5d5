"""Numbers the records of files that are read one after the other: from 1, anew in each file."""

from __future__ import annotations

from monitor.core.records import RawBatch


class LineNumbers:
    """Must be shown every batch, in the order of reading."""

    def __init__(self) -> None:
        self._last = 0
        self._end: tuple[str, int] | None = (
            None  # where the batch before ended; one that starts elsewhere begins a file
        )

    def first(self, raw: RawBatch) -> int:
        """The number of the first record of the next batch; there is one at least."""
        first = self._last + 1 if self._end == (raw.origin.file_id, raw.offsets[0]) else 1
        self._last, self._end = first - 1 + len(raw), (raw.origin.file_id, raw.next_offset)
        return first
