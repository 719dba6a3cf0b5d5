"""Faults of the clock: too much at once, and nothing for too long. They move event times, and no value but the key."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from monitor.core.arrays import F64, I64
from monitor.core.records import RecordBatch
from monitor.faults.runs import key_codes, runs_of
from monitor.faults.target import Target

FASTER = 100.0
"""So many times faster than before come the records of a burst, and all are of one key."""

SILENCE = 50.0
"""A silence lasts so many times as long as all but a hundredth of the gaps between the records of a key."""
USUAL_GAPS = 0.99


def burst(target: Target) -> RecordBatch:
    """Adjacent rows become records of the key before them, in a short time."""
    batch, rows = target.batch, target.rows
    inside = np.zeros(len(batch), dtype=np.bool_)
    inside[rows] = True
    times = _times(batch).copy()
    anchors = runs_of(np.zeros(len(batch), dtype=np.int64), inside, np.isfinite(times)).anchors
    times[rows] = times[anchors] + (times[rows] - times[anchors]) / FASTER
    renamed = target.taking(anchors)
    return replace(renamed, times=times, keys=_keys(batch, rows, anchors))


def silence(target: Target) -> RecordBatch:
    """Nothing comes before each of the rows for long: its time and all later ones move on."""
    times = _times(target.batch)
    moved = np.zeros(len(times))
    moved[target.rows] = SILENCE * _usual_gap(times, key_codes(target.batch))
    return replace(target.batch, times=times + np.cumsum(moved))


def _times(batch: RecordBatch) -> F64:
    return np.full(len(batch), np.nan) if batch.times is None else batch.times


def _keys(batch: RecordBatch, rows: I64, sources: I64) -> pa.Array | None:
    if batch.keys is None:
        return None
    places = np.arange(len(batch))
    places[rows] = sources
    return batch.keys.take(pa.array(places))


def _usual_gap(times: F64, codes: I64) -> float:
    """Seconds that pass between two records of a key, nearly always at most; 1 where none ever do."""
    order = np.argsort(codes, kind="stable")
    gaps = np.diff(times[order])[np.diff(codes[order]) == 0]
    gaps = gaps[np.isfinite(gaps) & (gaps > 0)]
    return float(np.quantile(gaps, USUAL_GAPS)) if len(gaps) else 1.0
