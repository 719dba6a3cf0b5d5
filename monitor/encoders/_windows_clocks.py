"""Cuts event time into panes, of which windows are made, and tells which records come too late for theirs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from monitor.core.arrays import F64, I64, Bools
from monitor.core.groups import Groups


class Placed(NamedTuple):
    """Where records belong, group by group, [m] each: number of the pane, and whether that is closed already.

    ``begun`` is when the current session began, after the record; 0 where there are no sessions.
    """

    panes: F64
    late: Bools
    begun: F64


class Clock(Protocol):
    """A window is ``width`` panes: that of the record and those before it. Of a key the last ``kept`` panes are open.

    ``place`` gets records at ``times`` [m], group by group, each with the ``newest`` time [m] of its key before it
    (-inf for the first), and of each key [g] when its session began and its latest pane (0 for a new key).
    """

    @property
    def width(self) -> int: ...
    @property
    def kept(self) -> int: ...
    def place(self, times: F64, newest: F64, groups: Groups, begun: F64, latest: F64) -> Placed: ...


@dataclass(frozen=True)
class Panes:
    """Panes of equal length, counted from 1970. One is closed when ``lateness`` seconds have passed since its end."""

    seconds: float
    width: int
    lateness: float

    @property
    def kept(self) -> int:
        return self.width + math.ceil(self.lateness / self.seconds)

    def place(self, times: F64, newest: F64, groups: Groups, begun: F64, latest: F64) -> Placed:  # noqa: ARG002
        panes = np.floor(times / self.seconds)
        return Placed(panes, (panes + 1.0) * self.seconds + self.lateness <= newest, np.zeros_like(times))


@dataclass(frozen=True)
class Sessions:
    """A session, one pane, ends when its key is silent for more than ``gap`` seconds; the next record opens another.

    A record that lies more than ``lateness`` seconds before the beginning of the current session comes late.
    """

    gap: float
    lateness: float
    width: int = 1
    kept: int = 1

    def place(self, times: F64, newest: F64, groups: Groups, begun: F64, latest: F64) -> Placed:
        opens = times > newest + self.gap
        opened = np.cumsum(opens)
        before: I64 = (opened - opens)[groups.starts]
        last = latest_before(opens, groups, here=True)
        since = np.where(last >= 0, times[last], begun[groups.ids])
        return Placed(opened + (latest - before)[groups.ids], times < since - self.lateness, since)


def latest_before(chosen: Bools, groups: Groups, *, here: bool = False) -> I64:
    """The last chosen row of its group before each row, or up to and with it (``here``), [m]; -1 for none."""
    last = np.maximum.accumulate(np.where(chosen, np.arange(len(chosen)), -1))
    if not here:
        last = np.append(-1, last[:-1])
    return np.where(last < groups.starts[groups.ids], -1, last)


def newest_before(times: F64, groups: Groups, before: F64) -> F64:
    """The largest time of its group before each row, [m], as if ``before`` [g] stood ahead of each group."""
    levels, ranks = np.unique(np.concatenate([before, times]), return_inverse=True)
    ahead, own = ranks[: len(before)], ranks[len(before) :]
    previous = groups.previous(own, ahead)
    previous[groups.starts] = ahead
    # Lifted so that every group lies above the one before it, one pass does them all.
    lifted = np.maximum.accumulate(groups.ids * len(levels) + previous)
    return levels[lifted - groups.ids * len(levels)]
