"""Faults that last: a value that stands still, or moves away little by little. The order of the records matters."""

from __future__ import annotations

import numpy as np

from monitor.core.records import RecordBatch
from monitor.faults.runs import Runs, key_codes, runs_of
from monitor.faults.target import Target

DRIFT = 1.5
"""How far a drift comes by its end, in spreads of the field."""


def frozen(target: Target) -> RecordBatch:
    """Each key's value stays what it was in the last sound record before."""
    return target.taking(_runs(target).anchors)


def drifting(target: Target) -> RecordBatch:
    """Each key's value moves up from what it is, evenly, until it is ``DRIFT`` spreads off."""
    runs = _runs(target)
    values, owners = target.numbers()
    ramp = DRIFT * target.spread * runs.depths / np.maximum(runs.lengths, 1)
    return target.with_numbers(values + ramp[owners])


def _runs(target: Target) -> Runs:
    inside = np.zeros(len(target.batch), dtype=np.bool_)
    inside[target.rows] = True
    return runs_of(key_codes(target.batch), inside, target.present)
