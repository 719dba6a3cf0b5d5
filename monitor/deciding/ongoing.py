"""What goes on in a stream: the last episode of each key, which of them was told, and which waits to be."""

from __future__ import annotations

import numpy as np

from monitor.core.accounting import Memory
from monitor.core.clock import Clock
from monitor.core.errors import StateError
from monitor.core.groups import Groups
from monitor.core.keyed_memory import KeyedMemory
from monitor.deciding.decided import STORM, Decided, Released, Told
from monitor.deciding.episode import Episode, Policy, Telling, of_numbers
from monitor.deciding.storm import Storm


class Ongoing:
    """The episodes in a memory of keys, and what the clock has to know of them.

    ``going_on`` are the keys of which was told that something goes on, with when they alerted last, by the clock;
    ``waiting`` those of them whose telling is held, with since when.
    """

    def __init__(self, memory: KeyedMemory, policy: Policy, storm: Storm, clock: Clock) -> None:
        self.memory = memory
        self.policy = policy
        self.storm = storm
        self.clock = clock
        self.going_on: dict[str | None, float] = {}
        self.waiting: dict[str | None, float] = {}

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot."""
        state = memory.state()
        try:
            self.memory.load(state)
        except StateError as error:
            return str(error)
        self.going_on.clear()
        self.waiting.clear()
        for key, numbers in zip(state["keys"], state["values"], strict=True):
            self.note(key, of_numbers(numbers))
        return None

    def episode(self, key: str | None) -> Episode:
        """The last one of a key."""
        return of_numbers(self.memory.recall([key])[0])

    def episodes(self) -> dict[str | None, Episode]:
        """Those that were told and are not over, by key."""
        keys = list(self.going_on)
        return dict(zip(keys, map(of_numbers, self.memory.recall(keys)), strict=True))

    def keep(self, key: str | None, episode: Episode) -> None:
        """That is the last one of a key now."""
        self.memory.leave(self.memory.visit(_alone(key)), np.array([episode.numbers()]))
        self.note(key, episode)

    def note(self, key: str | None, episode: Episode) -> None:
        """It alerted just now, by the clock."""
        if not episode.going_on:
            self.going_on.pop(key, None)
            return
        self.going_on[key] = self.clock.monotonic()
        if episode.waits_until:
            self.waiting.setdefault(key, self.clock.monotonic())

    def hold(self, key: str | None, episode: Episode, until: float) -> None:
        """The telling of this episode waits; that of an episode which is over by now, until its end is told."""
        self.waiting[key] = self.clock.monotonic()
        now = self.episode(key)
        if now.id == episode.id:
            self.keep(key, now._replace(waits_until=until))

    def release(self, key: str | None, episode: Episode, decided: Decided) -> None:
        """What waited is told now."""
        del self.waiting[key]
        told_by = self.storm.told_by if key == STORM else episode.alert_id
        decided.released.append(Released(key, told_by, episode, self._size(key)))
        now = self.episode(key)
        if now.id == episode.id:
            self.keep(key, now._replace(waits_until=0.0))

    def finish(self, key: str | None, telling: Telling, decided: Decided) -> None:
        """Tell that an episode is over; before that, if it waits, that it was there."""
        if key in self.waiting:
            self.release(key, telling.episode, decided)
        decided.told.append(Told(key, telling, keys=self._size(key)))

    def close(self, key: str | None, episode: Episode) -> None:
        """Nothing goes on any more with a key."""
        self.keep(key, episode._replace(alerts=0, waits_until=0.0))
        if key == STORM:
            self.storm.end()
            self.storm.remember()

    def waited(self, key: str | None, episode: Episode, newest: float | None) -> bool:
        """Whether it was held for long enough, by the event time ``newest`` or by the clock."""
        by_clock = self.clock.monotonic() - self.waiting[key]
        return by_clock > self.policy.hold_seconds or (newest is not None and newest >= episode.waits_until)

    def is_over(self, key: str | None, episode: Episode, newest: float | None) -> bool:
        """Whether a key was quiet for long enough, in the same way."""
        quiet = self.clock.monotonic() - self.going_on[key]
        quiet = quiet if newest is None else max(quiet, newest - episode.last)
        return quiet > self.policy.quiet_seconds(episode)

    def _size(self, key: str | None) -> int:
        return self.storm.size if key == STORM else 1


def retract(alert_id: str, decided: Decided) -> None:
    """What waits to be told by this alert will not be."""
    kept = [told for told in decided.told if told.held_as != alert_id]
    if len(kept) == len(decided.told):
        decided.withdrawn.append(alert_id)
    decided.told = kept


def between(groups: Groups, start: int, stop: int) -> Groups:
    """Only the rows from ``start`` to before ``stop``."""
    chosen = np.zeros(len(groups.rows) + start, dtype=np.bool_)  # by row number, which rise to at most so far
    chosen[start:stop] = True
    return groups.among(chosen)


def _alone(key: str | None) -> Groups:
    """A row for the key, as if it had one record."""
    row = np.zeros(1, dtype=np.int64)
    return Groups(row, row, [key])
