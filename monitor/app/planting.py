"""Faults planted in benign records, one at a time in one field: are they found, and does the alert name the field."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.app.alerting import anomalies
from monitor.core.arrays import F32, F64, I64
from monitor.core.features import FeatureMatrix
from monitor.core.names import listed
from monitor.core.progress import Progress
from monitor.core.protocols import KeyedEncoder
from monitor.core.records import RecordBatch
from monitor.core.rows import joined, take
from monitor.explaining.fields import blamed, contributions
from monitor.faults.planting import FAULTS, applies, choose, plant
from monitor.ingest.features import Feature, FeatureSpace
from monitor.reporting.corruption import Limits, encoded_again
from monitor.reporting.evaluation import Recovered
from monitor.reporting.intervals import Bootstrap
from monitor.scoring.l1 import L1Scorer

STRETCH_RECORDS = 4000
"""Benign records that faults are planted in: as many as last a fault for a while in several keys."""

EVENT_TIME = "event time"
"""Stands for the field of a fault that moves the clock."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is planted.

    ``planted`` records are befallen by one fault in one field; of 4,000 that is one in twenty, so that keyed features
    see sound ones in between. ``named`` of those found are asked for the field they blame. ``runs`` are kinds of fault
    times fields; wide streams have faults planted in a drawn sample of their fields, which is said.
    """

    planted: int = 200
    named: int = 100
    runs: int = 150


THOROUGH = Effort()


@dataclass(frozen=True, slots=True)
class Judge:
    """A model as far as faults concern it: the scores of encoded records [n], and the feature each blames first."""

    features: FeatureSpace
    score: Callable[[FeatureMatrix], F64]
    blame: Callable[[F32], Sequence[str]]

    @classmethod
    def of(cls, features: FeatureSpace, scorer: L1Scorer) -> Judge:
        """The features and the scorer of a model."""
        return cls(features, lambda matrix: scorer.score(matrix).scores, lambda values: first_blamed(scorer, values))


def first_blamed(scorer: L1Scorer, values: F32) -> list[str]:
    """The feature that an alert on each encoded record [n, total] would name first."""
    blocks = scorer.layout.blocks
    return [blocks[blamed(contributions(a.blame), a.field_errors)[0]].feature for a in anomalies(scorer, values)]


class Stretch:
    """The first benign records of an input, in order, as parsed and as encoded.

    Made before anything is encoded, so that it knows what keyed features remembered then.
    """

    def __init__(self, features: FeatureSpace, limit: int) -> None:
        self.remembered = features.keyed_state()
        self._limit = limit
        self._records: list[RecordBatch] = []
        self._values: list[F32] = []
        self._count = 0

    def offer(self, records: RecordBatch, values: F32, rows: I64) -> None:
        """Look at some rows of the next batch, encoded as ``values`` [n, total]."""
        rows = rows[: self._limit - self._count]
        if len(rows):
            self._records.append(take(records, rows))
            self._values.append(values[rows])
            self._count += len(rows)

    def whole(self) -> tuple[RecordBatch, F32] | None:
        """The records and their encoding [n, total]; None when there is none."""
        return (joined(self._records), np.concatenate(self._values)) if self._count else None


@dataclass(frozen=True, slots=True)
class _Run:
    """One fault in one field (of clock faults that of the key, if it is one), and the features it shows in."""

    field: str
    fault: str
    touched: tuple[Feature, ...]

    @property
    def told(self) -> str:
        return EVENT_TIME if FAULTS[self.fault].clock else self.field


def recover(
    judge: Judge,
    stretch: Stretch,
    key: str | None,
    faults: Sequence[str],
    limits: Limits,
    bootstrap: Bootstrap,
    progress: Progress,
    *,
    effort: Effort = THOROUGH,
) -> tuple[tuple[Recovered, ...], tuple[str, ...]]:
    """Plant every fault in every field it can befall, one run after the other; fields no feature reads are left alone.

    The random numbers of a run depend on the seed and on the run alone. ``key`` is the field that names the entity.

    Returns:
        What became of them, by field and fault, and what a reader must know.
    """
    kept = stretch.whole()
    if kept is None:
        return (), ("no benign record, so no fault was planted",)
    runs, notes = _bounded(_runs(judge.features, kept[0], key or "", faults), effort.runs, bootstrap)
    found: list[Recovered] = []
    for index, run in enumerate(runs):
        judge.features.load_keyed_state(stretch.remembered)
        row = _tried(judge, *kept, run, limits, bootstrap, effort)
        found += [row] if row is not None else []
        progress("planting", index + 1, len(runs), f"{run.told}: {run.fault}")
    return tuple(found), tuple(notes)


def _runs(space: FeatureSpace, records: RecordBatch, key: str, faults: Sequence[str]) -> list[_Run]:
    fields = list(dict.fromkeys(field.name for field in space.fields))
    values = [
        _Run(field, fault, _reading(space, field))
        for fault in faults
        for field in fields
        if not FAULTS[fault].clock and applies(records, field, fault)
    ]
    clocks = tuple(f for f in space.features if not f.fields or isinstance(f.encoder, KeyedEncoder))
    moved = [fault for fault in faults if clocks and FAULTS[fault].clock and applies(records, key, fault)]
    return [*values, *(_Run(key, fault, (*clocks, *_others(_reading(space, key), clocks))) for fault in moved)]


def _reading(space: FeatureSpace, name: str) -> tuple[Feature, ...]:
    return tuple(f for f in space.features if name in {field.name for field in f.fields})


def _others(features: Sequence[Feature], known: Sequence[Feature]) -> list[Feature]:
    return [feature for feature in features if feature not in known]


def _bounded(runs: list[_Run], limit: int, bootstrap: Bootstrap) -> tuple[list[_Run], list[str]]:
    """All runs, or those of as many fields, drawn by the seed, as make about ``limit``."""
    fields = list(dict.fromkeys(run.told for run in runs))
    most = max(1, limit * len(fields) // max(1, len(runs)))
    if most >= len(fields):
        return runs, []
    drawn = {fields[index] for index in bootstrap.generator(8).permutation(len(fields))[:most].tolist()}
    names = listed([field for field in fields if field in drawn])
    note = f"of {len(fields):,} fields, faults were planted in {most}, drawn by the seed: {names}"
    return [run for run in runs if run.told in drawn], [note]


def _tried(
    judge: Judge, records: RecordBatch, values: F32, run: _Run, limits: Limits, bootstrap: Bootstrap, effort: Effort
) -> Recovered | None:
    """Plant, encode, score and blame; None when the fault changes no record."""
    purpose = zlib.crc32(f"{run.told}\n{run.fault}".encode())
    random = bootstrap.generator(9, purpose)
    rows = choose(records, run.field, run.fault, min(effort.planted, len(records) // 10), random)
    planting = plant(records, run.field, run.fault, rows, random)
    if not len(planting.rows):
        return None
    spoiled = _encoded(judge.features, run.touched, planting.records, values, planting.rows)
    scores = judge.score(spoiled)
    alerts = np.flatnonzero(scores > limits.threshold)
    asked = random.permutation(alerts)[: effort.named]
    culprits = {feature.name for feature in run.touched}
    named = sum(feature in culprits for feature in judge.blame(spoiled.values[asked])) if len(asked) else 0
    count = len(scores)
    return Recovered(
        field=run.told,
        fault=run.fault,
        records=count,
        recall=bootstrap.share(len(alerts), count, 10, purpose),
        recall_at_rate=bootstrap.share(int((scores > limits.at_rate).sum()), count, 11, purpose),
        named=bootstrap.share(named, len(asked), 12, purpose),
    )


def _encoded(
    space: FeatureSpace, touched: Sequence[Feature], records: RecordBatch, values: F32, rows: I64
) -> FeatureMatrix:
    """The rows [m] of the spoiled records as encoded; all records before them only where a feature remembers some."""
    if not any(isinstance(feature.encoder, KeyedEncoder) for feature in touched):
        return encoded_again(space, touched, take(records, rows), values[rows])
    whole = encoded_again(space, touched, records, values)
    return replace(whole, values=np.ascontiguousarray(whole.values[rows]))
