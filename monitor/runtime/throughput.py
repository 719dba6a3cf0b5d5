"""What the daemon does right now, in one line for ``systemctl status``: enough to see that it works."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.core.accounting import Counts
from monitor.core.clock import Clock

INTERVAL_SECONDS = 5.0
"""The rate is that of so long a time, and so often there is a new line."""


class Throughput:
    """Turns totals that only grow into a rate."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()
        self._scored = 0

    def line(self, totals: Counts, missing: Sequence[str]) -> str | None:
        """The line, with what is missing for the work to be done; None while the last one is new enough."""
        seconds = self._clock.monotonic() - self._since
        if seconds < INTERVAL_SECONDS:
            return None
        rate = (totals.scored - self._scored) / seconds
        self._since, self._scored = self._clock.monotonic(), totals.scored
        state = f"not ready: {missing[0]}" if missing else "scoring"
        return f"{state}; {rate:,.1f} records/s, {totals.scored:,} scored, {totals.alerts:,} alerts since the start"
