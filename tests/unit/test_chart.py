"""The chart's points: true to what came, bounded, and gone when they are old."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.core.accounting import Counts
from monitor.core.clock import ManualClock
from monitor.telemetry import Telemetry
from monitor.telemetry.chart import STEPS, Chart, binned

HOUR = 3600.0


def add(chart: Chart, second: float, *scores: float, alerts: int = 0, limit: float | None = 1.0) -> None:
    values = np.array(scores)
    chart.add(second, 1e9 + second, binned(values), float(values.max()), alerts, limit)


def test_batches_of_one_step_are_one_point() -> None:
    chart = Chart(HOUR)

    add(chart, 1.0, 0.1, 0.5)
    add(chart, 29.0, 4.0, alerts=1, limit=1.5)

    (point,) = chart.points(29.0)
    assert (point.time, point.records, point.highest, point.alerts, point.limit) == (1e9 + 1, 3, 4.0, 1, 1.5)


def test_each_step_is_a_point_and_a_step_without_records_is_none() -> None:
    chart = Chart(HOUR)

    add(chart, 0.0, 0.1)
    add(chart, 95.0, 0.2)

    assert [(point.time, point.highest) for point in chart.points(95.0)] == [(1e9, 0.1), (1e9 + 95, 0.2)]


def test_points_leave_the_window_by_themselves_and_their_number_is_bounded() -> None:
    chart = Chart(HOUR)
    for step in range(3 * STEPS):
        add(chart, step * chart.step_seconds, 0.1)
    last = (3 * STEPS - 1) * chart.step_seconds

    assert len(chart.points(last)) == STEPS
    assert len(chart.points(last + HOUR / 2)) == STEPS // 2
    assert chart.points(last + HOUR) == ()


@pytest.mark.parametrize("highest", [0.02, 0.9, 17.0, 3e6])
def test_the_quantile_is_that_of_the_records_from_above(highest: float) -> None:
    scores = np.linspace(0.0, highest, 10_000)
    chart = Chart(HOUR)
    add(chart, 0.0, *scores)

    (point,) = chart.points(0.0)

    true = float(np.quantile(scores, 0.99))
    assert true <= point.quantile <= true * 1.125


def test_the_quantile_is_never_above_the_highest_score() -> None:
    chart = Chart(HOUR)
    add(chart, 0.0, 0.0, 0.0)
    add(chart, 0.0, 1e9)

    assert chart.points(0.0)[0].quantile <= 1e9
    assert Chart(HOUR).points(5.0) == ()


def test_a_stream_shows_what_it_scored_over_the_hour_and_the_day_with_the_limit_of_then() -> None:
    clock = ManualClock()
    stream = Telemetry(clock).stream("web")
    stream.model(version="v1", sha256="ab", created=0.0, threshold=0.8, low=0.0, high=1.0)
    stream.batch(Counts(read=2, scored=2, alerts=1), np.array([0.1, np.nan]), {})
    clock.advance(60)
    stream.threshold_moved(0.8, 0.9, "test")
    stream.batch(Counts(read=1, scored=1), np.array([0.3]), {})
    stream.batch(Counts(read=1, unparsed=1), np.array([]), {})

    hour, day = stream.chart("1h"), stream.chart("1d")

    assert [(p.records, p.alerts, p.limit) for p in hour] == [(2, 1, 0.8), (1, 0, 0.9)]
    assert [(p.records, p.alerts, p.limit) for p in day] == [(3, 1, 0.9)]
    assert hour[0].highest == 1e9
