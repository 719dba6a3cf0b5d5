"""How much a novelty weighs where benign records have novelties, too: no more than it is rare among them.

An encoder counts, in bans, how surprising a state is that its training records never showed. Some fields bring new
states all the time, clients say; there the next one is no news. But a stronger one than any held-out benign record has
is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

RANKS = 24
"""The strengths of the largest, second, fourth, ... benign novelty are remembered; 2**23 are more than are held out."""


@dataclass(frozen=True, slots=True)
class Surprises:
    """How strong a novelty is that so many benign records reach, and how rare that makes it.

    ``levels`` is [features, RANKS], ascending; ``bans`` [RANKS], ascending.
    """

    levels: Tensor
    bans: Tensor

    def weigh(self, novelty: Tensor) -> Tensor:
        """Bans [n, features] of novelties [n, features], both >= 0: at most as many, and 0 where there is none."""
        weights = torch.zeros_like(novelty)
        rows = (novelty > 0).any(1).nonzero()[:, 0]  # few among benign records
        found = novelty[rows]
        strengths = found.t().contiguous()
        first, behind = (torch.searchsorted(self.levels, strengths, right=right) for right in (False, True))
        place = torch.minimum(first, behind - 1).t()  # of equal levels the first: so many records reach it
        rare = self.bans[place.clamp(min=0)] + (found - self.levels[:, -1]).clamp(min=0)
        weights[rows] = torch.minimum(found, rare)
        return weights

    def to(self, device: torch.device) -> Surprises:
        """The same on another device."""
        return Surprises(self.levels.to(device), self.bans.to(device))

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        return {"levels": self.levels, "bans": self.bans}

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Surprises:
        return cls(state["levels"], state["bans"])


def fit_surprises(novelty: Tensor) -> Surprises:
    """Learn from the novelties of held-out benign records, [n, features], n > 0.

    A strength that k of n records reach has a chance of about (k + 1) / (n + 2), by Laplace's rule of succession.
    """
    count = len(novelty)
    ranks = torch.tensor([min(2**power, count) for power in reversed(range(RANKS))])
    levels = novelty.sort(0, descending=True).values[ranks - 1].t().contiguous()
    return Surprises(levels, torch.log10((count + 2) / (ranks + 1.0)).float())
