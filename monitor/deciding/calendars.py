"""The events of an iCalendar file, also those that recur, as times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.core.clock import DAY_SECONDS
from monitor.core.errors import ConfigError, Problem
from monitor.core.extras import require
from monitor.deciding.weekly import EARLIEST, LATEST

DAYS_KEPT = 64
"""Days of which it is known what is on; a day costs milliseconds to find out."""

SKIPPED = "CANCELLED"
"""The status of an event that does not take place."""


class Calendar:
    """One calendar, as it was when this was made. All-day events, and times without a zone, are those of ``timezone``.

    Raises:
        ConfigError: the file cannot be read or is no calendar.
        UnavailableError: the libraries that read calendars are not installed.
    """

    def __init__(self, path: Path, timezone: str) -> None:
        require("calendar", "icalendar", "recurring_ical_events")
        self._events = _events(path)
        self._zone = ZoneInfo(timezone)
        self._spans = lru_cache(DAYS_KEPT)(self._found)

    def hold(self, times: F64) -> Bools:
        """During which times [n], finite, an event is on."""
        times = np.clip(times, EARLIEST, LATEST)
        days, places = np.unique(np.floor(times / DAY_SECONDS), return_inverse=True)
        held = np.zeros(len(times), dtype=np.bool_)
        for number, day in enumerate(days.tolist()):
            rows = np.flatnonzero(places == number)
            for begin, end in self._spans(int(day)):
                held[rows] |= (times[rows] >= begin) & (times[rows] < end)
        return held

    def _found(self, day: int) -> tuple[tuple[float, float], ...]:
        """From when to when something is on that may touch a day, counted since 1970, UTC."""
        moment = datetime.fromtimestamp(day * DAY_SECONDS, UTC)
        around = timedelta(days=1)  # so far may the dates of a zone be from those of UTC
        return tuple(self._bounds(self._events.between(moment - around, moment + 2 * around)))

    def _bounds(self, events: list[Any]) -> Iterator[tuple[float, float]]:
        for event in events:
            if event.get("STATUS") != SKIPPED:
                yield self._seconds(event.start), self._seconds(event.end)

    def _seconds(self, moment: date | datetime) -> float:
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time.min)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).timestamp()


def _events(path: Path) -> Any:
    """What tells the events between two moments."""
    import icalendar
    import recurring_ical_events

    try:
        found = icalendar.Calendar.from_ical(path.read_bytes())
        events = recurring_ical_events.of(found)
        events.between(datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1))
    except OSError as error:
        raise ConfigError(str(path), [Problem(f"the calendar cannot be read: {error.strerror}")]) from error
    except Exception as error:
        raise ConfigError(str(path), [Problem(f"this is not an iCalendar file: {error}")]) from error
    return events
