"""The lens learned: the spread of each encoded column, and the ranks of those whose tail is heavy."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F32, F64, I64
from monitor.scoring.lens import KNOTS, Lens

HEAVY = 5.0
"""A tail (of 0.1 %) that begins this many spreads out is heavy; that of a normal distribution begins at 3.1."""

TAIL = 0.001

LIFTED_MOST = 256
"""Columns that are given a second view; of wider matrices, pixels say, none is."""

DISTINCT = 16
"""Ranks say something of a column that has so many different values at the knots, of a flag or a category nothing."""

NARROWEST = 0.15
"""The spread is at least this share of the standard deviation, or a column that is nearly always one value explodes."""

WIDE_FEATURE = 16
"""From so many columns on, they share one spread: in its own units every pixel that is hardly ever lit would glare."""


def fit_lens(values: F32, of_column: I64) -> Lens:
    """Learn the spread of benign network columns [n, width], n > 0; ``of_column`` [width] is the feature of each."""
    x = values.astype(np.float64)
    centre, spread = _spreads(x)
    spread = _in_common(spread, x.std(axis=0), of_column)
    lifted = _lifted(x, _reach(x, centre, spread), of_column) if x.shape[1] <= LIFTED_MOST else np.empty(0, np.int64)
    views = [_normal_view(x[:, column]) for column in lifted]
    knots, levels, counts, slopes = zip(*views, strict=True) if views else ((), (), (), ())
    return Lens(
        centre=_tensor(centre),
        spread=_tensor(spread),
        lifted=torch.from_numpy(lifted.astype(np.int64)),
        knots=_tensor(np.array(knots).reshape(-1, KNOTS)),
        levels=_tensor(np.array(levels).reshape(-1, KNOTS)),
        count=torch.tensor(counts, dtype=torch.int64),
        slopes=_tensor(np.array(slopes).reshape(-1, 2).T),
    )


def _lifted(x: F64, reach: F64, of_column: I64) -> I64:
    """The first heavy-tailed number of each feature: ranks of a number and of its logarithm are the same."""
    ranks = (np.arange(KNOTS) + 0.5) / KNOTS
    distinct = [len(np.unique(np.quantile(x[:, column], ranks))) for column in range(x.shape[1])]
    heavy = np.flatnonzero((reach > HEAVY) & (np.array(distinct) >= DISTINCT))
    _, first = np.unique(of_column[heavy], return_index=True)
    return heavy[first].astype(np.int64)


def _tensor(values: F64) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _spreads(x: F64) -> tuple[F64, F64]:
    """Median and robust spread of each column: the interquartile range in standard deviations of a normal one."""
    low, centre, high = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
    deviation = x.std(axis=0)
    robust = np.where(high > low, (high - low) / 1.349, deviation)
    spread = np.maximum(robust, NARROWEST * deviation)
    return centre, np.where(spread > 1e-6, spread, 1.0)


def _in_common(spread: F64, deviation: F64, of_column: I64) -> F64:
    """The same spread for all columns of a wide feature: its pixels, words or categories are of one kind."""
    sizes = np.bincount(of_column)
    squares = np.bincount(of_column, np.square(deviation))
    common = np.sqrt(squares / np.maximum(sizes, 1))
    wide = sizes >= WIDE_FEATURE
    return np.where(wide[of_column] & (common[of_column] > 1e-6), common[of_column], spread)


def _reach(x: F64, centre: F64, spread: F64) -> F64:
    """How many spreads out the longer tail of each column begins."""
    low, high = np.quantile(x, (TAIL, 1 - TAIL), axis=0)
    reach: F64 = np.maximum(high - centre, centre - low) / spread
    return reach


def _normal_view(x: F64) -> tuple[F64, F64, int, tuple[float, float]]:
    """Knots, their normal scores in units of the column's deviation, how many there are, and the slopes outside."""
    ranks = (np.arange(KNOTS) + 0.5) / KNOTS
    normal = np.array([NormalDist().inv_cdf(rank) for rank in ranks])
    knots, place = np.unique(np.quantile(x, ranks).astype(np.float32), return_inverse=True)
    levels = np.bincount(place, normal) / np.bincount(place)
    unit = max(float(np.interp(x, knots, levels).std()), 0.01)
    middle = len(knots) // 2
    below = (levels[middle] - levels[0]) / float(knots[middle] - knots[0])
    above = (levels[-1] - levels[middle]) / float(knots[-1] - knots[middle])
    padding = KNOTS - len(knots)
    filled = np.concatenate([knots, np.full(padding, knots[-1])]).astype(np.float64)
    return filled, np.pad(levels, (0, padding), "edge") / unit, len(knots), (below, above)
