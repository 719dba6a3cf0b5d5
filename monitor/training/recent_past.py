"""Whether a number follows its own recent past, as those of sensors and servers do and a shuffled table's do not."""

from __future__ import annotations

import numpy as np

from monitor.core.arrays import F64, I64, Column

FEWEST_PAIRS, MOST_PAIRS = 50, 10_000
"""From fewer pairs of records, chance alone makes any correlation; this many tell it to two digits."""

STEPS_BACK = 0.05
"""With more of the event times before that of the previous record, the order of the records is not that of time."""


def in_order(times: F64) -> bool:
    """Whether records come in the order of their event times [n], NaN where unknown, but for stragglers.

    >>> in_order(np.array([1.0, 2.0, np.nan, 2.0])), in_order(np.array([3.0, 2.0, 4.0, 1.0]))
    (True, False)
    """
    steps = np.diff(times[np.isfinite(times)])
    return not len(steps) or float(np.mean(steps < 0.0)) <= STEPS_BACK


def correlation_with_past(values: Column, keys: Column | None) -> float | None:
    """How well a number tells the next one of the same key: the rank correlation of the two, -1 to 1.

    Args:
        values: numbers [n] in the order of time; missing ones are passed over, as ``streaming`` does.
        keys: [n]; None: all records are of one.

    Returns:
        None where there are too few such pairs, or all numbers are the same. 0 but for chance in a shuffled table.
    """
    numbers: F64 = values.to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(np.isfinite(numbers))
    if keys is not None:
        codes = keys.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
        rows = rows[np.argsort(codes[rows], kind="stable")]
        same = codes[rows[1:]] == codes[rows[:-1]]
    else:
        same = np.ones(max(0, len(rows) - 1), dtype=np.bool_)
    pairs = _some(np.flatnonzero(same))
    if len(pairs) < FEWEST_PAIRS:
        return None
    before, after = _ranks(numbers[rows[pairs]]), _ranks(numbers[rows[pairs + 1]])
    spread = float(before.std() * after.std())
    return float(np.mean((before - before.mean()) * (after - after.mean()))) / spread if spread > 0.0 else None


def _some(pairs: I64) -> I64:
    """All pairs, or where there are very many, so many of them drawn by a fixed seed."""
    if len(pairs) <= MOST_PAIRS:
        return pairs
    return np.random.default_rng(0).choice(pairs, MOST_PAIRS, replace=False)


def _ranks(values: F64) -> F64:
    """The rank of each value, [n]; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2.0)[places]
