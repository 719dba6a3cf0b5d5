"""Alerts of one key that follow each other closely are one episode: what a person is told about, once.

However alerts are cut into batches, the same records tell the same episodes. When many keys alert at once, all of them
together are one (see ``storm``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.core.accounting import Memory
from monitor.core.arrays import F64, Bools
from monitor.core.clock import Clock
from monitor.core.groups import Groups, by_key
from monitor.core.keyed_memory import KeyedMemory, Remembering
from monitor.core.records import RecordBatch
from monitor.deciding.decided import STORM, Decided, Told
from monitor.deciding.distinct import marks
from monitor.deciding.episode import NOBODY, Alerting, Episode, Ids, Policy, Telling, id_parts, lasts_of, of_numbers
from monitor.deciding.ongoing import Ongoing, between, retract
from monitor.deciding.storm import Storm
from monitor.deciding.sweeping import Sweeping

MAX_KEYS = 10_000
"""Keys of which is known when they alerted last and what was told; beyond, the one that alerted longest ago goes."""


class Episodes(Remembering):
    """The episodes of a stream, by key; what is remembered of them, and of its storm, belongs to the checkpoint."""

    made_by = "the episode of each key, told or waiting"
    """What the numbers that are remembered mean."""

    def __init__(self, policy: Policy, clock: Clock, max_keys: int = MAX_KEYS) -> None:
        super().__init__(KeyedMemory(max_keys, Episode().numbers()))
        self.policy = policy
        self.clock = clock
        self.storm = Storm(policy.storm_keys, policy.gap_seconds)
        self.ongoing = Ongoing(self.memory, policy, self.storm, clock)
        self._sweeping = Sweeping(self.ongoing)

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot."""
        return self.ongoing.take_over(memory)

    def take(self, alerts: RecordBatch, scores: F64, limits: F64, ids: Ids) -> Decided:
        """Take in alerts, in order; one without an event time happened now.

        Args:
            alerts: [m], with event times and keys.
            scores: [m], finite.
            limits: what the scores exceed, [m].
            ids: of each alert, asked for only where it is told, [m].
        """
        batch = Alerting(np.arange(len(alerts)), self.times(alerts), scores, limits, ids)
        groups, decided, row = alerts.once(by_key), Decided(), 0
        while row < len(alerts):
            step = self._sweeping.sweep if self.storm.on else self._follow
            row = step(batch, between(groups, row, len(alerts)), row, decided)
        return decided

    def begun(self, alerts: RecordBatch) -> int:
        """How many episodes begin with some alerts, whatever they scored; nothing is told of them."""
        limits = np.ones(len(alerts))
        return self.take(alerts, 2 * limits, limits, [NOBODY] * len(alerts)).begun

    def open(self, records: RecordBatch) -> Bools:
        """Which records are of a key, or of a storm, that alerted about when they happened, [n].

        Without keys nobody knows of which episode a record would be: then all of them count.
        """
        times = self.times(records)
        if records.keys is None:
            lasts = lasts_of(np.array(self.memory.state()["values"]).reshape(-1, len(Episode().numbers())))
            gaps = np.abs(times[:, np.newaxis] - lasts).min(axis=1, initial=np.inf)
        else:
            groups, storm = records.once(by_key), self.ongoing.episode(STORM)
            keyed, known = self.memory.recall(groups.keys), np.empty(len(records))
            known[groups.rows] = lasts_of(keyed)[groups.ids]
            gaps = np.minimum(abs(times - known), abs(times - lasts_of(np.array([storm.numbers()]))[0]))
        near: Bools = gaps <= self.policy.gap_seconds
        return near

    def ended(self, newest: float | None, *, at_once: bool = False) -> Decided:
        """What time brings: who waited long enough, and what is over because it was quiet for longer than the gap.

        Args:
            newest: the event time of the stream, None where it is not known; then the clock tells.
            at_once: nobody waits any longer.
        """
        decided, ongoing = Decided(), self.ongoing
        episodes = ongoing.episodes()
        for key, episode in episodes.items():
            if key in ongoing.waiting and (at_once or ongoing.waited(key, episode, newest)):
                ongoing.release(key, episode, decided)
        for key, episode in episodes.items():
            if ongoing.is_over(key, episode, newest):
                ongoing.finish(key, Telling(-1, episode, "over"), decided)
                ongoing.close(key, episode)
        return decided

    @property
    def told(self) -> int:
        """Episodes that somebody was told of and that are not over; any thread may ask."""
        return max(0, len(self.ongoing.going_on) - len(self.ongoing.waiting))

    @property
    def storm_id(self) -> str:
        """The id of the alert that told the last storm first."""
        return self.ongoing.episode(STORM).alert_id

    def _follow(self, batch: Alerting, groups: Groups, row: int, decided: Decided) -> int:
        """Alerts from ``row`` on, key by key, as far as a storm does not begin; the row behind them."""
        stop = self._first_rows(groups, batch)
        groups = between(groups, row, stop)
        foreseen = self._foreseen(batch, groups)
        if foreseen is not None:
            stop = foreseen + 1
            groups = between(groups, row, stop)
        visit = self.memory.visit(groups)
        found = self._found(visit.before, visit.groups, batch)
        self.memory.leave(visit, np.array([episode.numbers() for episode, _, _ in found]))
        for key, (episode, begun, _) in zip(visit.groups.keys, found, strict=True):
            decided.begun += begun
            self.ongoing.note(key, episode)
        storm = [self._decide(told, batch, decided) for told in _in_order(visit.groups, found)]
        if any(storm):
            self._sweeping.begin(batch, stop - 1, decided)
        return stop

    def _first_rows(self, groups: Groups, batch: Alerting) -> int:
        """Up to where alerts are looked at together: none more than that many keys can be in before a storm begins."""
        most = self.policy.storm_keys
        if not most or len(groups.keys) <= most:
            return len(batch.rows)
        return int(np.sort(groups.rows[groups.starts])[most])

    def _foreseen(self, batch: Alerting, groups: Groups) -> int | None:
        """The row with which a storm begins, if one does."""
        if not self.storm.may_begin(len(groups.keys)):
            return None
        told = _in_order(groups, self._found(self.memory.recall(groups.keys), groups, batch))
        begun = [each for each in told if each.telling.kind == "begun"]
        keys = marks((each.key for each in begun), len(begun)).tolist()
        rows = [each.telling.row for each in begun]
        place = self.storm.foresee(list(zip(keys, batch.times[rows].tolist(), strict=True)))
        return None if place is None else rows[place]

    def _found(self, before: F64, groups: Groups, batch: Alerting) -> list[tuple[Episode, int, list[Telling]]]:
        """What becomes of the last episode of each group, ``before`` [g]."""
        rows = (groups.rows[start : end + 1] for start, end in zip(groups.starts, groups.ends, strict=True))
        return [
            self.policy.take(of_numbers(numbers), batch.at(each)) for numbers, each in zip(before, rows, strict=True)
        ]

    def _decide(self, told: Told, batch: Alerting, decided: Decided) -> bool:
        """Tell it, now or later; whether it begins a storm."""
        key, telling = told.key, told.telling
        if telling.over:
            self.ongoing.finish(key, telling, decided)
            return False
        time = float(batch.times[telling.row])
        if telling.kind == "worse":
            self._tell_worse(key, telling, batch.ids, decided)
            return False
        held = abs(time - self.storm.grouped_from) <= self.policy.hold_seconds > 0
        if held:
            self.ongoing.hold(key, telling.episode, self.storm.grouped_from + self.policy.hold_seconds)
        else:
            self.storm.grouped_from = time
        decided.told.append(Told(key, telling, telling.episode.alert_id if held else ""))
        begins = self.storm.told(int(marks([key], 1)[0]), time)
        self.storm.remember()
        return begins

    def _tell_worse(self, key: str | None, telling: Telling, ids: Ids, decided: Decided) -> None:
        """Where the episode waits to be told, it will be told by the worse record."""
        held, episode = key in self.ongoing.waiting, telling.episode
        if held:
            retract(episode.alert_id, decided)
            now, told_by = self.ongoing.episode(key), id_parts(ids[telling.row])
            if now.id == episode.id:
                self.ongoing.keep(key, now._replace(id=told_by))
            telling = Telling(telling.row, episode._replace(id=told_by))
        decided.told.append(Told(key, telling, telling.episode.alert_id if held else ""))

    def times(self, alerts: RecordBatch) -> F64:
        """When each of some records happened, [m]; now where that is not known."""
        now = self.clock.now()
        times = np.full(len(alerts), now) if alerts.times is None else alerts.times
        return np.where(np.isfinite(times), times, now)


def _in_order(groups: Groups, found: Sequence[tuple[Episode, int, list[Telling]]]) -> list[Told]:
    """What is told of each group, in the order of the records by which it is."""
    told = [Told(key, each) for key, (_, _, tellings) in zip(groups.keys, found, strict=True) for each in tellings]
    return sorted(told, key=lambda each: (each.telling.row, not each.telling.over))
