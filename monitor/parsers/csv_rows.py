"""Delimited rows (CSV, TSV): every record is one row of cells in a known order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from pydantic import Field as Option
from pydantic import model_validator

from monitor.core.arrays import I64, Bools, Column
from monitor.core.arrow import pa, pv
from monitor.core.columns import arrow_type, convert, typed
from monitor.core.names import expanded
from monitor.core.records import HEADER, Field, FieldType, RawBatch, RecordBatch
from monitor.core.strict import StrictModel
from monitor.core.suggestion import Suggestion
from monitor.parsers._csv_guess import guess
from monitor.parsers._csv_text import Dialect, UnreadableRowError

EXAMPLE = """\
delimiter: ","
columns: [time, cpu, memory, label]
ignore: [label]
"""

_BOM = "\ufeff"
_MARK = _BOM.encode()


class Config(StrictModel):
    """The shape of the rows. An empty cell is a missing value."""

    columns: list[str] = Option(
        min_length=1,
        description="Names of the columns, from left to right; `pixel{1..784}` stands for pixel1 to pixel784. An empty "
        "name leaves its column out. Rows that repeat the names are headers and are passed over.",
    )
    delimiter: str = Option(default=",", description="The one character between cells.")
    quote: str | None = Option(
        default='"', description="The character around cells that hold a delimiter; null when there is none."
    )
    ignore: list[str] = Option(default=[], description="Columns to leave out, such as labels; ranges as above.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for option, character in (("delimiter", self.delimiter), ("quote", self.quote)):
            if character is not None and (len(character) != 1 or not character.isascii() or character in "\r\n\0"):
                raise ValueError(f"{option} must be one ASCII character and no line end, not {character!r}")
        if self.delimiter == self.quote:
            raise ValueError(f"delimiter and quote are both {self.quote!r}")
        names = [name for name in expanded(self.columns) if name]
        if twice := [a for a, b in pairwise(sorted(names)) if a == b]:
            raise ValueError(f"columns names {twice[0]!r} more than once")
        if unknown := set(expanded(self.ignore)) - set(names):
            raise ValueError(f"ignore names {min(unknown)!r}, which is not one of the columns")
        return self


def build(config: Config, fields: Sequence[Field] | None) -> CsvRows:
    """The parser."""
    return CsvRows(config, fields)


def suggest(raw: RawBatch) -> Suggestion | None:
    """CSV, when nearly all rows have the same number of cells, and a header or numbers among them."""
    return guess(raw, rank=30)


class CsvRows:
    """Simple rows are read as one block; rows with odd quotes, line ends or another width one by one."""

    def __init__(self, config: Config, fields: Sequence[Field] | None) -> None:
        self._dialect = Dialect(config.delimiter, config.quote)
        self._columns = expanded(config.columns)
        self._fields = fields
        self._header = config.delimiter.join(self._columns)
        ignored = {"", *expanded(config.ignore)}
        positions = {name: i for i, name in enumerate(self._columns) if name not in ignored}
        if fields is not None:
            wanted = {field.name for field in fields}
            positions = {name: i for name, i in positions.items() if name in wanted}
        self._positions = positions
        numbers = _only_numbers(fields or ())
        self._reader = _BlockReader(self._dialect, len(self._columns), positions, numbers & positions.keys())

    def parse(self, raw: RawBatch) -> RecordBatch:
        if self._is_plain(raw):
            found = self._reader.read(raw.data, len(raw))
            if found is not None:
                return RecordBatch(raw, self._typed(found, len(raw)), np.ones(len(raw), dtype=np.bool_))
        return self._parse_mixed(raw)

    def _is_plain(self, raw: RawBatch) -> bool:
        """Whether nothing in the text but a wrong number of cells can make it other than one row a line."""
        if not len(raw) or (raw.ends == raw.starts).any():
            return False
        data, quote = raw.data, self._dialect.quote
        between = raw.starts[1:] - raw.ends[:-1]  # 1 for \n, 2 for \r\n
        last = data[raw.ends[-1] :]
        return (
            not (quote and quote.encode() in data)
            and _count(data, b"\n") == len(between) + last.count(b"\n")
            and _count(data, b"\r") == int((between == 2).sum()) + last.count(b"\r")
            and not (_MARK[:1] in data and _MARK in data)
            and self._header.encode() not in data
        )

    def _typed(self, found: Mapping[str, Column], rows: int) -> dict[Field, Column]:
        """Columns that were read as numbers already are taken as they are."""
        numbers = {name: column for name, column in found.items() if column.type == pa.float64()}
        texts = {name: column for name, column in found.items() if name not in numbers}
        columns = typed(texts, self._fields, rows)
        return columns | {Field(name, FieldType.NUMBER): column for name, column in numbers.items()}

    def _parse_mixed(self, raw: RawBatch) -> RecordBatch:
        simple = self._simple_rows(raw)
        found = self._read_simple(raw, np.flatnonzero(simple))
        if found is None:  # the reader knows better which rows are simple
            simple[:] = False
            found = self._reader.nothing()
        odd = self._split_rows(raw, np.flatnonzero(~simple))
        # Row i of the batch is a row of the block, or one that was split behind them, or neither.
        sources = np.full(len(raw), -1, dtype=np.int64)
        sources[simple] = np.arange(int(simple.sum()))
        sources[odd.rows] = int(simple.sum()) + np.arange(len(odd.rows))
        order = pa.array(sources, mask=sources < 0)
        merged: dict[str, Column] = {}
        for name, position in self._positions.items():
            column = found[name]
            texts = pa.array([cells[position] or None for cells in odd.cells], pa.string())
            if column.type == pa.float64():
                texts = convert(texts, FieldType.NUMBER)
            merged[name] = pa.concat_arrays([column, texts]).take(order)
        return RecordBatch(raw, self._typed(merged, len(raw)), sources >= 0, odd.reasons)

    def _simple_rows(self, raw: RawBatch) -> Bools:
        if not len(raw):
            return np.empty(0, dtype=np.bool_)
        first, last = int(raw.starts[0]), int(raw.ends[-1])
        text = np.frombuffer(raw.data, dtype=np.uint8)[first:last]
        if not len(text):
            return np.zeros(len(raw), dtype=np.bool_)
        simple = self._dialect.simple_rows(text, raw.starts - first, raw.ends - first, len(self._columns))
        simple[self._maybe_headers(raw)] = False
        return simple

    def _maybe_headers(self, raw: RawBatch) -> I64:
        """Rows as long as a header may be, if the text holds one at all; a closer look follows when they are split."""
        quote = (self._dialect.quote or "").encode()
        bare = self._header.encode().replace(quote, b"") if quote else self._header.encode()
        text = raw.data.replace(quote, b"") if quote else raw.data
        if bare not in text:
            return np.empty(0, dtype=np.int64)
        lengths = raw.ends - raw.starts
        quotes = 2 * len(self._columns) + 2 * self._header.count(self._dialect.quote or "\0")
        rows = np.flatnonzero((lengths >= len(bare)) & (lengths <= len(self._header.encode()) + quotes))
        lines = (raw.data[raw.starts[row] : raw.ends[row]] for row in rows)
        same = [(line.replace(quote, b"") if quote else line) == bare for line in lines]
        return rows[np.array(same, dtype=np.bool_)]

    def _read_simple(self, raw: RawBatch, rows: I64) -> Mapping[str, Column] | None:
        if not len(rows):
            return self._reader.nothing()
        spans = zip(raw.starts[rows].tolist(), raw.ends[rows].tolist(), strict=True)
        data = raw.data if len(rows) == len(raw) else b"\n".join([raw.data[start:end] for start, end in spans])
        return self._reader.read(data, len(rows))

    def _split_rows(self, raw: RawBatch, rows: I64) -> _OddRows:
        odd = _OddRows([], [], {})
        for row in rows.tolist():
            try:
                cells = self._cells(raw.line(row))
            except UnreadableRowError as error:
                odd.reasons[row] = str(error)
            else:
                odd.rows.append(row)
                odd.cells.append(cells)
        return odd

    def _cells(self, line: str) -> list[str]:
        if not line:
            raise UnreadableRowError("empty line")
        cells = self._dialect.split(line.removeprefix(_BOM))
        if cells == self._columns:
            raise UnreadableRowError(HEADER)
        if len(cells) != len(self._columns):
            raise UnreadableRowError(f"expected {len(self._columns)} columns, found {len(cells)}")
        return cells


@dataclass(frozen=True, slots=True)
class _OddRows:
    """Rows that were split one by one: their numbers and cells, and why others could not be."""

    rows: list[int]
    cells: list[list[str]]
    reasons: dict[int, str]


class _BlockReader:
    """pyarrow's CSV reader, set up once; it gets only text in which every line is one row."""

    def __init__(self, dialect: Dialect, cells: int, positions: Mapping[str, int], numbers: set[str]) -> None:
        # Columns go by their place, since names may be empty; one is read even when none is wanted, to count the rows.
        self._places = {name: str(position) for name, position in positions.items()}
        self._numbers = numbers
        self._column_names = [str(position) for position in range(cells)]
        self._parse = pv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            double_quote=True,
            escape_char=False,
            newlines_in_values=False,
            ignore_empty_lines=False,
        )

    def read(self, data: bytes, rows: int) -> dict[str, Column] | None:
        """Wanted columns, as numbers if possible and as text otherwise; None when a row has another width."""
        try:
            return self._read(data, rows, self._numbers)
        except pa.ArrowInvalid as error:
            if "CSV parse error" in str(error):
                return None
        try:
            # Some cell is no number: as text all are read, and only the columns with such cells pay for it.
            found = self._read(data, rows, set())
        except pa.ArrowInvalid:
            return None
        return found and {n: convert(c, FieldType.NUMBER) if n in self._numbers else c for n, c in found.items()}

    def nothing(self) -> dict[str, Column]:
        """The columns of no rows."""
        return {name: pa.array([], arrow_type(self._kind(name, self._numbers))) for name in self._places}

    def _kind(self, name: str, numbers: set[str]) -> FieldType:
        return FieldType.NUMBER if name in numbers else FieldType.TEXT

    def _read(self, data: bytes, rows: int, numbers: set[str]) -> dict[str, Column] | None:
        types = {place: arrow_type(self._kind(name, numbers)) for name, place in self._places.items()}
        table = pv.read_csv(
            pa.BufferReader(data),
            # One block, so that one column is one array and the reader never looks for a place to cut.
            pv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=self._column_names),
            self._parse,
            pv.ConvertOptions(
                column_types=types or {"0": pa.string()},
                include_columns=list(types) or ["0"],
                null_values=[""],
                strings_can_be_null=True,
                check_utf8=False,  # framing has seen to it
            ),
        )
        if len(table) != rows:
            return None
        return {name: table.column(place).combine_chunks() for name, place in self._places.items()}


def _count(data: bytes, octet: bytes) -> int:
    """As ``data.count(octet)``, in a sixth of the time."""
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == octet[0]))


def _only_numbers(fields: Sequence[Field]) -> set[str]:
    """The fields that are wanted as numbers and as nothing else."""
    others = {field.name for field in fields if field.type is not FieldType.NUMBER}
    return {field.name for field in fields} - others
