"""A limit that follows slow changes of benign scores, in small steps, between hard bounds, every step on record.

A block is so many records that benign ones raise an alert in every other block. After each block the limit goes up one
step if there was an alert in it, down one step if there was none, so it settles where half of the blocks alert, as
calibrated: quantile tracking by stochastic approximation (Robbins and Monro, 1951; Gibbs and Candes, Adaptive conformal
inference under distribution shift, NeurIPS 2021), with one vote a block. However many alerts an incident raises, it
moves the limit no faster than anything else.

The bounds are what makes it safe: whoever feeds in slowly growing anomalies gets no further than ``FURTHEST``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.core.errors import DataError, StateError

STATE_VERSION = 1

STEP = 0.01
"""A step changes the limit by one hundredth: ten days from the calibrated limit to twice as much at 5 alerts a day."""

FURTHEST = 2.0
"""The limit stays between the calibrated one divided and multiplied by this."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a limit, for the history; ``time`` in seconds since 1970."""

    time: float
    old: float
    new: float
    reason: str


@dataclass(frozen=True, slots=True)
class _State:
    """Where a limit stands: ``steps`` up (down below 0), and ``seen`` records of the current block."""

    version: int
    calibrated: float
    block: int
    steps: int
    seen: int
    alerted: bool


class Adaptation:
    """The limit of one stream and model.

    Args:
        calibrated: the limit as calibrated, > 0.
        alerts_per_record: how many alerts a benign record raises at this limit, between 0 and 1; where alerts cluster,
            how many episodes (see ``Limit.alerts_per_record``).

    Raises:
        DataError: the limit is not above 0, or no record exceeds it, or all do.
    """

    def __init__(self, calibrated: float, alerts_per_record: float) -> None:
        if not (0 < calibrated < math.inf and 0 < alerts_per_record < 1):
            raise DataError(
                "alert.adaptive: a limit can follow if it is above 0 and some benign records, not all, exceed it; "
                "leave it out, or retrain with benign records that vary"
            )
        self._calibrated = calibrated
        self._block = max(1, round(math.log(0.5) / math.log1p(-alerts_per_record)))
        self._steps = 0
        self._seen = 0  # records of the current block
        self._alerted = False  # one of them did

    @property
    def limit(self) -> float:
        """Where it stands now."""
        factor = math.exp(self._steps * math.log1p(STEP))
        return self._calibrated * min(max(factor, 1 / FURTHEST), FURTHEST)

    def alerts(self, scores: F64, now: float) -> tuple[Bools, list[Change]]:
        """Which scores alert, [n], and how the limit moved meanwhile; the same however records are cut into batches.

        Args:
            scores: of records that could be parsed, in order, [n].
            now: seconds since 1970, for the history.
        """
        alerting, changes = np.empty(len(scores), dtype=np.bool_), list[Change]()
        start = 0
        while start < len(scores):
            stop = min(len(scores), start + self._block - self._seen)
            alerting[start:stop] = ~(scores[start:stop] <= self.limit)
            self._alerted |= bool(alerting[start:stop].any())
            self._seen += stop - start
            if self._seen == self._block:
                changes += self._step(now)
            start = stop
        return alerting, changes

    def state(self) -> dict[str, Any]:
        """Where it stands as JSON data, to be made durable with the progress it belongs to."""
        stands = _State(STATE_VERSION, self._calibrated, self._block, self._steps, self._seen, alerted=self._alerted)
        return asdict(stands)

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state`` gave out.

        Raises:
            StateError: it is damaged, or of another model; nothing is changed then.
        """
        try:
            stood = msgspec.convert(state, _State)
        except msgspec.ValidationError as error:
            raise StateError(f"adapted limit: {error}") from error
        if stood.version != STATE_VERSION:
            raise StateError(f"adapted limit: version {stood.version} is not {STATE_VERSION}")
        if (stood.calibrated, stood.block) != (self._calibrated, self._block):
            raise StateError("adapted limit: it belongs to another model; begin with that of the model in use")
        if not 0 <= stood.seen < self._block or abs(stood.steps) > _MOST_STEPS:
            raise StateError(f"adapted limit: {stood.steps} steps and {stood.seen} records are out of its bounds")
        self._steps, self._seen, self._alerted = stood.steps, stood.seen, stood.alerted

    def _step(self, now: float) -> list[Change]:
        """End the block; no change where a bound holds the limit."""
        old, alerted = self.limit, self._alerted
        self._steps = min(max(self._steps + (1 if alerted else -1), -_MOST_STEPS), _MOST_STEPS)
        self._seen, self._alerted = 0, False
        new = self.limit
        reason = f"{'alerts' if alerted else 'no alert'} in {self._block:,} records"
        if abs(self._steps) == _MOST_STEPS:
            reason += "; the bound is reached"
        return [] if new == old else [Change(now, old, new, reason)]


_MOST_STEPS = math.ceil(math.log(FURTHEST) / math.log1p(STEP))
