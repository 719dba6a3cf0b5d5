"""A number: one column scaled by the benign spread, logarithmic where that spread is heavily one-sided.

Quantiles set the scale, so that one outlier among benign records does not squeeze all others. What lies outside the
benign range, is missing or is not a number though benign data never was, is a novelty; so is any change of a number
that was the same in every benign record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field as Option
from pydantic import model_validator

from monitor.core.arrays import F32, F64, Bools, Column
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.strict import StrictModel
from monitor.encoders._measure import Measure, Options, fit_measure
from monitor.encoders._reading import numbers
from monitor.encoders._scaling import Scale
from monitor.encoders._wording import MISSING

NOT_A_NUMBER = "not a number"


class Config(StrictModel):
    """Options of ``numeric``."""

    scale: Scale = Option(
        default="auto",
        description="`log` for sizes and durations, `linear` for levels; `auto` takes logarithms of numbers that are "
        "never negative and far more spread above the middle than below.",
    )
    divide_by: float | None = Option(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Divide by this and do nothing else, e.g. 100 for ages: exactly one column, value / divide_by.",
    )
    clip: float = Option(
        default=4.0,
        gt=0,
        le=1000,
        description="Columns are cut off here, 1 being the 99.9 % quantile of benign data; with divide_by, this far "
        "outside the benign range. What lies beyond stays ordered by its novelty.",
    )

    @model_validator(mode="after")
    def _one_scale(self) -> Config:
        if self.divide_by is not None and self.scale != "auto":
            raise ValueError("give either scale or divide_by: the divisor is the scale")
        return self


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
        values, missing = numbers(batch, self.field)
        options = Options(self.config.scale, self.config.clip, self.config.divide_by)
        masks = {MISSING: missing, NOT_A_NUMBER: _not_numbers(values, missing)}
        return FittedNumeric(self.field, fit_measure(values, masks, options, field=self.field))


@dataclass(frozen=True)
class FittedNumeric:
    """A number as benign data showed it."""

    field: str
    measure: Measure

    @property
    def columns(self) -> tuple[str, ...]:
        return self.measure.columns

    @property
    def novelty(self) -> tuple[str, ...]:
        return self.measure.novelty

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        if not len(batch):
            return
        values, missing = numbers(batch, self.field)
        if missing is not None or not self.measure.encode_plain(values, columns):
            self.measure.encode(values, (missing, _not_numbers(values, missing)), columns, novelty)

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        return self.measure.explain(columns, novelty, reconstruction)

    def decode(self, columns: F32) -> Mapping[Field, Column]:
        return {Field(self.field, FieldType.NUMBER): self.measure.decode(columns)}

    def state(self) -> Mapping[str, Any]:
        return self.measure.state()


def _not_numbers(values: F64, missing: Bools | None) -> Bools | None:
    """Where something stands that is not a number, [n]; None: nowhere."""
    mask = np.isnan(values)
    if missing is not None:
        mask &= ~missing
    return mask if mask.any() else None


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return NumericEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:  # noqa: ARG001
    """A fitted encoder as its ``state`` describes it."""
    return FittedNumeric(field, Measure.restore(state))
