"""What benign errors look like, and the score that is measured against them: 0 = best benign, 1 = worst benign."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor.core.arrays import F32, F64
from monitor.core.errors import DataError
from monitor.model.inference import BEYOND, SLICE_ROWS, Inference, field_errors

FEW_RECORDS = 100
"""Below this many calibration records the worst of them says little: one benign record in a hundred or more
will be worse than all of them."""

NOISE = 1e-5
"""Errors closer than this, relative to the largest or to 1, are equal: float32 arithmetic differs by as much between
two processors."""

State = Literal["ok", "few", "flat"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The benign range of the weighted L1 error, from records that training never saw. Immutable and finite.

    ``field_means`` and ``field_highs`` are the mean and the largest error of each feature, in layout order.
    """

    count: int
    low: float
    high: float
    field_means: tuple[float, ...]
    field_highs: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = (self.low, self.high, *self.field_means, *self.field_highs)
        if self.count < 1 or not all(math.isfinite(number) and number >= 0 for number in numbers):
            raise ValueError("calibration needs records and errors that are finite and not negative")
        if self.low > self.high or len(self.field_means) != len(self.field_highs):
            raise ValueError("calibration range is reversed, or its fields do not match")

    @property
    def state(self) -> State:
        """``flat``: all benign errors are equal, see ``unit``. ``few``: under 100 records. Otherwise ``ok``."""
        if self.high - self.low <= self._noise:
            return "flat"
        return "few" if self.count < FEW_RECORDS else "ok"

    @property
    def unit(self) -> float:
        """What a score of 1 is worth: the benign range, but never less than the noise of the arithmetic.

        A flat calibration (every feature constant, say) thus keeps a score: benign records have 0 (1 at the most),
        and whatever really differs is far above 1.
        """
        return max(self.high - self.low, self._noise)

    @property
    def _noise(self) -> float:
        return NOISE * max(1.0, self.high)

    def score(self, errors: F32 | F64) -> F64:
        """``(error - low) / unit``, [n]: finite, growing with the error, above 1 beyond all benign ones."""
        return (np.asarray(errors, dtype=np.float64) - self.low) / self.unit


@dataclass(frozen=True, slots=True)
class ScoreRange:
    """The benign range of a score that is not the plain L1: ``low`` is 0, ``limit`` is 1.

    Scores are averaged over the last ``average`` records of a key.
    """

    method: str
    low: float
    limit: float
    average: int = 1

    def score(self, values: F64) -> F64:
        """0 at ``low`` and 1 at ``limit``, [n] like ``values``; growing."""
        scores: F64 = (values - self.low) / self._unit
        return scores

    def value(self, score: float) -> float:
        """What has this score."""
        return self.low + score * self._unit

    @property
    def _unit(self) -> float:
        return max(self.limit - self.low, NOISE * max(1.0, self.limit))


def method_of(score: ScoreRange | None) -> str:
    """The method of the score that has this range; without one it is the plain L1."""
    return "l1" if score is None else score.method


def calibrate(errors: F32 | F64, fields: F64) -> Calibration:
    """The benign range of errors.

    Args:
        errors: weighted L1 error of each benign record, [n], n > 0.
        fields: the same by feature, [n, features].

    Raises:
        DataError: there is no record, or an error is not finite.
    """
    if len(errors) == 0:
        raise DataError("calibration: there is no record to calibrate with")
    if not (np.isfinite(fields).all() and (errors < BEYOND).all()):
        raise DataError("calibration: a benign record has an error that is not finite; look for extreme values in it")
    return Calibration(
        count=len(errors),
        low=float(errors.min()),
        high=float(errors.max()),
        field_means=tuple(map(float, fields.mean(axis=0))),
        field_highs=tuple(map(float, fields.max(axis=0))),
    )


def calibrate_network(inference: Inference, values: F32) -> Calibration:
    """Calibrate a network with the encoded calibration split, [n, total]."""
    # A few rows at a time: the differences are float64 and twice the size of the matrix.
    pieces = (values[start : start + SLICE_ROWS] for start in range(0, len(values), SLICE_ROWS))
    parts = [
        field_errors(inference.layout, rows, inference.reconstruct(rows)) for rows in pieces
    ]  # each [<= 1024, features]
    fields = np.concatenate(parts) if parts else np.empty((0, len(inference.layout.blocks)))
    return calibrate(inference.errors(values), fields)
