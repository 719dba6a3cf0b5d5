"""From errors to one number: how rare a record is among benign ones, in bans.

Either the record as a whole is rare, or its worst feature is; the rarer of the two speaks. Of so many features one is
always somewhat rare, so the worst one counts less by the logarithm of their number (Bonferroni). To both is added what
the record shows that benign data never did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log10

import torch
from torch import Tensor

from monitor.core.arrays import F64
from monitor.scoring.evidence import Errors
from monitor.scoring.states import part_of, state_of
from monitor.scoring.sums import Sums, fit_sums
from monitor.scoring.surprises import Surprises, fit_surprises
from monitor.scoring.tails import Tails, fit_tails

LOUDEST = 1e30
"""Bans of one surprise at the most: the sum of many must not overflow."""


@dataclass(frozen=True, slots=True)
class Rarities:
    """How rare errors and novelties are, each by itself."""

    means: Tensor  # [3]: mean of each error of the whole
    whole: Tails  # of one column: these errors, each divided by its mean, added
    fields: Tails
    novelties: Surprises

    def of(self, errors: Errors) -> tuple[Tensor, Tensor]:
        """Bans of the errors of records as a whole, [n, 1], and of their features, [n, features]."""
        return self.of_whole(errors), self.fields.rarity(errors.fields)

    def of_whole(self, errors: Errors) -> Tensor:
        """Bans of the errors of records as a whole, [n, 1]."""
        return self.whole.rarity((errors.whole / self.means).sum(1, keepdim=True))

    def surprises(self, novelty: Tensor) -> tuple[Tensor, Tensor]:
        """The same of novelty [n, features]."""
        fields = self.novelties.weigh(novelty).clamp(max=LOUDEST)
        # Of several surprises the strongest counts in full, the others half: they often have one cause.
        return (fields.amax(1, keepdim=True) + fields.sum(1, keepdim=True)) / 2, fields

    def to(self, device: torch.device) -> Rarities:
        """The same on another device."""
        return Rarities(*(getattr(self, name).to(device) for name in self.__slots__))

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        parts = {name: getattr(self, name).state() for name in ("whole", "fields", "novelties")}
        return {"means": self.means} | state_of(**parts)

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Rarities:
        whole, fields = (Tails.restore(part_of(state, name)) for name in ("whole", "fields"))
        return cls(state["means"], whole, fields, Surprises.restore(part_of(state, "novelties")))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The benign distribution of errors and of novelties."""

    rarities: Rarities
    records: Sums  # of one column
    features: Sums

    def rarity(self, errors: Errors, novelty: Tensor) -> Tensor:
        """Bans [n] of records with these errors and novelty [n, features]; higher is more anomalous, >= 0."""
        corrected = log10(max(1, novelty.shape[1]))
        record = self.rarities.of_whole(errors)[:, 0]
        # No record has less than 0 bans, so what a feature has to say counts from the correction on.
        bans = torch.maximum(record, self.rarities.fields.highest(errors.fields, corrected) - corrected)
        rows = (novelty > 0).any(1).nonzero()[:, 0]  # few among benign records
        if len(rows):
            bans[rows] = self.both(Errors(errors.whole[rows], errors.fields[rows]), novelty[rows])[0]
        return bans

    def both(self, errors: Errors, novelty: Tensor) -> tuple[Tensor, Tensor]:
        """The same but for the last bits, and beside it the bans of each feature, [n, features]."""
        record, by_field = self.rarities.of(errors)
        rows = (novelty > 0).any(1).nonzero()[:, 0]  # few among benign records
        if len(rows):
            surprise, surprises = self.rarities.surprises(novelty[rows])
            record[rows] = self.records.rarity(record[rows] + surprise)
            by_field[rows] = self.features.rarity(by_field[rows] + surprises)
        return torch.maximum(record[:, 0], by_field.amax(1) - log10(max(1, novelty.shape[1]))), by_field

    def to(self, device: torch.device) -> Verdict:
        """The same on another device."""
        return Verdict(*(getattr(self, name).to(device) for name in self.__slots__))

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        return state_of(**{name: getattr(self, name).state() for name in self.__slots__})

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Verdict:
        records, features = (Sums.restore(part_of(state, name)) for name in ("records", "features"))
        return cls(Rarities.restore(part_of(state, "rarities")), records, features)


def fit_verdict(errors: Errors, novelty: Tensor) -> Verdict:
    """Learn the benign distribution from calibration records: errors, and novelty [n, features], n > 0."""
    means = errors.whole.mean(0).clamp(min=1e-6)
    added = (errors.whole / means).sum(1, keepdim=True)
    whole, fields = (fit_tails(_numpy(part)) for part in (added, errors.fields))
    rarities = Rarities(means, whole, fields, fit_surprises(novelty))
    sums = (fit_sums(bans + new) for bans, new in zip(rarities.of(errors), rarities.surprises(novelty), strict=True))
    return Verdict(rarities, *sums)


def _numpy(errors: Tensor) -> F64:
    found: F64 = errors.double().cpu().numpy()
    return found
