"""Numbers beside the value of a field, such as its change: a column each, and what is said when one stands out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import F32, F64
from monitor.core.novelty import excess
from monitor.core.protocols import Finding
from monitor.encoders._measure import Measure
from monitor.encoders._scaling import Scaling

LEAST_SPREAD = 1e-12
"""Variance of a column that differs by more than rounding: a line through less would be as steep as it likes."""


@dataclass(frozen=True)
class Steps:
    """Fitted numbers by name; each has a column, unless it was constant in benign data, and a novelty column.

    ``lines`` are slope and height of what the value's own column tells of those columns: it stands in for a number that
    is not there. An average would not do: beside a high value, a change of nothing is unheard of where values jump.
    """

    measures: Mapping[str, Measure]
    lines: Mapping[str, tuple[float, float]]

    @classmethod
    def learn(cls, measures: Mapping[str, Measure], steps: Mapping[str, F64], values: F32) -> Steps:
        """From benign ``steps`` [n], what the measures were fitted to, and the column of the values [n]."""
        return cls(measures, {name: _line(m.scaling, steps[name], values) for name, m in measures.items() if m.scaling})

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name, measure in self.measures.items() if measure.scaling)

    @cached_property
    def novelty(self) -> tuple[str, ...]:
        return tuple(f"{name} {measure.novelty[0]}" for name, measure in self.measures.items())

    def encode(self, steps: Mapping[str, F64], values: F32, columns: F32, novelty: F32) -> None:
        """Encode ``steps``, [n] each, n >= 1, NaN where there is none; the columns are those of ``self``, zeroed.

        ``values`` [n] is the column of the values that they belong to.
        """
        for index, (name, measure) in enumerate(self.measures.items()):
            place = self.place(name)
            measure.encode(steps[name], (), columns[:, place], novelty[:, index : index + 1])
            if name in self.lines and (absent := np.isnan(steps[name])).any():
                slope, height = self.lines[name]
                columns[absent, place.start] = slope * values[absent] + height

    def place(self, name: str) -> slice:
        """Where among the columns the one of a number is; empty where it has none."""
        start = self.columns.index(name) if name in self.columns else 0
        return slice(start, start + (name in self.columns))

    def worst(self, own_error: float, errors: F32, novelty: F32) -> str | None:
        """The number that stands out most in a row, by novelty, [len(self.novelty)], or else by error.

        None if no error, [len(self.columns)], is larger than that of the value itself.
        """
        if novelty.any():
            return list(self.measures)[int(novelty.argmax())]
        if errors.max(initial=0.0) <= own_error:
            return None
        return self.columns[int(errors.argmax())]

    def actual(self, name: str, columns: F32, novelty: F32) -> float:
        """A number of one row in its own units, even where the column was cut off: its novelty tells how far it is.

        Of one that was constant, the constant; 0 of one that benign data did not have.
        """
        measure = self.measures.get(name)
        if measure is None or measure.scaling is None:
            return measure.low if measure else 0.0
        value = float(measure.scaling.decode(columns[self.place(name)])[0])
        strength = float(novelty[list(self.measures).index(name)])
        if strength == 0.0:
            return value
        beyond = 2.0 * excess(strength, measure.span, measure.flags.records)  # of halves, as the span is half the width
        return measure.high + beyond if value > measure.scaling.centre else measure.low - beyond

    def expected(self, name: str, reconstruction: F32) -> float:
        """What the network expects of a number, within its benign range."""
        measure = self.measures[name]
        if measure.scaling is None:
            return measure.low
        value = float(measure.scaling.inverse(reconstruction[self.place(name)].astype(np.float64))[0])
        return min(max(value, measure.low), measure.high)

    def explain(self, name: str, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        """What is said of one number of a row by itself."""
        place, index = self.place(name), list(self.measures).index(name)
        return self.measures[name].explain(columns[place], novelty[index : index + 1], reconstruction[place])

    def state(self) -> list[Any]:
        """A list, since whoever writes objects of JSON may sort them, and the order is that of columns."""
        return [[name, measure.state(), self.lines.get(name)] for name, measure in self.measures.items()]

    @classmethod
    def restore(cls, state: Sequence[Any]) -> Steps:
        lines = {name: (float(line[0]), float(line[1])) for name, _, line in state if line is not None}
        return cls({name: Measure.restore(measure) for name, measure, _ in state}, lines)


def _line(scaling: Scaling, step: F64, values: F32) -> tuple[float, float]:
    """Slope and height of the least-squares line through the column of a number over that of the values; both [n]."""
    known = np.isfinite(step)
    x, y = values[known].astype(np.float64), np.asarray(scaling.apply(step[known]), dtype=np.float64)
    spread = float(x.var())
    slope = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > LEAST_SPREAD else 0.0
    return slope, float(y.mean()) - slope * float(x.mean())
