"""Offers what was scored as benign to the stream's reservoir; a record that is not wanted costs a hash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, TypeVar

import numpy as np

from monitor.app.alerting import Scored
from monitor.core.arrays import F64, I64, Bools
from monitor.core.clock import Clock
from monitor.core.config import StreamConfig
from monitor.core.records import RawBatch, RecordBatch
from monitor.core.rows import joined_lines, keep, lines_of
from monitor.core.strings import U64
from monitor.core.warm_up import WarmUp
from monitor.deciding.episodes import Episodes
from monitor.ingest.reading import Ingest
from monitor.reservoir.columns import Sampled
from monitor.reservoir.reservoir import Reservoir
from monitor.reservoir.sample import SPAN_SECONDS, Limits

LOOK_BATCHES, LOOK_RECORDS = 16, 512
"""After so many batches, or records that are wanted, these are parsed together, and with them the last one there is, so
that a new hour is noticed. To parse a handful costs as much as hundreds; what waits is lost when the program ends."""

AHEAD_SECONDS = 3600.0
"""A record that is further ahead of the clock has a wrong time: an hour in years to come would age all others out."""


def limits_of(stream: StreamConfig) -> Limits:
    """How much is kept of a stream."""
    options = stream.reservoir
    return Limits(options.max_records, options.max_bytes, options.max_age_days)


def warm_ups(stream: StreamConfig) -> dict[str, WarmUp]:
    """What of a stream is learned from records that follow each other, and how many of them come before that.

    Of such streams stretches are kept; of others, where this is empty, single records.
    """
    options = {name: getattr(feature.options, "warm_up", None) for name, feature in stream.features.items()}
    found = {name: warm_up for name, warm_up in options.items() if isinstance(warm_up, WarmUp)}
    average = stream.score.average
    if isinstance(average, int) and average > 1:
        found["score.average"] = WarmUp(records=average - 1)
    return found


class Sampler:
    """Between a stream's pipeline and its reservoir.

    ``ingest`` parses single records for all that a training may want, with time and key. ``episodes`` tells which keys
    alert just now: their records are left out, as those above the limit are.
    """

    def __init__(self, reservoir: Reservoir, ingest: Ingest, episodes: Episodes, clock: Clock) -> None:
        self._reservoir = reservoir
        self._ingest = ingest
        self._episodes = episodes
        self._clock = clock
        self._waiting: list[_Chosen] = []
        self._batches = 0  # since the last look

    def offer(self, scored: Scored) -> None:
        """Add the benign records of a batch that the sample wants; after its alerts were counted."""
        benign = np.flatnonzero(scored.records.ok & ~(scored.scores.scores > scored.limits))
        if not len(benign):
            return
        hashes = self._reservoir.hashes(scored.records.raw)
        wanted = benign[hashes[benign] < np.uint64(self._reservoir.bound)]
        self._batches += 1
        if len(wanted):
            self._waiting.append(_Chosen.of(scored, wanted, hashes))
        if not is_time_to_look(self._reservoir, self._batches, self._waiting):
            return
        newest = self._reservoir.newest
        self._add([*self._waiting, _Chosen.of(scored, benign[-1:], hashes)])
        self._waiting, self._batches = [], 0
        if self._reservoir.newest != newest and len(wanted) < len(benign):
            self._add([_Chosen.of(scored, benign, hashes)])  # of a new hour records are wanted whatever their hash

    def _add(self, parts: Sequence[_Chosen]) -> None:
        """Parse records, those of a file together, and add what may be learned of them."""
        for chosen in by_file(parts):
            hashes = np.concatenate([one.hashes for one in chosen])
            scores = np.concatenate([one.scores for one in chosen])
            sampled = self._sampled(joined_lines([one.raw for one in chosen]), hashes, scores)
            if len(sampled.rows):
                self._reservoir.add(sampled)

    def _sampled(self, raw: RawBatch, hashes: U64, scores: F64) -> Sampled:
        """Those of some records that may be learned."""
        records, now = self._ingest.parse(raw), self._clock.now()
        times = times_of(records, now)
        fit = can_be(times, now) & records.ok & ~self._episodes.open(records)
        rows, times = np.flatnonzero(fit), times[fit]
        spans = (times // SPAN_SECONDS).astype(np.int64)
        return Sampled(raw, rows, keep(records, fit), times, spans, hashes[fit], scores[fit])


def times_of(records: RecordBatch, now: float) -> F64:
    """When records happened; where the stream has no time, ``now``: [n]."""
    return np.full(len(records), now) if records.times is None else records.times


def can_be(times: F64, now: float) -> Bools:
    """Which times [n] a record may have; not one that cannot be read, or lies far ahead of the clock."""
    can: Bools = (times >= 0) & (times <= now + AHEAD_SECONDS)
    return can


class Lines(Protocol):
    """Some records of a batch."""

    @property
    def raw(self) -> RawBatch: ...


Part = TypeVar("Part", bound=Lines)


def is_time_to_look(reservoir: Reservoir, batches: int, waiting: Sequence[Lines]) -> bool:
    """Whether what waits is parsed and added now, so many ``batches`` after the last time."""
    return reservoir.is_open or batches >= LOOK_BATCHES or sum(len(each.raw) for each in waiting) >= LOOK_RECORDS


def by_file(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Parts that follow each other in a file, together."""
    for _, group in groupby(parts, key=lambda part: part.raw.origin):
        yield list(group)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Some records of a batch, alone, with their ``hashes`` and ``scores`` [m]."""

    raw: RawBatch
    hashes: U64
    scores: F64

    @classmethod
    def of(cls, scored: Scored, rows: I64, hashes: U64) -> _Chosen:
        """The given rows [m] of a batch with hashes [n]."""
        return cls(lines_of(scored.records.raw, rows), hashes[rows], scored.scores.scores[rows])
