"""Alerts of one key that follow each other closely are one episode: what a person is told about, once.

However alerts are cut into batches, the same records tell the same episodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from monitor.core.accounting import Memory
from monitor.core.arrays import F64, I64, Bools
from monitor.core.clock import Clock
from monitor.core.errors import StateError
from monitor.core.groups import Groups, by_key
from monitor.core.keyed_memory import KeyedMemory, Remembering
from monitor.core.records import RecordBatch
from monitor.deciding.episode import Alerting, Episode, Policy, Telling, of_numbers

MAX_KEYS = 10_000
"""Keys of which is known when they alerted last and what was told; beyond, the one that alerted longest ago goes."""


NOBODY = "0" * 32
"""Stands for the id of an alert that is not told."""


class Told(NamedTuple):
    """What a person is to be told of a key; its ``row`` is -1 where time alone tells that an episode is over."""

    key: str | None
    telling: Telling


class Episodes(Remembering):
    """The episodes of a stream, by key; what is remembered of them belongs to the checkpoint."""

    made_by = "the episode of each key"
    """What the numbers that are remembered mean."""

    def __init__(self, policy: Policy, clock: Clock, max_keys: int = MAX_KEYS) -> None:
        super().__init__(KeyedMemory(max_keys, Episode().numbers()))
        self.policy = policy
        self.clock = clock
        self.going_on: dict[str | None, float] = {}
        """Keys of which was told that something goes on, and when they alerted last, by the clock."""

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot."""
        state = memory.state()
        try:
            self.load_keyed_state(state)
        except StateError as error:
            return str(error)
        self.going_on.clear()
        for key, numbers in zip(state["keys"], state["values"], strict=True):
            self._note(key, of_numbers(numbers))
        return None

    def take(self, alerts: RecordBatch, scores: F64, limits: F64, ids: list[str]) -> tuple[int, list[Told]]:
        """Take in alerts, in order; one without an event time happened now.

        Args:
            alerts: [m], with event times and keys.
            scores: [m], finite.
            limits: what the scores exceed, [m].
            ids: of each alert, asked for only where it is told, [m].

        Returns:
            How many episodes began, and what is to be told, in order.
        """
        batch = Alerting(np.arange(len(alerts)), self._times(alerts), scores, limits, ids)
        visit = self.memory.visit(alerts.once(by_key))
        after, begun, told = visit.before.copy(), 0, list[Told]()
        for group, (key, rows) in enumerate(_by_group(visit.groups)):
            episode, more, tellings = self.policy.take(of_numbers(visit.before[group]), batch.at(rows))
            begun += more
            told += (Told(key, telling) for telling in tellings)
            after[group] = episode.numbers()
            self._note(key, episode)
        self.memory.leave(visit, after)
        return begun, sorted(told, key=lambda each: (each.telling.row, not each.telling.over))

    def begun(self, alerts: RecordBatch) -> int:
        """How many episodes begin with some alerts, whatever they scored; nothing is told of them."""
        limits = np.ones(len(alerts))
        return self.take(alerts, 2 * limits, limits, [NOBODY] * len(alerts))[0]

    def open(self, records: RecordBatch) -> Bools:
        """Which records are of a key that alerted about when they happened, [n]."""
        groups = records.once(by_key)
        known = [of_numbers(numbers) for numbers in self.memory.recall(groups.keys)]
        last = np.array([episode.last if episode.seen else -np.inf for episode in known])[groups.ids]
        times = np.empty(len(records))
        times[groups.rows] = last
        return np.abs(self._times(records) - times) <= self.policy.gap_seconds

    def ended(self, newest: float | None) -> list[Told]:
        """What is over: quiet for longer than the gap, by the event time ``newest`` of the stream or by the clock."""
        if not self.going_on:
            return []
        visit = self.memory.visit(_each_alone(list(self.going_on)))
        after, told = visit.before.copy(), list[Told]()
        for place, key in enumerate(visit.groups.keys):
            episode = of_numbers(visit.before[place])
            if self._quiet_seconds(key, episode, newest) > self.policy.gap_seconds:
                del self.going_on[key]
                told.append(Told(key, Telling(-1, episode, over=True)))
                after[place] = episode._replace(alerts=0).numbers()
        self.memory.leave(visit, after)
        return told

    def _quiet_seconds(self, key: str | None, episode: Episode, newest: float | None) -> float:
        by_clock = self.clock.monotonic() - self.going_on[key]
        return by_clock if newest is None else max(by_clock, newest - episode.last)

    def _note(self, key: str | None, episode: Episode) -> None:
        if episode.going_on:
            self.going_on[key] = self.clock.monotonic()
        else:
            self.going_on.pop(key, None)

    def _times(self, alerts: RecordBatch) -> F64:
        now = self.clock.now()
        times = np.full(len(alerts), now) if alerts.times is None else alerts.times
        return np.where(np.isfinite(times), times, now)


def _by_group(groups: Groups) -> Iterator[tuple[str | None, I64]]:
    for key, start, end in zip(groups.keys, groups.starts.tolist(), groups.ends.tolist(), strict=True):
        yield key, groups.rows[start : end + 1]


def _each_alone(keys: list[str | None]) -> Groups:
    """A row for each key, as if each had one record."""
    rows = np.arange(len(keys))
    return Groups(rows, rows, keys)
