"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 30.0


class Backoff:
    """Waits that double from failure to failure, each by chance up to half shorter: not all who wait come at once."""

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
