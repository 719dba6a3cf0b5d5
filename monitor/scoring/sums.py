"""How rare a sum of bans is among benign records, whose parts often have one cause: an unseen value errs, too.

Added up as if they had nothing to do with each other, two signs of one thing would pass for two things. What benign
records reach is therefore as rare as they are few; what is beyond all of them counts in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.model import ops
from monitor.model.ops import Array
from monitor.scoring.tails import between

if TYPE_CHECKING:
    import torch

KNOTS = 40
"""Sums of benign records that are remembered of each column, more of the large ones than of the small ones."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums in some columns: ``levels`` are as rare as ``bans`` say, both [columns, KNOTS] and ascending."""

    levels: Array
    bans: Array

    def rarity(self, sums: Array) -> Array:
        """Bans [n, columns] of sums [n, columns], >= 0 and growing with them."""
        return between(sums, self.levels, self.bans) + ops.clip(sums - self.levels[:, -1], 0)

    def to(self, device: torch.device) -> Sums:
        """The same on another device."""
        return Sums(self.levels.to(device), self.bans.to(device))

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        return {"levels": self.levels, "bans": self.bans}

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> Sums:
        return cls(state["levels"], state["bans"])
