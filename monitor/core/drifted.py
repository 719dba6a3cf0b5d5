"""How far the records of a stream have moved away from those that its model was calibrated with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usual:
    """What was usual when the model was made: the mean error of each feature, and the share of records with news.

    News are values that benign data had never shown. None: it is not known.
    """

    errors: Mapping[str, float]
    novel: float | None = None


@dataclass(frozen=True, slots=True)
class Drifted:
    """What came since a model is in use: ``records`` scored and the ``episodes`` they began, all of them.

    Of the recent ones that were looked at: the share ``novel`` with news, and the mean error of each feature. NaN
    before the first look.
    """

    records: int
    episodes: int
    novel: float
    errors: Mapping[str, float]
    usual: Usual

    def ratios(self) -> dict[str, float]:
        """How many times its usual error each feature has now; those whose usual error is 0 are left out."""
        usual = self.usual.errors
        return {name: now / usual[name] for name, now in self.errors.items() if usual[name] and not math.isnan(now)}
