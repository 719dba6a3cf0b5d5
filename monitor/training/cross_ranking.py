"""Ranks held-out records by what others of them say, since records that tails were fitted to look too usual."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monitor.core.arrays import F64, Bools

FOLDS = 5
"""Held-out records are cut into so many stretches of time."""


def cross_ranked(count: int, ranked: Callable[[Bools, Bools], F64]) -> F64:
    """The rarity of each of ``count`` records in the order of time, [count].

    They are cut into stretches of time, since neighbours resemble each other. ``ranked`` is given the mask of the
    records that are known and that of those to rank, both [count], and gives the bans of the latter.
    """
    fold = np.arange(count) * FOLDS // count
    rarity = np.empty(count)
    for stretch in range(FOLDS):
        new = fold == stretch
        rarity[new] = ranked(~new, new)
    return rarity
