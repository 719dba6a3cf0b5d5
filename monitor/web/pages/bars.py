"""One field of an alert as a drawing: the benign range as a band, and where the value lies beside it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from monitor.core.alerts import FieldFinding
from monitor.core.printable import printable

_NUMBER = r"(-?[0-9][0-9,]*(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
_RANGE = re.compile(rf"{_NUMBER} to {_NUMBER}(?: [^,]*)?(?:, or .*)?")
_ALWAYS = re.compile(rf"always {_NUMBER}(?: [^,]*)?(?:, or .*)?")
_VALUE = re.compile(rf"(?:over |beyond )?{_NUMBER}(?: .*)?")

BAND = (30.0, 70.0)
"""Per cent of the width between which the benign range lies; what is farther away than its width is at the edge."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Places in per cent of the width, None where there is nothing to show.

    ``side`` is below, inside or above the range; with ``far`` the value lies beyond the edge. ``sentence`` says it all.
    """

    low: float
    high: float
    actual: float
    expected: float | None
    side: str
    far: bool
    sentence: str


def bar(finding: FieldFinding) -> Bar | None:
    """The drawing, if value and range are numbers; None where only words tell it."""
    actual, benign = _number(finding.actual), _range(finding.benign_range)
    if actual is None or benign is None:
        return None
    low, high = benign
    expected = _number(finding.expected)
    place = _place(actual, low, high)
    side = "below" if actual < low else "above" if actual > high else "inside"
    ends = BAND if low < high else (sum(BAND) / 2, sum(BAND) / 2)
    return Bar(
        low=ends[0],
        high=ends[1],
        actual=min(98.0, max(2.0, place)),
        expected=None if expected is None else min(98.0, max(2.0, _place(expected, low, high))),
        side=side,
        far=not 2.0 <= place <= 98.0,
        sentence=f"{printable(finding.name)}: the value is {side} the benign range {printable(finding.benign_range)}",
    )


def _place(value: float, low: float, high: float) -> float:
    """Of a range of one number only the side tells: how far away anything is has no measure."""
    if low == high:
        return 50.0 if value == low else math.copysign(30.0, value - low) + 50.0
    return BAND[0] + (BAND[1] - BAND[0]) * (value - low) / (high - low)


def _range(text: str) -> tuple[float, float] | None:
    if found := _RANGE.fullmatch(text):
        low, high = _float(found[1]), _float(found[2])
        return (low, high) if low <= high and math.isfinite(high - low) else None
    if found := _ALWAYS.fullmatch(text):
        return _float(found[1]), _float(found[1])
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    found = _VALUE.fullmatch(str(value)[:60])
    return _float(found[1]) if found else None


def _float(text: str) -> float:
    return float(text.replace(",", ""))
