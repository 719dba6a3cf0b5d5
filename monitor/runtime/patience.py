"""When a sender gives up on one alert."""

from __future__ import annotations

LEAST_REFUSALS = 5
LEAST_REFUSED_SECONDS = 60.0
"""An alert that is refused so often and for so long is put aside: shorter, and a receiver that is being upgraded costs
alerts; longer, and one alert that it will never take holds back all that follow."""


class Refusals:
    """Counts how often one alert, the first that waits, was refused because of what stands in it."""

    def __init__(self) -> None:
        self._sequence = 0
        self._count = 0
        self._since = 0.0

    def hopeless(self, sequence: int, now: float) -> bool:
        """Note one more refusal of this alert at ``now`` (monotonic); whether it is time to go on without it."""
        if sequence != self._sequence:
            self._sequence, self._count, self._since = sequence, 0, now
        self._count += 1
        return self._count >= LEAST_REFUSALS and now - self._since >= LEAST_REFUSED_SECONDS
