"""How rare the worst field of a record is among benign ones, in bans, given the errors and the novelty of each.

Of so many fields one is always somewhat rare: an error with a chance of p in its field has one of 1 - (1 - p)^fields in
the worst one (Sidak 1967). What benign data never showed counts in full, since hardly any record has that in any field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, log10

from monitor.model import ops
from monitor.model.ops import Array
from monitor.scoring.states import part_of, state_of
from monitor.scoring.surprises import Surprises
from monitor.scoring.tails import Tails

RARE = 5.0
"""Bans beyond which chances are so small that they add up; float32 could not tell 1 - p from 1."""


@dataclass(frozen=True, slots=True)
class FieldTails:
    """The benign distribution of the error and of the novelty of each field."""

    errors: Tails
    novelties: Surprises

    def rarity(self, errors: Array, novelty: Array) -> Array:
        """Bans [n] of records with these errors and novelties [n, features]; higher is more anomalous, >= 0."""
        fields = of_worst(self.errors.rarity(errors), errors.shape[1])
        return ops.highest(fields + self.novelties.weigh(novelty), 1)

    def by_field(self, errors: Array, novelty: Array) -> Array:
        """Bans of each field, [n, features], not corrected for their number."""
        return self.errors.rarity(errors) + self.novelties.weigh(novelty)

    def both(self, errors: Array, novelty: Array) -> Array:
        """The rarity of the record and behind it those of its fields, [n, 1 + features]."""
        return ops.concat([self.rarity(errors, novelty)[:, None], self.by_field(errors, novelty)])

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        return state_of(errors=self.errors.state(), novelties=self.novelties.state())

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> FieldTails:
        return cls(Tails.restore(part_of(state, "errors")), Surprises.restore(part_of(state, "novelties")))


def of_worst(bans: Array, fields: int) -> Array:
    """How rare it is that the worst of so many fields has these bans, of any shape and >= 0.

    >>> import numpy as np
    >>> [round(float(b), 2) for b in of_worst(np.array([1.0, 3.0, 50.0]), 10)]
    [0.19, 2.0, 49.0]
    """
    chance = -ops.expm1(fields * ops.log1p(-ops.exp(ops.clip(bans, most=RARE) * -log(10))))
    return ops.where(bans < RARE, -ops.log10(chance), bans - log10(fields))
