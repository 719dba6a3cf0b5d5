"""Detection of events instead of records: was each run of anomalous records noticed, how late, and at what cost.

Without point adjustment (one alert in an event does not make its other records found): with it, random scores come out
near the best (Kim et al., Towards a Rigorous Evaluation of Time-Series Anomaly Detection, AAAI 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F64, I64, Bools
from monitor.reporting.evaluation import Event, EventScores


@dataclass(frozen=True, slots=True)
class Series:
    """Labelled and scored records in the order of the input; ``keys`` index ``names``, all 0 for a stream without."""

    alerts: Bools  # [n]
    labels: Bools  # [n], True = anomalous
    places: I64  # [n], rising
    keys: I64  # [n]
    names: Sequence[str | None]
    times: F64 | None  # [n], seconds since 1970 UTC, NaN where unknown
    paths: Sequence[str]
    files: I64  # [n], index into paths
    lines: I64  # [n], from 1 in the file


def score_events(series: Series) -> EventScores:
    """Events and false episodes as ``EventScores`` and ``Event`` define them."""
    order = np.argsort(series.keys, kind="stable")  # each key's records together, in the order of the input
    keys, labels, alerts = series.keys[order], series.labels[order], series.alerts[order]
    same_key = np.diff(keys, prepend=-1) == 0
    starts = np.flatnonzero(~same_key | (np.diff(labels.astype(np.int8), prepend=0) != 0))
    stops = np.append(starts[1:], len(labels))[: len(starts)]
    events = labels[starts] if len(starts) else np.empty(0, dtype=np.bool_)
    found = _first_alerts(alerts, starts[events], stops[events])
    made = _events(series, order, starts[events], stops[events], found)
    false = alerts & ~labels
    episodes = int((false & ~(same_key & np.append(False, false[:-1])[: len(false)])).sum())
    hits = int((found >= 0).sum())
    return EventScores(
        events=tuple(sorted(made, key=lambda event: event.first)),
        false_episodes=episodes,
        precision=hits / (hits + episodes) if hits + episodes else math.nan,
        recall=hits / len(made) if made else math.nan,
    )


def _first_alerts(alerts: Bools, starts: I64, stops: I64) -> I64:
    """The first alert of each run [starts, stops), [e]; -1 where there is none."""
    places = np.append(np.flatnonzero(alerts), len(alerts))  # the last one stands for none
    first = places[np.searchsorted(places, starts)]
    return np.where(first < stops, first, -1)


def _events(series: Series, order: I64, starts: I64, stops: I64, found: I64) -> list[Event]:
    first: list[int] = order[starts].tolist()
    last: list[int] = order[stops - 1].tolist()
    alerts = [None if row < 0 else int(order[row]) for row in found.tolist()]
    return [
        Event(
            first=int(series.places[began]),
            last=int(series.places[ended]),
            key=series.names[int(series.keys[began])],
            start_time=_time(series.times, began),
            delay_records=None if alert is None else delay,
            delay_seconds=None if alert is None else _delay(series.times, began, alert),
            first_file=series.paths[int(series.files[began])],
            first_line=int(series.lines[began]),
            last_file=series.paths[int(series.files[ended])],
            last_line=int(series.lines[ended]),
        )
        for began, ended, alert, delay in zip(first, last, alerts, (found - starts).tolist(), strict=True)
    ]


def _time(times: F64 | None, row: int) -> float | None:
    return None if times is None or np.isnan(times[row]) else float(times[row])


def _delay(times: F64 | None, start: int, alert: int) -> float | None:
    began, ended = _time(times, start), _time(times, alert)
    return None if began is None or ended is None else ended - began
