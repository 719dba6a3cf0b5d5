"""Faults of single values: in another unit, off by some, another record's, never seen, or not there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.core.arrays import I64, U8, Column
from monitor.core.records import FieldType, RecordBatch
from monitor.faults.target import Target

NOISE = 0.5
"""Standard deviation of the noise, in spreads of the field: most of it stays among values that occur."""

OTHER_REGIME = 0.25
"""A number of another regime is at least this share of all records away in rank."""

_CLASSES = ((b"a", b"z"), (b"A", b"Z"), (b"0", b"9"))


def scaled(factor: float) -> Callable[[Target], RecordBatch]:
    """A wrong unit: the value times ``factor``."""

    def spoil(target: Target) -> RecordBatch:
        values, _ = target.numbers()
        return target.with_numbers(values * factor)

    return spoil


def noisy(target: Target) -> RecordBatch:
    """Normal noise on the value; what is never below 0 stays so, for a sign would give the fault away."""
    values, _ = target.numbers()
    values = values + target.random.normal(0.0, NOISE * target.spread, len(values))
    return target.with_numbers(np.abs(values) if target.positive else values)


def missing(target: Target) -> RecordBatch:
    """No value at all."""
    return target.taking(np.full(len(target.rows), -1))


def swapped(target: Target) -> RecordBatch:
    """The value of a record of another regime: a value that occurs, where it does not belong.

    Of another regime is what has another value; of numbers, one that is far in rank. Where all values are alike,
    nothing changes. A list comes from any other record.
    """
    kind = target.fields[0].type
    if kind in (FieldType.VECTOR, FieldType.TEXTS):
        return target.taking(target.random.permutation(np.flatnonzero(target.present))[: len(target.rows)])
    margin = int(OTHER_REGIME * target.present.sum()) if kind is FieldType.NUMBER else 0
    return target.taking(_strangers(target, margin))


def _strangers(target: Target, margin: int) -> I64:
    """For each row a random one, [m], whose value is another and more than ``margin`` ranks away; else itself."""
    places = np.flatnonzero(target.present)
    codes = _ordered_codes(target.column.take(pa.array(places)))
    order = np.argsort(codes, kind="stable")
    ranked = codes[order]
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    at = np.searchsorted(places, target.rows)  # rows have a value, so they are among the places
    own, rank = codes[at], ranks[at]
    low = np.maximum(np.minimum(np.searchsorted(ranked, own, "left"), rank - margin), 0)
    high = np.minimum(np.maximum(np.searchsorted(ranked, own, "right"), rank + margin + 1), len(order))
    others = len(order) - (high - low)
    drawn = np.floor(target.random.random(len(at)) * others).astype(np.int64)
    drawn += np.where(drawn >= low, high - low, 0)
    return np.where(others > 0, places[order[np.minimum(drawn, len(order) - 1)]], target.rows)


def _ordered_codes(values: Column) -> I64:
    """Equal values as equal whole numbers in the order of the values, [n]."""
    numbers = values.cast(pa.uint8()) if pa.types.is_boolean(values.type) else values
    codes: I64 = pc.rank(numbers, tiebreaker="dense").to_numpy().astype(np.int64)
    return codes


def unseen(target: Target) -> RecordBatch:
    """A text that occurs nowhere in the batch: each letter and digit another one, so that it looks like its kind."""
    texts = target.column.take(pa.array(target.rows))
    words = _scrambled(texts, target.random)
    known = pc.is_in(words, value_set=target.column.unique())
    return target.with_values(pc.if_else(known, texts, words))


def _scrambled(texts: Column, random: np.random.Generator) -> Column:
    """Texts without a null, every ASCII letter and digit replaced by a random one of its class."""
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32)[texts.offset :][: len(texts) + 1]
    data: U8 = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)[offsets[0] : offsets[-1]].copy()
    for first, last in _CLASSES:
        low, high = ord(first), ord(last)
        inside = (data >= low) & (data <= high)
        data[inside] = random.integers(low, high, int(inside.sum()), dtype=np.uint8, endpoint=True)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer((offsets - offsets[0]).tobytes()), pa.py_buffer(data))
