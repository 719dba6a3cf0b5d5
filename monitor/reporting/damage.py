"""Columns of benign records damaged on purpose, each kind as faults in the field do it; where is the damage visible."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.core import differences
from monitor.core.arrays import F64, I64, Bools, Column
from monitor.core.columns import arrow_type, nulls
from monitor.core.records import Field, FieldType, RecordBatch

Columns: TypeAlias = dict[Field, Column]
Change: TypeAlias = Callable[[Columns, np.random.Generator], Columns]
"""Damaged columns from those of a target, in the same fields; rows that cannot be damaged stay as they are."""

SPREADS = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Strengths of noise on numbers, in spreads: the distance between the 5 % and the 95 % quantile of benign values."""
SPREAD_QUANTILES = (0.05, 0.95)

RANGES = ((0.0, 20.0), (0.0, 50.0), (0.0, 100.0), (50.0, 100.0), (100.0, 200.0))
"""Noise on every entry of a vector, for entries from 0 to 255; other vectors get the same share of their range."""
PIXEL_HIGH = 255.0

MOST_SPREAD = sys.float_info.max / max(SPREADS)
"""Of numbers near the largest that there are, so that noise stays finite."""

EXACT = 2.0**53
"""Whole numbers beyond this are not told from their neighbours by a float64."""

TOKEN_LETTERS = 12
"""An unseen text: 26 ** 12 of them, so that none occurs by chance."""

Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Damage:
    """One way to damage a target. ``strength`` is for people."""

    kind: str
    strength: str
    change: Change


def number_damages(columns: Columns, noise: Sequence[Range]) -> list[Damage]:
    """What befalls a number: it is off by some, in another unit, another record's, or not there.

    Args:
        columns: the benign values, from which the strengths of the noise are taken.
        noise: ranges of numbers to add instead, in the field's own unit.
    """
    spread, whole = _spread(columns), _whole(columns)
    if noise:
        made = [Damage("noise", range_text(ends), _added(ends, whole)) for ends in noise]
    else:
        made = [
            Damage("noise", f"± {s:g} spread", _added((-s * spread, s * spread), whole, rounded=True)) for s in SPREADS
        ]
    return [*made, *_scalings(10.0, 0.1), Damage("swap", "between records", _swapped), _missing()]


def vector_damages(columns: Columns, noise: Sequence[Range]) -> list[Damage]:
    """What befalls a vector: noise on every entry up to the largest benign value, another unit, mixed-up entries."""
    low, high = _extent(columns)
    whole = _whole(columns)
    ranges = noise or scaled_ranges(low, high)
    made = [Damage("noise", range_text(ends), _added(ends, whole, cap=high)) for ends in ranges]
    return [*made, *_scalings(10.0), Damage("swap", "entries of a record", _shuffled), _missing()]


def text_damages() -> list[Damage]:
    """What befalls a text: another record's, never seen, or not there."""
    return [
        Damage("swap", "between records", _swapped),
        Damage("unseen", "a random word", _unseen),
        _missing(),
    ]


def boolean_damages() -> list[Damage]:
    """What befalls a boolean."""
    return [Damage("flip", "true and false", _flipped), _missing()]


def combined(damages: Sequence[Damage], fields: Sequence[Sequence[Field]]) -> Damage:
    """Several targets damaged together; ``fields`` are those of each."""

    def change(columns: Columns, random: np.random.Generator) -> Columns:
        changed: Columns = {}
        for damage, own in zip(damages, fields, strict=True):
            changed.update(damage.change({field: columns[field] for field in own}, random))
        return changed

    strengths = dict.fromkeys(damage.strength for damage in damages)
    return Damage(damages[0].kind, ", ".join(strengths), change)


def differing(before: Columns, after: Columns) -> Bools:
    """Rows [n] in which some column has another value than before."""
    changes = [differences.differing(column, after[field]) for field, column in before.items()]
    different: Bools = np.logical_or.reduce(changes)
    return different


def scaled_ranges(low: float, high: float) -> list[Range]:
    """``RANGES`` as they are for whole pixels, else as the same share of the benign range."""
    widest = sys.float_info.max / PIXEL_HIGH  # so that the ends are finite
    pixels = low >= 0.0 and PIXEL_HIGH / 2 < high <= PIXEL_HIGH
    unit = 1.0 if pixels else min(high / PIXEL_HIGH - low / PIXEL_HIGH, widest)
    return [(float(f"{a * unit:.3g}"), float(f"{b * unit:.3g}")) for a, b in RANGES]


def range_text(ends: Range) -> str:
    """A range for people.

    >>> range_text((0, 20.0)), range_text((0.5, 1))
    ('0 to 20', '0.5 to 1')
    """
    return f"{ends[0]:g} to {ends[1]:g}"


def _missing() -> Damage:
    return Damage("missing", "no value", lambda columns, _: {f: nulls(f.type, len(c)) for f, c in columns.items()})


def _scalings(*factors: float) -> list[Damage]:
    return [
        Damage("scale", f"x {factor:g}" if factor >= 1 else f"/ {1 / factor:g}", _multiplied(factor))
        for factor in factors
    ]


