"""From errors to one number: how rare a record is among benign ones, in bans.

Either the record as a whole is rare, or its worst feature is. Of so many features one is always somewhat rare, so the
worst one counts less by the logarithm of their number (Bonferroni); what it shows that benign data never did counts in
full, since hardly any benign record has that in any feature. The rarer of the two speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log10
from typing import Any

import torch
from torch import Tensor

from monitor.core.arrays import F64
from monitor.scoring.evidence import Errors
from monitor.scoring.surprises import Surprises, fit_surprises
from monitor.scoring.tails import Tails, fit_tails

PARTS: dict[str, Any] = {"whole": Tails, "fields": Tails, "novelties": Surprises}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The benign distribution of errors and of novelties."""

    means: Tensor  # [3]: mean of each error of the whole
    whole: Tails  # of one column
    fields: Tails
    novelties: Surprises

    def rarity(self, errors: Errors, novelty: Tensor) -> Tensor:
        """Bans [n] of records with these errors and novelty [n, features]; higher is more anomalous, >= 0."""
        many = log10(max(1, novelty.shape[1]))
        fields = (self.fields.rarity(errors.fields) - many).clamp(min=0) + self.novelties.weigh(novelty)
        whole = self.whole.rarity((errors.whole / self.means).sum(1, keepdim=True))[:, 0]
        return torch.maximum(whole, fields.amax(1))

    def by_field(self, errors: Errors, novelty: Tensor) -> Tensor:
        """Bans of each feature, [n, features]."""
        return self.fields.rarity(errors.fields) + self.novelties.weigh(novelty)

    def to(self, device: torch.device) -> Verdict:
        """The same on another device."""
        return Verdict(*(getattr(self, name).to(device) for name in self.__slots__))

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        parts = {f"{part}.{name}": t for part in PARTS for name, t in getattr(self, part).state().items()}
        return parts | {"means": self.means}

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Verdict:
        whole, fields, novelties = (kind.restore(_part(state, part)) for part, kind in PARTS.items())
        return cls(state["means"], whole, fields, novelties)


def fit_verdict(errors: Errors, novelty: Tensor) -> Verdict:
    """Learn the benign distribution from calibration records: errors, and novelty [n, features], n > 0."""
    means = errors.whole.mean(0).clamp(min=1e-6)
    whole = (errors.whole / means).sum(1, keepdim=True)
    return Verdict(means, fit_tails(_numpy(whole)), fit_tails(_numpy(errors.fields)), fit_surprises(novelty))


def _part(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = f"{part}."
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _numpy(errors: Tensor) -> F64:
    found: F64 = errors.double().cpu().numpy()
    return found
