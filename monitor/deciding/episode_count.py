"""How many episodes begin: alerts of one key that follow each other closely count once, as the calibration counts them.

That is what is held against the number that was expected: see ``held_out`` and ``budget``.
"""

from __future__ import annotations

import numpy as np

from monitor.core.accounting import Memory
from monitor.core.arrays import F64, Bools
from monitor.core.clock import Clock
from monitor.core.errors import StateError
from monitor.core.groups import by_key
from monitor.core.keyed_memory import KeyedMemory, Remembering
from monitor.core.records import RecordBatch
from monitor.deciding.episodes import MAX_KEYS


class EpisodeCount(Remembering):
    """Counts as ``Episodes`` does; when each key alerted last belongs to the checkpoint."""

    made_by = "the time of the last alert"
    """What the numbers that are remembered mean."""

    def __init__(self, gap_seconds: float, clock: Clock, max_keys: int = MAX_KEYS) -> None:
        super().__init__(KeyedMemory(max_keys, [-np.inf]))
        self.gap_seconds = gap_seconds
        self.clock = clock

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot."""
        try:
            self.load_keyed_state(memory.state())
        except StateError as error:
            return str(error)
        return None

    def begun(self, alerts: RecordBatch) -> int:
        """How many episodes begin with some alerts, in order; one without an event time happened now."""
        visit = self.memory.visit(alerts.once(by_key))
        groups = visit.groups
        happened = self._happened(alerts)[groups.rows]
        apart = np.abs(happened - groups.previous(happened, visit.before[:, 0]))
        self.memory.leave(visit, happened[groups.ends][:, np.newaxis])
        return int((apart > self.gap_seconds).sum())

    def open(self, records: RecordBatch) -> Bools:
        """Which records are of a key that alerted about when they happened, [n]."""
        groups = records.once(by_key)
        last = np.empty(len(records))
        last[groups.rows] = self.memory.recall(groups.keys)[groups.ids, 0]
        return np.abs(self._happened(records) - last) <= self.gap_seconds

    def _happened(self, records: RecordBatch) -> F64:
        """When each happened, in seconds, [n]."""
        now = self.clock.now()
        times = np.full(len(records), now) if records.times is None else records.times
        return np.where(np.isfinite(times), times, now)
