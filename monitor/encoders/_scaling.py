"""How a number becomes a network column and back: clipped, perhaps its logarithm, centred, divided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from monitor.core.arrays import F32, F64
from monitor.core.errors import DataError

Scale = Literal["auto", "linear", "log"]

TAIL = 0.001
"""The share of benign values on either side that may lie outside [-1, 1]: an outlier must not squeeze the rest."""

LIMIT = 1e300
"""Values farther out count as this far: half the exponent of a double stays free, so that no step below overflows."""

LOG_LIMIT = 1e30
"""On a logarithmic scale, values count as no more than this many units: what float32 still holds."""

FIXED_LIMIT = 1e6
"""The largest column an explicit divisor may leave: beyond it float32 and every optimiser lose the small ones."""

BLUR = 2e-6
"""What float32 cannot tell apart, as a share of the distance from the centre: some steps of 6e-8, rounded up."""

EXACT_POWER = 22
"""The largest power of ten that a double holds exactly."""

SKEW = 10.0
"""Upper tail this many times longer than the lower one, and this many times the typical value: take logarithms."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """One number to one column. ``low`` and ``high`` clip, in original units.

    ``unit`` is 0 for a linear scale, else the size below which the logarithm log(1 + |x| / unit) is about linear;
    ``signed`` says that it is taken of both signs. ``neutral`` is the column of a value that is not there.
    """

    low: float
    high: float
    unit: float
    signed: bool
    centre: float
    half: float
    neutral: float = 0.0

    def apply(self, values: F64) -> Any:
        """The column of ``values`` [n], none of them NaN: float32 or float64, about [-1, 1], finite."""
        return self.apply_inside(np.clip(values, self.low, self.high))

    def apply_inside(self, values: F64) -> Any:
        """The same for values that are known to lie between ``low`` and ``high``."""
        result = _bent(values, self.unit, signed=self.signed) - self.centre
        result /= self.half
        return result

    def inverse(self, columns: F64) -> F64:
        """The values, in original units, of ``columns`` [n]; of one that is no number, the neutral value."""
        finite = np.where(np.isfinite(columns), columns, self.neutral)
        with np.errstate(over="ignore"):
            straight = finite * self.half + self.centre
            if self.unit:
                sizes = self.unit * np.expm1(np.minimum(np.abs(straight), 600.0))
                straight = np.copysign(sizes, straight)
        return np.clip(straight, self.low, self.high)

    def decode(self, columns: F32) -> F64:
        """``inverse`` of columns as the network has them, [n], in digits that float32 can tell apart."""
        values = self.inverse(columns.astype(np.float64))
        if not self.unit:
            return tidied(values, values - self.centre)
        # The error of a logarithm is one of a ratio; the longer the logarithm, the larger.
        sizes = np.abs(values)
        return tidied(values, (sizes + self.unit) * (np.log1p(sizes / self.unit) + self.half))

    def state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Scaling:
        return cls(**state)


def fit_scaling(values: F64, scale: Scale, clip: float) -> Scaling:
    """Put the middle of finite benign ``values`` [n] at 0 and the longer side, but for its ``TAIL``, at 1 or -1.

    Args:
        values: at least one, all finite.
        scale: ``auto`` takes logarithms of values that are never negative and far more spread above than below.
        clip: columns beyond this are cut off, > 0.
    """
    values = np.clip(values, -LIMIT, LIMIT)
    signed = bool(values.min() < 0.0)
    unit = _unit(values) if scale == "log" or (scale == "auto" and _skewed(values)) else 0.0
    centre, half = spread(_bent(values, unit, signed=signed).astype(np.float64))
    limit = min(LIMIT, unit * LOG_LIMIT) if unit else LIMIT
    unbounded = Scaling(-limit, limit, unit, signed, centre, half)
    low, high = unbounded.inverse(np.array([-clip, clip])).tolist()
    return Scaling(max(low, 0.0) if unit and not signed else low, high, unit, signed, centre, half)


def fixed_scaling(values: F64, divide_by: float, room: float, field: str) -> Scaling:
    """Divide by a given number and nothing else; cut off what is more than ``room`` columns outside benign data.

    Args:
        values: finite benign values, at least one.
        divide_by: > 0.
        room: >= 0, in units of the column.
        field: named in the error.

    Raises:
        DataError: the divisor leaves benign values too large for a network.
    """
    values = np.clip(values, -LIMIT, LIMIT)
    check_divisor(float(np.abs(values).max()), divide_by, field)
    low, high = float(values.min()) - room * divide_by, float(values.max()) + room * divide_by
    return Scaling(low, high, 0.0, True, 0.0, divide_by, float(np.median(values)) / divide_by)


def check_divisor(largest: float, divide_by: float, field: str) -> None:
    """Refuse a divisor that leaves ``largest``, the largest size in benign data, too large for a network.

    Raises:
        DataError: see above.
    """
    if largest > FIXED_LIMIT * divide_by:
        raise DataError(
            f"field {field!r}: divided by {divide_by:g}, benign values still reach {largest / divide_by:.3g}; "
            "give a larger divide_by or leave it out"
        )


def spread(values: F64) -> tuple[float, float]:
    """Centre and half width of finite ``values`` [n]: the median, and the longer way from it to a tail. half > 0."""
    low, centre, high = np.quantile(values, (TAIL, 0.5, 1.0 - TAIL)).tolist()
    half = max(high - centre, centre - low)
    if half <= 0.0:  # nearly all values are one: the few others set the width
        half = max(float(values.max()) - centre, centre - float(values.min()))
    return centre, half if half > 0.0 else max(abs(centre), 1.0)


def tidied(values: F64, distances: F64) -> F64:
    """``values`` without the digits that float32 made up; ``distances`` from the centre had its precision. Any shape.

    >>> tidied(np.array([0.3199999928, 123456.7]), np.array([0.32, 1e9])).tolist()
    [0.32, 123000.0]
    """
    with np.errstate(divide="ignore"):
        digits = -np.floor(np.log10(np.abs(distances) * BLUR))
    powers = 10.0 ** np.clip(np.abs(digits), 0.0, EXACT_POWER)
    with np.errstate(over="ignore"):
        tidy = np.where(digits > 0.0, np.rint(values * powers) / powers, np.rint(values / powers) * powers)
    # With more digits than that, rounding would add errors instead of removing them.
    return np.where(np.isfinite(tidy) & (np.abs(digits) <= EXACT_POWER), tidy, values) + 0.0  # no -0.0


def _bent(values: F64, unit: float, *, signed: bool) -> Any:
    """The logarithm of ``values`` if ``unit`` is not 0. In float32: twice as fast, and seven digits are plenty here."""
    if not unit:
        return values
    sizes = np.abs(values) if signed else values
    ratios = (sizes / unit).astype(np.float32)
    ratios += np.float32(1.0)
    np.log(ratios, out=ratios)
    return np.copysign(ratios, values) if signed else ratios


def _unit(values: F64) -> float:
    """Where a logarithmic scale begins to bend: small among the sizes that are not 0, but not absurdly so."""
    sizes = np.abs(values[values != 0.0])
    if not len(sizes):
        return 1.0
    return max(float(np.quantile(sizes, 0.05)), float(sizes.max()) * 1e-12, 1e-300)


def _skewed(values: F64) -> bool:
    low, middle, high = np.quantile(values, (TAIL, 0.5, 1.0 - TAIL)).tolist()
    if values.min() < 0.0 or high <= 0.0:
        return False
    typical = float(np.median(values[values > 0.0]))
    return bool(high - middle > SKEW * (middle - low) and high > SKEW * typical)
