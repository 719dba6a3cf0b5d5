"""Texts that come again and again: the columns of each are worked out once, and looked up from then on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence, Set

import numpy as np

from monitor.core.arrays import F32, Column
from monitor.core.arrow import pa

FEW_ROWS = 128
"""So few are looked up one by one; of more the distinct ones are found first."""

SAMPLED = 256
"""So many of the first rows tell whether that is worth it."""

MOST_SHARE = 0.5
"""Of distinct values among the rows; with more, looking them up costs as much as it saves."""

MOST_VALUES, MOST_CHARACTERS = 4096, 1 << 20
"""Remembered at the most; when it is more all are forgotten, and what is in use is soon there again."""

Work = Callable[[Column], F32]
"""The rows of a text column, [n, width], each of which depends on its own text alone."""


class Repeats:
    """The rows of texts, ``width`` numbers each. May be used by several threads."""

    def __init__(self, width: int, work: Work) -> None:
        self._work = work
        self._rows: F32 = np.empty((MOST_VALUES, width), dtype=np.float32)
        self._places: dict[str | None, int] = {}
        self._characters = 0
        self._lock = threading.Lock()

    def of(self, column: Column) -> F32:
        """What ``work`` makes of a text column: [n, width]."""
        if len(column) <= FEW_ROWS:
            return self._looked_up(column)
        if len(column.slice(0, SAMPLED).unique()) > MOST_SHARE * min(SAMPLED, len(column)):
            return self._work(column)
        found = column.dictionary_encode(null_encoding="encode")
        if len(found.dictionary) > min(MOST_VALUES, MOST_SHARE * len(column)):
            return self._work(column)
        rows: F32 = self._looked_up(found.dictionary)[found.indices.to_numpy()]
        return rows

    def _looked_up(self, column: Column) -> F32:
        """The same of a few texts, most of them known."""
        values = column.to_pylist()
        with self._lock:
            if not self._places.keys() >= (distinct := set(values)):
                self._learn(column, values, distinct)
            found: F32 = self._rows[[self._places[value] for value in values]]
        return found

    def _learn(self, column: Column, values: Sequence[str | None], distinct: Set[str | None]) -> None:
        if len(self._places.keys() | distinct) > MOST_VALUES or self._characters > MOST_CHARACTERS:
            self._places.clear()
            self._characters = 0
        new = {value: row for row, value in enumerate(values) if value not in self._places}
        rows = self._work(column.take(pa.array(list(new.values()), pa.int64())))
        for value, row in zip(new, rows, strict=True):
            self._places[value] = place = len(self._places)
            self._rows[place] = row
            self._characters += len(value or "")
