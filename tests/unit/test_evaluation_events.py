"""Events found or missed, how late, and false episodes, worked by hand."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.arrays import F64
from monitor.reporting.evaluation import Event, EventScores
from monitor.reporting.events import Series, score_events


def series(  # ten records a file, each behind a header
    labels: str, alerts: str, keys: str = "", *, places: list[int] | None = None, step: float | None = None
) -> Series:
    """One character a record: ``x`` is anomalous or an alert, a letter is a key; ``step`` seconds between records."""
    names: list[str | None] = [*sorted(set(keys))] or [None]
    indices = [names.index(key) for key in keys] or [0] * len(labels)
    times: F64 | None = None if step is None else np.arange(len(labels), dtype=np.float64) * step + 1000
    return Series(
        alerts=np.array([character == "x" for character in alerts], dtype=np.bool_),
        labels=np.array([character == "x" for character in labels], dtype=np.bool_),
        places=np.arange(len(labels)) if places is None else np.array(places),
        keys=np.array(indices, dtype=np.int64),
        names=names,
        times=times,
        paths=[f"{letter}.log" for letter in "abcde"],
        files=np.arange(len(labels)) // 10,
        lines=np.arange(len(labels)) % 10 + 2,
    )


def test_events_are_runs_and_alerts_outside_them_are_false_episodes() -> None:
    scores = score_events(series(labels="..xxx...xxx.x.", alerts="xx..x..xxx...x", step=10.0))

    assert scores == EventScores(
        events=(
            Event(2, 4, None, 1020.0, 2, 20.0, "a.log", 4, "a.log", 6),
            Event(8, 10, None, 1080.0, 0, 0.0, "a.log", 10, "b.log", 2),
            Event(12, 12, None, 1120.0, None, None, "b.log", 4, "b.log", 4),
        ),
        false_episodes=3,  # 0 to 1; 7, before the second event; 13, behind the third
        precision=2 / 5,
        recall=2 / 3,
    )


def test_one_alert_in_an_event_does_not_make_its_other_records_found() -> None:
    # No point adjustment: an alert behind the end of the event is false, however long the event was.
    scores = score_events(series(labels="xxxxxx..", alerts="......x."))

    assert (scores.recall, scores.false_episodes, scores.precision) == (0.0, 1, 0.0)


def test_each_key_has_events_and_episodes_of_its_own() -> None:
    scores = score_events(series(labels="xx..x.xx", alerts="..xxx..x", keys="abababab"))

    assert [(event.first, event.last, event.key, event.delay_records) for event in scores.events] == [
        (0, 0, "a", None),  # a: x . x x, alerts at its second and third record
        (1, 1, "b", None),
        (4, 6, "a", 0),
        (7, 7, "b", 0),
    ]
    assert scores.false_episodes == 2


def test_a_run_goes_on_over_records_that_are_not_there() -> None:
    scores = score_events(series(labels="xx.", alerts=".x.", places=[3, 9, 10]))

    assert [(event.first, event.last, event.delay_records) for event in scores.events] == [(3, 9, 1)]


def test_an_unknown_time_gives_no_delay_in_seconds() -> None:
    given_series = series(labels="xx", alerts=".x", step=1.0)
    assert given_series.times is not None
    given_series.times[1] = np.nan

    (event,) = score_events(given_series).events

    assert (event.start_time, event.delay_records, event.delay_seconds) == (1000.0, 1, None)


def test_without_events_recall_is_not_defined_and_without_alerts_neither_is_precision() -> None:
    nothing = score_events(series(labels="...", alerts="..."))
    empty = score_events(series(labels="", alerts=""))

    assert (nothing.events, nothing.false_episodes) == ((), 0)
    assert math.isnan(nothing.recall)
    assert math.isnan(nothing.precision)
    assert empty.events == ()


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abc")), max_size=40))
def test_events_are_those_a_loop_over_each_key_finds(rows: list[tuple[bool, bool, str]]) -> None:
    labels, alerts = "".join(".x"[label] for label, _, _ in rows), "".join(".x"[alert] for _, alert, _ in rows)

    scores = score_events(series(labels, alerts, "".join(key for _, _, key in rows)))

    events: dict[int, int | None] = {}
    false = 0
    for key in "abc":
        mine = [(place, *row[:2]) for place, row in enumerate(rows) if row[2] == key]
        start, began, was_label, was_false = -1, 0, False, False
        for index, (place, label, alert) in enumerate(mine):
            if label and not was_label:
                start, began = place, index
                events[start] = None
            if label and alert and events[start] is None:
                events[start] = index - began
            false += alert and not label and not was_false
            was_label, was_false = label, alert and not label
    assert {event.first: event.delay_records for event in scores.events} == events
    assert scores.false_episodes == false
