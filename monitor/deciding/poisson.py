"""Quantiles of counts that come by chance, and of their means: exact, and without scipy.

A mean of which ``count`` events were seen lies, with 1 - 2a confidence, between ``mean_quantile(count, a)`` and
``mean_quantile(count + 1, 1 - a)`` (Garwood, Fiducial limits for the Poisson distribution, Biometrika 1936).
"""

from __future__ import annotations

import math

import numpy as np

from monitor.core.arrays import F64

SPREAD, ROOM = 12.0, 30.0
"""Counts further from the mean than so many standard deviations and this do not occur: their chance is below 1e-15."""

HALVINGS = 60
"""Of the range in which a mean is looked for: as precise as a double."""


def quantile(mean: float, chance: float) -> int:
    """The smallest count that a Poisson number of this mean does not exceed with at least this chance, 0 < chance < 1.

    >>> quantile(4.2, 0.025), quantile(4.2, 0.975)
    (1, 9)
    """
    if mean <= 0:
        return 0
    lowest, chances = _at_most(mean)
    return lowest + int(np.searchsorted(chances, chance))


def mean_quantile(events: int, chance: float) -> float:
    """The mean at which ``events`` or more come with this chance: a quantile of Gamma(events), 0 for 0 events.

    >>> round(mean_quantile(11, 0.95), 3)  # ten events seen: the mean is at most this, with 95 % confidence
    16.962
    """
    if events == 0:
        return 0.0
    low, high = 0.0, events + SPREAD * math.sqrt(events) + ROOM
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if 1.0 - _chance_of_at_most(events - 1, middle) < chance else (low, middle)
    return high


def _chance_of_at_most(count: int, mean: float) -> float:
    lowest, chances = _at_most(mean)
    return float(chances[min(count - lowest, len(chances) - 1)]) if count >= lowest else 0.0


def _at_most(mean: float) -> tuple[int, F64]:
    """The lowest count that occurs, and the chance of at most so many for this and every higher one; mean > 0."""
    reach = SPREAD * math.sqrt(mean) + ROOM
    lowest = max(0, int(mean - reach))
    further = np.log(mean / np.arange(lowest + 1, int(mean + reach) + 1))
    first = lowest * math.log(mean) - mean - math.lgamma(lowest + 1)
    return lowest, np.cumsum(np.exp(first + np.cumsum(np.append(0.0, further))))
