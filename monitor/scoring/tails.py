"""How rare an error is among benign ones, in bans: 3 means that one benign record in a thousand errs as much.

Within the benign errors their ranks say it; beyond all but a few, a Pareto tail fitted to the largest (Hill 1975, "A
simple general approach to inference about the tail of a distribution") goes on, so that farther is always rarer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.model import ops
from monitor.model.ops import Array

if TYPE_CHECKING:
    import torch

KNOTS = 32
"""Ranks that are remembered of each column of errors, half of them of the largest 5 %."""

MOST = 300.0
"""Bans: nothing is rarer."""


@dataclass(frozen=True, slots=True)
class Tails:
    """The tails of some columns of errors: rarity at ascending knots, the slope in ln(error) behind the last one."""

    knots: Array  # [columns, KNOTS], ascending
    bans: Array  # [columns, KNOTS], ascending, >= 0
    slopes: Array  # [columns], bans per unit of ln(error)

    def rarity(self, errors: Array) -> Array:
        """Bans [n, columns] of errors [n, columns], both >= 0 and growing together."""
        last = self.knots[:, -1]
        beyond = ops.clip(ops.log(errors / last), 0) * self.slopes
        return ops.clip(between(errors, self.knots, self.bans) + beyond, most=MOST)

    def highest(self, errors: Array, least: float, bounds: Array) -> Array:
        """The highest bans of each row of ``errors`` [n, columns], or ``least`` where none is higher, [n].

        Only errors beyond the ``bounds`` of ``least`` are looked at: of forty columns one or two a row.
        """
        row, column = ops.places(errors > bounds)
        found = errors[row, column]
        knots, levels, last = self.knots[column], self.bans[column], self.knots[column, -1]
        place = ops.clip((knots <= found[:, None]).sum(1)[:, None] - 1, 0, knots.shape[1] - 2)
        low, high, start, stop = (ops.take(each, place + more)[:, 0] for each in (knots, levels) for more in (0, 1))
        bans = _line(found, low, high, start, stop) + ops.clip(ops.log(found / last), 0) * self.slopes[column]
        return ops.highest_by_row(len(errors), row, ops.clip(bans, most=MOST), least)

    def bounds(self, least: float) -> Array:
        """Errors up to which no bans are higher than ``least``, [columns]."""
        reached = ops.search(self.bans, ops.full((len(self.bans), 1), least, self.bans), right=True) - 1
        bounds = ops.take(self.knots, ops.clip(reached, 0))
        following = ops.take(self.knots, ops.clip(reached + 1, most=self.knots.shape[1] - 1))
        # Of equal knots the last one says how rare that error is.
        tied = (following == bounds) & (reached + 1 < self.knots.shape[1])
        bounds = ops.where(tied, ops.below(bounds), bounds)
        return ops.where(reached < 0, -1.0, bounds)[:, 0]

    def to(self, device: torch.device) -> Tails:
        """The same on another device."""
        return Tails(self.knots.to(device), self.bans.to(device), self.slopes.to(device))

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> Tails:
        return cls(**{name: state[name] for name in cls.__slots__})


def between(x: Array, knots: Array, levels: Array) -> Array:
    """``levels`` [columns, k] at ``x`` [n, columns], linear between ``knots`` [columns, k], constant outside."""
    column = ops.arange(len(knots), x)
    place = ops.clip(ops.search(knots, ops.by_column(x), right=True).T - 1, 0, knots.shape[1] - 2)
    return _line(x, knots[column, place], knots[column, place + 1], levels[column, place], levels[column, place + 1])


def _line(x: Array, low: Array, high: Array, start: Array, stop: Array) -> Array:
    """From ``start`` at ``low`` to ``stop`` at ``high``, constant outside."""
    return start + ops.clip((x - low) / ops.clip(high - low, 1e-30), 0, 1) * (stop - start)
