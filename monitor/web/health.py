"""Whether the program is alive (its threads turn) and ready (it does its work), as anyone may tell from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from monitor.core.clock import Clock

STALE_SECONDS = 10.0
"""A thread that has not said anything for so long hangs: every one of them turns several times a second."""

STARTING = "start"
"""The reason for not being ready until it is in the ledger which files there are: a crash before that forgets them.

Nothing is wrong then, and it is over in seconds.
"""


class Health:
    """Collects heartbeats and reasons for not being ready. Nothing said is healthy and ready.

    ``watchers`` are called by the loop of that name itself whenever it beats.
    """

    def __init__(self, clock: Clock, watchers: Mapping[str, Callable[[], None]] | None = None) -> None:
        self._clock = clock
        self._watchers = watchers or {}
        self._lock = threading.Lock()
        self._beats: dict[str, float] = {}  # monotonic seconds
        self._reasons: dict[str, str] = {}

    def beat(self, name: str) -> None:
        """The loop ``name`` has just turned; from now on it must do so at least every ``STALE_SECONDS``."""
        with self._lock:
            self._beats[name] = self._clock.monotonic()
        if watcher := self._watchers.get(name):
            watcher()

    def ended(self, name: str) -> None:
        """The loop ``name`` has ended on purpose; nothing is expected of it any more."""
        with self._lock:
            self._beats.pop(name, None)

    def not_ready(self, key: str, text: str) -> None:
        """Something is missing for the work to be done; ``ready(key)`` takes it back."""
        with self._lock:
            self._reasons[key] = text

    def ready(self, key: str) -> None:
        """What ``not_ready(key, ...)`` said no longer holds, if it ever did."""
        with self._lock:
            self._reasons.pop(key, None)

    def stale(self) -> list[str]:
        """A sentence for every loop that hangs, in the order of their names; empty means healthy."""
        with self._lock:
            now = self._clock.monotonic()
            ages = {name: now - beat for name, beat in sorted(self._beats.items())}
        return [f"{name}: no sign of life for {age:.0f} s" for name, age in ages.items() if age >= STALE_SECONDS]

    def starting(self) -> bool:
        """Whether nothing is amiss but that it has only begun."""
        with self._lock:
            begun = set(self._reasons) == {STARTING}
        return begun and not self.stale()

    def missing(self) -> list[str]:
        """The reasons for not being ready, in the order of their keys; empty means ready."""
        with self._lock:
            return [text for _, text in sorted(self._reasons.items())]
