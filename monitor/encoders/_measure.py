"""A number learned from benign data: its column, how surprising it is outside the benign range, and its states.

What ``numeric`` and ``interarrival`` have in common; they differ in where the numbers come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import F32, F64, Bools, Column
from monitor.core.arrow import pa
from monitor.core.errors import DataError
from monitor.core.novelty import beyond, changed, distance
from monitor.core.protocols import Finding
from monitor.encoders._flags import Flags
from monitor.encoders._scaling import Scale, Scaling, fit_scaling, fixed_scaling
from monitor.encoders._wording import ORDINARY, rounded, shown

SMALLEST_SPAN = 2.3e-308
"""The smallest normal double: a benign range below it cannot be divided by."""

DIGITS = 1e4
"""Numbers are told to this fraction of the benign range."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a measure is scaled: see the configuration of ``numeric``."""

    scale: Scale
    clip: float
    divide_by: float | None = None


@dataclass(frozen=True)
class Measure:
    """A fitted number. ``low`` to ``high`` is the benign range; ``span``, > 0, the half of its finite width.

    Without ``scaling`` the number was constant and has no network column. ``whole``: benign numbers had no fractions.
    """

    scaling: Scaling | None
    low: float
    high: float
    span: float
    whole: bool
    flags: Flags
    unit: str = ""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return (("value",) if self.scaling else ()) + self.flags.columns

    @cached_property
    def novelty(self) -> tuple[str, ...]:
        return ("changed" if self.constant else "beyond", *self.flags.novelty)

    @property
    def constant(self) -> bool:
        return self.low == self.high

    def encode_plain(self, values: F64, columns: F32) -> bool:
        """Encode rows, at least one, that are all there and inside the benign range; else do nothing and say False.

        This is nearly every batch, and it costs two passes to know it.
        """
        low, high = values.min(), values.max()
        if not (self.low <= low and high <= self.high):  # NaN compares false
            return False
        if self.scaling:
            inside = self.scaling.low <= low and high <= self.scaling.high
            columns[:, 0] = self.scaling.apply_inside(values) if inside else self.scaling.apply(values)
        return True

    def encode(self, values: F64, masks: Sequence[Bools | None], columns: F32, novelty: F32) -> None:
        """Encode any rows.

        Args:
            values: [n], n >= 1, NaN where there is none.
            masks: [n] each, in the order of the flags' names (None: no row).
            columns: [n, len(self.columns)], zeroed.
            novelty: [n, len(self.novelty)], zeroed.
        """
        absent = np.flatnonzero(np.isnan(values))
        if len(absent):
            values = values.copy()
            values[absent] = self.low
        if not self.encode_plain(values, columns):
            outside = np.flatnonzero((values < self.low) | (values > self.high))
            novelty[outside, 0] = self._surprise(values[outside])
            if self.scaling:
                columns[:, 0] = self.scaling.apply(values)
        if self.scaling:
            columns[absent, 0] = self.scaling.neutral
        self.flags.write(masks, columns[:, 1 if self.scaling else 0 :], novelty[:, 1:])

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        """What to say of one encoded row; the arguments are those of ``FittedEncoder.explain``."""
        first = 1 if self.scaling else 0
        expected = self.flags.expected(reconstruction[first:])
        reason = (
            self.flags.novelty_reason(novelty[1:])
            or (self._outside(columns) if novelty[0] > 0.0 else None)
            or self.flags.reason(columns[first:], reconstruction[first:])
            or ORDINARY
        )
        value = expected if expected is not None else self._expected(reconstruction)
        return Finding(value, self._range() + self.flags.range_suffix(), reason)

    def told(self, columns: F32, novelty: F32) -> str | None:
        """The value of an encoded row as text, or its state, for what no field of the record says; None if neutral."""
        first = 1 if self.scaling else 0
        state = self.flags.actual(columns[first:], novelty[1:])
        if state is not None:
            return state
        if self.scaling is None:
            return f"not {self._shown(self.low)}" if novelty[0] > 0.0 else self._shown(self.low)
        if columns[0] == np.float32(self.scaling.neutral):
            return None
        value = float(self.scaling.decode(columns[:1])[0])
        beyond = "" if self.scaling.low < value < self.scaling.high else "beyond "
        return f"{beyond}{self._shown(value)}"

    def decode(self, columns: F32) -> Column:
        """Numbers [n] from network columns [n, len(self.columns)]; null in any state that is not a number."""
        values = np.full(len(columns), self.low) if self.scaling is None else self.scaling.decode(columns[:, 0])
        if self.whole:
            values = np.rint(values) + 0.0  # no -0.0
        states = self.flags.shows(columns[:, 1 if self.scaling else 0 :], *self.flags.names)
        return pa.array(values, type=pa.float64(), mask=states)

    def state(self) -> dict[str, Any]:
        """Plain JSON: an infinite end of the range is written as text, which JSON has no number for."""
        return {
            "scaling": self.scaling.state() if self.scaling else None,
            "low": repr(self.low),
            "high": repr(self.high),
            "span": self.span,
            "whole": self.whole,
            "flags": self.flags.state(),
            "unit": self.unit,
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Measure:
        scaling = Scaling.restore(state["scaling"]) if state["scaling"] else None
        flags = Flags.restore(state["flags"])
        low, high = float(state["low"]), float(state["high"])
        return cls(scaling, low, high, state["span"], state["whole"], flags, state["unit"])

    def _surprise(self, values: F64) -> F64:
        """Strength of values outside the range, [n]. Halves are subtracted, so that no difference overflows."""
        excess = np.where(values > self.high, values / 2 - self.high / 2, self.low / 2 - values / 2)
        if self.constant:
            return changed(self.flags.records, distance(excess, self.span))
        return beyond(excess, self.span, self.flags.records)

    def _outside(self, columns: F32) -> str:
        if self.constant:
            return f"changed: always {self._shown(self.low)} in {self.flags.records:,} benign records"
        if self.scaling and columns[0] > self.scaling.apply(np.array([self._middle()]))[0]:
            return f"above everything benign (max {self._shown(self.high)})"
        return f"below everything benign (min {self._shown(self.low)})"

    def _middle(self) -> float:
        return float(np.clip(self.low, -1e300, 1e300) / 2 + np.clip(self.high, -1e300, 1e300) / 2)

    def _expected(self, reconstruction: F32) -> float | int:
        if self.scaling is None:
            return rounded(self.low, 0.0)
        value = min(max(float(self.scaling.inverse(reconstruction[:1].astype(np.float64))[0]), self.low), self.high)
        resolution = abs(value) / 1000 if self.scaling.unit else self.span / 500
        return rounded(value, max(resolution, 1.0) if self.whole else resolution)

    def _range(self) -> str:
        if self.constant:
            return f"always {self._shown(self.low)}"
        return f"{self._digits(self.low)} to {self._shown(self.high)}"

    def _shown(self, value: float) -> str:
        return f"{self._digits(value)} {self.unit}" if self.unit else self._digits(value)

    def _digits(self, value: float) -> str:
        """Enough digits for the range and for the value: near 0, a wide range would leave none."""
        return shown(rounded(value, 0.0 if self.constant else min(2 * self.span, abs(value)) / DIGITS))


def fit_measure(
    values: F64, masks: Mapping[str, Bools | None], options: Options, *, field: str, unit: str = ""
) -> Measure:
    """Learn from benign ``values`` [n], NaN where there is none, and the rows in each state.

    Raises:
        DataError: there is not one finite number, or an explicit divisor does not fit.
    """
    present = values[~np.isnan(values)]
    finite = present[np.isfinite(present)]
    if not len(finite):
        raise DataError(f"field {field!r}: not one finite number in {len(values):,} benign records")
    low, high = float(present.min()), float(present.max())
    return Measure(
        scaling=_scaling(finite, options, field, constant=low == high),
        low=low,
        high=high,
        span=_span(finite),
        whole=bool((finite == np.floor(finite)).all()),
        flags=Flags.learn(masks, len(values)),
        unit=unit,
    )


def _scaling(finite: F64, options: Options, field: str, *, constant: bool) -> Scaling | None:
    """An explicit divisor always makes a column, as whoever gives it expects."""
    if options.divide_by is not None:
        return fixed_scaling(finite, options.divide_by, options.clip, field)
    return None if constant else fit_scaling(finite, options.scale, options.clip)


def _span(finite: F64) -> float:
    low, high = float(finite.min()), float(finite.max())
    half = high / 2 - low / 2
    return max(half if half > 0.0 else max(abs(low), 1.0) / 2, SMALLEST_SPAN)
