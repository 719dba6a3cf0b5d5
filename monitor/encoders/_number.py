"""A number field: the options of its scale, its values, and the states it can be in beside having one.

What ``numeric``, ``streaming`` and ``window`` have in common.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field as Option
from pydantic import model_validator

from monitor.core.arrays import F32, F64, Bools
from monitor.core.records import RecordBatch
from monitor.core.strict import StrictModel
from monitor.encoders._measure import Measure, Options, fit_measure
from monitor.encoders._reading import numbers
from monitor.encoders._scaling import Scale
from monitor.encoders._wording import MISSING

NOT_A_NUMBER = "not a number"


class NumberOptions(StrictModel):
    """How a number is scaled."""

    scale: Scale = Option(
        default="auto",
        description="`log` for sizes and durations, `linear` for levels; `auto` takes logarithms of numbers that are "
        "never negative and far more spread above the middle than below (`numeric` then has a linear column, too).",
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
    def _one_scale(self) -> NumberOptions:
        if self.divide_by is not None and self.scale != "auto":
            raise ValueError("give either scale or divide_by: the divisor is the scale")
        return self


def fit_number(batch: RecordBatch, field: str, config: NumberOptions) -> Measure:
    """Learn a number field from benign records.

    Raises:
        DataError: there is not one finite number, or an explicit divisor does not fit.
    """
    values, missing = numbers(batch, field)
    masks = {MISSING: missing, NOT_A_NUMBER: _not_numbers(values, missing)}
    return fit_measure(values, masks, Options(config.scale, config.clip, config.divide_by), field=field)


def encode_number(batch: RecordBatch, field: str, measure: Measure, columns: F32, novelty: F32) -> F64:
    """Encode a number field of records, at least one; gives its values [n], NaN where there is none, to be read only.

    ``columns`` and ``novelty`` are those of ``measure``, zeroed.
    """
    values, missing = numbers(batch, field)
    if missing is not None or not measure.encode_plain(values, columns):
        measure.encode(values, (missing, _not_numbers(values, missing)), columns, novelty)
    return values


def _not_numbers(values: F64, missing: Bools | None) -> Bools | None:
    """Where something stands that is not a number, [n]; None: nowhere."""
    mask = np.isnan(values)
    if missing is not None:
        mask &= ~missing
    return mask if mask.any() else None
