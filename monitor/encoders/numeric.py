"""A number: one column scaled by the benign spread; where that is heavily one-sided, its logarithm and itself.

A logarithm shows every size alike, and so hides how much larger the largest are; a second column says that.
Quantiles set the scale, so that one outlier among benign records does not squeeze all others. What lies outside the
benign range, is missing or is not a number though benign data never was, is a novelty; so is any change of a number
that was the same in every benign record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.core.arrays import F32, Column
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.encoders._measure import Measure
from monitor.encoders._number import NumberOptions, encode_number, fit_number
from monitor.encoders._reading import numbers
from monitor.encoders._scaling import Scaling, fit_scaling


class Config(NumberOptions):
    """Options of ``numeric``."""


EXAMPLE = """
scale: log
clip: 3
"""


@dataclass(frozen=True)
class NumericEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(self.field, FieldType.NUMBER),)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        measure = fit_number(batch, self.field, self.config)
        if self.config.scale != "auto" or measure.scaling is None or not measure.scaling.unit:
            return FittedNumeric(self.field, measure)
        values, _ = numbers(batch, self.field)
        size = fit_scaling(values[np.isfinite(values)], "linear", self.config.clip)
        return FittedNumeric(self.field, measure, size)


@dataclass(frozen=True)
class FittedNumeric:
    """A number as benign data showed it; with ``size``, the scale of a last column that is linear."""

    field: str
    measure: Measure
    size: Scaling | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.measure.columns, *(("size",) if self.size else ()))

    @property
    def novelty(self) -> tuple[str, ...]:
        return self.measure.novelty

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        if not len(batch):
            return
        values = encode_number(batch, self.field, self.measure, self._measured(columns), novelty)
        if self.size:
            columns[:, -1] = np.where(np.isnan(values), self.size.neutral, self.size.apply(values))

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        return self.measure.explain(self._measured(columns), novelty, self._measured(reconstruction))

    def decode(self, columns: F32) -> Mapping[Field, Column]:
        return {Field(self.field, FieldType.NUMBER): self.measure.decode(self._measured(columns))}

    def state(self) -> Mapping[str, Any]:
        return {**self.measure.state(), "size": self.size.state() if self.size else None}

    def _measured(self, columns: F32) -> F32:
        """The columns of the measure, [..., columns]."""
        return columns[..., : len(self.measure.columns)]


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return NumericEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:  # noqa: ARG001
    """A fitted encoder as its ``state`` describes it."""
    size = state.get("size")
    return FittedNumeric(field, Measure.restore(state), Scaling.restore(size) if size else None)
