"""What held-out benign records would have raised at any limit, counted for all limits at once.

Alerts of one key that follow each other within ``gap_seconds`` are one episode. So a record begins an episode at just
those limits which it exceeds and no record of its key within the gap before it does: from the highest score among
those up to its own. Counting episodes is then counting scores.
"""

from __future__ import annotations

import numpy as np

from monitor.core.arrays import F64, I64
from monitor.core.clock import DAY_SECONDS
from monitor.core.errors import DataError
from monitor.deciding.score_tail import ScoreTail, key_codes

TRIM = 0.01
"""The first and the last hundredth of the event times do not tell how fast records come: a clock that was wrong once
must not stretch a week to fifty years."""

BLOCKS = 8
"""Whether episodes come in bursts is seen from at least so many stretches of time, of a day where there are as many."""


class HeldOut:
    """Scores of benign records that training never saw; higher is more anomalous.

    ``records_per_day`` is None where neither the caller nor the event times tell it; without times every record counts
    as an episode, which is never too few.

    Args:
        scores: [n], n > 0.
        times: event times in seconds, [n]; a record without one (NaN) goes with the one before it.
        keys: codes of their keys, [n]; None when all are of one.
        gap_seconds: alerts of a key that are no further apart are one episode.
        records_per_day: how many records come in a day; by default as many as came by their times.
        rest: of more records, of which ``scores`` are the highest: how many they are in all, and the lowest score. Then
            only limits can be asked for that are no lower than ``scores``.

    Raises:
        DataError: there is no score, or one that is not finite.
    """

    def __init__(
        self,
        scores: F64,
        times: F64 | None = None,
        keys: I64 | None = None,
        *,
        gap_seconds: float = 0.0,
        records_per_day: float | None = None,
        rest: tuple[int, float] | None = None,
    ) -> None:
        if len(scores) == 0 or not np.isfinite(scores).all():
            raise DataError("calibration: no benign record was held out, or one has a score that is not finite")
        times = known_times(times)
        keys = np.zeros(len(scores), dtype=np.int64) if keys is None else np.unique(keys, return_inverse=True)[1]
        if times is not None:
            order = np.lexsort((times, keys))
            scores, times, keys = scores[order], times[order], keys[order]
        before = np.full(len(scores), -np.inf) if times is None else highest_before(scores, times, keys, gap_seconds)
        self._count, self.lowest = rest or (len(scores), float(scores.min()))
        self.scores, self._before, self._times = scores, before, times
        self._sorted = np.sort(scores)
        self._continuing = np.sort(np.minimum(scores, before))  # the limits below which each goes on with an episode
        self._span = None if times is None else _span(times)
        self.records_per_day = records_per_day or self._came_per_day()

    @classmethod
    def of(cls, tail: ScoreTail, *, gap_seconds: float, records_per_day: float | None) -> HeldOut:
        """Records of which there is the tail alone; it does not say how many come in a day."""
        codes = None if tail.keys is None else key_codes(tail.keys)
        return cls(
            tail.scores,
            tail.times,
            codes,
            gap_seconds=gap_seconds,
            records_per_day=records_per_day,
            rest=(tail.count, tail.lowest),
        )

    def __len__(self) -> int:
        return self._count

    def _came_per_day(self) -> float | None:
        return (len(self) - 1) / self._days if self._days else None

    @property
    def _days(self) -> float:
        """From the first record to the last."""
        return (self._span[1] - self._span[0]) / DAY_SECONDS if self._span else 0.0

    @property
    def limits(self) -> F64:
        """The distinct scores, the highest first."""
        return np.unique(self._sorted)[::-1]

    def exceeding(self, limits: F64) -> I64:
        """Records above each limit, as many as ``limits``."""
        return len(self.scores) - np.searchsorted(self._sorted, limits, side="right")

    def episodes(self, limits: F64) -> I64:
        """Episodes above each limit. A lower limit may have fewer: it joins what a higher one keeps apart."""
        continuing = len(self.scores) - np.searchsorted(self._continuing, limits, side="right")
        return self.exceeding(limits) - continuing

    def burst(self, limit: float) -> float:
        """How many episodes come together: the variance of their number in equal stretches of time by its mean, >= 1.

        1 also where that cannot be told: without times, or with fewer episodes than stretches.
        """
        begins = (self.scores > limit) & (self._before <= limit)
        if self._times is None or self._span is None or begins.sum() < BLOCKS:
            return 1.0
        counts, _ = np.histogram(np.clip(self._times[begins], *self._span), max(BLOCKS, int(self._days)), self._span)
        return max(1.0, float(counts.var(ddof=1) / counts.mean()))


def highest_before(scores: F64, times: F64, keys: I64, gap_seconds: float) -> F64:
    """The highest score of the same key at most ``gap_seconds`` before each record, [n]; -inf where there is none.

    The records are sorted by key, and by time within a key; keys are 0, 1, 2, ...
    """
    since = times - times.min()
    apart = since + keys * (since.max() + 2 * gap_seconds + 1.0)  # one axis, on which keys are further than the gap
    return _highest(scores, np.searchsorted(apart, apart - gap_seconds), np.arange(len(scores)))


def _highest(values: F64, starts: I64, stops: I64) -> F64:
    """The largest of ``values[start:stop]`` for each pair; -inf of none. A sparse table, n log n steps."""
    lengths = stops - starts
    highest = np.full(len(starts), -np.inf)
    table, width = values, 1  # table[i] is the largest of values[i : i + width]
    while width <= lengths.max():
        rows = np.flatnonzero((lengths >= width) & (lengths < 2 * width))
        highest[rows] = np.maximum(table[starts[rows]], table[stops[rows] - width])
        table = np.maximum(table[:-width], table[width:])
        width *= 2
    return highest


def known_times(times: F64 | None) -> F64 | None:
    """Times with each gap filled by the time before it, or by the first; None when there is none at all."""
    if times is None or not np.isfinite(times).any():
        return None
    known = np.isfinite(times)
    latest = np.maximum.accumulate(np.where(known, np.arange(len(times)), np.argmax(known)))
    return times[latest]


def _span(times: F64) -> tuple[float, float] | None:
    """First and last time as they would be without the outermost ones; None when that is no time at all."""
    first, last = np.quantile(times, [TRIM, 1 - TRIM]).tolist()
    margin = (last - first) * TRIM / (1 - 2 * TRIM)
    return (first - margin, last + margin) if last > first else None
