"""Many keys that alert at once are a storm: one episode of the stream, whoever is in it.

A storm begins when so many keys were told of within the gap of episodes; then nobody is told of single keys until, in a
whole gap, fewer than half as many alert. What is known of it depends on the records alone, not on how they come in
batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from monitor.core.accounting import Memory
from monitor.core.arrays import F64, I64
from monitor.core.errors import StateError
from monitor.core.groups import Groups
from monitor.core.keyed_memory import KeyedMemory, Remembering
from monitor.deciding.distinct import Distinct, marks
from monitor.deciding.episode import NOBODY, id_of, id_parts

STREAM = Groups(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), [None])
"""The stream as a whole is one key."""

LONG_AGO = -1e18
"""Stands for when nobody was told yet, in seconds since 1970."""

WORSE = 3.0
"""While a storm waits to be told, a record that scores so many times higher is the one that tells it."""


class Sighting(NamedTuple):
    """A key that was told of, by its mark, and when, by event time."""

    mark: int
    time: float


class Storm(Remembering):
    """Whether there is a storm in a stream, and what of it is no part of an episode.

    Args:
        keys: so many, told of within the gap, are a storm; 0: there is none.
        gap_seconds: of episodes.
    """

    def __init__(self, keys: int, gap_seconds: float) -> None:
        self.keys = keys if gap_seconds else 0
        self.gap_seconds = gap_seconds
        self.made_by = f"a storm of {keys} keys"
        self._begin()
        super().__init__(KeyedMemory(1, self._numbers()))

    def _begin(self) -> None:
        self.on = False
        self.grouped_from = LONG_AGO  # when somebody was told at once, by event time
        self.window_from = LONG_AGO  # since when those in ``_here`` are counted
        self.score = 0.0  # of the record it is told by
        self.told_by = NOBODY  # the id of its alert
        self._told: list[Sighting] = []  # the last, at most ``keys``
        self._all, self._here = Distinct(), Distinct()

    @property
    def size(self) -> int:
        """Different keys that alerted in it so far."""
        return self._all.count()

    def may_begin(self, keys: int) -> bool:
        """Whether alerts of so many keys can make a storm."""
        return bool(self.keys) and len(self._told) + keys >= self.keys

    def told(self, mark: int, time: float) -> bool:
        """Note that somebody was told of a key; whether this makes a storm."""
        if not self.keys:
            return False
        others = [each for each in self._told if each.mark != mark]
        self._told = [*others, Sighting(mark, time)][-self.keys :]
        near = all(abs(each.time - time) <= self.gap_seconds for each in self._told)
        return near and len(self._told) == self.keys

    def is_of(self, key: str | None) -> bool:
        """Whether the key is one of those that somebody was told of last."""
        (mark,) = marks([key], 1).tolist()
        return any(each.mark == mark for each in self._told)

    def foresee(self, sightings: list[tuple[int, float]]) -> int | None:
        """Which of these tellings, in order, would begin a storm; nothing is noted."""
        before = self._told
        try:
            return next((place for place, each in enumerate(sightings) if self.told(*each)), None)
        finally:
            self._told = before

    def begin(self, time: float, score: float, told_by: str) -> None:
        """It is there: all that were told of are in it. The alert of that id tells it, by a record of that score."""
        self.on, self.window_from, self.score, self.told_by = True, time, score, told_by
        self._all, self._here = Distinct(), Distinct()
        self.join(np.array([each.mark for each in self._told], dtype=np.int64))

    def join(self, marks: I64) -> None:
        """These keys alerted in it, [n]."""
        self._all.add(marks)
        self._here.add(marks)

    def part(self, times: F64, end: float, quiet_seconds: float) -> int:
        """How many of the next alerts at ``times`` [n] belong to it before it must be asked whether it goes on."""
        ends = np.maximum.accumulate(np.concatenate([[end], times[:-1]]))
        asks = (times > ends + quiet_seconds) | (times >= self.window_from + quiet_seconds)
        return int(np.argmax(asks)) if asks.any() else len(times)

    def goes_on(self, time: float, end: float, quiet_seconds: float) -> bool:
        """Whether an alert at ``time``, for which ``part`` stopped, is of it; the last one before was at ``end``."""
        if time > end + quiet_seconds or 2 * self._here.count() < self.keys:
            return False
        self.window_from, self._here = time, Distinct()
        return True

    def end(self) -> None:
        """It is over."""
        grouped_from = self.grouped_from
        self._begin()
        self.grouped_from = grouped_from

    def remember(self) -> None:
        """Keep what is known now for the checkpoint."""
        self.memory.leave(self.memory.visit(STREAM), np.array([self._numbers()]))

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot: then there is no storm."""
        if memory.made_by != self.made_by:
            return f"it was {memory.made_by}, now it is {self.made_by}"
        try:
            self.load_keyed_state(memory.state())
        except StateError as error:
            return str(error)
        state: Mapping[str, Any] = self.keyed_state()
        if state["keys"]:
            self._recall(state["values"][0])
        return None

    def _numbers(self) -> list[float]:
        told = [number for each in self._told for number in each]
        room = [0.0] * (2 * self.keys - len(told))
        state = [float(self.on), self.grouped_from, self.window_from, self.score, float(len(self._told))]
        return [*state, *id_parts(self.told_by), *told, *room, *self._all.state(), *self._here.state()]

    def _recall(self, numbers: list[float]) -> None:
        on, self.grouped_from, self.window_from, self.score, told = numbers[:5]
        self.on, self.told_by, rest = bool(on), id_of(numbers[5:9]), numbers[9:]
        self._told = [Sighting(int(rest[2 * at]), rest[2 * at + 1]) for at in range(int(told))]
        bits = rest[2 * self.keys :]
        self._all, self._here = Distinct(bits[: Distinct.numbers]), Distinct(bits[Distinct.numbers :])
