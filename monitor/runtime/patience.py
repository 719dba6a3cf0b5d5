"""How long a sender waits for a receiver that fails, and when it gives up on one alert."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 30.0

LEAST_REFUSALS = 5
LEAST_REFUSED_SECONDS = 60.0
"""An alert that is refused so often and for so long is put aside: shorter, and a receiver that is being upgraded costs
alerts; longer, and one alert that it will never take holds back all that follow."""


class Backoff:
    """Waits that double from failure to failure, each by chance up to half shorter: not all senders come at once."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._next_seconds = FIRST_RETRY_SECONDS

    def reset(self) -> None:
        """It works again."""
        self._next_seconds = FIRST_RETRY_SECONDS

    def seconds(self, at_least: float = 0.0) -> float:
        """How long to wait after a failure, not shorter than ``at_least``."""
        wait = self._next_seconds * (1 - self._chance() / 2)
        self._next_seconds = min(2 * self._next_seconds, LONGEST_RETRY_SECONDS)
        return max(wait, at_least)


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
