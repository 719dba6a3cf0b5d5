"""What is said of a number that stands out against its own past: where it came from, and what was to be expected."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monitor.core.arrays import F32
from monitor.core.protocols import Finding
from monitor.encoders._measure import Measure
from monitor.encoders._past import Past
from monitor.encoders._steps import Steps
from monitor.encoders._wording import ORDINARY, rounded, shown

SUBJECTS = {
    "change": "difference from its recent average",
    "trend": "difference of its recent average from the long-term one",
    "rate": "change a second",
    "since": "seconds since the record before",
}

DIGITS = 1000
"""Numbers are told to this fraction of the benign differences."""


@dataclass(frozen=True)
class Row:
    """One encoded row of ``streaming`` and its reconstruction."""

    value: Measure
    steps: Steps
    past: Past
    level: float  # the column of the value
    columns: F32  # those of the steps alone, as all that follow
    novelty: F32
    reconstruction: F32

    def finding(self, name: str, plain: Finding) -> Finding:
        """What to say where the step of this name is to blame; ``plain`` is what is said of the value alone."""
        if name not in ("change", "trend") or self.steps.measures[name].scaling is None:
            reason = self.steps.explain(name, self.columns, self.novelty, self.reconstruction).reason
            return replace(plain, reason=f"{SUBJECTS[name]}: {reason}")
        step, measure = self._actual(name), self.steps.measures[name]
        expected_step = self.steps.expected(name, self.reconstruction)
        average = self.past.level(self.level) - self._actual("change") - (step if name == "trend" else 0.0)
        # In original units: of logarithms, a difference means what it means at this very average.
        numbers = self.past.straight(average + np.array([0.0, step, expected_step, measure.low, measure.high]))
        start, end, expected, low, high = numbers.tolist()
        resolution = (high - low) / DIGITS
        reason = self._reason(name, [start, end, low - start, high - start], resolution)
        if measure.low <= step <= measure.high:
            reason += f"; {ORDINARY}"
        return replace(
            plain,
            expected=rounded(expected, max(resolution, 1.0) if self.value.whole else resolution),
            reason=reason,
        )

    def _reason(self, name: str, numbers: list[float], resolution: float) -> str:
        """Of a number that went from one average to another place, and the benign differences."""
        start, end, low, high = (shown(rounded(number, resolution)) for number in numbers)
        upwards = numbers[1] >= numbers[0]
        size = shown(rounded(abs(numbers[1] - numbers[0]), resolution))
        if self.past.cut_off(numbers[1]):
            size = f"more than {size}"
        if name == "change":
            verb = "jumped" if upwards else "dropped"
            return f"{verb} by {size} from its recent average {start} (benign changes {low} to {high})"
        side = "above" if upwards else "below"
        return (
            f"its recent average {end} is {size} {side} its long-term average {start} "
            f"(benign differences {low} to {high})"
        )

    def _actual(self, name: str) -> float:
        return self.steps.actual(name, self.columns, self.novelty)
