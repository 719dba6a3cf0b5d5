"""What a person wants to see of a stream at one glance: its figures, how fast it goes, what holds it up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from monitor.core.accounting import Counts
from monitor.core.arrays import F64
from monitor.core.clock import Clock
from monitor.core.drifted import Drifted
from monitor.core.limit import Limit
from monitor.telemetry.chart import Chart, Point, binned
from monitor.telemetry.names import WINDOWS
from monitor.telemetry.recent import Recent
from monitor.telemetry.store import Snapshot

RATE_SECONDS = 60.0
"""Records a second are those of the last minute."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What no metric says of a stream. Times in seconds since 1970.

    ``rate`` is in records a second; ``last`` when a record was scored last, None before the first of this run;
    ``paused`` why nothing is read, None while it is; ``drifted`` and ``promise`` None where they are not known.
    """

    rate: float = 0.0
    last: float | None = None
    paused: str | None = None
    drifted: Drifted | None = None
    promise: Limit | None = None


@dataclass(frozen=True, slots=True)
class StreamOverview:
    """A stream as it stands. ``version`` is None while no model is loaded.

    ``lag_bytes`` are not committed, the oldest of them wait for ``unread_seconds``; ``event_lag_seconds`` is how old
    the newest record was when it was scored, None where records do not say. ``records_by_window`` and
    ``episodes_by_window`` are of the last hour and day of this run.
    """

    name: str
    version: str | None
    threshold: float | None
    read: int
    scored: int
    unparsed: int
    in_flight: int
    alerts: int
    lag_bytes: int
    open_episodes: int = 0
    unread_seconds: float = 0.0
    event_lag_seconds: float | None = None
    model_created: float | None = None
    records_by_window: dict[str, int] = field(default_factory=dict[str, int])
    episodes_by_window: dict[str, int] = field(default_factory=dict[str, int])
    seen: Seen = Seen()


class Glance:
    """Collects it. Callers hold the store's lock around every call but ``overview``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = clock.monotonic()
        self._scored = Recent(RATE_SECONDS, 1)
        self._last: float | None = None
        self._charts = {window: Chart(seconds) for window, seconds in WINDOWS.items()}

    def batch(self, scores: F64, counts: Counts, limit: float | None) -> None:
        """A batch was committed; ``scores`` [scored] are finite and not below 0, ``limit`` is what they are held to."""
        if not len(scores):
            return
        monotonic, self._last = self._clock.monotonic(), self._clock.now()
        self._scored.add(monotonic, (len(scores),))
        bins, highest = binned(scores), float(np.max(scores))
        for chart in self._charts.values():
            chart.add(monotonic, self._last, bins, highest, counts.alerts, limit)

    def points(self, window: str) -> tuple[Point, ...]:
        """The chart of a window of ``WINDOWS``."""
        return self._charts[window].points(self._clock.monotonic())

    def seen(self, paused: str | None, drifted: Drifted | None, promise: Limit | None) -> Seen:
        """Together with what only the stream knows."""
        now = self._clock.monotonic()
        (scored,) = self._scored.sums(now)
        return Seen(scored / min(RATE_SECONDS, max(1.0, now - self._begun)), self._last, paused, drifted, promise)


def overview(name: str, snapshot: Snapshot, seen: Seen) -> StreamOverview:
    """The stream as the metrics have it at one moment."""
    numbers = snapshot.numbers

    def count(metric: str, *labels: str) -> int:
        return int(numbers.get((metric, name, *labels), 0))

    return StreamOverview(
        name=name,
        version=next((series[2] for series in numbers if series[:2] == ("model_info", name)), None),
        threshold=numbers.get(("threshold", name)),
        read=count("records_read_total"),
        scored=count("records_scored_total"),
        unparsed=count("records_unparsed_total"),
        in_flight=count("records_in_flight"),
        alerts=count("alerts_total"),
        lag_bytes=count("tail_lag_bytes"),
        open_episodes=count("episodes_open"),
        unread_seconds=numbers.get(("tail_oldest_unread_seconds", name), 0.0),
        event_lag_seconds=numbers.get(("source_event_lag_seconds", name)),
        model_created=numbers.get(("model_created_timestamp_seconds", name)),
        records_by_window={window: count("recent_records_scored", window) for window in WINDOWS},
        episodes_by_window={window: count("recent_alert_episodes", window) for window in WINDOWS},
        seen=seen,
    )
