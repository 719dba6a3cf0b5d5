"""Columns as numpy arrays: copied only where something is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.core.arrow import pa
from monitor.core.names import listed
from monitor.core.records import FieldType, RecordBatch

FOUND = 5
"""A message about values that were not expected shows so many."""


def numbers(batch: RecordBatch, field: str) -> tuple[F64, Bools | None]:
    """The values of a number field, [n], and where they are missing (None: nowhere). A missing value reads NaN.

    The values may be the parser's own memory: never write to them.
    """
    column = typed(batch.column(field, FieldType.NUMBER), pa.float64())
    if not column.null_count:
        return column.to_numpy(zero_copy_only=True), None
    values: F64 = column.to_numpy(zero_copy_only=False)
    absent = np.isnan(values)
    if np.count_nonzero(absent) == column.null_count:  # no NaN besides: cheaper than asking for the nulls
        return values, absent
    return values, column.is_null().to_numpy(zero_copy_only=False)


def booleans(batch: RecordBatch, field: str) -> tuple[Bools, Bools | None]:
    """The values of a boolean field, [n], and where they are missing (None: nowhere). A missing value reads False."""
    column = typed(batch.column(field, FieldType.BOOLEAN), pa.bool_())
    if not column.null_count:
        return column.to_numpy(zero_copy_only=False), None
    return column.fill_null(False).to_numpy(zero_copy_only=False), column.is_null().to_numpy(zero_copy_only=False)


def texts(batch: RecordBatch, field: str) -> Any:
    """The values of a text field as a pyarrow string array, null where missing."""
    return typed(batch.column(field, FieldType.TEXT), pa.string())


def found_instead(column: Any) -> str:
    """What a text column holds, for the end of a message: its first few distinct values; empty if it has none.

    >>> found_instead(pa.array(["F", "M", None, "F"]))
    "; found are 'F', 'M'"
    """
    values = column.drop_null().unique().to_pylist()
    more = f" and {len(values) - FOUND:,} more" if len(values) > FOUND else ""
    return f"; found are {listed(values[:FOUND])}{more}" if values else ""


def typed(column: Any, wanted: Any) -> Any:
    """A column that never occurs may come untyped, one of a file may come dictionary-encoded."""
    return column if column.type == wanted else column.cast(wanted)
