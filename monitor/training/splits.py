"""Which benign records train the network, which stop its training, and which it is judged by: in time order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F64, I64
from monitor.core.errors import TryLaterError

EARLY_STOP_SHARE, CALIBRATION_SHARE = 0.1, 0.2
"""The rest, 70 %, trains."""

CALIBRATION_FLOOR, EARLY_STOP_FLOOR = 100, 20
"""Fewer records say little about the worst benign one, or about when to stop; small data gives up to 30 % and 10 %
of itself to come near them."""

MIN_RECORDS = 10
"""Below this one of the parts would be a single record or none."""


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers, disjoint and together all rows. Within a part and from part to part time never goes back.

    Encoders and network learn from ``train`` alone; ``calibration`` is seen by neither.
    """

    train: I64
    early_stop: I64
    calibration: I64


def split_by_time(count: int, times: F64 | None = None) -> Split:
    """Split ``count`` records 70/10/20 by time: oldest train, newest calibrate, as the model will be used.

    Records of one moment keep their order; a record without a time (NaN) goes with the one before it. Without
    ``times`` the order of the records is the order of time.

    Raises:
        TryLaterError: fewer than 10 records.
    """
    if count < MIN_RECORDS:
        raise TryLaterError(f"training needs at least {MIN_RECORDS} benign records, there are {count}; collect more")
    calibration = max(round(count * CALIBRATION_SHARE), min(CALIBRATION_FLOOR, count * 3 // 10))
    early_stop = max(round(count * EARLY_STOP_SHARE), min(EARLY_STOP_FLOOR, count // 10))
    train = count - calibration - early_stop
    order = np.arange(count) if times is None else np.argsort(_filled(times), kind="stable")
    return Split(order[:train], order[train : train + early_stop], order[train + early_stop :])


def _filled(times: F64) -> F64:
    """Unknown times replaced by the last known one before, or -inf at the very start."""
    known = np.where(np.isnan(times), -1, np.arange(len(times)))
    latest = np.maximum.accumulate(known)  # the row of the last known time
    return np.where(latest < 0, -np.inf, times[latest])
