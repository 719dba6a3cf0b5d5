"""Tables written one behind the other into one JSON Lines, CSV or Parquet file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import IO, Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from monitor.core.arrays import Column
from monitor.core.columns import to_boolean, to_number, to_vector
from monitor.reporting.row_text import as_csv, as_jsonl, cell_texts


class TableWriter(Protocol):
    """Takes tables (``pyarrow.Table``), the first of which may be all there is; every table is out when write returns.

    JSON Lines takes tables of any columns. The columns of CSV and Parquet are those of the first table: what later ones
    have beside them is not written, and neither is, in Parquet, a value that is not of its column's first type.
    ``lost`` counts such values by column. ``close`` ends the file's content but leaves the file open.
    """

    lost: Counter[str]

    def write(self, table: Any) -> None: ...
    def close(self) -> None: ...


def table_writer(form: str, file: IO[bytes], omit: Collection[str] | None = ()) -> TableWriter:
    """A writer of jsonl, csv or parquet. ``omit`` names columns whose missing values JSON leaves out; None: all."""
    if form == "parquet":
        return ParquetTables(file)
    return CsvTables(file) if form == "csv" else JsonlTables(file, omit)


class JsonlTables:
    """One JSON object a row."""

    def __init__(self, file: IO[bytes], omit: Collection[str] | None) -> None:
        self.lost: Counter[str] = Counter()
        self._file = file
        self._omit = omit

    def write(self, table: Any) -> None:
        omit = table.column_names if self._omit is None else self._omit
        self._file.write(as_jsonl(table, omit).encode())
        self._file.flush()

    def close(self) -> None:
        """Nothing follows the last row."""


class CsvTables:
    """A header, then one line a row."""

    def __init__(self, file: IO[bytes]) -> None:
        self.lost: Counter[str] = Counter()
        self._file = file
        self._names: list[str] | None = None

    def write(self, table: Any) -> None:
        first = self._names is None
        names = self._names = table.column_names if self._names is None else self._names
        self.lost += _beside(table, names)
        columns = [_column(table, name) for name in names]
        fitted = pa.table([pa.nulls(table.num_rows, pa.string()) if c is None else c for c in columns], names)
        self._file.write(as_csv(fitted, header=first).encode())
        self._file.flush()

    def close(self) -> None:
        """Nothing follows the last row."""


class ParquetTables:
    """One row group a table; the file is whole only after ``close``."""

    def __init__(self, file: IO[bytes]) -> None:
        self.lost: Counter[str] = Counter()
        self._file = file
        self._writer: Any = None

    def write(self, table: Any) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema, compression="zstd")
        schema = self._writer.schema
        self.lost += _beside(table, schema.names)
        columns = [self._fitted(_column(table, f.name), f, table.num_rows) for f in schema]
        self._writer.write_table(pa.table(columns, schema=schema))
        self._file.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._file.flush()

    def _fitted(self, column: Column | None, field: Any, rows: int) -> Column:
        if column is None:
            return pa.nulls(rows, field.type)
        if column.type == field.type:
            return column
        fitted = _converted(column, field.type)
        if gone := fitted.null_count - column.null_count:
            self.lost[field.name] += gone
        return fitted


def _column(table: Any, name: str) -> Column | None:
    return table.column(name).combine_chunks() if name in table.column_names else None


def _beside(table: Any, names: Collection[str]) -> Counter[str]:
    """Values in columns that are not among ``names``."""
    others = {name: table.column(name) for name in table.column_names if name not in names}
    return Counter({name: count for name, c in others.items() if (count := table.num_rows - c.null_count)})


def _converted(column: Column, kind: Any) -> Column:
    """The column as another type, null where a value is none of that type."""
    texts = cell_texts(column)
    if pa.types.is_floating(kind):
        numbers = to_number(texts)
        return pc.if_else(pc.is_nan(numbers), pa.scalar(None, kind), numbers)
    if pa.types.is_boolean(kind):
        return to_boolean(texts)
    if not pa.types.is_list(kind):
        return texts
    if pa.types.is_string(kind.value_type):
        return pa.array([_list_of_texts(text) for text in texts.to_pylist()], kind)
    return pa.nulls(len(column), kind) if pa.types.is_list(column.type) else to_vector(texts)


def _list_of_texts(text: str | None) -> list[str | None] | None:
    """The list that a JSON text is, None for any other; an element that is no text is its JSON text, as in a batch."""
    try:
        found = None if text is None else msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    if not isinstance(found, list):
        return None
    return [item if isinstance(item, str | None) else msgspec.json.encode(item).decode() for item in found]
