"""A limit that follows lasting changes of benign scores, between hard bounds, every change on record.

It is what the peaks of the last periods (see ``pace``) exceed as often as was promised, but goes up only when most of
them exceed it: an incident moves nothing, what lasts is how things are now. It comes down as soon as the peaks allow.

The bounds are what makes it safe: it never falls below the calibrated limit, so it raises no alert that this would not;
and whoever feeds in slowly growing anomalies gets no further than ``FURTHEST``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monitor.core.accounting import LimitChange, Memory
from monitor.core.arrays import F64, Bools
from monitor.core.errors import DataError, StateError
from monitor.core.groups import Groups
from monitor.core.keyed_memory import KeyedMemory
from monitor.core.limit import Limit
from monitor.core.protocols import KeyedChanges
from monitor.deciding.pace import FURTHEST, MOST, PERIODS, Pace
from monitor.deciding.threshold import Decider

STREAM = Groups(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), [None])
"""The stream as a whole is one key."""


class Adaptation(Decider):
    """The limit of one stream and model; what it remembers belongs to the checkpoint.

    Args:
        calibrated: the limit as calibrated, > 0.
        promise: how many alerts it may raise, which tells how it follows.
        model: the version that was calibrated; the limit of another one is nothing to go on with.

    Raises:
        DataError: the limit is not above 0, or nobody knows what to expect of it.
    """

    def __init__(self, calibrated: float, promise: Limit | None, model: str) -> None:
        super().__init__(calibrated, promise)
        if calibrated <= 0:
            raise DataError(f"alert.adaptive: a limit of {calibrated:g} cannot follow, it is not above 0")
        self._pace = pace = Pace.of(promise)
        self._furthest = FURTHEST * calibrated
        self._past = f"the last {PERIODS} periods of {pace.period:,} records"
        self._model = f"model {model} at {calibrated:g}"
        self.made_by = f"limit {calibrated!r} of model {model}, {pace}"
        self._changes: list[LimitChange] = []
        self._begin()

    @property
    def limit(self) -> float:
        """What the next score is held against."""
        return self._limit

    def limits(self, scores: F64, ok: Bools) -> F64:
        """What each score is held against, [n]; the same however records are cut into batches."""
        counted = scores[ok]
        followed = np.empty(len(counted))
        start = 0
        while start < len(counted):
            stop = min(len(counted), start + self._pace.period - self._seen)
            followed[start:stop] = self._limit
            self._see(counted[start:stop])
            start = stop
        limits = np.full(len(scores), self._limit)
        limits[ok] = followed
        if start:
            self._remember()
        return limits

    def changes(self) -> Sequence[LimitChange]:
        """How the limit moved since this was asked last."""
        changes, self._changes = self._changes, []
        return changes

    def keyed_state(self) -> Mapping[str, Any]:
        """All that is remembered, as ``KeyedEncoder`` has it."""
        return self._memory.state()

    def keyed_changes(self) -> KeyedChanges:
        """What changed since this was asked last, likewise."""
        return self._memory.changes()

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot: then it begins as calibrated."""
        try:
            self._memory.load(memory.state())
            reason = self._recall(memory.made_by)
        except StateError as error:
            reason = str(error)
        if reason:
            self._begin()
        return reason

    def _begin(self) -> None:
        self._memory = KeyedMemory(1, [0.0] * (3 + PERIODS))
        self._limit = self._peak = self.threshold
        self._peaks = [self.threshold] * PERIODS  # of the last periods, the newest last
        self._seen = 0  # records of the current period

    def _remember(self) -> None:
        numbers = np.array([[self._limit, self._seen, self._peak, *self._peaks]])
        self._memory.leave(self._memory.visit(STREAM), numbers)

    def _recall(self, made_by: str) -> str | None:
        """Take the numbers back from the memory; why they cannot be used, if they cannot."""
        state = self.keyed_state()
        if not state["keys"]:
            return None  # of a limit that has seen no record yet
        if state["keys"] != [None]:
            raise StateError("the adapted limit is kept under a key that is not its own")
        limit, seen, peak, *peaks = state["values"][0]
        if made_by != self.made_by:
            if limit != self.threshold:
                self._changes.append(LimitChange(limit, self.threshold, f"begins as calibrated for {self._model}"))
            return f"it begins as calibrated for {self._model}"
        if not all(self.threshold <= score <= self._furthest for score in (limit, peak, *peaks)):
            raise StateError("the adapted limit is out of its bounds")
        if not (0 <= seen < self._pace.period and seen == int(seen)):
            raise StateError(f"the adapted limit counts {seen:g} of the {self._pace.period:,} records of a period")
        self._limit, self._seen, self._peak, self._peaks = limit, int(seen), peak, peaks
        return None

    def _see(self, scores: F64) -> None:
        """Take in records of one period; at its end the limit may move."""
        within = scores[: max(0, self._pace.block - self._seen)]
        if len(within):
            # A score that is not a number is the highest, as it is for alerts.
            highest = float(np.nan_to_num(within, nan=self._furthest).max())
            self._peak = min(max(self._peak, highest), self._furthest)
        self._seen += len(scores)
        if self._seen == self._pace.period:
            self._peaks = [*self._peaks[1:], self._peak]
            self._seen, self._peak = 0, self.threshold
            self._move()

    def _move(self) -> None:
        target = sorted(self._peaks)[-self._pace.rank]
        above = sum(peak > self._limit for peak in self._peaks)
        if target < self._limit:
            self._change(target, f"scores were lower in {self._past}")
        elif target > self._limit and above >= MOST:
            bound = "; this is its bound, retrain" if target == self._furthest else ""
            self._change(target, f"exceeded in {above} of {self._past}{bound}")

    def _change(self, new: float, reason: str) -> None:
        self._changes.append(LimitChange(self._limit, new, reason))
        self._limit = new
