"""The product on the streams of the Numenta Anomaly Benchmark: learn the first records, judge the rest in order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv

from monitor import Detector
from monitor.core.arrays import F64, Bools
from monitor.core.clock import DAY_SECONDS
from monitor.deciding.episode import Alerting, Episode, Policy
from monitor.training.draft_alert import HABITUATION_DAYS, gap_seconds

from . import nab

PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "random cut forest": {"realAWSCloudwatch": 4.5384, "realKnownCause": -2.6299},
    "HTM (Numenta)": {"realAWSCloudwatch": 14.0514, "realKnownCause": 2.0780},
    "Skyline (earthgecko)": {"realAWSCloudwatch": 4.8701, "realKnownCause": -6.4898},
    "ARTime": {"realAWSCloudwatch": 11.6857, "realKnownCause": 5.2738},
}
"""Raw scores of the group's streams, summed from results/*/*_standard_scores.csv of github.com/numenta/NAB."""

LIMIT = 1.0
"""Of the product's own threshold."""

Alerts = Callable[["Stream"], Bools]
"""Which records of a stream alert, [n]."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream after the product has scored it: ``scores`` [n], its own verdict ``flagged`` [n], ``times`` [n]."""

    group: str
    windows: nab.Windows
    times: F64
    scores: F64
    flagged: Bools


@dataclass(frozen=True, slots=True)
class NabScore:
    """0 to 100 for each group and for both together."""

    detector: str
    groups: Mapping[str, float]
    both: float


def scored(place: Path) -> Iterator[Stream]:
    """Train on each stream's probation and score all of it in one pass, so that what it remembers is warm."""
    limits: Mapping[str, list[list[str]]] = json.loads((place / "nab" / "windows.json").read_text())
    for name, windows in limits.items():
        table = pv.read_csv(place / "nab" / "data" / name)
        times = table["timestamp"].cast(pa.timestamp("s")).to_numpy()
        detector = Detector().fit(table.slice(0, nab.probation(len(table))))
        yield Stream(
            group=name.split("/", 1)[0],
            windows=[_rows(times, first, last) for first, last in windows],
            times=times.astype(np.float64),
            scores=detector.anomaly_score(table),
            flagged=detector.predict(table) < 0,
        )


def _rows(times: np.typing.NDArray[np.datetime64], first: str, last: str) -> tuple[int, int]:
    """The first and last row between two times, both of them included."""
    inside = np.flatnonzero((times >= np.datetime64(first)) & (times <= np.datetime64(last)))
    return int(inside[0]), int(inside[-1])


def table(streams: Sequence[Stream]) -> Iterator[NabScore]:
    """The product at its own threshold and at the best one, each record or each episode an alert; then the others."""
    for count, one in (("each alerting record", _records), ("episodes as init drafts them", _episodes)):
        yield _score(f"aemonitor, own threshold, {count}", streams, partial(one, threshold=None))
        best = max(
            _thresholds(streams), key=lambda threshold: _score("", streams, partial(one, threshold=threshold)).both
        )
        yield _score(f"aemonitor, best threshold in hindsight, {count}", streams, partial(one, threshold=best))
    windows = _windows(streams)
    for detector, raws in PUBLISHED.items():
        yield _normalised(f"{detector}, published, best threshold in hindsight", raws, windows)


def _records(stream: Stream, threshold: float | None) -> Bools:
    return stream.flagged if threshold is None else stream.scores > threshold


def _episodes(stream: Stream, threshold: float | None) -> Bools:
    """The records by which a person is told of an episode, [n]."""
    rows = np.flatnonzero(_records(stream, threshold))
    told = np.zeros_like(stream.flagged)
    if len(rows):
        limits = np.full(len(rows), LIMIT if threshold is None else threshold)
        policy = Policy(gap_seconds(stream.times), half_life_seconds=HABITUATION_DAYS * DAY_SECONDS)
        alerts = Alerting(rows, stream.times[rows], stream.scores[rows], limits, [""] * len(rows))
        _, _, tellings = policy.take(Episode(), alerts)
        told[[telling.row for telling in tellings if not telling.over]] = True
    return told


def _thresholds(streams: Sequence[Stream]) -> F64:
    """Limits of which the lowest half of all records is not worth a try."""
    thresholds: F64 = np.quantile(
        np.concatenate([stream.scores for stream in streams]), 1 - np.geomspace(1e-5, 0.5, 100)
    )
    return thresholds


def _score(detector: str, streams: Sequence[Stream], alerts: Alerts) -> NabScore:
    raws = dict.fromkeys(_windows(streams), 0.0)
    for stream in streams:
        raws[stream.group] += nab.raw_score(alerts(stream), stream.windows)
    return _normalised(detector, raws, _windows(streams))


def _normalised(detector: str, raws: Mapping[str, float], windows: Mapping[str, int]) -> NabScore:
    groups = {group: nab.normalised(raws[group], count) for group, count in windows.items()}
    return NabScore(detector, groups, nab.normalised(sum(raws.values()), sum(windows.values())))


def _windows(streams: Sequence[Stream]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for stream in streams:
        counts[stream.group] = counts.get(stream.group, 0) + len(stream.windows)
    return counts
