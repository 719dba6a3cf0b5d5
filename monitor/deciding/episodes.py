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
from monitor.core.errors import StateError
from monitor.core.groups import Groups, by_key
from monitor.core.keyed_memory import KeyedMemory, Remembering
from monitor.core.records import RecordBatch
from monitor.deciding.decided import STORM, Decided, Released, Told
from monitor.deciding.distinct import marks
from monitor.deciding.episode import CRITICAL, NOBODY, Alerting, Episode, Ids, Policy, Telling, id_parts, of_numbers
from monitor.deciding.storm import WORSE, Storm

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
        self.going_on: dict[str | None, float] = {}
        """Keys of which was told that something goes on, and when they alerted last, by the clock."""
        self.waiting: dict[str | None, float] = {}
        """Those of them that are held, and since when, by the clock."""

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot."""
        state = memory.state()
        try:
            self.load_keyed_state(state)
        except StateError as error:
            return str(error)
        self.going_on.clear()
        self.waiting.clear()
        for key, numbers in zip(state["keys"], state["values"], strict=True):
            self._note(key, of_numbers(numbers))
        return None

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
            step = self._sweep if self.storm.on else self._follow
            row = step(batch, _between(groups, row, len(alerts)), row, decided)
        return decided

    def begun(self, alerts: RecordBatch) -> int:
        """How many episodes begin with some alerts, whatever they scored; nothing is told of them."""
        limits = np.ones(len(alerts))
        return self.take(alerts, 2 * limits, limits, [NOBODY] * len(alerts)).begun

    def open(self, records: RecordBatch) -> Bools:
        """Which records are of a key, or of a storm, that alerted about when they happened, [n]."""
        groups = records.once(by_key)
        keyed, storm = self.memory.recall(groups.keys), self._episode(STORM)
        last = np.array([_last(of_numbers(numbers)) for numbers in keyed])[groups.ids]
        known = np.empty(len(records))
        known[groups.rows] = last
        times = self.times(records)
        near: Bools = np.minimum(abs(times - known), abs(times - _last(storm))) <= self.policy.gap_seconds
        return near

    def ended(self, newest: float | None, *, at_once: bool = False) -> Decided:
        """What time brings: who waited long enough, and what is over because it was quiet for longer than the gap.

        Args:
            newest: the event time of the stream, None where it is not known; then the clock tells.
            at_once: nobody waits any longer.
        """
        decided, keys = Decided(), list(self.going_on)
        episodes = dict(zip(keys, map(of_numbers, self.memory.recall(keys)), strict=True))
        for key, episode in episodes.items():
            if key in self.waiting and (at_once or self._waited(key, episode, newest)):
                self._release(key, episode, decided)
        for key, episode in episodes.items():
            if self._quiet_seconds(key, episode, newest) > self.policy.quiet_seconds(episode):
                self._finish(key, Telling(-1, episode, "over"), decided)
                self._close(key, episode)
        return decided

    @property
    def storm_id(self) -> str:
        """The id of the alert that told the last storm first."""
        return self._episode(STORM).alert_id

    # -- key by key --------------------------------------------------------------------------------------------

    def _follow(self, batch: Alerting, groups: Groups, row: int, decided: Decided) -> int:
        """Alerts from ``row`` on, key by key, as far as a storm does not begin; the row behind them."""
        stop = self._first_rows(groups, batch)
        groups = _between(groups, row, stop)
        foreseen = self._foreseen(batch, groups)
        if foreseen is not None:
            stop = foreseen + 1
            groups = _between(groups, row, stop)
        visit = self.memory.visit(groups)
        found = self._found(visit.before, visit.groups, batch)
        self.memory.leave(visit, np.array([episode.numbers() for episode, _, _ in found]))
        for key, (episode, begun, _) in zip(visit.groups.keys, found, strict=True):
            decided.begun += begun
            self._note(key, episode)
        storm = [self._decide(told, batch, decided) for told in _in_order(visit.groups, found)]
        if any(storm):
            self._begin_storm(batch, stop - 1, decided)
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
            self._finish(key, telling, decided)
            return False
        time = float(batch.times[telling.row])
        if telling.kind == "worse":
            self._tell_worse(key, telling, batch.ids, decided)
            return False
        held = abs(time - self.storm.grouped_from) <= self.policy.hold_seconds > 0
        if held:
            self._hold(key, telling.episode, self.storm.grouped_from + self.policy.hold_seconds)
        else:
            self.storm.grouped_from = time
        decided.told.append(Told(key, telling, telling.episode.alert_id if held else ""))
        begins = self.storm.told(int(marks([key], 1)[0]), time)
        self.storm.remember()
        return begins

    def _hold(self, key: str | None, episode: Episode, until: float) -> None:
        """The telling of this episode waits; that of an episode which is over by now, until its end is told."""
        self.waiting[key] = self.clock.monotonic()
        now = self._episode(key)
        if now.id == episode.id:
            self._keep(key, now._replace(waits_until=until))

    def _tell_worse(self, key: str | None, telling: Telling, ids: Ids, decided: Decided) -> None:
        """Where the episode waits to be told, it will be told by the worse record."""
        held, episode = key in self.waiting, telling.episode
        if held:
            self._retract(episode.alert_id, decided)
            now, told_by = self._episode(key), id_parts(ids[telling.row])
            if now.id == episode.id:
                self._keep(key, now._replace(id=told_by))
            telling = Telling(telling.row, episode._replace(id=told_by))
        decided.told.append(Told(key, telling, telling.episode.alert_id if held else ""))

    def _retract(self, alert_id: str, decided: Decided) -> None:
        """What waits to be told by this alert will not be."""
        kept = [told for told in decided.told if told.held_as != alert_id]
        if len(kept) == len(decided.told):
            decided.withdrawn.append(alert_id)
        decided.told = kept

    # -- storms ------------------------------------------------------------------------------------------------

    def _begin_storm(self, batch: Alerting, row: int, decided: Decided) -> None:
        """All that goes on becomes one episode, told by the record of ``row``, under the id that is known already."""
        time, told_by = float(batch.times[row]), batch.ids[row]
        decided.told = [told for told in decided.told if told.telling.row != row or told.telling.over]
        joined = self._near(time, row, decided)
        known = [(key, each) for key, each in joined.items() if self._is_told(key, each, time, told_by, decided)]
        ids = [each.id for _, each in sorted(known, key=lambda one: (one[1].start, one[1].id))]
        storm = Episode(told=CRITICAL, id=ids[0] if ids else id_parts(told_by))
        decided.told += (Told(key, Telling(row, each, "joined")) for key, each in known if each.id != storm.id)
        for key, episode in joined.items():
            storm = _with(storm, episode)
            self._close(key, episode)
        self.storm.begin(time, float(batch.scores[row]), told_by)
        self._keep(STORM, storm)
        held_as = told_by if self.policy.hold_seconds else ""
        decided.told.append(Told(STORM, Telling(row, storm), held_as, self.storm.size))
        if self.policy.hold_seconds:
            self._hold(STORM, storm, time + self.policy.hold_seconds)
        self.storm.remember()

    def _near(self, time: float, row: int, decided: Decided) -> dict[str | None, Episode]:
        """What goes on at a time, by key; what only nobody has asked for is over."""
        episodes = {key: self._episode(key) for key in self.going_on}
        for key, episode in episodes.items():
            if abs(time - episode.last) > self.policy.quiet_seconds(episode):
                self._finish(key, Telling(row, episode, "over"), decided)
                self._close(key, episode)
        return {key: episodes[key] for key in self.going_on if not episodes[key].changed}

    def _is_told(self, key: str | None, episode: Episode, time: float, told_by: str, decided: Decided) -> bool:
        """Whether the sinks know of an episode of which nobody will be told any more, for it is in a storm."""
        waits = self.waiting.get(key) is not None
        if episode.alert_id == told_by:
            self.waiting.pop(key, None)
            return False
        if waits and episode.waits_until < time:
            self._release(key, episode, decided)
        elif waits:
            del self.waiting[key]
            self._retract(episode.alert_id, decided)
            return False
        return True

    def _sweep(self, batch: Alerting, groups: Groups, row: int, decided: Decided) -> int:
        """Alerts from ``row`` on join the storm, as far as it goes on; the row behind them."""
        episode, times = self._episode(STORM), batch.times[row:]
        count = self.storm.part(times, episode.end)
        if not count:
            if not self.storm.goes_on(float(times[0]), episode.end):
                self._finish(STORM, Telling(row, episode, "over"), decided)
                self._close(STORM, episode)
            return row
        stop = row + count
        keys = _between(groups, row, stop).keys
        self.storm.join(marks(keys, len(keys)))
        joined = episode.joined(batch.times[row:stop], batch.scores[row:stop])
        self._keep(STORM, joined._replace(last=joined.end))  # a clock that is behind ends nothing
        if STORM in self.waiting:
            self._retell_storm(batch, row, stop, joined, decided)
        self.storm.remember()
        return stop

    def _retell_storm(self, batch: Alerting, row: int, stop: int, storm: Episode, decided: Decided) -> None:
        """While it waits to be told, a much worse record takes the place of the one it is told by."""
        worst = None
        for place, score in enumerate(batch.scores[row:stop].tolist(), row):
            if score > WORSE * self.storm.score:
                worst, self.storm.score = place, score
        if worst is not None:
            self._retract(self.storm.told_by, decided)
            self.storm.told_by = batch.ids[worst]
            decided.told.append(Told(STORM, Telling(worst, storm), self.storm.told_by, self.storm.size))

    # -- what goes on, and what waits --------------------------------------------------------------------------

    def _finish(self, key: str | None, telling: Telling, decided: Decided) -> None:
        """Tell that an episode is over; before that, if it waits, that it was there."""
        if key in self.waiting:
            self._release(key, telling.episode, decided)
        decided.told.append(Told(key, telling, keys=self._size(key)))

    def _release(self, key: str | None, episode: Episode, decided: Decided) -> None:
        del self.waiting[key]
        told_by = self.storm.told_by if key == STORM else episode.alert_id
        decided.released.append(Released(key, told_by, episode, self._size(key)))
        now = self._episode(key)
        if now.id == episode.id:
            self._keep(key, now._replace(waits_until=0.0))

    def _size(self, key: str | None) -> int:
        return self.storm.size if key == STORM else 1

    def _close(self, key: str | None, episode: Episode) -> None:
        """Nothing goes on any more with a key."""
        self._keep(key, episode._replace(alerts=0, waits_until=0.0))
        if key == STORM:
            self.storm.end()
            self.storm.remember()

    def _episode(self, key: str | None) -> Episode:
        return of_numbers(self.memory.recall([key])[0])

    def _keep(self, key: str | None, episode: Episode) -> None:
        self.memory.leave(self.memory.visit(_each_alone([key])), np.array([episode.numbers()]))
        self._note(key, episode)

    def _waited(self, key: str | None, episode: Episode, newest: float | None) -> bool:
        by_clock = self.clock.monotonic() - self.waiting[key]
        return by_clock > self.policy.hold_seconds or (newest is not None and newest >= episode.waits_until)

    def _quiet_seconds(self, key: str | None, episode: Episode, newest: float | None) -> float:
        by_clock = self.clock.monotonic() - self.going_on[key]
        return by_clock if newest is None else max(by_clock, newest - episode.last)

    def _note(self, key: str | None, episode: Episode) -> None:
        if not episode.going_on:
            self.going_on.pop(key, None)
            return
        self.going_on[key] = self.clock.monotonic()
        if episode.waits_until:
            self.waiting.setdefault(key, self.clock.monotonic())

    def times(self, alerts: RecordBatch) -> F64:
        """When each of some records happened, [m]; now where that is not known."""
        now = self.clock.now()
        times = np.full(len(alerts), now) if alerts.times is None else alerts.times
        return np.where(np.isfinite(times), times, now)


def _in_order(groups: Groups, found: Sequence[tuple[Episode, int, list[Telling]]]) -> list[Told]:
    """What is told of each group, in the order of the records by which it is."""
    told = [Told(key, each) for key, (_, _, tellings) in zip(groups.keys, found, strict=True) for each in tellings]
    return sorted(told, key=lambda each: (each.telling.row, not each.telling.over))


def _between(groups: Groups, start: int, stop: int) -> Groups:
    """Only the rows from ``start`` to before ``stop``."""
    chosen = np.zeros(len(groups.rows) + start, dtype=np.bool_)  # by row number, which rise to at most so far
    chosen[start:stop] = True
    return groups.among(chosen)


def _with(storm: Episode, episode: Episode) -> Episode:
    """The storm with the alerts of another episode among its own."""
    return storm._replace(
        start=min(storm.start, episode.start) if storm.alerts else episode.start,
        end=max(storm.end, episode.end),
        last=max(storm.end, episode.end),
        alerts=storm.alerts + episode.alerts,
        peak=max(storm.peak, episode.peak),
    )


def _last(episode: Episode) -> float:
    """When it alerted last; long ago where it never did."""
    return episode.last if episode.seen else -np.inf


def _each_alone(keys: list[str | None]) -> Groups:
    """A row for each key, as if each had one record."""
    rows = np.arange(len(keys))
    return Groups(rows, rows, keys)
