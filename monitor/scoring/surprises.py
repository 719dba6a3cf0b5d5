"""How much a novelty weighs where benign records have novelties, too: no more than it is rare among them.

An encoder counts, in bans, how surprising a state is that its training records never showed. Some fields bring new
states all the time, clients say; there the next one is no news. But a stronger one than any held-out benign record has
is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.model import ops
from monitor.model.ops import Array

if TYPE_CHECKING:
    import torch

RANKS = 24
"""The strengths of the largest, second, fourth, ... benign novelty are remembered; 2**23 are more than are held out."""


@dataclass(frozen=True, slots=True)
class Surprises:
    """How strong a novelty is that so many benign records reach, and how rare that makes it.

    ``levels`` is [features, RANKS], ascending; ``bans`` [RANKS], ascending.
    """

    levels: Array
    bans: Array

    def weigh(self, novelty: Array) -> Array:
        """Bans [n, features] of novelties [n, features], both >= 0: at most as many, and 0 where there is none."""
        weights = ops.zeros(novelty.shape, novelty)
        (rows,) = ops.places((novelty > 0).any(1))  # few among benign records
        found = novelty[rows]
        strengths = ops.by_column(found)
        first, behind = (ops.search(self.levels, strengths, right=right) for right in (False, True))
        place = ops.minimum(first, behind - 1).T  # of equal levels the first: so many records reach it
        rare = self.bans[ops.clip(place, 0)] + ops.clip(found - self.levels[:, -1], 0)
        weights[rows] = ops.minimum(found, rare)
        return weights

    def to(self, device: torch.device) -> Surprises:
        """The same on another device."""
        return Surprises(self.levels.to(device), self.bans.to(device))

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        return {"levels": self.levels, "bans": self.bans}

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> Surprises:
        return cls(state["levels"], state["bans"])
