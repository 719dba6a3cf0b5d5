"""Time as an argument: the program reads clocks only through this protocol, so tests can turn them."""

from __future__ import annotations

import time
from typing import Protocol

DAY_SECONDS = 86_400.0


class Clock(Protocol):
    """A source of time. ``now`` may jump (it is the wall clock); ``monotonic`` never goes back."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start, never decreasing; for timeouts and intervals."""
        ...


class SystemClock:
    """The clocks of the operating system."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to, for tests."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock off by ``seconds``, as an administrator or NTP may; the monotonic clock stays."""
        self._now += seconds
