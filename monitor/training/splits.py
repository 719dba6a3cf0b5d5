"""Which benign records train the network, which stop its training, and which it is judged by: in time order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor.core.arrays import F64, I64, Bools
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
    """``order`` is every row in the order of time; the parts are ranges of it, so within a part time never goes back.

    Encoders and network learn from ``train`` alone, the early stop watches ``early_stop``, the benign range comes from
    ``calibration``. The parts of ``split_by_time`` are disjoint and complete.
    """

    order: I64  # [n]
    train: slice
    early_stop: slice
    calibration: slice

    def count(self, part: slice) -> int:
        """Records in a part."""
        return len(self.order[part])

    def without(self, rows: Bools) -> Split:
        """The same split without some rows, [n] in the order of ``order``."""
        before = np.concatenate([[0], np.cumsum(~rows)]).tolist()  # how many stay of so many
        parts = (slice(before[p.start], before[p.stop]) for p in (self.train, self.early_stop, self.calibration))
        return Split(self.order[~rows], *parts)


def split(count: int, times: F64 | None, how: Literal["time", "none"]) -> Split:
    """Split as configured; ``none`` trains and calibrates on every record, as the published reference systems do.

    Raises:
        TryLaterError: fewer than 10 records.
    """
    if how == "time":
        return split_by_time(count, times)
    _demand(count)
    return Split(_in_time(count, times), slice(0, count), slice(count, count), slice(0, count))


def split_by_time(count: int, times: F64 | None = None) -> Split:
    """Split ``count`` records 70/10/20 by time: oldest train, newest calibrate, as the model will be used.

    Records of one moment keep their order; a record without a time (NaN) goes with the one before it. Without
    ``times`` the order of the records is the order of time.

    Raises:
        TryLaterError: fewer than 10 records.
    """
    _demand(count)
    calibration = max(round(count * CALIBRATION_SHARE), min(CALIBRATION_FLOOR, count * 3 // 10))
    early_stop = max(round(count * EARLY_STOP_SHARE), min(EARLY_STOP_FLOOR, count // 10))
    stop, calibrate = count - calibration - early_stop, count - calibration
    return Split(_in_time(count, times), slice(0, stop), slice(stop, calibrate), slice(calibrate, count))


def _demand(count: int) -> None:
    if count < MIN_RECORDS:
        raise TryLaterError(f"training needs at least {MIN_RECORDS} benign records, there are {count}; collect more")


def _in_time(count: int, times: F64 | None) -> I64:
    return np.arange(count) if times is None else np.argsort(_filled(times), kind="stable")


def _filled(times: F64) -> F64:
    """Unknown times replaced by the last known one before, or -inf at the very start."""
    known = np.where(np.isnan(times), -1, np.arange(len(times)))
    latest = np.maximum.accumulate(known)  # the row of the last known time
    return np.where(latest < 0, -np.inf, times[latest])
