"""Counts of events per key in the window of each record, up to and including it, however records are cut into batches.

Time is cut into *panes*. A tumbling window is one pane, a sliding one the last few, and a session is a pane that opens
after a silence and has no fixed length. A record whose pane is closed already comes late: it is counted alone, and
nowhere else. Of each key the counts of the panes that are still open are remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.core.arrays import F64, I64, Bools
from monitor.core.groups import Groups
from monitor.core.keyed_memory import KeyedMemory, Visit
from monitor.core.strings import U64
from monitor.encoders._counts_codes import Counted
from monitor.encoders._counts_events import Successions
from monitor.encoders._windows_clocks import Clock, Placed, latest_before, newest_before

FARTHEST = 1e12
"""Times are cut off here, 30,000 years away: the number of a pane must be exact in a double."""

# What is remembered of a key: for which events its counts are, the newest time, when the session began, the latest
# pane, the event counted last and its pane; then the counts of the open panes, each at its number modulo their number.
EVENTS, NEWEST, BEGUN, LATEST, ITEM, PANE = range(6)
HEADER = 6


@dataclass(frozen=True)
class Windows:
    """Counts what ``counted`` names in windows by ``clock``, and remembers."""

    counted: Counted
    clock: Clock
    memory: KeyedMemory

    @classmethod
    def new(cls, counted: Counted, clock: Clock, max_keys: int) -> Windows:
        """Windows of which nothing is remembered yet."""
        return cls(counted, clock, KeyedMemory(max_keys, [0.0] * (HEADER + clock.kept * counted.width)))

    def count(self, groups: Groups, times: F64, items: U64) -> tuple[I64, Successions]:
        """Counts in the window of each record up to and including it, and which event it followed there.

        Args:
            groups: the records that have a time and an event, by key.
            times: of all records, [n]; those of others are not looked at.
            items: their events, [n], likewise.

        Returns:
            tallies: [n, counted.width]; 0 for the others.
            pairs: for records that are not the first of their window.
        """
        tallies = np.zeros((len(times), self.counted.width), dtype=np.int64)
        visit = self.memory.visit(groups)
        if not len(groups.rows):
            return tallies, Successions(items[:0], items[:0], groups.rows)
        past = self._past(visit)
        now = self._now(visit.groups, past, times, items)
        tallies[now.groups.rows] = self._tallies(now, past)
        self.memory.leave(visit, np.concatenate([self._header(now, past), self._ring(now, past)], axis=1))
        return tallies, now.in_order

    def _past(self, visit: Visit) -> _Past:
        known = visit.before[:, EVENTS] == self.counted.fingerprint  # a model trained anew counts other events
        before = np.where(known[:, None], visit.before, 0.0)
        ring = before[:, HEADER:].reshape(len(before), self.clock.kept, self.counted.width)
        return _Past(known, before[:, :HEADER], ring.astype(np.int64))

    def _now(self, groups: Groups, past: _Past, times: F64, items: U64) -> _Now:
        times, items = np.clip(times[groups.rows], -FARTHEST, FARTHEST), items[groups.rows]
        header, ids = past.header, groups.ids
        newest = newest_before(times, groups, np.where(past.known, header[:, NEWEST], -np.inf))
        placed = self.clock.place(times, newest, groups, header[:, BEGUN], header[:, LATEST])
        last = latest_before(~placed.late, groups)
        previous = np.where(last >= 0, items[last], header[ids, ITEM].astype(np.uint64))
        pane = np.where(last >= 0, placed.panes[last], header[ids, PANE])
        here = (pane <= placed.panes) & (pane > placed.panes - self.clock.width)
        paired = ~placed.late & here & ((last >= 0) | past.known[ids])
        return _Now(self.counted, groups, np.maximum(newest, times), placed, Successions(previous, items, ids), paired)

    def _tallies(self, now: _Now, past: _Past) -> I64:
        """Counts in the window of each record, [m, width]; a late one has its own event only."""
        tallies = np.zeros((len(now.events), self.counted.width), dtype=np.int64)
        late = np.flatnonzero(now.placed.late)
        tallies[late, now.events[late]] = 1
        added = _Added(now)
        for back in range(self.clock.width):
            wanted = now.placed.panes - back
            added.add_to(tallies, wanted)
            rows = np.flatnonzero(~now.placed.late & self._is_open(wanted, past.latest[now.groups.ids]))
            tallies[rows] += past.ring[now.groups.ids[rows], self._slots(wanted[rows])]
        return tallies

    def _header(self, now: _Now, past: _Past) -> F64:
        """The header of each key from now on, [g, HEADER]."""
        after, ends = past.header.copy(), now.groups.ends
        after[:, EVENTS] = self.counted.fingerprint
        after[:, NEWEST] = now.newest[ends]
        after[:, BEGUN] = now.placed.begun[ends]
        after[:, LATEST] = np.maximum(past.latest, now.latest)
        last = latest_before(~now.placed.late, now.groups, here=True)[ends]
        some = last >= 0
        after[some, ITEM], after[some, PANE] = now.followed.second[last[some]], now.placed.panes[last[some]]
        return after

    def _ring(self, now: _Now, past: _Past) -> F64:
        """The counts of the panes that are open from now on, [g, kept * width]."""
        latest = np.maximum(past.latest, now.latest)
        before = np.where(past.known, past.latest, 0.0)[:, None]
        panes = before - np.mod(before - np.arange(self.clock.kept), self.clock.kept)  # of each slot, [g, kept]
        ring = np.where(self._is_open(panes, latest[:, None])[:, :, None], past.ring, 0)
        rows = np.flatnonzero(~now.placed.late & self._is_open(now.placed.panes, latest[now.groups.ids]))
        group, slot = now.groups.ids[rows], self._slots(now.placed.panes[rows])
        np.add.at(ring, (group, slot, now.events[rows]), 1)
        some = now.pairs[rows] >= 0
        np.add.at(ring, (group[some], slot[some], now.pairs[rows[some]]), 1)
        return ring.reshape(len(ring), -1).astype(np.float64)

    def _is_open(self, panes: F64, latest: F64) -> Bools:
        """Which panes may have counts in the ring that ends with ``latest``."""
        result: Bools = (panes <= latest) & (panes > latest - self.clock.kept)
        return result

    def _slots(self, panes: F64) -> I64:
        return np.mod(panes, self.clock.kept).astype(np.int64)


@dataclass(frozen=True)
class _Past:
    """What was remembered of each key; zeros where nothing was."""

    known: Bools  # [g]
    header: F64  # [g, HEADER]
    ring: I64  # [g, kept, width]

    @cached_property
    def latest(self) -> F64:
        """The latest pane of each key, [g]; -inf where there is none."""
        return np.where(self.known, self.header[:, LATEST], -np.inf)


@dataclass(frozen=True)
class _Now:
    """The records of a batch, group by group."""

    counted: Counted
    groups: Groups
    newest: F64  # [m], of the key, this record included
    placed: Placed
    followed: Successions  # each event, and the one of its key before it
    paired: Bools  # [m], whether that was in the same window

    @cached_property
    def events(self) -> I64:
        """The column of each event, [m]."""
        return self.counted.event_codes(self.followed.second)

    @cached_property
    def pairs(self) -> I64:
        """The column of each succession, [m]; -1 for none."""
        return np.where(self.paired, self.counted.pair_codes(self.followed.found.items), -1)

    @cached_property
    def latest(self) -> F64:
        """The latest pane of each key, [g]; -inf if all records come late."""
        panes = np.where(self.placed.late, -np.inf, self.placed.panes)
        return np.maximum.reduceat(panes, self.groups.starts)

    @property
    def in_order(self) -> Successions:
        """The successions in the order of the records."""
        some = np.flatnonzero(self.paired)
        some = some[np.argsort(self.groups.rows[some])]
        return Successions(self.followed.first[some], self.followed.second[some], self.groups.rows[some])


class _Added:
    """Running counts of what the records of a batch add, pane by pane and there in the order of records."""

    def __init__(self, now: _Now) -> None:
        self._now = now
        self._levels, level = np.unique(now.placed.panes, return_inverse=True)
        number = now.groups.ids * len(self._levels) + level  # of the pane, different for each key
        rows = np.flatnonzero(~now.placed.late)
        rows = rows[np.argsort(number[rows], kind="stable")]
        self._places = number[rows] * len(number) + rows  # rising
        self._counts = np.zeros((len(rows) + 1, now.counted.width), dtype=np.int64)
        self._counts[np.arange(1, len(rows) + 1), now.events[rows]] = 1
        some = np.flatnonzero(now.pairs[rows] >= 0)
        self._counts[some + 1, now.pairs[rows[some]]] = 1
        np.cumsum(self._counts, axis=0, out=self._counts)

    def add_to(self, tallies: I64, wanted: F64) -> None:
        """Add to ``tallies`` [m, width] what was in the pane ``wanted`` [m] of the record's key when it came."""
        level = np.searchsorted(self._levels, wanted)
        there = self._levels.take(level, mode="clip") == wanted
        rows = np.flatnonzero(there & ~self._now.placed.late)
        first = (self._now.groups.ids[rows] * len(self._levels) + level[rows]) * len(wanted)
        stops = np.searchsorted(self._places, first + rows, side="right")
        tallies[rows] += self._counts[stops] - self._counts[np.searchsorted(self._places, first)]
