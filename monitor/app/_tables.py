"""Tables of any make as typed columns: arrays, data frames and files alike, and what is missing is null in all."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from monitor.core.arrays import F64, Column
from monitor.core.clock import SystemClock
from monitor.core.columns import arrow_type, convert
from monitor.core.errors import DataError
from monitor.core.names import quoted
from monitor.core.opening import reading
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.rows import without_lines
from monitor.core.timestamps import parse_times

PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length by name: numbers (float64), booleans, texts, lists of numbers or texts, times, all null.

    Whatever is none of these is kept as it is, to be refused when it is asked for. ``named`` is False where the data
    has no names of its own: then they are x0, x1, ...
    """

    columns: dict[str, Column]
    named: bool

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def kind(self, name: str) -> FieldType | None:
        """What a column is by nature; None for times and for what cannot be a field."""
        natural = self.columns[name].type
        if pa.types.is_null(natural):
            return FieldType.TEXT
        return next((kind for kind in FieldType if natural == arrow_type(kind)), None)

    def is_time(self, name: str) -> bool:
        """Whether a column has times by its type, not as text or numbers."""
        return bool(pa.types.is_timestamp(self.columns[name].type))

    def records(self, fields: Iterable[Field], time: str | None, key: str | None) -> RecordBatch:
        """The columns that features read, as a parser would deliver them, with event time and key.

        Raises:
            DataError: a column cannot be read as the type that a feature wants.
        """
        return RecordBatch(
            raw=without_lines(),
            columns={field: self._wanted(field) for field in fields},
            ok=np.ones(len(self), dtype=np.bool_),
            times=None if time is None else seconds(self.columns[time]),
            keys=None if key is None else self._wanted(Field(key, FieldType.TEXT)),
        )

    def alike(self, name: str, column: Column) -> Column:
        """Another column of this name as numbers if the table has numbers here: codes are learned as text."""
        return wanted(column, FieldType.NUMBER) if self.kind(name) is FieldType.NUMBER else column

    def _wanted(self, field: Field) -> Column:
        column = self.columns[field.name]
        try:
            return wanted(column, field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(
                f"column {quoted(field.name)}: {column.type} cannot be read as {field.type}; choose another encoding"
            ) from error

    def rows(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Each row as a mapping from name to value, without missing ones: for the few rows that are explained."""
        # Times as text: Python's own know no nanoseconds.
        told = {name: _texts(self.columns[name]) if self.is_time(name) else self.columns[name] for name in names}
        lists = {name: column.to_pylist() for name, column in told.items()}
        return [{name: lists[name][i] for name in lists if lists[name][i] is not None} for i in range(len(self))]


def opened(data: Any) -> Any:
    """What a path names, or another library's table, as a pyarrow table; pandas frames and arrays as they are.

    Raises:
        NoInputError, PermissionDeniedError, DataError: the file cannot be read.
    """
    if isinstance(data, str | Path):
        return read_table(Path(data))
    if is_pandas(data) or isinstance(data, pa.Table) or not hasattr(data, "__arrow_c_stream__"):
        return data
    try:
        return pa.table(data)
    except (pa.ArrowException, TypeError, ValueError):  # a single column also comes as a stream
        return data


def read_table(path: Path) -> pa.Table:
    """A Parquet file, known by its first bytes, or a CSV file with a header line.

    Raises:
        NoInputError: there is no such file, or it is a directory.
        PermissionDeniedError: it may not be read.
        DataError: it is neither of these.
    """
    with reading(path), path.open("rb") as file:
        parquet = file.peek(len(PARQUET_MAGIC)).startswith(PARQUET_MAGIC)
        try:
            # A pipe has only what this descriptor has not read yet; of a file's name pyarrow learns how it is packed.
            return pq.ParquetFile(path).read() if parquet else pv.read_csv(path if file.seekable() else file)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: not a Parquet file, nor a CSV file with a header line: {error}") from error


def is_pandas(data: Any) -> bool:
    """Whether it is a pandas frame; pandas is not imported to find out."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def is_frame(data: Any) -> bool:
    """Whether it is a table with named columns, as ``opened`` gives it."""
    return is_pandas(data) or isinstance(data, pa.Table)


def of_frame(frame: Any) -> Table:
    """A pandas frame or a pyarrow table.

    Raises:
        DataError: two columns have the same name, or one has none.
    """
    names: Sequence[Any] = list(frame.columns) if is_pandas(frame) else frame.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise DataError(f"two columns are named {quoted(str(twice))}; rename one")
    if "" in names:
        raise DataError(
            f"column {list(names).index('') + 1} has no name; name or drop it (an index that pandas wrote to a CSV "
            "file looks like this: write it with to_csv(index=False))"
        )
    named = all(isinstance(name, str) for name in names)
    columns = (frame.iloc[:, i] if is_pandas(frame) else frame.column(i) for i in range(len(names)))
    shown = [str(name) if named else f"x{i}" for i, name in enumerate(names)]
    return Table({name: _natural(column) for name, column in zip(shown, columns, strict=True)}, named)


def of_matrix(values: Any) -> Table:
    """A numpy array, [n, columns]."""
    names = [f"x{i}" for i in range(values.shape[1])]
    if values.dtype == np.float64:  # the usual case, at a fifth of the cost
        parts = (pa.array(column, from_pandas=True) for column in np.ascontiguousarray(values.T))
    else:
        parts = (_natural(values[:, i]) for i in range(len(names)))
    return Table(dict(zip(names, parts, strict=True)), named=False)


def matrix(columns: Mapping[str, Column], names: Sequence[str], rows: int) -> Any:
    """Columns as one array [rows, names], of numbers if all are; NaN or None in those that are not there."""
    numbers = all(pa.types.is_float64(column.type) for column in columns.values())
    values = np.full((rows, len(names)), np.nan if numbers else None, dtype=np.float64 if numbers else object)
    for index, name in enumerate(names):
        if name in columns:
            values[:, index] = columns[name].to_numpy(zero_copy_only=False)
    return values


def wanted(column: Column, kind: FieldType) -> Column:
    """A natural column as the type a feature reads; what does not read as that type is what a parser makes of it."""
    if column.type == arrow_type(kind) or pa.types.is_null(column.type):
        return column.cast(arrow_type(kind))
    if kind is FieldType.NUMBER and not pa.types.is_string(column.type):
        return _numbers(column)
    return convert(_texts(column), kind)


def seconds(column: Column) -> F64:
    """Event times [n] in seconds since 1970 UTC, NaN where there is none. Times without a zone are UTC."""
    if pa.types.is_timestamp(column.type):
        times: F64 = wanted(column, FieldType.NUMBER).to_numpy(zero_copy_only=False)
        return times
    numbers = pa.types.is_float64(column.type)
    read = column if numbers else _texts(column)
    return parse_times(read, format=None, timezone="UTC", reference=SystemClock().now())


def _natural(values: Any) -> Column:
    """A column as one of the types that ``Table`` promises, if it can be."""
    column = values if isinstance(values, pa.ChunkedArray) else _array(values)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    try:
        return _plain(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return column


def _array(values: Any) -> Any:
    """A column of pandas or numpy; one that mixes numbers and text is text, as it would be in a CSV file."""
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([None if _is_missing(value) else str(value) for value in values], pa.string())


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas' NA; only those differ from themselves, or cannot tell."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124 - NaN
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"


def _plain(column: Any) -> Column:
    """Raises what pyarrow raises when there is no such conversion."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        names = _texts(_plain(column.dictionary))  # categories are names, whatever they are made of
        return names.take(column.indices)
    if pa.types.is_null(kind) or pa.types.is_boolean(kind) or pa.types.is_timestamp(kind):
        return column
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("ms"))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return column.cast(arrow_type(FieldType.TEXTS if _is_text(kind.value_type) else FieldType.VECTOR))
    return _numbers(column) if _is_number(kind) else _texts(column)


def _is_text(kind: Any) -> bool:
    """Whether values are texts, or names stored once each."""
    return any(is_kind(kind) for is_kind in TEXTS) or (pa.types.is_dictionary(kind) and _is_text(kind.value_type))


def _is_number(kind: Any) -> bool:
    return any(is_kind(kind) for is_kind in NUMBERS)


TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_duration)
PER_SECOND = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}


def _numbers(column: Any) -> Column:
    """Float64, null for NaN: in arrays and frames NaN stands for what is missing. Times and durations are seconds."""
    if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
        return pc.divide(column.cast(pa.int64()).cast(pa.float64(), safe=False), PER_SECOND[column.type.unit])
    numbers = column.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_nan(numbers), None, numbers)


def _texts(column: Any) -> Column:
    return column.cast(pa.string())
