"""The few records of a long input that are kept whole: the best by some rank, found while the input goes by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F32, F64, I64
from monitor.core.records import RecordBatch
from monitor.core.rows import joined, take


@dataclass(frozen=True, slots=True)
class Kept:
    """Records kept whole, in the order of the input: parsed, encoded, and their place in the input."""

    records: RecordBatch
    values: F32  # [n, total]
    places: I64  # [n]
    ranks: F64  # [n]

    def rows(self, chosen: I64) -> Kept:
        """Some of them, in the given order."""
        return Kept(take(self.records, chosen), self.values[chosen], self.places[chosen], self.ranks[chosen])


class Selection:
    """Keeps the ``limit`` records of the smallest rank; of equal ranks those that came first.

    With random ranks that is a sample in which each record is as likely as any other.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[Kept] = []
        self._count = 0
        self._worst = np.inf

    def offer(self, records: RecordBatch, values: F32, places: I64, rows: I64, ranks: F64) -> None:
        """Look at some rows of a batch.

        Args:
            records: the batch.
            values: the batch encoded, [n, total].
            places: the place of each row in the whole input, [n], rising from batch to batch.
            rows: which rows are offered, [m], rising.
            ranks: the rank of each of them, [m], finite.
        """
        chosen = np.flatnonzero(ranks < self._worst)
        if len(chosen) > self._limit:
            chosen = np.sort(np.argsort(ranks, kind="stable")[: self._limit])
        if not len(chosen):
            return
        kept = rows[chosen]
        self._pieces.append(Kept(take(records, kept), values[kept], places[kept], ranks[chosen]))
        self._count += len(kept)
        if self._count >= 2 * self._limit:  # twice as many, so that a batch rarely makes all of them move
            self._settle()

    def kept(self) -> Kept | None:
        """What is kept; None when nothing was offered."""
        if not self._pieces:
            return None
        self._settle()
        return self._pieces[0]

    def _settle(self) -> None:
        whole = Kept(
            joined([piece.records for piece in self._pieces]),
            np.concatenate([piece.values for piece in self._pieces]),
            np.concatenate([piece.places for piece in self._pieces]),
            np.concatenate([piece.ranks for piece in self._pieces]),
        )
        if len(whole.ranks) > self._limit:
            whole = whole.rows(np.sort(np.argsort(whole.ranks, kind="stable")[: self._limit]))
        if len(whole.ranks) == self._limit:
            self._worst = float(whole.ranks.max())
        self._pieces, self._count = [whole], len(whole.ranks)
