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


@dataclass(frozen=True)
class Steps:
    """Fitted numbers by name; each has a column, unless it was constant in benign data, and a novelty column."""

    measures: Mapping[str, Measure]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name, measure in self.measures.items() if measure.scaling)

    @cached_property
    def novelty(self) -> tuple[str, ...]:
        return tuple(f"{name} {measure.novelty[0]}" for name, measure in self.measures.items())

    def encode(self, steps: Mapping[str, F64], columns: F32, novelty: F32) -> None:
        """Encode ``steps``, [n] each, n >= 1, NaN where there is none; the columns are those of ``self``, zeroed."""
        for index, (name, measure) in enumerate(self.measures.items()):
            place = self.place(name)
            measure.encode(steps[name], (), columns[:, place], novelty[:, index : index + 1])

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
        """Pairs of name and measure: whoever writes objects of JSON may sort them, and the order is that of columns."""
        return [[name, measure.state()] for name, measure in self.measures.items()]

    @classmethod
    def restore(cls, state: Sequence[Any]) -> Steps:
        return cls({name: Measure.restore(measure) for name, measure in state})
