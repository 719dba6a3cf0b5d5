"""How rare the worst field of a record is among benign ones, in bans, given the errors and the novelty of each.

Of so many fields one is always somewhat rare: an error with a chance of p in its field has one of 1 - (1 - p)^fields in
the worst one (Sidak 1967). What benign data never showed counts in full, since hardly any record has that in any field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, log10

import torch
from torch import Tensor

from monitor.core.arrays import F64
from monitor.scoring.states import part_of, state_of
from monitor.scoring.surprises import Surprises, fit_surprises
from monitor.scoring.tails import Tails, fit_tails

RARE = 5.0
"""Bans beyond which chances are so small that they add up; float32 could not tell 1 - p from 1."""


@dataclass(frozen=True, slots=True)
class FieldTails:
    """The benign distribution of the error and of the novelty of each field."""

    errors: Tails
    novelties: Surprises

    def rarity(self, errors: Tensor, novelty: Tensor) -> Tensor:
        """Bans [n] of records with these errors and novelties [n, features]; higher is more anomalous, >= 0."""
        fields = of_worst(self.errors.rarity(errors), errors.shape[1])
        return (fields + self.novelties.weigh(novelty)).amax(1)

    def by_field(self, errors: Tensor, novelty: Tensor) -> Tensor:
        """Bans of each field, [n, features], not corrected for their number."""
        return self.errors.rarity(errors) + self.novelties.weigh(novelty)

    def both(self, errors: Tensor, novelty: Tensor) -> Tensor:
        """The rarity of the record and behind it those of its fields, [n, 1 + features]."""
        return torch.cat([self.rarity(errors, novelty)[:, None], self.by_field(errors, novelty)], 1)

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        return state_of(errors=self.errors.state(), novelties=self.novelties.state())

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> FieldTails:
        return cls(Tails.restore(part_of(state, "errors")), Surprises.restore(part_of(state, "novelties")))


def of_worst(bans: Tensor, fields: int) -> Tensor:
    """How rare it is that the worst of so many fields has these bans, of any shape and >= 0.

    >>> [round(float(b), 2) for b in of_worst(torch.tensor([1.0, 3.0, 50.0]), 10)]
    [0.19, 2.0, 49.0]
    """
    chance = -torch.expm1(fields * torch.log1p(-torch.exp(bans.clamp(max=RARE) * -log(10))))
    return torch.where(bans < RARE, -torch.log10(chance), bans - log10(fields))


def fit_field_tails(errors: F64, novelty: F64) -> FieldTails:
    """Learn from errors and novelties [n, features] of held-out benign records, n > 0."""
    return FieldTails(fit_tails(errors), fit_surprises(torch.from_numpy(novelty).float()))
