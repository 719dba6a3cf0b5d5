"""Whether two parsers say the same of a batch, bit by bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.core.arrays import I64, Column
from monitor.core.records import FieldType, RawBatch, RecordBatch
from monitor.core.rows import NO_ORIGIN


def batch_of(lines: Sequence[bytes]) -> RawBatch:
    """Lines as framing hands them over, but that these may be no UTF-8."""
    sizes = np.fromiter(map(len, lines), dtype=np.int64, count=len(lines))
    ends = np.cumsum(sizes + 1) - 1
    data = b"".join(line + b"\n" for line in lines)
    whole = np.zeros(len(lines), dtype=np.bool_)
    return RawBatch(NO_ORIGIN, data, ends - sizes, ends, ends - sizes, len(data), data[-256:], whole)


def difference(found: RecordBatch, wanted: RecordBatch) -> str | None:
    """What is not the same, None when nothing is. NaN is NaN, whatever its bits; 0 is not -0."""
    if list(found.columns) != list(wanted.columns):
        return "the columns"
    if not np.array_equal(found.ok, wanted.ok) or dict(found.reasons) != dict(wanted.reasons):
        return "which lines can be read, or why not"
    for field, column in wanted.columns.items():
        found.columns[field].validate(full=True)
        if not _same(found.columns[field], column, field.type):
            return f"the column {field.name!r}: {found.columns[field].to_pylist()} is not {column.to_pylist()}"
    return None


def _same(found: Column, wanted: Column, kind: FieldType) -> bool:
    if found.type != wanted.type or found.is_null() != wanted.is_null():
        return False
    if kind is not FieldType.NUMBER:
        return bool(found.equals(wanted))
    return np.array_equal(_bits(found), _bits(wanted))


def _bits(column: Column) -> I64:
    values = column.fill_null(0.0).to_numpy(zero_copy_only=False)
    bits: I64 = np.where(np.isnan(values), np.nan, values).view(np.int64)
    return bits
