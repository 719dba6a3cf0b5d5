"""Test support: batches of parsed records from Python lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.rows import without_lines

ARROW = {
    FieldType.NUMBER: pa.float64(),
    FieldType.TEXT: pa.string(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.VECTOR: pa.list_(pa.float64()),
    FieldType.TEXTS: pa.list_(pa.string()),
}


def records(
    typed: Mapping[Field, Sequence[Any]] | None = None,
    /,
    *,
    times: Sequence[float] | None = None,
    keys: Sequence[str | None] | None = None,
    **columns: Sequence[Any],
) -> RecordBatch:
    """A batch of records that all parsed, without their text.

    ``columns`` get the type of their first value that is not None (every type if there is none); ``typed`` says it.

    >>> len(records(bytes=[1, None, 3], path=["/", "/a", None]))
    3
    """
    wanted = {Field(name, kind): values for name, values in columns.items() for kind in _kinds(values)}
    wanted.update(typed or {})
    arrays = {field: pa.array(values, type=ARROW[field.type], from_pandas=False) for field, values in wanted.items()}
    rows = {len(values) for values in (*wanted.values(), times, keys) if values is not None}
    assert len(rows) == 1, f"columns of different lengths: {sorted(rows)}"
    return RecordBatch(
        raw=without_lines(),
        columns=arrays,
        ok=np.ones(rows.pop(), dtype=np.bool_),
        times=None if times is None else np.asarray(times, dtype=np.float64),
        keys=None if keys is None else pa.array(keys, type=pa.string()),
    )


def _kinds(values: Sequence[Any]) -> tuple[FieldType, ...]:
    present = next((value for value in values if value is not None), None)
    if present is None:
        return tuple(FieldType)
    if isinstance(present, str):
        return (FieldType.TEXT,)
    if isinstance(present, bool):
        return (FieldType.BOOLEAN,)
    if isinstance(present, list | tuple):
        return (FieldType.TEXTS,) if any(isinstance(element, str) for element in present) else (FieldType.VECTOR,)
    return (FieldType.NUMBER,)


def part(batch: RecordBatch, start: int, stop: int) -> RecordBatch:
    """Rows ``start`` to ``stop`` as views into the same memory, as a reader that cuts elsewhere would give them."""
    return RecordBatch(
        raw=without_lines(),
        columns={field: column.slice(start, stop - start) for field, column in batch.columns.items()},
        ok=batch.ok[start:stop],
        times=None if batch.times is None else batch.times[start:stop],
        keys=None if batch.keys is None else batch.keys.slice(start, stop - start),
    )
