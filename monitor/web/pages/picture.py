"""A stream's scores as a drawing that reads well at any width, and the same in words for whoever does not see it.

Up to the limit the scale is linear, above it logarithmic: what is benign is seen in detail, and nothing is off the top.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from monitor.core.names import plural
from monitor.telemetry import Point
from monitor.telemetry.chart import STEPS
from monitor.telemetry.names import WINDOWS
from monitor.web.wording import number

HEIGHT = 100.0
"""Of the drawing, whose width is a unit a step."""
PLOT = 0.86
"""Share of the picture's height that is drawn on; the rest is for times."""
LIMIT_AT = 0.55
"""The limit lies at this share of the height, however high the highest score."""
TICKS = {"1h": 900, "1d": 21_600}
"""Seconds from one time on the axis to the next."""
ROWS = 12
"""Of the table that says the same."""
WORDS = {"1h": "the last hour", "1d": "the last day"}


class Tick(NamedTuple):
    """A place in per cent of the picture, and what stands there."""

    at: float
    text: str


class Mark(NamedTuple):
    """A step with an alert, in per cent of the picture; ``text`` tells it."""

    x: float
    y: float
    text: str


class Row(NamedTuple):
    """Some steps in figures: since when, how many records, highest score, that of 99 of 100, alerts."""

    time: str
    records: str
    highest: str
    quantile: str
    alerts: str


@dataclass(frozen=True, slots=True)
class Picture:
    """``quantile``, ``reach``, ``beyond`` and ``limit`` are paths in units of steps by ``HEIGHT``."""

    sentence: str
    quantile: str
    reach: str
    beyond: str
    limit: str
    limit_tick: Tick | None
    marks: Sequence[Mark]
    scores: Sequence[Tick]
    times: Sequence[Tick]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a time and a score lie. ``begin`` in seconds since 1970, ``step`` in seconds."""

    begin: float
    step: float
    limit: float
    top: float

    @classmethod
    def of(cls, points: Sequence[Point], window: str, now: float) -> _Scale:
        limit = next((point.limit for point in reversed(points) if point.limit), 1.0)
        top = max([3 * limit, *(point.highest for point in points)])
        return cls(now - WINDOWS[window], WINDOWS[window] / STEPS, limit, top)

    def x(self, time: float) -> float:
        """In steps, from the left."""
        return min(STEPS - 1.0, max(0.0, (time - self.begin) / self.step - 1.0))

    def y(self, score: float) -> float:
        """From the top, 0 to ``HEIGHT``."""
        if score <= self.limit:
            share = LIMIT_AT * score / self.limit
        else:
            share = LIMIT_AT + (0.96 - LIMIT_AT) * math.log(score / self.limit) / math.log(self.top / self.limit)
        return HEIGHT * (1.0 - share)


def picture(points: Sequence[Point], window: str, now: float) -> Picture:
    """Draw the points of a window of ``WINDOWS`` that ends ``now``, in seconds since 1970."""
    scale = _Scale.of(points, window, now)
    limited = [point for point in points if point.limit]
    return Picture(
        sentence=_sentence(points, window),
        quantile="".join(_block(scale.x(p.time), scale.y(p.quantile)) for p in points),
        reach="".join(_reach(scale, p) for p in points if not p.alerts),
        beyond="".join(_reach(scale, p) for p in points if p.alerts),
        limit=_limit(scale, limited),
        limit_tick=Tick(_plotted(scale.y(scale.limit)), f"limit {number(scale.limit)}") if limited else None,
        marks=[_mark(scale, p) for p in points if p.alerts],
        scores=[Tick(_plotted(scale.y(score)), number(score)) for score in _above(scale)],
        times=[Tick(100 * scale.x(time) / STEPS, f"{_clock(time):%H:%M}") for time in _times(scale, window, now)],
        rows=list(_rows(points, scale)),
    )


def _sentence(points: Sequence[Point], window: str) -> str:
    if not points:
        return f"No record was scored in {WORDS[window]}."
    worst = max(points, key=lambda point: point.highest)
    alerts, records = sum(point.alerts for point in points), sum(point.records for point in points)
    return (
        f"Scores of {WORDS[window]}: {plural(records, 'record')}, {plural(alerts, 'record')} above the limit; "
        f"highest score {number(worst.highest)} at {_clock(worst.time):%H:%M} UTC."
    )


def _block(x: float, y: float) -> str:
    return f"M{x:.2f} {HEIGHT:g}V{y:.2f}h1V{HEIGHT:g}z"


def _reach(scale: _Scale, point: Point) -> str:
    return f"M{scale.x(point.time) + 0.5:.2f} {scale.y(point.quantile):.2f}V{scale.y(point.highest):.2f}"


def _limit(scale: _Scale, points: Sequence[Point]) -> str:
    """The limit of each step, and from edge to edge that of the first and last."""
    if not points:
        return ""
    steps = "".join(f"H{scale.x(p.time):.2f}V{scale.y(p.limit or 0.0):.2f}" for p in points)
    return f"M0 {scale.y(points[0].limit or 0.0):.2f}{steps}H{STEPS}"


def _mark(scale: _Scale, point: Point) -> Mark:
    what = f"{plural(point.alerts, 'record')} above the limit, up to {number(point.highest)}"
    x, y = 100 * (scale.x(point.time) + 0.5) / STEPS, _plotted(scale.y(point.highest))
    return Mark(round(x, 2), y, f"{_clock(point.time):%H:%M} UTC: {what}")


def _plotted(y: float) -> float:
    return round(y * PLOT, 2)


def _above(scale: _Scale) -> Iterator[float]:
    """Two or three round scores above the limit."""
    decades = math.log10(scale.top / scale.limit)
    power = math.floor(math.log10(scale.limit))
    stride = max(1, math.ceil(decades / 3))
    for exponent in range(power, power + math.ceil(decades) + 2, stride):
        for digit in (1, 3) if decades < 2 else (1,):
            if 1.6 * scale.limit < digit * 10.0**exponent <= scale.top:
                yield digit * 10.0**exponent


def _times(scale: _Scale, window: str, now: float) -> Iterator[float]:
    """Round times that are not too near to the edges for their text."""
    stride = TICKS[window]
    time = math.ceil(scale.begin / stride) * stride
    while time < now:
        if 4 < scale.x(time) < STEPS - 5:
            yield time
        time += stride


def _rows(points: Sequence[Point], scale: _Scale) -> Iterator[Row]:
    """The points, ten steps together."""
    groups: dict[int, list[Point]] = {}
    for point in points:
        groups.setdefault(int(scale.x(point.time) // (STEPS // ROWS)), []).append(point)
    for group in groups.values():
        yield Row(
            f"{_clock(group[0].time):%H:%M}",
            f"{sum(point.records for point in group):,}",
            number(max(point.highest for point in group)),
            number(max(point.quantile for point in group)),
            f"{sum(point.alerts for point in group):,}",
        )


def _clock(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
