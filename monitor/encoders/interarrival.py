"""Seconds since the previous record of the same key, by event time, on a logarithmic scale.

Without a key the stream as a whole counts as one; so do records whose key is missing. A time before that of the
previous record counts as no time at all having passed. The keys seen last are remembered, a bounded number of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field as Option

from monitor.core.arrays import F32, F64, I64, Bools, Column
from monitor.core.errors import DataError, StateError
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, RecordBatch
from monitor.core.strict import StrictModel
from monitor.encoders._measure import Measure, Options, fit_measure
from monitor.encoders._reading import remembered
from monitor.encoders._wording import MISSING

FIRST = "first of its key"

FEW = 10
"""With no more first records than this in benign data there is nothing to learn of them: they read as average."""

STATE_VERSION = 1


class Config(StrictModel):
    """Options of ``interarrival``."""

    max_keys: int = Option(
        default=100_000,
        ge=1,
        le=10_000_000,
        description="So many keys are remembered, those seen last; about 200 bytes each.",
    )
    clip: float = Option(
        default=4.0, gt=0, le=1000, description="Columns are cut off here, 1 being the 99.9 % quantile of benign data."
    )


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
        gaps, missing, first = LastSeen(self.config.max_keys).gaps(batch)
        masks = {MISSING: missing, FIRST: first} if first.sum() > FEW else {MISSING: missing}
        measure = fit_measure(gaps, masks, Options("log", self.config.clip), field=self.field, unit="s")
        return FittedInterarrival(measure, LastSeen(self.config.max_keys))


class LastSeen:
    """When each of the keys seen last was seen. Gaps depend on the order of records alone, not on how they are cut."""

    def __init__(self, max_keys: int) -> None:
        self._max_keys = max_keys
        self._times: OrderedDict[str | None, float] = OrderedDict()  # the key seen last stands last

    def gaps(self, batch: RecordBatch) -> tuple[F64, Bools, Bools]:
        """Seconds since the previous record of the key, and remember the batch.

        Returns:
            gaps: [n], >= 0, NaN where there is none.
            missing: [n], records without a time; they are passed over.
            first: [n], records whose key is not remembered.
        """
        times = np.full(len(batch), np.nan) if batch.times is None else batch.times
        known = np.isfinite(times)
        rows = np.flatnonzero(known)
        codes, keys = _keys(batch)
        gaps = np.full(len(batch), np.nan)
        gaps[rows] = self._gaps(codes[rows], times[rows], keys)
        return gaps, ~known, known & np.isnan(gaps)

    def state(self) -> dict[str, Any]:
        return {"version": STATE_VERSION, "keys": list(self._times), "times": list(self._times.values())}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state`` gave out; with a smaller memory, the keys seen last.

        Raises:
            StateError: it is no such thing.
        """
        keys, times = state.get("keys"), state.get("times")
        if state.get("version") != STATE_VERSION or not isinstance(keys, list) or not isinstance(times, list):
            raise StateError(
                f"keys of interarrival: version {state.get('version')!r} is not {STATE_VERSION}, or damaged"
            )
        pairs = _checked(keys, times)
        self._times = OrderedDict(pairs[-self._max_keys :])

    def _gaps(self, codes: I64, times: F64, keys: list[str | None]) -> F64:
        """Gaps of records that have a time, [m]; NaN for the first of a key. ``codes`` [m] index ``keys``."""
        if not len(codes):
            return times
        order = np.argsort(codes, kind="stable")
        by_key, ordered = codes[order], times[order]
        starts = np.flatnonzero(np.diff(by_key, prepend=-1))
        ends = np.append(starts[1:], len(by_key)) - 1
        present = [keys[code] for code in by_key[starts].tolist()]
        if len(self._times) + sum(key not in self._times for key in present) > self._max_keys:
            return self._gaps_one_by_one(codes, times, keys)
        before = np.empty_like(ordered)
        before[1:] = ordered[:-1]
        before[starts] = [self._times.get(key, np.nan) for key in present]
        gaps = np.empty_like(ordered)
        gaps[order] = _elapsed(before, ordered)
        for group in np.argsort(order[ends]).tolist():
            self._remember(present[group], float(ordered[ends[group]]))
        return gaps

    def _gaps_one_by_one(self, codes: I64, times: F64, keys: list[str | None]) -> F64:
        """The same where the memory may overflow: who is forgotten first depends on every single record."""
        before = np.empty_like(times)
        for row, (code, time) in enumerate(zip(codes.tolist(), times.tolist(), strict=True)):
            before[row] = self._times.get(keys[code], np.nan)
            self._remember(keys[code], time)
            if len(self._times) > self._max_keys:
                self._times.popitem(last=False)
        return _elapsed(before, times)

    def _remember(self, key: str | None, time: float) -> None:
        self._times[key] = time
        self._times.move_to_end(key)


@dataclass(frozen=True)
class FittedInterarrival:
    """The gaps of benign data, and the keys seen since."""

    measure: Measure
    last_seen: LastSeen

    @property
    def columns(self) -> tuple[str, ...]:
        return self.measure.columns

    @property
    def novelty(self) -> tuple[str, ...]:
        return self.measure.novelty

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        if not len(batch):
            return
        gaps, missing, first = self.last_seen.gaps(batch)
        self.measure.encode(gaps, (missing, first)[: len(self.measure.flags.names)], columns, novelty)

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        return self.measure.explain(columns, novelty, reconstruction)

    def decode(self, columns: F32) -> Mapping[Field, Column]:  # noqa: ARG002 - a gap is of no field
        return {}

    def state(self) -> Mapping[str, Any]:
        return self.measure.state()

    def keyed_state(self) -> Mapping[str, Any]:
        return self.last_seen.state()

    def load_keyed_state(self, state: Mapping[str, Any]) -> None:
        self.last_seen.load(state)


def _keys(batch: RecordBatch) -> tuple[I64, list[str | None]]:
    """The key of each record as an index [n] into the distinct keys."""
    if batch.keys is None:
        return np.zeros(len(batch), dtype=np.int64), [None]
    encoded = batch.keys.dictionary_encode(null_encoding="encode")
    names = encoded.dictionary.to_pylist()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, [None if name is None else remembered(name) for name in names]


def _elapsed(before: F64, now: F64) -> F64:
    """Seconds between, [n], never negative; NaN where ``before`` is. Absurd times may overflow to infinity."""
    with np.errstate(over="ignore"):
        return np.maximum(now - before, 0.0)


def _checked(keys: list[Any], times: list[Any]) -> list[tuple[str | None, float]]:
    if len(keys) != len(times) or not all(key is None or isinstance(key, str) for key in keys):
        raise StateError(f"keys of interarrival: {len(keys)} keys do not fit {len(times)} times, or are no texts")
    if not all(isinstance(time, int | float) and np.isfinite(time) for time in times):
        raise StateError("keys of interarrival: a time is no finite number")
    return [(key, float(time)) for key, time in zip(keys, times, strict=True)]


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return InterarrivalEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:  # noqa: ARG001
    """A fitted encoder as its ``state`` describes it."""
    return FittedInterarrival(Measure.restore(state), LastSeen(config.max_keys))
