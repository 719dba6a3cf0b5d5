"""What a patient attack looks like in a sample: odd records of a key, close together, and hardly any at another time.

Each of them stays below the limit, so nobody was told. What is benign and odd comes again.
"""

from __future__ import annotations

import numpy as np

from monitor.core.arrays import F64, I64, Bools, Column
from monitor.core.arrow import pa
from monitor.core.clock import DAY_SECONDS

LEAST_RECORDS = 3
"""Of a key within a day: a sample has one in ten. In a month of a made-up shop no benign key had three in one day and
less than three at all other times."""

MOST_ELSEWHERE = 2 / 3
"""At all other times a key of a burst has at most so many odd records for each one in it."""

LEAST_DAYS = 3.0
"""A shorter sample knows of no other time."""


def bursts(keys: Column, times: F64, odd: Bools) -> Bools:
    """Which records of a sample, [n], are in such a burst; those without a key are in none. ``times`` are finite."""
    found = np.zeros(len(times), dtype=np.bool_)
    rows = np.flatnonzero(odd & keys.is_valid().to_numpy(zero_copy_only=False))
    if len(rows) and np.ptp(times) >= LEAST_DAYS * DAY_SECONDS:
        codes = keys.take(pa.array(rows)).dictionary_encode().indices.to_numpy()
        order = np.lexsort((times[rows], codes))
        found[rows[order[_of_bursts(codes[order], times[rows[order]])]]] = True
    return found


def _of_bursts(keys: I64, times: F64) -> Bools:
    """The same of odd records alone, [m], in the order of their keys and then of time."""
    found = np.zeros(len(times), dtype=np.bool_)
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(times)], strict=True):
        if stop - start >= LEAST_RECORDS:
            first, last = _busiest_day(times[start:stop])
            inside = last - first
            if inside >= LEAST_RECORDS and stop - start - inside <= MOST_ELSEWHERE * inside:
                found[start + first : start + last] = True
    return found


def _busiest_day(times: F64) -> tuple[int, int]:
    """The first and the one behind the last of the rising ``times`` that lie in the fullest stretch of 24 hours."""
    ends = np.searchsorted(times, times + DAY_SECONDS, side="right")
    first = int((ends - np.arange(len(times))).argmax())
    return first, int(ends[first])
