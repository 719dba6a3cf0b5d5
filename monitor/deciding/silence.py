"""Whether a stream has been silent for longer than benign data ever were: told once, and once that it is over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from monitor.core.accounting import Memory
from monitor.core.arrays import F64
from monitor.core.clock import Clock
from monitor.core.errors import StateError
from monitor.core.groups import Groups
from monitor.core.keyed_memory import KeyedMemory, Remembering

STREAM = Groups(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), [None])
"""The stream as a whole is one key."""

MARGIN = 3.0
"""So many times the longest benign gap is a silence: the next one may be longer, as on a holiday."""

LEAST_RECORDS, LEAST_GAPS = 1_000, 20
"""Benign data tell how long silence may last if they have so many records, over so many times their longest gap: a hole
in them, or nights without a record, would otherwise pass for what is usual or be mistaken for the end."""

SHORTEST_SECONDS = 60.0
"""A shorter silence is told of nowhere: writers buffer, and files are looked at every few seconds."""

HEARD, TOLD, HIDDEN, ACCEPTED = 0.0, 1.0, 2.0, 3.0
"""What became of it: there is none, it was told, a rule suppresses it, or people say that it may last."""

KEPT_SECONDS = 1.0
"""How often it is noted for the checkpoint that something was heard."""


def longest_silence(times: F64 | None) -> float | None:
    """How long the stream may be silent, in seconds, by the event times of its benign records [n]; NaN is unknown.

    None where they do not tell.
    """
    known = np.empty(0) if times is None else np.unique(times[np.isfinite(times)])
    if times is None or np.isfinite(times).sum() < LEAST_RECORDS or len(known) < 2:
        return None
    longest = float(np.diff(known).max())
    if known[-1] - known[0] < LEAST_GAPS * longest:
        return None
    return max(SHORTEST_SECONDS, MARGIN * longest)


class Silent(NamedTuple):
    """A silence: since when, by the clock (seconds since 1970), and how long it has lasted."""

    since: float
    seconds: float


class Silence(Remembering):
    """The silence of one stream; what is remembered belongs to the checkpoint, so that none is told twice.

    It counts from the last record that came or, after a start, from then on: what happened while the program was down
    is not known, and a backlog that is caught up on is no silence.

    Args:
        limit_seconds: longer than that is told; infinite: nothing is.
    """

    made_by = "when it was heard last, and whether its silence was told"

    def __init__(self, limit_seconds: float, clock: Clock) -> None:
        super().__init__(KeyedMemory(1, [0.0, 0.0]))
        self.limit_seconds = self._own_limit = limit_seconds
        self._clock = clock
        self._heard_at = clock.monotonic()
        self._kept_at = -math.inf
        self._last = clock.now()
        self._state = HEARD

    def heard(self) -> Silent | None:
        """Records came; the silence that was told and is over by that, if there is one."""
        over, changed = self.lasting(), self._state != HEARD
        self._heard_at, self._last, self._state = self._clock.monotonic(), self._clock.now(), HEARD
        if changed or self._heard_at - self._kept_at >= KEPT_SECONDS:
            self._keep()
        return over

    def due(self) -> Silent | None:
        """A silence that has lasted too long and was not told yet."""
        quiet = self._clock.monotonic() - self._heard_at
        known = self._state in (TOLD, ACCEPTED)
        return None if known or quiet <= self.limit_seconds else Silent(self._last, quiet)

    def lasting(self) -> Silent | None:
        """The silence that was told and is not over."""
        return Silent(self._last, self._clock.now() - self._last) if self._state == TOLD else None

    def allow(self, benign_seconds: float) -> None:
        """The longest silence that was benign, besides those that are known."""
        self.limit_seconds = max(self._own_limit, MARGIN * benign_seconds)

    def accept(self) -> None:
        """It may last: neither it nor its end is told any more."""
        self._state = ACCEPTED
        self._keep()

    def tell(self) -> None:
        """It was told."""
        self._state = TOLD
        self._keep()

    def hide(self) -> bool:
        """It is not told for now; whether that is so for the first time."""
        if self._state == HIDDEN:
            return False
        self._state = HIDDEN
        self._keep()
        return True

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot."""
        try:
            self.load_keyed_state(memory.state())
        except StateError as error:
            return str(error)
        state: Mapping[str, Any] = self.keyed_state()
        if state["keys"]:
            self._last, self._state = state["values"][0]
        return None

    def _keep(self) -> None:
        self._kept_at = self._clock.monotonic()
        self.memory.leave(self.memory.visit(STREAM), np.array([[self._last, self._state]]))
