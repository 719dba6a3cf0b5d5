"""JSON Lines: one JSON object a record; nested keys are joined with dots (``user.id``)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from monitor.core.columns import MOST_FIELDS, nulls
from monitor.core.errors import DataError
from monitor.core.records import Field, RawBatch, RecordBatch
from monitor.core.strict import StrictModel
from monitor.core.suggestion import LEAST_SHARE, Suggestion
from monitor.parsers._json_columns import column, natural_type, valid
from monitor.parsers._json_shape import Shape, can_be_wanted, shape_of, values_of

EXAMPLE = "{}\n"

MOST_LEVELS = 8
"""Objects nested deeper than this are found as one text field, not as fields of their own."""
LONGEST_NAME = 256
"""Characters of a field name that the parser finds by itself."""
LONGEST_INTEGER = 300
"""Digits of an integer that is surely inside the range of a double; longer ones are kept as text."""
REASON_CHARACTERS = 100

_BOM = "\ufeff"
_FAILED = (msgspec.MsgspecError, ValueError, RecursionError)


class Config(StrictModel):
    """JSON Lines has no options."""


def build(config: Config, fields: Sequence[Field] | None) -> JsonLines:
    """The parser.

    Raises:
        DataError: a field has a name that cannot be decoded (quotes, backslashes, control characters).
    """
    del config
    return JsonLines(fields)


def suggest(raw: RawBatch) -> Suggestion | None:
    """JSON Lines, when at least half of the records are JSON objects."""
    objects = sum(obj is not None for obj in _objects(raw))
    share = objects / max(1, len(raw))
    return Suggestion(options={}, share=share, rank=90) if share >= LEAST_SHARE else None


class JsonLines:
    """Decodes whole blocks into structs of the wanted fields; odd records are looked at one by one."""

    def __init__(self, fields: Sequence[Field] | None) -> None:
        names = {} if fields is None else {field.name: None for field in fields}
        if odd := [name for name in names if not can_be_wanted(name)]:
            raise DataError(
                f"field {odd[0]!r}: JSON fields with quotes, backslashes or control characters are not read"
            )
        self._fields = fields
        self._reader = _Reader(shape_of(names))

    def parse(self, raw: RawBatch) -> RecordBatch:
        names = _names(raw) if self._fields is None else []
        reader = self._reader if self._fields is not None else _Reader(shape_of(names))
        records, reasons = reader.read(raw)
        values = values_of(reader.shape, records)
        fields = self._fields
        if fields is None:
            fields = [Field(name, natural_type(values[name])) for name in names]
        columns = {
            field: column(values[field.name], field.type) if field.name in values else nulls(field.type, len(raw))
            for field in fields
        }
        ok = np.ones(len(raw), dtype=np.bool_)
        ok[list(reasons)] = False
        return RecordBatch(raw, columns, ok, reasons)


class _Reader:
    """Records as structs of one shape, blank where a record cannot be read."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._decoder = msgspec.json.Decoder(shape.struct)
        self._blank = shape.blank()

    def read(self, raw: RawBatch) -> tuple[Sequence[Any], dict[int, str]]:
        if _looks_like_objects(raw):
            try:
                records = self._decoder.decode_lines(raw.data)
            except _FAILED:
                records = []
            if len(records) == len(raw):
                return records, {}
        return self._read_one_by_one(raw)

    def _read_one_by_one(self, raw: RawBatch) -> tuple[Sequence[Any], dict[int, str]]:
        records: list[Any] = []
        reasons: dict[int, str] = {}
        for row, line in enumerate(_lines(raw)):
            try:
                records.append(self._decoder.decode(line))
            except _FAILED:
                try:
                    records.append(self._read_odd(line))
                except _FAILED as error:
                    records.append(self._blank)
                    reasons[row] = _reason(line, error)
        return records, reasons

    def _read_odd(self, line: bytes) -> Any:
        return msgspec.convert(_lenient(line), self.shape.struct)


def _looks_like_objects(raw: RawBatch) -> bool:
    """Whether every record begins with ``{`` and ends with ``}``.

    Only then does the number of decoded values prove that each record is exactly one of them: no value can reach
    over a line feed between ``}`` and ``{``, so every record holds at least one.
    """
    data = np.frombuffer(raw.data, dtype=np.uint8)
    if not len(raw) or (raw.starts >= raw.ends).any():
        return False
    return bool((data[raw.starts] == ord("{")).all() and (data[raw.ends - 1] == ord("}")).all())


def _lines(raw: RawBatch) -> Iterator[bytes]:
    return (raw.data[start:end] for start, end in zip(raw.starts.tolist(), raw.ends.tolist(), strict=True))


def _lenient(line: bytes) -> Any:
    """What the standard library makes of a line: it also reads NaN, Infinity, lone surrogates and any number."""
    return json.loads(
        line.decode().removeprefix(_BOM),
        object_pairs_hook=lambda pairs: {valid(key): value for key, value in pairs},
        parse_int=lambda digits: int(digits) if len(digits) <= LONGEST_INTEGER else digits,
        parse_float=lambda digits: number if math.isfinite(number := float(digits)) else digits,
    )


def _reason(line: bytes, error: Exception) -> str:
    if not line.strip():
        return "empty line"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error).removeprefix("JSON is malformed: ")[:REASON_CHARACTERS]


def _objects(raw: RawBatch) -> Iterator[Mapping[str, Any] | None]:
    """Every record as it is, None where it is no JSON object."""
    for line in _lines(raw):
        try:
            value = _lenient(line)
        except _FAILED:
            value = None
        yield value if isinstance(value, dict) else None


def _names(raw: RawBatch) -> Sequence[str]:
    """The fields that occur, in order of first appearance."""
    names: dict[str, None] = {}
    for obj in _objects(raw):
        for name in _flat_names(obj or {}, "", 1):
            if len(names) == MOST_FIELDS:
                return list(names)
            names[name] = None
    return list(names)


def _flat_names(obj: Mapping[str, Any], prefix: str, level: int) -> Iterator[str]:
    for key, value in obj.items():
        name = prefix + key
        if len(name) > LONGEST_NAME or not can_be_wanted(name):
            continue
        if isinstance(value, dict) and level < MOST_LEVELS:
            yield from _flat_names(value, name + ".", level + 1)
        else:
            yield name
