"""Encoded columns as the detector sees them: in units of their benign spread, heavy-tailed ones also made Gaussian.

A column with a long tail says two things: how large a value is, and how rare. Linear units show the first, a normal
score (van der Waerden 1952: the normal quantile of the benign rank) the second; the detector gets both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from monitor.core.arrays import I64
from monitor.model import ops
from monitor.model.ops import Array

if TYPE_CHECKING:
    import torch

BEND = 10.0
"""So many spreads out, distances begin to count by their logarithm: a network that is asked to extrapolate farther says
nothing, but of two absurd values the more absurd one must stay so."""

KNOTS = 64
"""Points at which benign ranks are remembered."""

FARTHEST = 1e38
"""Distances are no larger than this, or the largest values of float32 would overflow."""

LANES = 8
"""The width is a multiple of this: then a row's result does not depend on its place in a batch."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A fixed map of network columns [n, width] to the detector's columns [n, seen], the last few of them zeros.

    Column i < width is (x - centre) / spread, bent beyond +-10; the others are normal scores of the columns ``lifted``,
    beyond the benign range growing with the logarithm of the distance.
    """

    centre: Array  # [width]
    spread: Array  # [width], > 0
    lifted: Array  # [lifted], int64, ascending
    knots: Array  # [lifted, KNOTS], ascending; the last ones repeat
    levels: Array  # [lifted, KNOTS]
    count: Array  # [lifted], int64: knots in use, >= 2
    slopes: Array  # [2, lifted]: per unit of x below and above the knots

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
        lifted = of_column[np.asarray(self.lifted)]
        padding = np.full(self.seen - self.width - len(lifted), -1, dtype=np.int64)
        return np.concatenate([of_column, lifted, padding])

    def apply(self, x: Array) -> Array:
        """The detector's columns [n, seen] of ``x`` [n, width]."""
        z = ops.zeros((len(x), self.seen), x)
        z[:, : self.width] = bent((x - self.centre) / self.spread)
        if len(self.lifted):
            z[:, self.width : self.width + len(self.lifted)] = self._normal_scores(x[:, self.lifted])
        return z

    def undo(self, z: Array) -> Array:
        """The network columns [n, width] of the detector's columns, a reconstruction say, [n, seen]."""
        return straight(z[:, : self.width]) * self.spread + self.centre

    def _normal_scores(self, x: Array) -> Array:
        """[n, lifted]: linear between the knots, logarithmic outside."""
        column = ops.arange(len(self.lifted), x)
        first, last = self.knots[:, 0], self.knots[column, self.count - 1]
        inside = ops.minimum(ops.maximum(x, first), last)
        place = ops.search(self.knots, ops.by_column(inside), right=True).T - 1
        place = ops.minimum(ops.clip(place, 0), self.count - 2)
        low, high = self.knots[column, place], self.knots[column, place + 1]
        start, stop = self.levels[column, place], self.levels[column, place + 1]
        scores = start + (inside - low) / (high - low) * (stop - start)
        below = ops.log1p(ops.clip((first - x) * self.slopes[0], 0, FARTHEST))
        above = ops.log1p(ops.clip((x - last) * self.slopes[1], 0, FARTHEST))
        return scores - below + above

    def to(self, device: torch.device) -> Lens:
        """The same on another device."""
        return Lens(*(getattr(self, name).to(device) for name in self.__slots__))

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> Lens:
        return cls(**{name: state[name] for name in cls.__slots__})


def bent(spreads: Array) -> Array:
    """Distances as they are up to ``BEND`` of them, and as ``BEND (1 + ln(distance / BEND))`` beyond."""
    made = ops.copy(spreads)
    far = abs(spreads) > BEND  # few are
    beyond = spreads[far]
    if len(beyond):
        made[far] = ops.copysign(BEND * (1 + ops.log(ops.clip(abs(beyond) / BEND, most=FARTHEST))), beyond)
    return made


def straight(z: Array) -> Array:
    """Undoes ``bent``."""
    far = BEND * ops.exp(ops.clip(abs(z) / BEND - 1, 0, 80))
    return ops.where(abs(z) <= BEND, z, ops.copysign(far, z))
