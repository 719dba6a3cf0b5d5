"""The scoring rules of the Numenta Anomaly Benchmark, written from their description.

A. Lavin, S. Ahmad: Evaluating Real-time Anomaly Detection Algorithms - the Numenta Anomaly Benchmark, ICMLA 2015
(arXiv:1510.03336). An alert inside an anomaly's window is worth the more the earlier it comes, at most 1; only the
best of a window counts. A window without an alert costs 1. An alert outside costs up to 0.11, less right after a
window. This is the "standard profile". 0 is a detector that never alerts, 100 one that alerts at the first record of
each window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from monitor.core.arrays import F64, Bools

FALSE_POSITIVE = 0.11
FALSE_NEGATIVE = 1.0
PROBATION = 0.15
LONGEST_PROBATION = 750
FAR_BEHIND = 3.0
"""In widths of the window; an alert so far behind the last window, or before the first, costs all of it."""

Windows: TypeAlias = Sequence[tuple[int, int]]
"""First and last row of each anomaly window, in order."""


def probation(rows: int) -> int:
    """How many records at the beginning are for learning and are not judged."""
    return min(int(PROBATION * rows), LONGEST_PROBATION)


def sigmoid(position: F64) -> F64:
    """Nearly 1 at -1, the beginning of a window, 0 at its end, nearly -1 one width behind it; shape as given."""
    return 2 / (1 + np.exp(5 * position)) - 1


def worths(rows: int, windows: Windows) -> F64:
    """What an alert at each record would be worth, [rows]: 0 to 1 inside the windows, down to -0.11 outside."""
    index = np.arange(rows)
    worth = np.full(rows, -FALSE_POSITIVE)
    for first, last in windows:
        width = last - first + 1
        behind = index > last
        distance = (index[behind] - last) / max(width - 1, 1)
        worth[behind] = FALSE_POSITIVE * np.where(distance < FAR_BEHIND, sigmoid(np.minimum(distance, FAR_BEHIND)), -1)
        inside = index[first : last + 1]
        worth[first : last + 1] = sigmoid((inside - last - 1) / width) / sigmoid(np.array(-1.0))
    return worth


def raw_score(alerts: Bools, windows: Windows) -> float:
    """The sum over one stream; ``alerts`` [n] of the probation are not counted."""
    counted = alerts.copy()
    counted[: probation(len(alerts))] = False
    worth = worths(len(alerts), windows)
    outside = counted.copy()
    total = 0.0
    for first, last in windows:
        outside[first : last + 1] = False
        found = worth[first : last + 1][counted[first : last + 1]]
        total += float(found.max()) if found.size else -FALSE_NEGATIVE
    return total + float(worth[outside].sum())


def normalised(raw: float, windows: int) -> float:
    """A sum over streams with so many windows in all, so that silence is 0 and perfection 100."""
    return 100 * (raw + FALSE_NEGATIVE * windows) / ((1 + FALSE_NEGATIVE) * windows)
