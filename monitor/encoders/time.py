"""The event time as its place in the day and in the week, on circles, in a named time zone.

The day is left out when benign data span less than two days, the week under two weeks: what did not come round twice
has shown no rhythm.
"""

from __future__ import annotations

import math
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic import Field as Option
from pydantic import field_validator

from monitor.core.arrays import F32, F64, I64, Bools, Column
from monitor.core.errors import DataError
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, RecordBatch
from monitor.core.strict import StrictModel
from monitor.encoders._flags import Flags
from monitor.encoders._wording import MISSING, ORDINARY

DAY = 86_400
WEEK = 7 * DAY
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

QUARTER = 900
"""Seconds. All changes of civil time since 1972 fell on a quarter of an hour of UTC, so one offset holds in each."""

EARLIEST, LATEST = -62_135_500_000.0, 253_402_200_000.0
"""The years 1 to 9999, less two days for the time zone: what a calendar can tell. Anything else is no time."""


class Config(StrictModel):
    """Options of ``time``."""

    timezone: str = Option(
        default="UTC", description="IANA name of the zone whose days and weeks count, e.g. Europe/Berlin."
    )

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is no IANA time zone such as Europe/Berlin") from error
        return name


EXAMPLE = """
timezone: Europe/Berlin
"""


@dataclass(frozen=True)
class TimeEncoder:
    """Not yet fitted. ``field`` is only the name of the feature: the time is the record's event time."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return ()

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        if batch.times is None:
            raise DataError(f"feature {self.field!r}: the stream has no event time; set its `time:`")
        times, missing = _times(batch)
        known = times[~missing]
        if not len(known):
            raise DataError(
                f"feature {self.field!r}: none of {len(batch):,} benign records has an event time; look at `time:`"
            )
        span = float(known.max() - known.min())
        if span < 2 * DAY:
            raise DataError(
                f"feature {self.field!r}: benign records span {span / 3600:.1f} hours; "
                "the rhythm of the day takes two days, that of the week two weeks"
            )
        local = _local(known, self.config.timezone)
        return FittedTime(
            timezone=self.config.timezone,
            weekly=span >= 2 * WEEK,
            hours=tuple(np.unique(local % DAY // 3600).astype(int).tolist()),
            flags=Flags.learn({MISSING: missing}, len(batch)),
        )


@dataclass(frozen=True)
class FittedTime:
    """``hours`` are the hours of the day, 0 to 23, in which benign records fell. ``weekly``: the week counts, too."""

    timezone: str
    weekly: bool
    hours: tuple[int, ...]
    flags: Flags

    @property
    def columns(self) -> tuple[str, ...]:
        week = ("week_sin", "week_cos") if self.weekly else ()
        return ("day_sin", "day_cos", *week, *self.flags.columns)

    @property
    def novelty(self) -> tuple[str, ...]:
        return self.flags.novelty

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        times, missing = _times(batch)
        local = _local(times, self.timezone)
        _circle(local, DAY, columns[:, 0:2])
        if self.weekly:
            _circle(local, WEEK, columns[:, 2:4])
        if missing.any():
            columns[missing, : self._width] = 0.0
            self.flags.write((missing,), columns[:, self._width :], novelty)

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        expected = self.flags.expected(reconstruction[self._width :]) or self._moment(reconstruction)
        reason = (
            self.flags.novelty_reason(novelty)
            or self.flags.reason(columns[self._width :], reconstruction[self._width :])
            or ORDINARY
        )
        return Finding(expected, f"{_spans(self.hours)} {self.timezone}{self.flags.range_suffix()}", reason)

    def decode(self, columns: F32) -> Mapping[Field, Column]:  # noqa: ARG002 - the event time is no field
        return {}

    def state(self) -> Mapping[str, Any]:
        return {
            "timezone": self.timezone,
            "weekly": self.weekly,
            "hours": list(self.hours),
            "flags": self.flags.state(),
        }

    @property
    def _width(self) -> int:
        return 4 if self.weekly else 2

    def _moment(self, reconstruction: F32) -> str:
        minutes = int(_turn(reconstruction[0:2]) * 24 * 60) % (24 * 60)
        clock = f"{minutes // 60:02d}:{minutes % 60:02d}"
        # 1970-01-01, where local seconds are counted from, was a Thursday.
        day = f"{DAYS[(int(_turn(reconstruction[2:4]) * 7) + 3) % 7]} " if self.weekly else ""
        return day + clock


def _times(batch: RecordBatch) -> tuple[F64, Bools]:
    """Event times, [n], 0 where there is none, and where there is none."""
    times = np.full(len(batch), np.nan) if batch.times is None else batch.times
    missing = ~((times > EARLIEST) & (times < LATEST))
    return np.where(missing, 0.0, times), missing


def _local(times: F64, zone: str) -> F64:
    """Seconds since 1970-01-01 00:00 on the clocks of the zone, [n]."""
    if zone == "UTC" or not len(times):
        return times
    quarters, index = np.unique(np.floor(times / QUARTER).astype(np.int64), return_inverse=True)
    return times + _offsets(quarters, zone)[index]


def _offsets(quarters: I64, zone: str) -> F64:
    return np.array([_offset(quarter, zone) for quarter in quarters.tolist()], dtype=np.float64)


@lru_cache(maxsize=65_536)
def _offset(quarter: int, zone: str) -> float:
    """Seconds that clocks of the zone are ahead of UTC in this quarter of an hour. About 1 us when it is new."""
    moment = datetime.fromtimestamp(quarter * QUARTER, UTC).astimezone(zoneinfo.ZoneInfo(zone))
    offset = moment.utcoffset()
    return offset.total_seconds() if offset else 0.0


def _circle(local: F64, period: int, columns: F32) -> None:
    """Write the sine and cosine of the place in the period to ``columns``, [n, 2]."""
    angles = local % period * (2 * math.pi / period)
    columns[:, 0] = np.sin(angles)
    columns[:, 1] = np.cos(angles)


def _turn(point: F32) -> float:
    """The share of its circle, in [0, 1), at which a point (sine, cosine) lies. Not a number counts as 0."""
    sine, cosine = np.nan_to_num(point).tolist()
    return math.atan2(sine, cosine) / (2 * math.pi) % 1.0


def _spans(hours: tuple[int, ...]) -> str:
    """Hours of the day as people say them.

    >>> _spans((8, 9, 10, 14)), _spans(tuple(range(24)))
    ('08:00 to 10:59, 14:00 to 14:59', 'at any hour')
    """
    if len(hours) == 24:
        return "at any hour"
    starts = [hour for hour in hours if hour - 1 not in hours]
    ends = [hour for hour in hours if hour + 1 not in hours]
    return ", ".join(f"{start:02d}:00 to {end:02d}:59" for start, end in zip(starts, ends, strict=True))


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return TimeEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:  # noqa: ARG001
    """A fitted encoder as its ``state`` describes it."""
    hours = tuple(state["hours"])
    return FittedTime(state["timezone"], state["weekly"], hours, Flags.restore(state["flags"]))
