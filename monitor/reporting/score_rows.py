"""The records that `score --top` and `--lowest` show, with their fields, as JSON Lines or as a flat table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from monitor.core.arrays import Column


@dataclass(frozen=True, slots=True)
class FieldValues:
    """A field of one record in its own units; without ``decoded`` it cannot be said what the network made of it."""

    actual: Any
    reconstructed: Any = None
    decoded: bool = False


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One record's score; ``line`` counts from 1 within its file. ``group`` says to which of the lists it belongs."""

    file: str
    line: int
    group: str
    score: float
    error: float
    squared_error: float | None
    mean_squared_error: float | None
    alert: bool
    summary: str = ""
    fields: Mapping[str, FieldValues] = field(default_factory=dict[str, FieldValues])


def as_jsonl(rows: Sequence[ScoreRow]) -> str:
    """One JSON object a line; ``fields`` maps each name to its ``actual`` and, where known, ``reconstructed`` value."""
    return "".join(f"{msgspec.json.encode(_facts(row) | {'fields': _nested(row)}).decode()}\n" for row in rows)


ALWAYS = ("file", "line", "group", "score", "error", "alert", "summary")
"""Columns of a table without rows."""


def as_table(rows: Sequence[ScoreRow]) -> Any:
    """The same as a ``pyarrow.Table``: a column for each field and, where known, one named ``FIELD.reconstructed``.

    A field called like one of the other columns becomes ``field.NAME``.
    """
    facts = [_facts(row) | {"summary": row.summary} for row in rows]
    names = dict.fromkeys(name for fact in facts for name in fact) or ALWAYS
    columns = {name: [fact.get(name) for fact in facts] for name in names}
    for name in dict.fromkeys(name for row in rows for name in row.fields):
        values = [row.fields.get(name, FieldValues(None)) for row in rows]
        columns[_free(name, columns)] = [value.actual for value in values]
        if any(value.decoded for value in values):
            columns[_free(f"{name}.reconstructed", columns)] = [value.reconstructed for value in values]
    return pa.table({name: column(values) for name, values in columns.items()})


def column(values: Sequence[Any]) -> Column:
    """Values of one field as a column: of their common type, else as text.

    >>> column([1.0, None]).to_pylist(), column([1.0, "a"]).to_pylist()
    ([1.0, None], ['1', 'a'])
    """
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _facts(row: ScoreRow) -> dict[str, Any]:
    """All but the fields; squared errors and the sentence only where there are any."""
    squared = {"squared_error": row.squared_error, "mean_squared_error": row.mean_squared_error}
    return {
        "file": row.file,
        "line": row.line,
        "group": row.group,
        "score": row.score,
        "error": row.error,
        **({} if row.squared_error is None else squared),
        "alert": row.alert,
        **({"summary": row.summary} if row.summary else {}),
    }


def _free(name: str, taken: Collection[str]) -> str:
    return name if name not in taken else _free(f"field.{name}", taken)


def _nested(row: ScoreRow) -> dict[str, dict[str, Any]]:
    return {
        name: {"actual": tidy(value.actual)} | ({"reconstructed": tidy(value.reconstructed)} if value.decoded else {})
        for name, value in row.fields.items()
    }


def tidy(value: Any) -> Any:
    """Whole numbers without a fraction, in lists too: parsers read every number as a float.

    >>> tidy([1.0, 2.5]), tidy("1.0")
    ([1, 2.5], '1.0')
    """
    if isinstance(value, list):
        return [tidy(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(tidy(value)).decode()
