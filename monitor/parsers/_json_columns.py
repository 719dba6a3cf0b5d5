"""Decoded JSON values as typed columns: the plain cases in one call, anything mixed cell by cell."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from monitor.core.arrays import Column
from monitor.core.arrow import pa, pc
from monitor.core.columns import arrow_type, to_boolean, to_number, to_vector
from monitor.core.records import FieldType

_SURROGATE = re.compile("[\ud800-\udfff]")


def _not_plain() -> tuple[type[Exception], ...]:
    """How pyarrow says that the values are not all of the type it was told."""
    return pa.ArrowException, OverflowError, TypeError, UnicodeEncodeError


def valid(text: str) -> str:
    """The text with lone surrogates, which no encoding can carry, as U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def column(values: Sequence[Any], kind: FieldType) -> Column:
    """One field's values, None where missing, as a column of the wanted type.

    A number may be written as text. In a number column everything else is NaN; in a text column it is its JSON text.
    """
    match kind:
        case FieldType.NUMBER:
            return _numbers(values)
        case FieldType.TEXT:
            return _texts(values)
        case FieldType.BOOLEAN:
            return _booleans(values)
        case FieldType.VECTOR:
            return _vectors(values)
        case FieldType.TEXTS:
            return _lists_of_texts(values)


def natural_type(values: Sequence[Any]) -> FieldType:
    """The type JSON itself gives these values; text when they have none in common."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds and kinds <= {int, float}:
        return FieldType.NUMBER
    if kinds == {bool}:
        return FieldType.BOOLEAN
    if kinds == {list}:
        elements = set(map(type, chain.from_iterable(value for value in values if value)))
        if elements and elements <= {int, float}:
            return FieldType.VECTOR
        if elements - {type(None)} == {str}:
            return FieldType.TEXTS
    return FieldType.TEXT


def _numbers(values: Sequence[Any]) -> Column:
    try:
        plain = pa.array(values, pa.float64())
    except _not_plain():
        plain = None
    if plain is not None and not (_has_zero_or_one(plain) and bool in set(map(type, values))):
        return plain
    return pc.coalesce(pa.array(map(_number, values), pa.float64()), to_number(_only_texts(values)))


def _has_zero_or_one(numbers: Column) -> bool:
    """Whether there may have been a bool: pyarrow takes True for 1.0 without a word."""
    found = numbers.to_numpy(zero_copy_only=False)
    return bool(((found == 0) | (found == 1)).any())


def _number(value: Any) -> float | None:
    """The number a value is, None for texts (they are converted together) and for what is missing."""
    match value:
        case None | str():
            return None
        case float():
            return value
        case int() if not isinstance(value, bool):
            return _double(value)
        case _:
            return math.nan


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _only_texts(values: Sequence[Any]) -> Column:
    return pa.array((valid(value) if isinstance(value, str) else None for value in values), pa.string())


def _texts(values: Sequence[Any]) -> Column:
    try:
        return pa.array(values, pa.string())
    except _not_plain():
        return _other_texts(values)


def _other_texts(values: Sequence[Any]) -> Column:
    try:
        if set(map(type, values)) <= {int, type(None)}:
            return pa.array(values, pa.int64()).cast(pa.string())
    except _not_plain():
        pass  # integers of more than 64 bits
    return pa.array(map(_text, values), pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value if value is None else valid(value)
    try:
        return valid(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    except RecursionError:  # it was just decoded, so it stands at the very limit
        return "nested too deeply"


def _booleans(values: Sequence[Any]) -> Column:
    try:
        return pa.array(values, pa.bool_())
    except _not_plain():
        plain = pa.array((_boolean(value) for value in values), pa.bool_())
        return pc.coalesce(plain, to_boolean(_only_texts(values)))


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return bool(value) if isinstance(value, int | float) and value in {0, 1} else None


def _vectors(values: Sequence[Any]) -> Column:
    """Elements that are no number are NaN and keep their place; a text may be a vector too."""
    vectors = _lists(values, lambda elements: pc.fill_null(_numbers(elements), np.nan), FieldType.VECTOR)
    if str in set(map(type, values)):
        return pc.coalesce(vectors, to_vector(_only_texts(values)))
    return vectors


def _lists_of_texts(values: Sequence[Any]) -> Column:
    """Elements that are no text are their JSON text; null stays null."""
    return _lists(values, _texts, FieldType.TEXTS)


def _lists(values: Sequence[Any], convert: Callable[[Sequence[Any]], Column], kind: FieldType) -> Column:
    """The values that are lists, their elements converted together; everything else is missing."""
    lists = [value if isinstance(value, list) else () for value in values]
    offsets = pa.array(np.cumsum([0, *map(len, lists)]), pa.int32())
    absent = pa.array([not isinstance(value, list) for value in values], pa.bool_())
    elements = convert(tuple(chain.from_iterable(lists)))
    return pa.ListArray.from_arrays(offsets, elements, type=arrow_type(kind), mask=absent)
