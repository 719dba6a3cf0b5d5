"""Encoded columns as the detector sees them: in units of their benign spread, heavy-tailed ones also made Gaussian.

A column with a long tail says two things: how large a value is, and how rare. Linear units show the first, a normal
score (van der Waerden 1952: the normal quantile of the benign rank) the second; the detector gets both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F32, F64, I64

BEND = 10.0
"""So many spreads out, distances begin to count by their logarithm: a network that is asked to extrapolate farther says
nothing, but of two absurd values the more absurd one must stay so."""

HEAVY = 5.0
"""A tail (of 0.1 %) that begins this many spreads out is heavy; that of a normal distribution begins at 3.1."""

TAIL = 0.001

LIFTED_MOST = 256
"""Columns that are given a second view; of wider matrices, pixels say, none is."""

KNOTS = 64
"""Points at which benign ranks are remembered."""

DISTINCT = 16
"""Ranks say something of a column that has so many different values at the knots, of a flag or a category nothing."""

NARROWEST = 0.15
"""The spread is at least this share of the standard deviation, or a column that is nearly always one value explodes."""

FARTHEST = 1e38
"""Distances are no larger than this, or the largest values of float32 would overflow."""

WIDE_FEATURE = 16
"""From so many columns on, they share one spread: in its own units every pixel that is hardly ever lit would glare."""

LANES = 8
"""The width is a multiple of this: then a row's result does not depend on its place in a batch."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A fixed map of network columns [n, width] to the detector's columns [n, seen], the last few of them zeros.

    Column i < width is (x - centre) / spread, bent beyond +-10; the others are normal scores of the columns ``lifted``,
    beyond the benign range growing with the logarithm of the distance.
    """

    centre: Tensor  # [width]
    spread: Tensor  # [width], > 0
    lifted: Tensor  # [lifted], int64, ascending
    knots: Tensor  # [lifted, KNOTS], ascending; the last ones repeat
    levels: Tensor  # [lifted, KNOTS]
    count: Tensor  # [lifted], int64: knots in use, >= 2
    slopes: Tensor  # [2, lifted]: per unit of x below and above the knots

    @property
    def width(self) -> int:
        """Columns it reads."""
        return len(self.centre)

    @property
    def seen(self) -> int:
        """Columns it gives, a multiple of 8."""
        return -(-(self.width + len(self.lifted)) // LANES) * LANES

    def owners(self, of_column: I64) -> I64:
        """Which feature each column belongs to, [seen], given that of each network column [width]; -1 for padding."""
        lifted = of_column[self.lifted.numpy()]
        padding = np.full(self.seen - self.width - len(lifted), -1, dtype=np.int64)
        return np.concatenate([of_column, lifted, padding])

    def apply(self, x: Tensor) -> Tensor:
        """The detector's columns [n, seen] of ``x`` [n, width]."""
        z = x.new_zeros(len(x), self.seen)
        z[:, : self.width] = bent((x - self.centre) / self.spread)
        if len(self.lifted):
            z[:, self.width : self.width + len(self.lifted)] = self._normal_scores(x[:, self.lifted])
        return z

    def undo(self, z: Tensor) -> Tensor:
        """The network columns [n, width] of the detector's columns, a reconstruction say, [n, seen]."""
        return straight(z[:, : self.width]) * self.spread + self.centre

    def _normal_scores(self, x: Tensor) -> Tensor:
        """[n, lifted]: linear between the knots, logarithmic outside."""
        column = torch.arange(len(self.lifted), device=x.device)
        first, last = self.knots[:, 0], self.knots[column, self.count - 1]
        inside = torch.minimum(torch.maximum(x, first), last)
        place = torch.searchsorted(self.knots, inside.t().contiguous(), right=True).t() - 1
        place = torch.minimum(place.clamp(min=0), self.count - 2)
        low, high = self.knots[column, place], self.knots[column, place + 1]
        start, stop = self.levels[column, place], self.levels[column, place + 1]
        scores = start + (inside - low) / (high - low) * (stop - start)
        below = torch.log1p(((first - x) * self.slopes[0]).clamp(0, FARTHEST))
        above = torch.log1p(((x - last) * self.slopes[1]).clamp(0, FARTHEST))
        return scores - below + above

    def to(self, device: torch.device) -> Lens:
        """The same on another device."""
        return Lens(*(getattr(self, name).to(device) for name in self.__slots__))

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Lens:
        return cls(**{name: state[name] for name in cls.__slots__})


def bent(spreads: Tensor) -> Tensor:
    """Distances as they are up to ``BEND`` of them, and as ``BEND (1 + ln(distance / BEND))`` beyond."""
    made = spreads.clone()
    far = spreads.abs() > BEND  # few are
    beyond = spreads[far]
    if len(beyond):
        made[far] = torch.copysign(BEND * (1 + torch.log((beyond.abs() / BEND).clamp(max=FARTHEST))), beyond)
    return made


def straight(z: Tensor) -> Tensor:
    """Undoes ``bent``."""
    far = BEND * torch.exp((z.abs() / BEND - 1).clamp(0, 80))
    return torch.where(z.abs() <= BEND, z, torch.copysign(far, z))


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
