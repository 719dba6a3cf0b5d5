"""Counts side by side, each by its own scale: logarithms, and surprise outside of what benign records had.

A column is (log(1 + count) - mean) / spread. The spread is the benign standard deviation, but never less than the
1 / sqrt(1 + mean count) that pure chance would give a logarithm: so one more of ten is much, one more of a thousand
little, and one where benign data had three each time does not outweigh all else. What benign data rarely had reads
about as it is, log(1 + count), and so does not dominate either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import F32, F64, I64
from monitor.core.novelty import beyond, changed, distance, unseen

ARRAYS = {"low": np.int64, "high": np.int64, "centres": np.float64, "halves": np.float64}


@dataclass(frozen=True)
class CountScales:
    """``low`` to ``high`` are the benign counts; a change of one that was constant weighs ``change`` bans."""

    low: I64  # [d]
    high: I64  # [d]
    centres: F64  # [d]
    halves: F64  # [d], > 0
    change: float
    records: int

    def apply(self, counts: I64, clip: float) -> F32:
        """Columns of counts [n, d], within +-``clip``."""
        result = np.log1p(counts.astype(np.float32))
        result -= self.centres.astype(np.float32)
        result /= self.halves.astype(np.float32)
        return np.clip(result, -clip, clip, out=result)

    def inverse(self, columns: F32) -> I64:
        """The counts that one row of columns [d] stands for; 0 for what is no number."""
        logarithms = np.nan_to_num(columns.astype(np.float64), posinf=0.0, neginf=0.0) * self.halves + self.centres
        counts: I64 = np.rint(np.expm1(np.clip(logarithms, 0.0, 40.0))).astype(np.int64)
        return counts

    def surprise(self, counts: I64) -> F64:
        """Strength of the count farthest outside its benign range, [n] of counts [n, d]; 0 where all are inside."""
        strength = np.zeros(len(counts))
        outside = (counts < self.low) | (counts > self.high)
        rows = np.flatnonzero(outside[:, :-1].any(axis=1))
        if not len(rows):
            return strength
        excess = self.excess(counts[rows])
        if self._constant[:-1].all():
            strength[rows] = changed(self.records, distance(excess.max(axis=1), 1.0))
            return strength
        strength[rows] = beyond(excess[:, ~self._constant].max(axis=1), 1.0, self.records)
        broken = (excess[:, self._constant] > 0.0).any(axis=1)
        strength[rows[broken]] = np.maximum(strength[rows[broken]], self.change)
        return strength

    def excess(self, counts: I64) -> F64:
        """How far each count lies outside its benign range, in widths of that range, [..., d], >= 0.

        The last one, that of all other events, counts as inside: an unseen event among them is a novelty of its own,
        and only for the record that brings it.
        """
        logarithms = np.log1p(counts)
        low, high = np.log1p(self.low), np.log1p(self.high)
        outside = np.maximum(np.maximum(logarithms - high, low - logarithms), 0.0)
        excess: F64 = outside / np.maximum(high - low, self.halves)
        excess[..., -1] = 0.0
        return excess

    def state(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ARRAYS}
        return {**arrays, "change": self.change, "records": self.records}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> CountScales:
        arrays: dict[str, Any] = {name: np.asarray(state[name], dtype=kind) for name, kind in ARRAYS.items()}
        return cls(**arrays, change=float(state["change"]), records=int(state["records"]))

    @cached_property
    def _constant(self) -> Any:
        return self.low == self.high


def fit_count_scales(parts: Iterable[I64]) -> CountScales:
    """Learn from the counts of benign records, [n, d] in parts that need not be in memory at once; n > 0.

    A constant that changes is as surprising as benign data make it (Good-Turing over records): a benign record is seen
    once if it has some count alone, all others agreeing. Where there is none, constancy is a rule.
    """
    ends: list[_End] = []
    records, sums, squares, totals = 0, np.zeros(1), np.zeros(1), np.zeros(1)
    for counts in parts:
        logarithms = np.log1p(counts)
        sums = sums + logarithms.sum(axis=0)
        squares = squares + np.square(logarithms).sum(axis=0)
        totals = totals + counts.sum(axis=0)
        if len(counts):
            new = [_End.of(counts, records), _End.of(-counts, records)]
            ends = [old.joined(end) for old, end in zip(ends, new, strict=True)] if ends else new
        records += len(counts)
    low, high = ends[0].value, -ends[1].value
    centres = sums / records
    deviations = np.sqrt(np.maximum(squares / records - np.square(centres), 0.0))
    alone = [end.row[(end.count == 1) & (other.count == records - 1)] for end, other in (ends, ends[::-1])]
    lone = len(np.unique(np.concatenate(alone)))
    halves = np.maximum(deviations, 1.0 / np.sqrt(1.0 + totals / records))
    return CountScales(low, high, centres, halves, unseen(records, lone), records)


@dataclass(frozen=True)
class _End:
    """The smallest value of each column, how many rows have it, and one that does, [d] each."""

    value: I64
    count: I64
    row: I64

    @classmethod
    def of(cls, values: I64, first: int) -> _End:
        """The ends of values [n, d], n > 0, whose rows are numbered from ``first``."""
        lowest = values.min(axis=0)
        here = values == lowest
        return cls(lowest, here.sum(axis=0), here.argmax(axis=0) + first)

    def joined(self, other: _End) -> _End:
        """The ends of both."""
        lower, equal = other.value < self.value, other.value == self.value
        count = np.where(lower, other.count, self.count + np.where(equal, other.count, 0))
        return _End(np.minimum(self.value, other.value), count, np.where(lower, other.row, self.row))
