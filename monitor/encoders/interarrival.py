"""Seconds since the previous record of the same key, by event time, on a logarithmic scale.

Without a key the stream as a whole counts as one; so do records whose key is missing. A time before that of the
previous record counts as no time at all having passed. The keys seen last are remembered, a bounded number of them;
the first record of any other reads as average, since after a start with nothing remembered it is the first of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field as Option

from monitor.core.arrays import F32, F64, Bools, Column
from monitor.core.errors import DataError
from monitor.core.groups import elapsed, known_by_key
from monitor.core.keyed_memory import MAX_KEYS, KeyedMemory, Remembering
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, RecordBatch
from monitor.core.strict import StrictModel
from monitor.core.warm_up import WarmUp
from monitor.encoders._measure import Measure, Options, fit_measure
from monitor.encoders._wording import MISSING

FIRST = "none: the first record of this key"


class Config(StrictModel):
    """Options of ``interarrival``."""

    max_keys: int = MAX_KEYS
    clip: float = Option(
        default=4.0, gt=0, le=1000, description="Columns are cut off here, 1 being the 99.9 % quantile of benign data."
    )

    @property
    def warm_up(self) -> WarmUp:
        """Until there is a record before."""
        return WarmUp(records=1)


EXAMPLE = """
max_keys: 1000
"""


@dataclass(frozen=True)
class InterarrivalEncoder:
    """Not yet fitted. ``field`` is only the name of the feature: key and event time are the record's."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return ()

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        if batch.times is None:
            raise DataError(f"feature {self.field!r}: the stream has no event time; set its `time:`")
        gaps, missing = gaps_of(batch, empty_memory(self.config))
        measure = fit_measure(gaps, {MISSING: missing}, Options("log", self.config.clip), field=self.field, unit="s")
        return FittedInterarrival(empty_memory(self.config), measure)


@dataclass(frozen=True)
class FittedInterarrival(Remembering):
    """The gaps of benign data, and when each of the keys seen last was seen."""

    measure: Measure

    @property
    def columns(self) -> tuple[str, ...]:
        return self.measure.columns

    @property
    def novelty(self) -> tuple[str, ...]:
        return self.measure.novelty

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        if not len(batch):
            return
        gaps, missing = gaps_of(batch, self.memory)
        self.measure.encode(gaps, (missing,), columns, novelty)

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        told = self.measure.told(columns, novelty)
        return replace(self.measure.explain(columns, novelty, reconstruction), actual=FIRST if told is None else told)

    def decode(self, columns: F32) -> Mapping[Field, Column]:  # noqa: ARG002 - a gap is of no field
        return {}

    def state(self) -> Mapping[str, Any]:
        return self.measure.state()


def gaps_of(batch: RecordBatch, memory: KeyedMemory) -> tuple[F64, Bools]:
    """Seconds since the previous record of the key, and remember the batch.

    Returns:
        gaps: [n], >= 0, NaN where there is none: without a time, and for a key that is not remembered.
        missing: [n], records without a time; they are passed over.
    """
    times = np.full(len(batch), np.nan) if batch.times is None else batch.times
    times = np.where(np.isfinite(times), times, np.nan)
    visit = memory.visit(known_by_key(batch, times))
    groups = visit.groups
    ordered = times[groups.rows]
    gaps = np.full(len(batch), np.nan)
    gaps[groups.rows] = elapsed(groups.previous(ordered, visit.before[:, 0]), ordered)
    memory.leave(visit, ordered[groups.ends, None])
    return gaps, np.isnan(times)


def empty_memory(config: Config) -> KeyedMemory:
    """Of each key, the time of its last record; NaN of a new one."""
    return KeyedMemory(config.max_keys, blank=[np.nan])


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return InterarrivalEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:  # noqa: ARG001
    """A fitted encoder as its ``state`` describes it."""
    return FittedInterarrival(empty_memory(config), Measure.restore(state))
