"""Which keys are there all the time, and how long each of these may be silent: by what they did so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.core.clock import DAY_SECONDS
from monitor.deciding.presence import EXPECTED, FIRST, LAST, LONGEST, Presence
from monitor.deciding.silence import LEAST_GAPS, MARGIN, SHORTEST_SECONDS

MOST_SHARE = 0.9
"""Where so many keys of the benign data are there all the time, keys of the stream do not come and go."""


class Steady(NamedTuple):
    """What benign data say of a stream's keys: how many are there all the time, and how long each may be silent."""

    keys: int
    seconds: float


def steady_keys(presence: Presence) -> Steady | None:
    """What the benign records of some keys tell; None where they do not, or keys come and go."""
    table = presence.table
    if presence.overflowed or not len(table):
        return None
    begin, end = table[:, FIRST].min(), table[:, LAST].max()
    longest = np.max([table[:, LONGEST], table[:, FIRST] - begin, end - table[:, LAST]], axis=0)
    steady = end - begin >= np.maximum(DAY_SECONDS, LEAST_GAPS * longest)
    if steady.mean() < MOST_SHARE:
        return None
    return Steady(int(steady.sum()), max(SHORTEST_SECONDS, MARGIN * float(longest[steady].max())))


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """When the silence of keys is told.

    ``seconds``: for so long a key may be silent, or with ``learn`` until it is known for a day; then it is three times
    its own longest absence. Infinite: nothing is told. ``storm_keys`` that fall silent within ``gap_seconds`` are one
    (0: never); ``hold_seconds`` are waited for others.
    """

    seconds: float = np.inf
    learn: bool = False
    storm_keys: int = 3
    gap_seconds: float = 300.0
    hold_seconds: float = 30.0

    @property
    def on(self) -> bool:
        """Whether anything is told at all."""
        return bool(np.isfinite(self.seconds))

    def limits(self, presence: Presence) -> F64:
        """How long each key may be silent, [k], in seconds."""
        if not self.learn:
            return np.full(len(presence.keys), self.seconds)
        own = np.maximum(SHORTEST_SECONDS, MARGIN * presence.table[:, LONGEST])
        return np.where(presence.ages < DAY_SECONDS, np.maximum(own, self.seconds), own)

    def shown(self, presence: Presence) -> Bools:
        """Which keys have shown that they are there all the time, [k]."""
        if self.learn:
            return presence.ages >= np.maximum(self.seconds, LEAST_GAPS * presence.table[:, LONGEST])
        return presence.ages >= LEAST_GAPS * self.seconds

    def away(self, rows: F64) -> Bools:
        """Which of some keys were away for longer than they may be, and so have shown nothing so far, [m]."""
        if self.learn:
            return np.zeros(len(rows), dtype=np.bool_)
        away: Bools = (rows[:, LONGEST] > self.seconds) & (rows[:, EXPECTED] == 0)
        return away
