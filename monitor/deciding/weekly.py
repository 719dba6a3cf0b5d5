"""Times that come every week, by the clocks of a zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.core.suppress_config import DAYS, WeeklyConfig, minutes

EARLIEST, LATEST = -6e10, 2.5e11
"""Seconds since 1970 that every calendar can tell; what is beyond counts as these."""


class Weekly:
    """Some windows of the week; one whose end is not later than its beginning ends on the day after."""

    def __init__(self, windows: Sequence[WeeklyConfig], timezone: str) -> None:
        self._windows = [([DAYS.index(day) for day in each.days], *_span(each)) for each in windows]
        self._zone = ZoneInfo(timezone)

    def hold(self, times: F64) -> Bools:
        """Which times [n], finite, lie in one of them."""
        whole = np.floor(np.clip(times, EARLIEST, LATEST) / 60)
        each, places = np.unique(whole, return_inverse=True)
        within = np.array([self._holds(float(minute) * 60) for minute in each], dtype=np.bool_)
        held: Bools = within[places]
        return held

    def _holds(self, time: float) -> bool:
        moment = datetime.fromtimestamp(time, self._zone)
        day, minute = moment.weekday(), moment.hour * 60 + moment.minute
        return any(
            (day in days and begin <= minute < end) or ((day - 1) % 7 in days and minute < end - 24 * 60)
            for days, begin, end in self._windows
        )


def _span(window: WeeklyConfig) -> tuple[int, int]:
    """Minutes since the midnight before it begins."""
    begin, end = minutes(window.begin), minutes(window.end)
    return begin, end if end > begin else end + 24 * 60