def _multiplied(factor: float) -> Change:
    return lambda columns, _: _numeric(columns, lambda values: values * factor)


def _added(ends: Range, whole: bool, *, cap: float = np.inf, rounded: bool = False) -> Change:
    """Uniform noise on every value that is there; whole numbers where values and ends are, or ``rounded`` to them."""
    integers = whole and all(float(end).is_integer() and abs(end) <= EXACT for end in ends)

    def change(columns: Columns, random: np.random.Generator) -> Columns:
        def noisy(values: F64) -> F64:
            if integers:
                noise = random.integers(int(ends[0]), int(ends[1]), values.shape, endpoint=True).astype(np.float64)
            else:
                noise = 2 * random.uniform(ends[0] / 2, ends[1] / 2, values.shape)  # the width may exceed a float64
                noise = np.rint(noise) if whole and rounded else noise
            return np.minimum(values + noise, cap)

        return _numeric(columns, noisy)

    return change


def _shuffled(columns: Columns, random: np.random.Generator) -> Columns:
    return _numeric(columns, lambda values: random.permuted(values, axis=1))


def _swapped(columns: Columns, random: np.random.Generator) -> Columns:
    """Whole values exchanged between records."""
    order = pa.array(random.permutation(len(next(iter(columns.values())))))
    return {field: column.take(order) for field, column in columns.items()}


def _unseen(columns: Columns, random: np.random.Generator) -> Columns:
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
    made: Columns = {}
    for field, column in columns.items():
        drawn = letters[random.integers(len(letters), size=(len(column), TOKEN_LETTERS))]
        words = [word.tobytes().decode() for word in drawn]
        whole = [[word] for word in words] if field.type is FieldType.TEXTS else words
        made[field] = pa.array(whole, arrow_type(field.type))
    return made


def _flipped(columns: Columns, random: np.random.Generator) -> Columns:
    del random
    return {field: pc.invert(column) for field, column in columns.items()}


def _numeric(columns: Columns, change: Callable[[F64], F64]) -> Columns:
    """Columns of numbers changed as a matrix, [rows, entries]; null and NaN entries and odd lengths stay."""
    if any(field.type is FieldType.VECTOR for field in columns):
        return {field: _with_vectors(column, change) for field, column in columns.items()}
    values = np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns.values()])
    absent = [column.is_null().to_numpy(zero_copy_only=False) for column in columns.values()]
    with np.errstate(over="ignore", invalid="ignore"):
        changed = change(values)
    return {field: pa.array(changed[:, index], pa.float64(), mask=absent[index]) for index, field in enumerate(columns)}


def _with_vectors(column: Column, change: Callable[[F64], F64]) -> Column:
    usual, rows = _matrix(column)
    if not len(rows):
        return column
    with np.errstate(over="ignore", invalid="ignore"):
        changed = change(usual)
    entries = pa.array(changed.ravel(), pa.float64())
    lists = pa.ListArray.from_arrays(pa.array(np.arange(len(rows) + 1) * usual.shape[1], pa.int32()), entries)
    places = np.arange(len(column))
    places[rows] = len(column) + np.arange(len(rows))
    return pa.concat_arrays([column, lists.cast(column.type)]).take(pa.array(places))


def _matrix(column: Column) -> tuple[F64, I64]:
    """The vectors of the usual length without a null, [m, d], and their rows, [m]."""
    lengths: I64 = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    sizes, counts = np.unique(lengths[lengths > 0], return_counts=True)
    if not len(sizes):
        return np.empty((0, 0)), np.empty(0, dtype=np.int64)
    length = int(sizes[counts.argmax()])
    rows = np.flatnonzero(lengths == length)
    values = column.take(pa.array(rows)).flatten().to_numpy(zero_copy_only=False).reshape(len(rows), length)
    whole = ~np.isnan(values).any(axis=1)
    return values[whole], rows[whole]


def _values(columns: Columns) -> F64:
    """All finite numbers in some columns, in one row."""
    flat = [column.flatten() if field.type is FieldType.VECTOR else column for field, column in columns.items()]
    values = np.concatenate([column.to_numpy(zero_copy_only=False).astype(np.float64) for column in flat])
    finite: F64 = values[np.isfinite(values)]
    return finite


def _extent(columns: Columns) -> Range:
    values = _values(columns)
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)


def _whole(columns: Columns) -> bool:
    values = _values(columns)
    return bool((values == np.rint(values)).all())


def _spread(columns: Columns) -> float:
    """Of benign values, > 0 and finite; of a constant its size, or 1, since a constant that changes is a fault too."""
    values = _values(columns)
    if not len(values):
        return 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.quantile(values, SPREAD_QUANTILES)
        spread = float(high - low or values.max() - values.min() or abs(values[0]) or 1.0)
    return min(spread, MOST_SPREAD) if spread > 0 else MOST_SPREAD  # not a number where the quantiles overflow


def columns_of(records: RecordBatch, fields: Sequence[Field]) -> Columns:
    """Some columns of a batch."""
    return {field: records.columns[field] for field in fields}
