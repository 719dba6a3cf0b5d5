"""The values of all metrics, as plain numbers under one lock: a scrape sees every batch either whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from monitor.core.arrays import F32, F64, I64
from monitor.core.clock import Clock
from monitor.telemetry.names import BY_NAME

Series = tuple[str, ...]
"""A metric's name without the common prefix, followed by its label values."""

LARGEST_SCORE = 1e9
"""What is not finite or absurdly large counts as this, so that one record cannot turn a sum into infinity for ever."""
MOST_WORDS = 24
"""Different values one free label may take; further ones are counted as ``other``."""
OTHER = "other"


class Example(NamedTuple):
    """An alert that was counted, for whoever wants to look one up; ``when`` in seconds since 1970."""

    alert_id: str
    value: float
    when: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts per bucket: ``counts[i]`` of values in ``(bounds[i - 1], bounds[i]]``, the last one above all bounds.

    ``examples`` are the last alert in each bucket.
    """

    bounds: tuple[float, ...]
    counts: I64  # [len(bounds) + 1]
    total: float = 0.0
    examples: Mapping[int, Example] = field(default_factory=dict[int, Example])

    @classmethod
    def empty(cls, bounds: Sequence[float]) -> Histogram:
        ordered = tuple(sorted(set(bounds)))
        return cls(ordered, np.zeros(len(ordered) + 1, dtype=np.int64))

    def with_values(self, values: F64) -> Histogram:
        """This histogram and ``values`` [n], which must be finite."""
        buckets = np.searchsorted(self.bounds, values, side="left")
        counts = self.counts + np.bincount(buckets, minlength=len(self.counts))
        return replace(self, counts=counts, total=self.total + float(values.sum()))

    def with_example(self, example: Example) -> Histogram:
        """This histogram and the alert that an observed value, finite, came from; it stands for its bucket."""
        bucket = int(np.searchsorted(self.bounds, example.value, side="left"))
        return replace(self, examples={**self.examples, bucket: example})


def clamped(scores: F32 | F64) -> F64:
    """Scores [n] as finite numbers from 0 to ``LARGEST_SCORE``; NaN is the largest, never a quiet 0."""
    finite = np.nan_to_num(scores.astype(np.float64), nan=LARGEST_SCORE, posinf=LARGEST_SCORE, neginf=0.0)
    return np.clip(finite, 0.0, LARGEST_SCORE)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All values at one moment."""

    numbers: dict[Series, float] = field(default_factory=dict[Series, float])
    histograms: dict[Series, Histogram] = field(default_factory=dict[Series, Histogram])
    examples: dict[Series, Example] = field(default_factory=dict[Series, Example])


class Store:
    """Holds the values. Hold ``lock`` around every call but ``snapshot``; one hold is one consistent change."""

    def __init__(self, clock: Clock) -> None:
        self.lock = threading.Lock()
        self._clock = clock
        self._numbers: dict[Series, float] = {}
        self._histograms: dict[Series, Histogram] = {}
        self._examples: dict[Series, Example] = {}
        self._ticking: dict[Series, float] = {}  # series that grow with the clock: when they started

    def add(self, amount: float, *series: str) -> None:
        self._numbers[series] = self._known(series) + amount

    def set(self, value: float, *series: str) -> None:
        self._known(series)
        self._numbers[series] = value

    def get(self, *series: str) -> float:
        """The value; 0 for a series that does not exist yet."""
        return self._numbers.get(series, 0)

    def histogram(self, histogram: Histogram, *series: str) -> None:
        self._histograms[series] = histogram

    def observe(self, values: F64, *series: str) -> None:
        """Count ``values`` [n], finite, in a histogram that exists."""
        self._histograms[series] = self._histograms[series].with_values(values)

    def observe_one(self, value: float, *series: str) -> None:
        """Count one finite value in a histogram that exists."""
        self.observe(np.array([value]), *series)

    def exemplify(self, example: Example, *series: str) -> None:
        """Show this alert beside a series, in place of the one before it; in a histogram beside its bucket."""
        if series in self._histograms:
            self._histograms[series] = self._histograms[series].with_example(example)
        else:
            self._examples[series] = example

    def bounds(self, *series: str) -> tuple[float, ...]:
        return self._histograms[series].bounds

    def tick(self, started: float, *series: str) -> None:
        """From now on the series also grows with the clock, as if since ``started`` (monotonic seconds)."""
        self._ticking[series] = started

    def ticking(self, *series: str) -> bool:
        return series in self._ticking

    def halt(self, *series: str) -> None:
        """Stop growing; what has grown stays."""
        started = self._ticking.pop(series, None)
        if started is not None:
            self._numbers[series] += self._clock.monotonic() - started

    def word(self, name: str, owner: str, word: str) -> str:
        """``word`` as a label value, or ``other`` when the family already has many different ones for ``owner``."""
        if (name, owner, word) in self._numbers:
            return word
        known = sum(1 for series in self._numbers if series[:2] == (name, owner))
        return word if word.isidentifier() and known < MOST_WORDS else OTHER

    def forget(self, label: str, value: str) -> None:
        """Drop every series whose first label is ``label`` with this value."""
        for series in [s for s in (*self._numbers, *self._histograms) if _begins(s, label, value)]:
            self._numbers.pop(series, None)
            self._histograms.pop(series, None)
            self._examples.pop(series, None)
            self._ticking.pop(series, None)

    def drop(self, name: str, owner: str) -> None:
        """Drop the series of one metric whose first label value is ``owner``."""
        for series in [s for s in self._numbers if s[:2] == (name, owner)]:
            del self._numbers[series]

    def snapshot(self) -> Snapshot:
        with self.lock:
            numbers, histograms, examples = dict(self._numbers), dict(self._histograms), dict(self._examples)
            now = self._clock.monotonic()
            for series, started in self._ticking.items():
                numbers[series] += now - started
        return Snapshot(numbers, histograms, examples)

    def _known(self, series: Series) -> float:
        value = self._numbers.get(series)
        if value is None:
            metric = BY_NAME[series[0]]  # a name that is not in the table would never be scraped
            if len(series) != 1 + len(metric.labels):
                raise ValueError(f"{metric.name} has the labels {metric.labels}, not the values {series[1:]}")
            return 0
        return value


def _begins(series: Series, label: str, value: str) -> bool:
    return BY_NAME[series[0]].labels[:1] == (label,) and series[1] == value
