"""Keeps what fails from being tried at every turn, each thing by itself, for ever."""

from __future__ import annotations

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 30.0


class Retries:
    """Exponential waits by name: after each failure twice as long, up to ``LONGEST_SECONDS``."""

    def __init__(self) -> None:
        self._waits: dict[str, tuple[float, float]] = {}  # name -> (not before, the next wait)

    @property
    def waits(self) -> bool:
        """Whether anything failed that has not succeeded since."""
        return bool(self._waits)

    def may(self, name: str, now: float) -> bool:
        """Whether it is time to try (again)."""
        return name not in self._waits or now >= self._waits[name][0]

    def failed(self, name: str, now: float) -> None:
        """It was tried and failed."""
        wait = self._waits[name][1] if name in self._waits else FIRST_SECONDS
        self._waits[name] = (now + wait, min(2 * wait, LONGEST_SECONDS))

    def succeeded(self, name: str) -> None:
        """It was tried and worked."""
        self._waits.pop(name, None)

    def next_time(self, now: float) -> float:
        """When the next thing that waits may be tried; infinity when nothing does."""
        return min((time for time, _ in self._waits.values() if time > now), default=float("inf"))

    def keep_only(self, names: set[str]) -> None:
        """Forget all others: they no longer exist."""
        self._waits = {name: wait for name, wait in self._waits.items() if name in names}
