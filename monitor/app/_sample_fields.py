"""Judges one configured field by its values in a sample: is it there, of its type, and worth learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow.compute as pc

from monitor.core.arrays import F64, Column
from monitor.core.names import listed, quoted
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.reporting.wording import number, percent
from monitor.training.inference import count_distinct

MOSTLY = 0.5
"""A field that more records than this share lack is more likely misnamed than optional."""

NAMED = 3
"""Of the fields of one feature that have something in common, so many are named."""

_WANTED = {
    FieldType.NUMBER: "a number",
    FieldType.TEXT: "a text",
    FieldType.BOOLEAN: "true or false",
    FieldType.VECTOR: "a list of numbers",
    FieldType.TEXTS: "a list of texts",
}


class Level(StrEnum):
    """How bad it is: with an error the configuration cannot work on such data."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


WORST_FIRST = (Level.ERROR, Level.WARNING, Level.OK)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say; remarks of one ``code`` are about the same thing. ``text`` is printable."""

    code: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Values:
    """What a field holds in the parsed records of a sample.

    ``present`` counts values of any kind, ``usable`` those of the wanted type; ``example`` is one that is not.
    ``distinct`` is None for lists of numbers; of lists of texts it counts the texts.
    """

    field: Field
    records: int
    present: int
    usable: int
    distinct: int | None
    example: str | None
    summary: str

    @property
    def missing(self) -> int:
        return self.records - self.present

    def figures(self) -> dict[str, Any]:
        """The same for programs."""
        counts = {"records": self.records, "missing": self.missing, "unreadable": self.present - self.usable}
        return {"field": self.field.name, "type": str(self.field.type), **counts, "distinct": self.distinct}


def values_of(records: RecordBatch, field: Field) -> Values:
    """Looks at a column; ``records`` have the field as text, too, so that what is missing is told from what is odd."""
    column, text = records.columns[field], records.column(field.name, FieldType.TEXT)
    usable = _usable(column, field.type)
    written = text.is_valid()
    if field.type is not FieldType.TEXT:  # where a blank is no value
        written = pc.and_(written, pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(text), ""), False))
    present = pc.or_(usable, written)
    odd = text.filter(pc.and_not(present, usable))
    found = column.filter(usable)
    return Values(
        field=field,
        records=len(records),
        present=_count(present),
        usable=len(found),
        distinct=None if field.type is FieldType.VECTOR else count_distinct(_singles(found, field.type)),
        example=odd[0].as_py() if len(odd) else None,
        summary=_SUMMARIES[field.type](found) if len(found) else "",
    )


def remarks_on(values: Values) -> list[Remark]:
    """What to say of a field, the worst things and what it holds."""
    wanted = _WANTED[values.field.type]
    if not values.present:
        return [Remark("never", Level.ERROR, "never occurs")]
    odd = values.present - values.usable
    if not values.usable:
        return [Remark("odd", Level.ERROR, f"none of its {odd:,} values is {wanted}{_such_as(values.example)}")]
    remarks = [Remark("summary", Level.OK, values.summary)]
    if odd:
        share = percent(odd / values.present)
        remarks.append(Remark("odd", Level.WARNING, f"not {wanted} in {share}{_such_as(values.example)}"))
    if values.missing:
        level = Level.WARNING if values.missing > MOSTLY * values.records else Level.OK
        remarks.append(Remark("missing", level, f"missing in {percent(values.missing / values.records)}"))
    if values.usable > 1 and values.distinct == 1:
        remarks.append(Remark("constant", Level.OK, "constant: a change is the loudest alert"))
    if values.usable > 1 and values.distinct == values.usable and values.field.type is FieldType.TEXT:
        remarks.append(Remark("unique", Level.OK, "unique in every record"))
    return remarks


def remarks_on_all(fields: Sequence[Values]) -> list[Remark]:
    """What to say of a feature that reads several fields: how many of them have what in common."""
    found: dict[tuple[str, Level], list[str]] = {}
    for values in fields:
        for remark in remarks_on(values):
            if remark.code != "summary":
                found.setdefault((remark.code, remark.level), []).append(values.field.name)
    grouped = [
        Remark(code, level, f"{_SHARED[code]}: {len(names):,} of {len(fields):,} ({_some(names)})")
        for (code, level), names in found.items()
    ]
    return [Remark("summary", Level.OK, f"{len(fields):,} fields"), *grouped]


_SHARED = {
    "never": "never occurring",
    "odd": "not always of its type",
    "missing": "missing in some records",
    "constant": "constant",
    "unique": "unique in every record",
}


def _some(names: Sequence[str]) -> str:
    return listed(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def _such_as(example: str | None) -> str:
    return "" if example is None else f", such as {quoted(example)}"


def _usable(column: Column, kind: FieldType) -> Column:
    """Which values are of the wanted type, [n]; a NaN is what is no number."""
    if kind is FieldType.NUMBER:
        return pc.fill_null(pc.invert(pc.is_nan(column)), False)
    return column.is_valid()


def _singles(found: Column, kind: FieldType) -> Column:
    return found.flatten() if kind is FieldType.TEXTS else found


def _count(mask: Column) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _numbers(found: Column) -> str:
    values: F64 = found.to_numpy(zero_copy_only=False)
    return span(float(values.min()), float(values.max()))


def span(low: float, high: float) -> str:
    """A range, or the one value it is.

    >>> span(0, 512), span(3, 3)
    ('0 to 512', 'always 3')
    """
    return f"always {number(low)}" if low == high else f"{number(low)} to {number(high)}"


def _texts(found: Column) -> str:
    distinct = count_distinct(found)
    return f"always {quoted(found[0].as_py())}" if distinct == 1 else f"{distinct:,} distinct"


def _booleans(found: Column) -> str:
    return f"true in {percent(_count(found) / len(found))}"


def _lists(found: Column) -> str:
    lengths = np.asarray(pc.list_value_length(found))
    low, high = int(lengths.min()), int(lengths.max())
    return f"lists of {low:,}" if low == high else f"lists of {low:,} to {high:,}"


def _lists_of_texts(found: Column) -> str:
    return f"{_lists(found)}, {count_distinct(found.flatten()):,} distinct texts"


_SUMMARIES: dict[FieldType, Callable[[Column], str]] = {
    FieldType.NUMBER: _numbers,
    FieldType.TEXT: _texts,
    FieldType.BOOLEAN: _booleans,
    FieldType.VECTOR: _lists,
    FieldType.TEXTS: _lists_of_texts,
}
