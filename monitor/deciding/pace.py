"""How fast a limit follows, and how high it goes: what keeps the promise that was made of it.

Time is cut into periods of a quarter day, counted in records. Of each period a peak is kept: the highest score among so
many records that benign ones raise an alert in them in half of the periods at most. With n of these peaks the next one
exceeds the k-th largest with a chance of k / (n + 1), as in ``budget``: so the k that keeps the promised rate is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.core.errors import DataError
from monitor.core.limit import Limit

PERIODS_PER_DAY = 4
"""What is different by night only, or at the time of the backup, is not how things are now."""

PERIODS = 15
"""The past in view, nearly four days."""

MOST = PERIODS // 2 + 1
"""Two days: what lasts for less is an incident, however many alerts it raises."""

FURTHEST = 2.0
"""The limit goes up to this many times the calibrated one: for ``blend``, twice as many powers of ten of rarity."""


@dataclass(frozen=True, slots=True)
class Pace:
    """``period`` and ``block`` in records, ``rank`` the place of the limit among the peaks, the highest is 1.

    The peak of a period is taken of its first ``block`` records.
    """

    period: int
    block: int
    rank: int

    @classmethod
    def of(cls, limit: Limit | None) -> Pace:
        """What keeps the promise of a limit.

        Raises:
            DataError: it promises nothing, or nobody knows how many records come in a day.
        """
        if limit is None or limit.daily is None or not 0 < limit.alerts_per_record < 1:
            raise DataError(
                "alert.adaptive: it is not known how many alerts benign records raise in a day; set `time`, or "
                "alert.records_per_day, and retrain; or leave it out"
            )
        period = max(1, round(limit.daily.records / PERIODS_PER_DAY))
        quiet = math.log1p(-limit.alerts_per_record)  # the logarithm of the chance that a record raises no alert
        block = min(period, max(1, round(math.log(0.5) / quiet)))
        alerting = -math.expm1(block * quiet)  # the chance that a block does
        return cls(period, block, min(max(1, math.floor(alerting * (PERIODS + 1))), MOST))
