"""Sums over the last hour or day, for whoever has no database of metrics: what is older leaves them by itself."""

from __future__ import annotations

from collections import deque

STEPS = 60
"""A window moves in steps of a sixtieth: an hour by the minute, a day by 24 minutes."""


class Recent:
    """The sums of some numbers over the last ``seconds``, a step more at most. Nothing is known of before it was made.

    ``now`` never goes back: it is monotonic seconds.
    """

    def __init__(self, seconds: float, width: int) -> None:
        self._step = seconds / STEPS
        self._steps: deque[tuple[int, list[float]]] = deque()  # the oldest first; those without numbers are left out
        self._sums = [0.0] * width

    def add(self, now: float, numbers: tuple[float, ...]) -> None:
        """These came now."""
        step = int(now // self._step)
        if not self._steps or self._steps[-1][0] != step:
            self._steps.append((step, [0.0] * len(self._sums)))
        _add(self._steps[-1][1], numbers, 1)
        _add(self._sums, numbers, 1)

    def sums(self, now: float) -> list[float]:
        """What came within the window."""
        while self._steps and self._steps[0][0] < now // self._step - STEPS:
            _add(self._sums, self._steps.popleft()[1], -1)
        return list(self._sums)


def _add(sums: list[float], numbers: tuple[float, ...] | list[float], sign: int) -> None:
    for index, number in enumerate(numbers):
        sums[index] += sign * number
