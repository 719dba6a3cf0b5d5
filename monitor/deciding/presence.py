"""When each key of a stream was there, and how long it is away at most: one row of numbers a key, all at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monitor.core.accounting import Memory
from monitor.core.arrays import F64, I64, Bools
from monitor.core.clock import DAY_SECONDS, Clock
from monitor.core.errors import StateError
from monitor.core.groups import Groups, by_key
from monitor.core.keyed_memory import STATE_VERSION, KeyedMemory
from monitor.core.protocols import KeyedChanges
from monitor.core.records import RecordBatch
from monitor.deciding.episode import ID_NUMBERS

MAX_KEYS = 10_000
"""Keys that are remembered. Of more, those go first that were never there for long."""

HALF_LIFE_SECONDS = 7 * DAY_SECONDS
"""What a long absence counts is halved in such a time: one outage is forgotten, free weekends are not."""

AHEAD_SECONDS = 60.0
"""Event times further ahead of the clock are taken for now: a clock that is wrong by years proves nothing."""

KEPT_SECONDS = 1.0
"""How often it is noted for the checkpoint that keys were heard."""

FIRST, LAST, LONGEST, EXPECTED, SINCE, TOLD_AT, ID = 0, 1, 2, 3, 4, 5, slice(6, 6 + ID_NUMBERS)
"""Of a key: when it came first and last, by event time; its longest absence, in seconds; whether it is known to be
there all the time; since when it is silent, by the clock, if that was told or suppressed; when that was told, if it
still is; by what alert."""

WIDTH = 6 + ID_NUMBERS


class Presence:
    """The keys that were heard; what is known of them belongs to the checkpoint.

    ``table`` [k, WIDTH] has what is remembered of each of ``keys``, ``heard`` [k] when it came last, by the clock.
    ``timed``: records have event times.
    """

    made_by = "when each key was there, and whether its silence was told"

    def __init__(self, clock: Clock, *, timed: bool, max_keys: int = MAX_KEYS) -> None:
        self._clock = clock
        self._zero = clock.now() - clock.monotonic()
        self._timed = timed
        self._max_keys = max_keys
        self._kept_at = -math.inf
        self.overflowed = False
        self.newest = -math.inf
        """The newest event time."""
        self._fill([], np.empty((0, WIDTH)))

    def _fill(self, keys: list[str], table: F64) -> None:
        self.keys = keys
        self._places: dict[str | None, int] = {key: place for place, key in enumerate(keys)}
        self.table = table
        self.heard = np.full(len(keys), self.now())
        self._changed: Bools = np.zeros(len(keys), dtype=np.bool_)
        self._forgotten: set[str | None] = set()

    def now(self) -> float:
        """By the clock, in seconds since 1970; setting it moves nothing."""
        return self._zero + self._clock.monotonic()

    def hear(self, records: RecordBatch) -> I64:
        """Records came; the places of their keys, each once, [g]."""
        now, groups = self.now(), _of_keys(records)
        places = self._entered(groups.keys)
        if (places < 0).any():
            groups = groups.among(_rows_of(groups, places >= 0, len(records)))
            places = places[places >= 0]
        if len(places):
            self._note(places, groups, self._times(records, now)[groups.rows])
            self.heard[places] = now
            self._changed[places] = True
        return places

    def _note(self, places: I64, groups: Groups, times: F64) -> None:
        """The keys of ``groups`` [g] came at ``times`` [m], in the order of the groups."""
        new = self.table[places, FIRST] == 0
        self.table[places[new], FIRST] = self.table[places[new], LAST] = times[groups.starts[new]]
        before = self.table[places, LAST]
        gaps = np.maximum(times - groups.previous(times, before), 0.0)
        last = times[groups.ends]
        faded = self.table[places, LONGEST] * np.exp2(-np.maximum(last - before, 0.0) / HALF_LIFE_SECONDS)
        self.table[places, LONGEST] = np.maximum(faded, np.maximum.reduceat(gaps, groups.starts))
        self.table[places, LAST] = last
        self.newest = max(self.newest, float(last.max()))

    def _times(self, records: RecordBatch, now: float) -> F64:
        times = np.full(len(records), now) if records.times is None or not self._timed else records.times
        return np.where(np.isfinite(times) & (times <= now + AHEAD_SECONDS), times, now)

    @property
    def ages(self) -> F64:
        """For how long each key is known, [k]."""
        ages: F64 = self.table[:, LAST] - self.table[:, FIRST]
        return ages

    def quiet(self) -> F64:
        """For how long each key did not come, [k]: by the clock, and by the event times of others.

        Where the program is behind, or catches up, event time passes otherwise than the clock: the shorter counts.
        """
        by_clock = self.now() - self.heard
        quiet: F64 = np.minimum(by_clock, self.newest - self.table[:, LAST]) if self._timed else by_clock
        return quiet

    def write(self, places: I64 | Bools, column: int | slice, values: F64 | float) -> None:
        """Remember something of some keys."""
        self.table[places, column] = values
        self._changed[places] = True
        self._kept_at = -math.inf  # with the next commit: it goes with an alert

    def begin_anew(self, places: I64) -> None:
        """These keys are known since now."""
        self.table[places, FIRST] = self.table[places, LAST]
        self.table[places, LONGEST] = 0.0

    def forget(self, gone: Bools) -> None:
        """Nothing is known any more of some keys, [k]."""
        if not gone.any():
            return
        self._forgotten.update(np.array(self.keys, dtype=object)[gone])
        self.keys = [key for key, one in zip(self.keys, gone.tolist(), strict=True) if not one]
        self._places = {key: place for place, key in enumerate(self.keys)}
        self.table, self.heard, self._changed = self.table[~gone], self.heard[~gone], self._changed[~gone]

    # -- the keys there is room for ----------------------------------------------------------------------------

    def _entered(self, keys: Sequence[str | None]) -> I64:
        """The place of each key, [g]; -1 where there is no room for it."""
        strangers = [key for key in keys if key is not None and key not in self._places]
        if strangers:
            self._enter(strangers[: self._room(len(strangers))])
        return np.fromiter((self._places.get(key, -1) for key in keys), np.int64, len(keys))

    def _room(self, wanted: int) -> int:
        """For how many of so many new keys there is room, now that some who need not be known are not."""
        lacking = len(self.keys) + wanted - self._max_keys
        if lacking > 0:
            self.overflowed = True
            passing = np.flatnonzero((self.table[:, EXPECTED] == 0) & (self.table[:, SINCE] == 0))
            gone = np.zeros(len(self.keys), dtype=np.bool_)
            gone[passing[np.argsort(self.heard[passing], kind="stable")[:lacking]]] = True
            self.forget(gone)
        return min(wanted, self._max_keys - len(self.keys))

    def _enter(self, keys: list[str]) -> None:
        self._places.update(zip(keys, range(len(self.keys), len(self.keys) + len(keys)), strict=True))
        self.keys += keys
        self._forgotten.difference_update(keys)
        self.table = np.concatenate([self.table, np.zeros((len(keys), WIDTH))])
        self.heard = np.concatenate([self.heard, np.zeros(len(keys))])
        self._changed = np.concatenate([self._changed, np.zeros(len(keys), dtype=np.bool_)])

    # -- the checkpoint ----------------------------------------------------------------------------------------

    def keyed_state(self) -> Mapping[str, Any]:
        return {"version": STATE_VERSION, "keys": list(self.keys), "values": self.table.tolist()}

    def keyed_changes(self) -> KeyedChanges:
        """See ``KeyedEncoder``; at most once in ``KEPT_SECONDS`` where keys were only heard."""
        if self.now() - self._kept_at < KEPT_SECONDS:
            return KeyedChanges({}, [])
        self._kept_at = self.now()
        places = np.flatnonzero(self._changed)
        rows = zip((self.keys[place] for place in places.tolist()), self.table[places].tolist(), strict=True)
        changes = KeyedChanges(dict(rows), list(self._forgotten))
        self._changed[:] = False
        self._forgotten.clear()
        return changes

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot.

        Nobody was silent while the program was down: it counts from now on.
        """
        checked = KeyedMemory(self._max_keys, [0.0] * WIDTH)
        try:
            checked.load(memory.state())
        except StateError as error:
            return str(error)
        state = checked.state()
        self._fill(list(map(str, state["keys"])), np.array(state["values"], dtype=np.float64).reshape(-1, WIDTH))
        if not self._timed:
            self.table[:, LAST] = self.now()
        self.newest = float(self.table[:, LAST].max(initial=-math.inf))
        return None


def _of_keys(records: RecordBatch) -> Groups:
    """The rows that were parsed and have a key, by key."""
    groups = records.once(by_key)
    named = np.array([key is not None for key in groups.keys], dtype=np.bool_)
    if named.all() and records.ok.all():
        return groups
    return groups.among(_rows_of(groups, named, len(records)) & records.ok)


def _rows_of(groups: Groups, chosen: Bools, count: int) -> Bools:
    """Which of ``count`` rows are in the chosen groups, [g]."""
    rows = np.zeros(count, dtype=np.bool_)
    rows[groups.rows[chosen[groups.ids]]] = True
    return rows
