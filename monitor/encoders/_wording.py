"""Numbers and counts as people read them: as many digits as the benign data justify, and no more."""

from __future__ import annotations

import math

ORDINARY = "unusual together with the other fields"
"""The reason when the value itself is nothing new: only the network found it odd."""

MISSING = "missing"


def rounded(value: float, resolution: float) -> float | int:
    """``value`` rounded to the power of ten at or below ``resolution``; a whole number comes as ``int``.

    >>> rounded(31.41592, 0.05), rounded(1234.5, 10.0), rounded(7.0, 0.0)
    (31.42, 1230, 7)
    """
    if not math.isfinite(value):
        return value
    if resolution > 0.0 and math.isfinite(resolution):
        digits = -math.floor(math.log10(resolution))
        value = round(value, min(max(digits, -300), 300))
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def shown(value: float) -> str:
    """A number as text, without an exponent where it is not needed.

    >>> shown(250.0), shown(0.1 + 0.2), shown(-1e300)
    ('250', '0.3', '-1e+300')
    """
    return f"{value:.15g}"
