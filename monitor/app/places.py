"""Where the records that a model learns from stand, remembered for the few that a person is told of."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from monitor.app.line_numbers import LineNumbers
from monitor.core.arrays import I64
from monitor.core.records import RecordBatch


@dataclass(frozen=True, slots=True)
class Place:
    """A record in a file: the number of its line, from 1, and the byte where it starts."""

    path: str
    line: int
    offset: int


class Places:
    """Watches batches on their way to ``gather``, and remembers of the newest ``most`` usable records where they are.

    That takes 16 bytes a record.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines = LineNumbers()
        self._parts: deque[tuple[str, I64, I64]] = deque()  # path, line numbers and offsets of usable records
        self._held = 0

    def watch(self, batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
        """The same batches, in the order of reading."""
        for batch in batches:
            if len(batch):
                self._note(batch)
            yield batch

    def of(self, row: int, count: int) -> Place:
        """The place of a row of the newest ``count`` usable records, ``count`` at most ``most``."""
        row += self._held - count
        for path, lines, offsets in self._parts:
            if row < len(lines):
                return Place(path, int(lines[row]), int(offsets[row]))
            row -= len(lines)
        raise IndexError(f"there are {self._held} records, and one beyond them is asked for")

    def begins(self, count: int) -> dict[str, int]:
        """Where the newest ``count`` usable records begin in each file they stand in, ``count`` at most ``most``."""
        found: dict[str, int] = {}
        passed = self._held - count
        for path, lines, offsets in self._parts:
            for offset in offsets[min(passed, len(lines)) :][:1].tolist():
                found[path] = min(offset, found.get(path, offset))
            passed = max(0, passed - len(lines))
        return found

    def _note(self, batch: RecordBatch) -> None:
        usable = np.flatnonzero(batch.ok)
        first = self._lines.first(batch.raw)
        self._parts.append((batch.raw.origin.path, first + usable, batch.raw.offsets[usable]))
        self._held += len(usable)
        while self._held - len(self._parts[0][1]) >= self._most:
            self._held -= len(self._parts.popleft()[1])
