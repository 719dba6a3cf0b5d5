"""The scores of the last hour and day in a few steps each, so that a trend is seen where no database keeps metrics."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from monitor.core.arrays import F64, I64

STEPS = 120
"""A window is shown in so many steps, an hour by 30 seconds: as many as are told apart on a phone."""

LEAST, MOST = 2.0**-10, 2.0**30
"""Scores below and above count as these in the quantile."""

FRACTION_BITS = 20
"""Of a 32-bit float so many bits are dropped: 8 bins to the octave are left, each at most 12 % wide."""

QUANTILE = 0.99

_FIRST = int(np.float32(LEAST).view(np.int32)) >> FRACTION_BITS
_BINS = (int(np.float32(MOST).view(np.int32)) >> FRACTION_BITS) - _FIRST + 1


class Point(NamedTuple):
    """One step: ``time`` is when it began, in seconds since 1970; ``quantile`` is the score of 99 of 100 records.

    ``quantile`` is exact to 12 %, from above. ``limit`` is the score above which records alerted at its end, None
    where there was none. Steps without records have no point.
    """

    time: float
    records: int
    highest: float
    quantile: float
    alerts: int
    limit: float | None


@dataclass(slots=True)
class _Step:
    """What a point is made of."""

    number: int
    time: float
    bins: I64
    records: int = 0
    highest: float = 0.0
    alerts: int = 0
    limit: float | None = None

    def point(self) -> Point:
        reached = int(np.searchsorted(np.cumsum(self.bins), QUANTILE * self.records))
        quantile = min(_upper_edge(reached), self.highest)
        return Point(self.time, self.records, self.highest, quantile, self.alerts, self.limit)


class Chart:
    """The points of the last ``seconds``. ``monotonic`` never goes back; nothing is known of before it was made."""

    def __init__(self, seconds: float) -> None:
        self.step_seconds = seconds / STEPS
        self._closed: deque[tuple[int, Point]] = deque(maxlen=STEPS)  # by the number of their step
        self._open: _Step | None = None

    def add(self, monotonic: float, time: float, bins: I64, highest: float, alerts: int, limit: float | None) -> None:
        """A batch was scored at ``time`` (since 1970): its scores in ``bins`` (see ``binned``), the highest of them."""
        step = self._step(int(monotonic // self.step_seconds), time)
        step.bins += bins
        step.records += int(bins.sum())
        step.highest = max(step.highest, highest)
        step.alerts += alerts
        step.limit = limit

    def points(self, monotonic: float) -> tuple[Point, ...]:
        """The oldest first; the last one may still grow."""
        oldest = int(monotonic // self.step_seconds) - STEPS
        closed = [point for number, point in self._closed if number > oldest]
        still = [self._open.point()] if self._open and self._open.number > oldest else []
        return (*closed, *still)

    def _step(self, number: int, time: float) -> _Step:
        if self._open is None or self._open.number != number:
            if self._open is not None:
                self._closed.append((self._open.number, self._open.point()))
            self._open = _Step(number, time, np.zeros(_BINS, dtype=np.int64))
        return self._open


def binned(scores: F64) -> I64:
    """How many of the scores [n], finite and not below 0, are in each bin. No search: a float's bits name its bin."""
    bits = np.clip(scores, LEAST, MOST).astype(np.float32).view(np.int32) >> FRACTION_BITS
    return np.bincount(bits - _FIRST, minlength=_BINS)


def _upper_edge(place: int) -> float:
    return float(np.int32((place + 1 + _FIRST) << FRACTION_BITS).view(np.float32))
