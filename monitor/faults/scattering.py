"""Many faults in one batch: every kind in every field it can befall, each in rows of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from monitor.core.arrays import I64
from monitor.core.records import RecordBatch
from monitor.faults.planting import FAULTS, Planting, applies, choose, plant

VALUE_FAULTS = tuple(name for name, fault in FAULTS.items() if not fault.clock)
"""The faults that spoil a value; those that move the clock would spoil the records of others too."""


@dataclass(frozen=True, slots=True)
class Scattering:
    """A batch in which no row has more than one fault, and what was planted, each with the rows it got."""

    records: RecordBatch
    planted: tuple[Planting, ...]


def scatter(
    batch: RecordBatch, fields: Iterable[str], share: float, random: np.random.Generator, faults: Iterable[str] = ()
) -> Scattering:
    """Spoil about ``share`` of the rows, as many with each fault in each field as the values allow.

    What a fault takes from other rows (a swapped value, one that freezes) is always one of the batch as it came.

    Args:
        batch: benign records in the order of time.
        fields: names of the fields that are spoiled.
        share: of all rows, 0 to 1.
        random: the same generator in the same state plants the same.
        faults: which; none: all that spoil values.
    """
    names = tuple(faults) or VALUE_FAULTS
    pairs = [(name, field) for name in names for field in fields if applies(batch, field, name)]
    pairs.sort(key=lambda pair: -FAULTS[pair[0]].run)  # those that need runs first, while there are whole ones
    each = share * len(batch) / max(1, len(pairs))
    free = np.ones(len(batch), dtype=np.bool_)
    planted: list[Planting] = []
    for name, field in pairs:
        open_rows = replace(batch, ok=batch.ok & free)
        found = plant(batch, field, name, choose(open_rows, field, name, round(each), random), random)
        free[found.rows] = False
        planted.append(found)
    return Scattering(_merged(batch, planted), tuple(planted))


def _merged(batch: RecordBatch, planted: Iterable[Planting]) -> RecordBatch:
    """The batch with each planting's values in its rows."""
    columns = dict(batch.columns)
    for planting in planted:
        for field in [field for field in columns if field.name == planting.field]:
            columns[field] = _laid_over(columns[field], planting.records.columns[field], planting.rows)
    return replace(batch, columns=columns)


def _laid_over(column: pa.Array, other: pa.Array, rows: I64) -> pa.Array:
    """``column`` [n] with the values of ``other`` [n] in some rows."""
    places = np.arange(len(column))
    places[rows] += len(column)
    return pa.concat_arrays([column, other]).take(pa.array(places))
