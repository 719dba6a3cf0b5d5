"""Alerts that nobody has to look at: those that stayed alone, and are no more than expected, are taken for false.

A sample of what did not alert ends at the limit. The next limit, set by such a sample, lies below the last one, the next
but one below that, and each night more of the same benign records alert: tenfold a budget within a month. So of alerts
as many go back into the sample as there would be without a limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from monitor.core.alerts import Alert
from monitor.core.clock import DAY_SECONDS
from monitor.reservoir.sample import SPAN_SECONDS

MOST = 3.0
"""Times its budget: on a day with more episodes than that (and than three) something else went on."""

HASH_DIGITS = 16
"""Of an alert's id, as many as a hash of the sample has."""


def lone(alerts: Sequence[Alert], budget_per_day: float | None) -> list[Alert]:
    """The alerts of a stream, newest first, that stayed alone: no other record of the episode, no other of its key that
    day (without keys: of the stream no more than the budget), and no more than a warning.

    Empty without a budget: then nobody said how many false ones are expected, and a share is hardly moved by them.
    """
    if budget_per_day is None:
        return []
    firing = [alert for alert in alerts if alert.state == "firing"]
    over = {alert.id: alert.count for alert in alerts if alert.state == "resolved"}
    days = Counter(_day(alert) for alert in firing)
    keys = Counter((alert.key, _day(alert)) for alert in firing)
    most = max(MOST, MOST * budget_per_day)
    return [
        alert
        for alert in firing
        if alert.severity == "warning"
        and over.get(alert.id) == 1
        and days[_day(alert)] <= most
        and (alert.key is None or keys[alert.key, _day(alert)] == 1)
    ]


def sampled(alerts: Iterable[Alert], bounds: Mapping[int, int]) -> list[Alert]:
    """Those that a sample with these bounds, by hour, would hold; an id is as good as any hash."""
    return [alert for alert in alerts if _hash(alert) < bounds.get(int(moment(alert) // SPAN_SECONDS), 0)]


def moment(alert: Alert) -> float:
    """When it happened, in seconds since 1970; when it was read, where that is not known."""
    return datetime.fromisoformat(alert.time or alert.detected_at).timestamp()


def _day(alert: Alert) -> int:
    return int(moment(alert) // DAY_SECONDS)


def _hash(alert: Alert) -> int:
    return int(alert.id[:HASH_DIGITS], 16)
