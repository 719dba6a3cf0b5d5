"""How vectors become columns: every entry by its own scale, or all divided by one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.core.arrays import F32, F64, I64, Bools
from monitor.core.errors import DataError
from monitor.core.novelty import beyond, changed, unseen
from monitor.encoders._scaling import LIMIT, check_divisor, spread, tidied

ARRAYS = ("centres", "halves", "neutral", "constants")
SLICE = 65_536
"""Entries encoded at a time: what stays in the cache of a core, several temporary copies included."""

NUMBERS = ("low", "high", "floor", "ceiling", "strength")


@dataclass(frozen=True, slots=True)
class Scales:
    """Column i = (value - centres[i]) / halves[i], cut off at ``floor`` and ``ceiling``; ``neutral`` if no number.

    ``low`` to ``high`` is the benign range of all columns taken together, not cut off. The entries ``constant`` were
    always ``constants`` in benign data; a change of one weighs ``strength`` bans. ``whole``: none had a fraction.
    """

    centres: F64  # [d]
    halves: F64  # [d], > 0
    neutral: F64  # [d]
    low: float
    high: float
    floor: float
    ceiling: float
    constant: I64  # [c]
    constants: F64  # [c]
    strength: float
    whole: bool

    def apply(self, values: F64) -> F64:
        """Columns of ``values`` [n, d], not cut off: never NaN, but they may be infinite."""
        with np.errstate(over="ignore"):
            scaled = (np.clip(values, -LIMIT, LIMIT) - self.centres) / self.halves
        return np.where(np.isnan(values), self.neutral, scaled)

    def inverse(self, columns: F32) -> F64:
        """The values of one row of columns [d], kept inside the benign range."""
        return self._values(columns, self.low, self.high)

    def decode(self, columns: F32) -> F64:
        """The values of columns [n, d], in digits that float32 can tell apart; whole where benign ones were."""
        values = self._values(columns, self.floor, self.ceiling)
        return np.rint(values) + 0.0 if self.whole else tidied(values, values - self.centres)  # no -0.0

    def _values(self, columns: F32, low: float, high: float) -> F64:
        finite = np.where(np.isfinite(columns), columns, self.neutral)
        return np.clip(finite, low, high) * self.halves + self.centres

    def beyond(self, scaled: F64, records: int) -> F64:
        """Strength of the entry farthest outside the benign range, [n], from ``apply``'s columns [n, d]."""
        excess = np.maximum(scaled.max(axis=1) - self.high, self.low - scaled.min(axis=1))
        strength = np.zeros(len(scaled))
        outside = excess > 0.0
        strength[outside] = beyond(excess[outside], max(self.high - self.low, 1e-6), records)
        return strength

    def changed(self, values: F64) -> Bools:
        """Rows of ``values`` [n, d] in which an entry changed that never did in benign data."""
        entries = np.clip(values[:, self.constant], -LIMIT, LIMIT)
        rows: Bools = ((entries != self.constants) & ~np.isnan(entries)).any(axis=1)
        return rows

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = {name: getattr(self, name).tolist() for name in (*ARRAYS, "constant")}
        return state | {name: getattr(self, name) for name in NUMBERS} | {"whole": self.whole}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Scales:
        arrays: dict[str, Any] = {name: np.asarray(state[name], dtype=np.float64) for name in ARRAYS}
        plain: dict[str, Any] = {name: float(state[name]) for name in NUMBERS}
        return cls(constant=np.asarray(state["constant"], dtype=np.int64), whole=state["whole"], **arrays, **plain)


def fit_scales(values: F64, clip: float, divide_by: float | None, field: str) -> Scales:
    """Learn from benign ``values`` [n, d], NaN where an entry is no number.

    Raises:
        DataError: an entry is never a number, or an explicit divisor does not fit.
    """
    columns = [column[~np.isnan(column)] for column in np.clip(values, -LIMIT, LIMIT).T]
    never = [index for index, column in enumerate(columns) if not len(column)]
    if never:
        raise DataError(f"field {field!r}: entry {never[0]} is no number in any of {len(values):,} benign records")
    if divide_by is None:
        centres, halves = np.array([spread(column) for column in columns]).T
        neutral = np.zeros(len(columns))
    else:
        check_divisor(max(float(np.abs(column).max()) for column in columns), divide_by, field)
        centres, halves = np.zeros(len(columns)), np.full(len(columns), divide_by)
        neutral = np.array([np.median(column) for column in columns]) / divide_by
    ends = np.array([(column.min(), column.max()) for column in columns]).T  # [2, d]
    low, high = _range((ends - centres) / halves)
    floor, ceiling = (-clip, clip) if divide_by is None else (low - clip, high + clip)
    constant = np.flatnonzero(ends[0] == ends[1])
    strength = _change_strength(values, columns)
    whole = all(bool((column == np.floor(column)).all()) for column in columns)
    return Scales(centres, halves, neutral, low, high, floor, ceiling, constant, ends[0][constant], strength, whole)


def _range(ends: F64) -> tuple[float, float]:
    return float(ends[0].min()), float(ends[1].max())


def _change_strength(values: F64, columns: list[F64]) -> float:
    """Strength of the first change of an entry that was constant: Good-Turing over records instead of values.

    A record seen once is one with an entry that has its value there alone, all other records agreeing. Such one-off
    changes are frequent in images (a pixel lit once), so that the next one is no great surprise; where benign data has
    none, constancy is a rule, and its breach as loud as that of a constant field.
    """
    usual = np.array([np.partition(column, len(column) // 2)[len(column) // 2] for column in columns])
    singles = np.zeros(len(values), dtype=np.bool_)
    for index, column in enumerate(columns):
        if np.count_nonzero(column != usual[index]) == 1:
            singles |= ~np.isnan(values[:, index]) & (values[:, index] != usual[index])
    if not singles.any():
        return float(changed(len(values), np.zeros(1))[0])
    return unseen(len(values), int(singles.sum()))
