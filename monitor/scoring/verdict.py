"""From errors to one number: how rare a record is among benign ones, in bans.

Either the record as a whole is rare, or its worst feature is; the rarer of the two speaks. Of so many features one is
always somewhat rare, so the worst one counts less by the logarithm of their number (Bonferroni). To both is added what
the record shows that benign data never did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from math import log10
from typing import TYPE_CHECKING

from monitor.model import ops
from monitor.model.ops import Array
from monitor.scoring.evidence import Errors
from monitor.scoring.states import part_of, state_of
from monitor.scoring.sums import Sums
from monitor.scoring.surprises import Surprises
from monitor.scoring.tails import Tails

if TYPE_CHECKING:
    import torch

LOUDEST = 1e30
"""Bans of one surprise at the most: the sum of many must not overflow."""


@dataclass(frozen=True, slots=True)
class Rarities:
    """How rare errors and novelties are, each by itself."""

    means: Array  # [3]: mean of each error of the whole
    whole: Tails  # of one column: these errors, each divided by its mean, added
    fields: Tails
    novelties: Surprises

    def of(self, errors: Errors) -> tuple[Array, Array]:
        """Bans of the errors of records as a whole, [n, 1], and of their features, [n, features]."""
        return self.of_whole(errors), self.fields.rarity(errors.fields)

    def of_whole(self, errors: Errors) -> Array:
        """Bans of the errors of records as a whole, [n, 1]."""
        return self.whole.rarity((errors.whole / self.means).sum(1)[:, None])

    def surprises(self, novelty: Array) -> tuple[Array, Array]:
        """The same of novelty [n, features]."""
        fields = ops.clip(self.novelties.weigh(novelty), most=LOUDEST)
        # Of several surprises the strongest counts in full, the others half: they often have one cause.
        return ((ops.highest(fields, 1) + fields.sum(1)) / 2)[:, None], fields

    def to(self, device: torch.device) -> Rarities:
        """The same on another device."""
        return Rarities(*(getattr(self, name).to(device) for name in self.__slots__))

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        parts = {name: getattr(self, name).state() for name in ("whole", "fields", "novelties")}
        return {"means": self.means} | state_of(**parts)

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> Rarities:
        whole, fields = (Tails.restore(part_of(state, name)) for name in ("whole", "fields"))
        return cls(state["means"], whole, fields, Surprises.restore(part_of(state, "novelties")))


@dataclass(frozen=True)
class Verdict:
    """The benign distribution of errors and of novelties."""

    rarities: Rarities
    records: Sums  # of one column
    features: Sums

    @cached_property
    def _correction(self) -> float:
        """Bans by which the worst feature counts less."""
        return log10(max(1, len(self.rarities.fields.slopes)))

    @cached_property
    def _silent(self) -> Array:
        """Errors of the features that are no rarer than the correction, [features]."""
        return self.rarities.fields.bounds(self._correction)

    def rarity(self, errors: Errors, novelty: Array) -> Array:
        """Bans [n] of records with these errors and novelty [n, features]; higher is more anomalous, >= 0."""
        record = self.rarities.of_whole(errors)[:, 0]
        # No record has less than 0 bans, so what a feature has to say counts from the correction on.
        worst = self.rarities.fields.highest(errors.fields, self._correction, self._silent)
        bans = ops.maximum(record, worst - self._correction)
        (rows,) = ops.places((novelty > 0).any(1))  # few among benign records
        if len(rows):
            bans[rows] = self.both(Errors(errors.whole[rows], errors.fields[rows]), novelty[rows])[0]
        return bans

    def both(self, errors: Errors, novelty: Array) -> tuple[Array, Array]:
        """The same but for the last bits, and beside it the bans of each feature, [n, features]."""
        record, by_field = self.rarities.of(errors)
        (rows,) = ops.places((novelty > 0).any(1))  # few among benign records
        if len(rows):
            surprise, surprises = self.rarities.surprises(novelty[rows])
            record[rows] = self.records.rarity(record[rows] + surprise)
            by_field[rows] = self.features.rarity(by_field[rows] + surprises)
        worst = ops.highest(by_field, 1) - self._correction
        return ops.maximum(record[:, 0], worst), by_field

    def to(self, device: torch.device) -> Verdict:
        """The same on another device."""
        return Verdict(*(getattr(self, part.name).to(device) for part in fields(self)))

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        return state_of(**{part.name: getattr(self, part.name).state() for part in fields(self)})

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> Verdict:
        records, features = (Sums.restore(part_of(state, name)) for name in ("records", "features"))
        return cls(Rarities.restore(part_of(state, "rarities")), records, features)
