"""What is too rare in benign data to be a column of the network: one odd record would decide how its errors count."""

from __future__ import annotations

import numpy as np

from monitor.core.arrays import I64, Bools

RARE = 0.005
"""A column must vary in this share of the benign records. What varies less is left to novelty and to surprisals."""


def varies(counts: I64) -> Bools:
    """Which columns [c] of benign counts [n, c] differ from their commonest value often enough."""
    commonest = np.array([np.unique(column, return_counts=True)[1].max() for column in counts.T])
    return often(len(counts) - commonest, len(counts))


def often(occurrences: I64, records: int) -> Bools:
    """Which of several events [k] are more than rare; one that never occurs is not, however few the records."""
    return (occurrences > 0) & (occurrences >= RARE * records)


def telling(occurrences: I64, most: int) -> int:
    """How many categories get a column, at most ``most`` and at least one, given how often each occurs [k]."""
    return max(1, min(most, int(often(occurrences, int(occurrences.sum())).sum())))
