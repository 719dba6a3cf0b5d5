"""Vectors as matrices: read from an array field or from several number fields, unusable entries marked."""

# The functions of pyarrow.compute are made at import time; no checker can see them.
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.core.arrays import F64, I64, Bools, Column
from monitor.core.arrow import pa, pc
from monitor.core.records import FieldType, RecordBatch
from monitor.encoders._reading import numbers, typed


@dataclass(frozen=True, slots=True)
class Entries:
    """Vectors of d entries: ``values`` [n, d], NaN where an entry is null, NaN or infinite, or not there at all.

    ``missing`` [n]: there is no vector. ``misfit`` [n]: it has another length. ``broken`` [n]: some entries are NaN.
    ``values`` may be the parser's own memory: never write to them.
    """

    values: F64
    missing: Bools
    misfit: Bools
    broken: Bools

    @property
    def complete(self) -> bool:
        """Whether every entry of every row is a number."""
        return not (self.missing.any() or self.misfit.any() or self.broken.any())


def from_array(batch: RecordBatch, field: str, length: int) -> Entries:
    """The vectors of an array field; those of another length have no entries."""
    column = _array(batch, field)
    lengths = _lengths(column)
    fitting = lengths == length
    if fitting.all():
        values = _matrix(column, length)
    else:
        values = np.full((len(column), length), np.nan)
        values[fitting] = _matrix(column.filter(pa.array(fitting)), length)
    return _entries(values, lengths < 0, (lengths >= 0) & ~fitting)


def from_columns(batch: RecordBatch, columns: Sequence[str]) -> Entries:
    """The vectors made of number fields; one is missing where all of them are."""
    read = [numbers(batch, name) for name in columns]
    values = np.column_stack([value for value, _ in read])
    none = np.zeros(len(batch), dtype=np.bool_)
    missing = np.logical_and.reduce([none if mask is None else mask for _, mask in read])
    return _entries(values, missing, none)


def to_array(values: F64, absent: Bools) -> Column:
    """The rows of ``values`` [n, d] as an array field, null where ``absent`` [n]."""
    rows, length = values.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int64) * length, pa.int32())
    return pa.ListArray.from_arrays(offsets, values.ravel(), mask=pa.array(absent))


def usual_length(batch: RecordBatch, field: str) -> int:
    """The length that most vectors of the field have, the shortest of them if several are as frequent; 0: no vector."""
    lengths = _lengths(_array(batch, field))
    sizes, counts = np.unique(lengths[lengths > 0], return_counts=True)
    return int(sizes[counts.argmax()]) if len(sizes) else 0


def _array(batch: RecordBatch, field: str) -> Any:
    return typed(batch.column(field, FieldType.VECTOR), pa.list_(pa.float64()))


def _lengths(column: Any) -> I64:
    """Entries of each vector, [n]; -1 where there is none."""
    lengths: I64 = pc.list_value_length(column).fill_null(-1).to_numpy(zero_copy_only=False)
    return lengths


def _matrix(column: Any, length: int) -> F64:
    """Vectors that all have this length, [n, length]; null entries as NaN."""
    flat: F64 = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), length)


def _entries(values: F64, missing: Bools, misfit: Bools) -> Entries:
    finite = np.isfinite(values)
    if finite.all():
        return Entries(values, missing, misfit, np.zeros(len(values), dtype=np.bool_))
    broken = ~finite.all(axis=1) & ~missing & ~misfit
    return Entries(np.where(finite, values, np.nan), missing, misfit, broken)
