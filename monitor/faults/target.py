"""One field of a batch and the rows to be spoiled; whatever is done to it, the batch it came from stays as it was."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.core.arrays import F64, I64, Bools, Column
from monitor.core.columns import convert
from monitor.core.records import Field, FieldType, RecordBatch

SPREAD_QUANTILES = (0.05, 0.95)
"""The spread of a field is the distance between these quantiles: what lies outside is the tail's."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a fault befalls: the field by its name, in every type it was parsed as, and the rows [m], rising.

    ``fields`` has the type first that the fault is made for; the others follow it, so that the record stays one.
    """

    batch: RecordBatch
    fields: tuple[Field, ...]
    rows: I64
    random: np.random.Generator

    @property
    def column(self) -> Column:
        """The values of all rows, [n], in the type the fault is made for."""
        return self.batch.columns[self.fields[0]]

    @property
    def present(self) -> Bools:
        """Rows [n] that have a value."""
        found: Bools = self.column.is_valid().to_numpy(zero_copy_only=False)
        return found

    @property
    def spread(self) -> float:
        """How far usual values lie apart, > 0 and finite; of a constant its size, or 1."""
        values = self._finite()
        if not len(values):
            return 1.0
        low, high = np.quantile(values, SPREAD_QUANTILES)
        apart = float(high - low or values.max() - values.min() or abs(values[0]) or 1.0)
        return apart if math.isfinite(apart) else sys.float_info.max

    @property
    def positive(self) -> bool:
        """Whether no value is below 0."""
        return bool((self._finite() >= 0).all())

    def numbers(self) -> tuple[F64, I64]:
        """The numbers of the rows, one behind the other [e], and the place in ``rows`` that each belongs to [e]."""
        chosen = self.column.take(pa.array(self.rows))
        if self.fields[0].type is not FieldType.VECTOR:
            return chosen.to_numpy(zero_copy_only=False), np.arange(len(self.rows))
        owners: I64 = pc.list_parent_indices(chosen).to_numpy(zero_copy_only=False).astype(np.int64)
        return chosen.flatten().to_numpy(zero_copy_only=False), owners

    def with_numbers(self, values: F64) -> RecordBatch:
        """The batch with other numbers in the rows, [e] as ``numbers`` gives them; whole where all of them are."""
        finite = self._finite()
        values = np.rint(values) if (finite == np.rint(finite)).all() else values
        chosen = self.column.take(pa.array(self.rows))
        listed = self.fields[0].type is FieldType.VECTOR
        absent = (chosen.flatten() if listed else chosen).is_null().to_numpy(zero_copy_only=False)
        made = pa.array(values, pa.float64(), mask=absent)
        return self.with_values(pa.ListArray.from_arrays(chosen.offsets, made) if listed else made)

    def with_values(self, values: Column) -> RecordBatch:
        """The batch with other values in the rows, [m] in the type the fault is made for."""
        first, *others = self.fields
        texts = values.cast(pa.string()) if others else values
        made = {first: values} | {field: convert(texts, field.type) for field in others}
        return self._with({f: _put(self.batch.columns[f], self.rows, new) for f, new in made.items()})

    def taking(self, sources: I64) -> RecordBatch:
        """The batch with the values of other rows, [m], in the rows; -1 is no value at all."""
        places = np.arange(len(self.batch))
        places[self.rows] = sources
        indices = pa.array(places, mask=places < 0)
        return self._with({field: self.batch.columns[field].take(indices) for field in self.fields})

    def _with(self, columns: Mapping[Field, Column]) -> RecordBatch:
        return replace(self.batch, columns={**self.batch.columns, **columns})

    def _finite(self) -> F64:
        flat = self.column.flatten() if self.fields[0].type is FieldType.VECTOR else self.column
        values = flat.drop_null().to_numpy(zero_copy_only=False)
        finite: F64 = values[np.isfinite(values)]
        return finite


def _put(column: Column, rows: I64, values: Column) -> Column:
    """A copy of ``column`` [n] with ``values`` [m] at ``rows`` [m]."""
    places = np.arange(len(column))
    places[rows] = len(column) + np.arange(len(rows))
    return pa.concat_arrays([column, values.cast(column.type)]).take(pa.array(places))
