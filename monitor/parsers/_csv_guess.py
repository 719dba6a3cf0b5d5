"""Recognises CSV in a sample: the delimiter, the columns, and whether the first row names them.

Log lines and prose have commas too, so the number of cells must hardly vary, and something must speak for a table:
a header whose columns then hold something else, or a column of numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.arrow import pa, pc
from monitor.core.columns import MOST_FIELDS, to_number
from monitor.core.records import RawBatch
from monitor.core.suggestion import Suggestion
from monitor.parsers._csv_text import Dialect, UnreadableRowError

_DELIMITERS = (",", ";", "\t", "|")
_MOST_ROWS = 2000
"""Rows looked at; what is rarer than one in these does not decide the format."""
_LEAST_SHARE = 0.95
"""Rows with the same number of cells."""
_LEAST_NUMBERS = 0.9
"""Cells of a column of numbers that are numbers or empty; sensors write NaN, n/a and the like now and then."""
_NAME = re.compile(r"[^\W\d][\w .\-/()%#:$&+*°@]{0,63}")
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class _Table:
    delimiter: str
    rows: list[list[str]]
    share: float

    @property
    def width(self) -> int:
        return len(self.rows[0])


def guess(raw: RawBatch, rank: int) -> Suggestion | None:
    """The CSV options that fit a sample, None when it is no CSV."""
    lines = [raw.line(row).removeprefix(_BOM) for row in range(min(len(raw), _MOST_ROWS))]
    tables = [table for delimiter in _DELIMITERS if (table := _table(lines, delimiter)) is not None]
    for table in sorted(tables, key=lambda table: (table.share, table.width), reverse=True):
        columns = _columns(table)
        if columns is not None:
            options = {"delimiter": table.delimiter, "columns": columns}
            return Suggestion(options=options, share=table.share, rank=rank)
    return None


def _table(lines: Sequence[str], delimiter: str) -> _Table | None:
    """The rows of the most frequent width, if nearly all have it and it is at least two."""
    rows: list[list[str]] = []
    dialect = Dialect(delimiter, '"')
    for line in lines:
        try:
            rows.append(dialect.split(line))
        except UnreadableRowError:
            rows.append([])
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    table = [row for row in rows if len(row) == width]
    share = len(table) / max(1, len(lines))
    return _Table(delimiter, table, share) if 2 <= width <= MOST_FIELDS and share >= _LEAST_SHARE else None


def _columns(table: _Table) -> list[str] | None:
    """The columns' names: as the header says, by number where there is none, None where it is no table."""
    first, *others = table.rows
    numeric = _numeric(others, table.width)
    if others and _is_header(first) and _differs(first, others, numeric):
        return first
    numbered = [f"column_{i}" for i in range(1, table.width + 1)]
    return numbered if any(_numeric(table.rows, table.width)) else None


def _is_header(row: Sequence[str]) -> bool:
    """Names, each once; only the first may be empty, as where a row number was written."""
    names = row[1:] if not row[0] else row
    return len(set(names)) == len(names) and all(_NAME.fullmatch(name) for name in names)


def _differs(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> bool:
    """Whether a header is told from data: by numbers below it, or by three or more names no row repeats."""
    if any(numeric):
        return True
    columns = zip(*rows, strict=True)
    unrepeated = all(name not in column for name, column in zip(header, columns, strict=True))
    return len(header) >= 3 and unrepeated and not any(name != name.strip() for name in header)


def _numeric(rows: Sequence[Sequence[str]], width: int) -> list[bool]:
    """Which columns hold numbers: nearly all cells, and at least one, [width]."""
    columns = zip(*rows, strict=True) if rows else ((),) * width
    return [_is_numeric(pa.array(column, pa.string())) for column in columns]


def _is_numeric(cells: pa.Array) -> bool:
    numbers = to_number(cells)
    finite = pc.sum(pc.is_finite(numbers)).as_py() or 0
    return bool(finite > 0 and finite + numbers.null_count >= _LEAST_NUMBERS * len(cells))
