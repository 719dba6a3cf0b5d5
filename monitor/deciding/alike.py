"""Whether older benign records say anything of what comes: they do as long as they score like the newest ones.

Exchangeable they need not be. Of a stream that has changed since, old records may be odd that will never come again, or
usual what is odd by now; a limit that rests on them would be too high or too low, whatever their number.
"""

from __future__ import annotations

import numpy as np

from monitor.deciding.budget import conformal_limit
from monitor.deciding.held_out import HeldOut
from monitor.deciding.poisson import mean_quantile
from monitor.deciding.promise import TOO_MANY
from monitor.deciding.score_tail import ScoreTail

RATE = 0.01
"""They are compared where this share of the newest is above: further out too few of these tell."""

CHANCE = 0.005
"""That a rate lies outside of its interval, on either side."""


def alike(newest: HeldOut, older: ScoreTail) -> bool:
    """Whether neither exceeds one and a half times as often as the other, beyond chance, what few of the newest do."""
    limit = conformal_limit(newest.scores, RATE, len(newest))[0]
    above = int(newest.exceeding(np.array([limit]))[0])
    low, high = _rates(above, len(newest))
    older_low, older_high = _rates(older.above(limit), older.count)
    return older_low <= TOO_MANY * high and low <= TOO_MANY * older_high


def _rates(above: int, count: int) -> tuple[float, float]:
    """From the lowest to the highest share of records that these leave open."""
    return mean_quantile(above, CHANCE) / count, mean_quantile(above + 1, 1 - CHANCE) / count
