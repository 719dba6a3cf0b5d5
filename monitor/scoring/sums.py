"""How rare a sum of bans is among benign records, whose parts often have one cause: an unseen value errs, too.

Added up as if they had nothing to do with each other, two signs of one thing would pass for two things. What benign
records reach is therefore as rare as they are few; what is beyond all of them counts in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from monitor.scoring.tails import between

KNOTS = 40
"""Sums of benign records that are remembered of each column, more of the large ones than of the small ones."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums in some columns: ``levels`` are as rare as ``bans`` say, both [columns, KNOTS] and ascending."""

    levels: Tensor
    bans: Tensor

    def rarity(self, sums: Tensor) -> Tensor:
        """Bans [n, columns] of sums [n, columns], >= 0 and growing with them."""
        return between(sums, self.levels, self.bans) + (sums - self.levels[:, -1]).clamp(min=0)

    def to(self, device: torch.device) -> Sums:
        """The same on another device."""
        return Sums(self.levels.to(device), self.bans.to(device))

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        return {"levels": self.levels, "bans": self.bans}

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Sums:
        return cls(state["levels"], state["bans"])


def fit_sums(sums: Tensor) -> Sums:
    """Learn from the sums of held-out benign records, [n, columns], n > 0.

    One that k of n records reach has a chance of about (k + 1) / (n + 2), by Laplace's rule of succession.
    """
    count = len(sums)
    ascending = sums.t().sort().values.contiguous()
    ranks = torch.logspace(0, torch.tensor(float(count)).log10().item(), KNOTS).round().long().flip(0).clamp(1, count)
    levels = ascending[:, count - ranks].contiguous()
    reached = count - torch.searchsorted(ascending, levels)
    return Sums(levels, torch.log10((count + 2) / (reached + 1.0)))
