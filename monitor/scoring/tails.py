"""How rare an error is among benign ones, in bans: 3 means that one benign record in a thousand errs as much.

Within the benign errors their ranks say it; beyond all but a few, a Pareto tail fitted to the largest (Hill 1975, "A
simple general approach to inference about the tail of a distribution") goes on, so that farther is always rarer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F64

TAIL_SHARE = 0.02
"""The share of the benign errors that the Pareto tail is fitted to, ten of them at least."""

TAIL_LEAST = 10

KNOTS = 32
"""Ranks that are remembered of each column of errors, half of them of the largest 5 %."""

LIGHTEST = 0.05
"""The least index of a tail: a lighter one would make the next digit of an error a proof."""

MOST = 300.0
"""Bans: nothing is rarer."""


@dataclass(frozen=True, slots=True)
class Tails:
    """The tails of some columns of errors: rarity at ascending knots, the slope in ln(error) behind the last one."""

    knots: Tensor  # [columns, KNOTS], ascending
    bans: Tensor  # [columns, KNOTS], ascending, >= 0
    slopes: Tensor  # [columns], bans per unit of ln(error)

    def rarity(self, errors: Tensor) -> Tensor:
        """Bans [n, columns] of errors [n, columns], both >= 0 and growing together."""
        last = self.knots[:, -1]
        beyond = torch.log(errors / last).clamp(min=0) * self.slopes
        return (between(errors, self.knots, self.bans) + beyond).clamp(max=MOST)

    def highest(self, errors: Tensor, least: float) -> Tensor:
        """The highest bans of each row of ``errors`` [n, columns], or ``least`` where none is higher, [n].

        Only errors that may be so rare are looked at: of forty columns one or two a row.
        """
        row, column = (errors > self._bounds(least)[:, 0]).nonzero(as_tuple=True)
        found = errors[row, column]
        knots, levels, last = self.knots[column], self.bans[column], self.knots[column, -1]
        place = (knots <= found[:, None]).sum(1, keepdim=True).sub_(1).clamp_(0, knots.shape[1] - 2)
        low, high, start, stop = (each.gather(1, place + more)[:, 0] for each in (knots, levels) for more in (0, 1))
        bans = _line(found, low, high, start, stop) + torch.log(found / last).clamp(min=0) * self.slopes[column]
        return errors.new_full((len(errors),), least).scatter_reduce_(0, row, bans.clamp(max=MOST), "amax")

    def _bounds(self, least: float) -> Tensor:
        """Errors up to which no bans are higher than ``least``, [columns, 1]."""
        reached = torch.searchsorted(self.bans, self.bans.new_full((len(self.bans), 1), least), right=True) - 1
        bounds = self.knots.gather(1, reached.clamp(min=0))
        following = self.knots.gather(1, (reached + 1).clamp(max=self.knots.shape[1] - 1))
        # Of equal knots the last one says how rare that error is.
        tied = (following == bounds) & (reached + 1 < self.knots.shape[1])
        below = torch.nextafter(bounds, bounds.new_tensor(-1.0))
        return torch.where(tied, below, bounds).masked_fill_(reached < 0, -1.0)

    def to(self, device: torch.device) -> Tails:
        """The same on another device."""
        return Tails(self.knots.to(device), self.bans.to(device), self.slopes.to(device))

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Tails:
        return cls(**{name: state[name] for name in cls.__slots__})


def between(x: Tensor, knots: Tensor, levels: Tensor) -> Tensor:
    """``levels`` [columns, k] at ``x`` [n, columns], linear between ``knots`` [columns, k], constant outside."""
    column = torch.arange(len(knots), device=x.device)
    place = torch.searchsorted(knots, x.t().contiguous(), right=True).t() - 1
    place = place.clamp(0, knots.shape[1] - 2)
    return _line(x, knots[column, place], knots[column, place + 1], levels[column, place], levels[column, place + 1])


def _line(x: Tensor, low: Tensor, high: Tensor, start: Tensor, stop: Tensor) -> Tensor:
    """From ``start`` at ``low`` to ``stop`` at ``high``, constant outside."""
    return start + ((x - low) / (high - low).clamp(min=1e-30)).clamp(0, 1) * (stop - start)


def fit_tails(errors: F64) -> Tails:
    """Learn the tails of benign errors [n, columns], n > 0, >= 0 and finite."""
    fitted = [_fit(np.sort(column)) for column in errors.T]
    knots, bans, slopes = (np.array(part, dtype=np.float32) for part in zip(*fitted, strict=True))
    return Tails(torch.from_numpy(knots), torch.from_numpy(bans), torch.from_numpy(slopes))


def _fit(errors: F64) -> tuple[F64, F64, float]:
    """Knots, bans at them, and the slope behind, of ascending errors [n]."""
    count = len(errors)
    tail = min(max(TAIL_LEAST, round(count * TAIL_SHARE)), max(1, count // 2))
    start = max(float(errors[-tail - 1]) if count > tail else float(errors[0]), 1e-6)
    index = max(float(np.log(np.maximum(errors[-tail:], start) / start).mean()), LIGHTEST)
    slope = 1 / (index * np.log(10))
    ranks = np.linspace(0, 1, KNOTS // 2)
    body = np.quantile(errors, ranks * (1 - tail / count))
    survival = 1 - ranks * (1 - tail / count)
    knots = np.maximum.accumulate(np.minimum(body, start) + 0.0)
    knots[-1] = start
    # Equal errors share the rank of the largest of them: benign records that err alike are no rarity.
    equal = np.searchsorted(errors, knots, "left")
    bans = -np.log10(np.minimum(1.0, np.maximum(survival, (count - equal + 0.5) / (count + 1))))
    # In the tail, too, an error that some benign records reach is no rarer than they are many.
    places = np.unique(np.geomspace(1, tail, KNOTS // 2).round().astype(np.int64))[::-1]
    far = np.maximum(errors[count - np.resize(places, KNOTS // 2)], start)
    far.sort()
    reached = count - np.searchsorted(errors, far, "left")
    pareto = bans[-1] + np.log(far / start) * slope
    far_bans = np.maximum(np.minimum(pareto, np.log10((count + 2) / (reached + 1))), bans[-1])
    return np.concatenate([knots, far]), np.maximum.accumulate(np.concatenate([bans, far_bans])), slope
