"""A storm as an episode: who is in it when it begins, the alerts that join it, and what is told of it."""

from __future__ import annotations

import numpy as np

from monitor.core.arrays import Bools
from monitor.core.groups import Groups
from monitor.deciding.decided import STORM, Decided, Told
from monitor.deciding.distinct import marks
from monitor.deciding.episode import Alerting, Episode, Telling, first, id_parts
from monitor.deciding.ongoing import Ongoing, between, retract
from monitor.deciding.storm import WORSE


class Sweeping:
    """Begins the storm of what goes on, and takes in alerts while there is one."""

    def __init__(self, ongoing: Ongoing) -> None:
        self._ongoing = ongoing
        self._storm = ongoing.storm
        self._policy = ongoing.policy

    def begin(self, batch: Alerting, row: int, decided: Decided) -> None:
        """All that goes on becomes one episode, told by the record of ``row``, under the id that is known already."""
        time, told_by = float(batch.times[row]), batch.ids[row]
        decided.told = [told for told in decided.told if told.telling.row != row or told.telling.over]
        joined = self._near(time, row, decided)
        known = [(key, each) for key, each in joined.items() if self._is_told(key, each, time, told_by, decided)]
        ids = [each.id for _, each in sorted(known, key=lambda one: (one[1].start, one[1].id))]
        storm = self._policy.storm(self._ongoing.episode(STORM), time, ids[0] if ids else id_parts(told_by))
        decided.told += (Told(key, Telling(row, each, "joined")) for key, each in known if each.id != storm.id)
        for key, episode in joined.items():
            storm = _with(storm, episode)
            self._ongoing.close(key, episode)
        self._storm.begin(time, float(batch.scores[row]), told_by)
        self._ongoing.keep(STORM, storm)
        held_as = told_by if self._policy.hold_seconds else ""
        decided.told.append(Told(STORM, Telling(row, storm), held_as, self._storm.size))
        if self._policy.hold_seconds:
            self._ongoing.hold(STORM, storm, time + self._policy.hold_seconds)
        self._storm.remember()

    def _near(self, time: float, row: int, decided: Decided) -> dict[str | None, Episode]:
        """What goes on at a time and is in the storm, by key; what only nobody has asked for is over.

        A change of regime is told already and stays what it is, but for those that make the storm.
        """
        episodes = self._ongoing.episodes()
        for key, episode in episodes.items():
            if abs(time - episode.last) > self._policy.quiet_seconds(episode):
                self._ongoing.finish(key, Telling(row, episode, "over"), decided)
                self._ongoing.close(key, episode)
        going_on = {key: episodes[key] for key in self._ongoing.going_on}
        return {key: each for key, each in going_on.items() if not each.changed or self._storm.is_of(key)}

    def _is_told(self, key: str | None, episode: Episode, time: float, told_by: str, decided: Decided) -> bool:
        """Whether the sinks know of an episode of which nobody will be told any more, for it is in a storm."""
        waiting = self._ongoing.waiting
        if episode.alert_id == told_by:
            waiting.pop(key, None)
            return False
        if key in waiting and episode.waits_until < time:
            self._ongoing.release(key, episode, decided)
        elif key in waiting:
            del waiting[key]
            retract(episode.alert_id, decided)
            return False
        return True

    def sweep(self, batch: Alerting, groups: Groups, row: int, decided: Decided) -> int:
        """Alerts from ``row`` on join the storm, as far as it goes on; the row behind them."""
        episode, times = self._ongoing.episode(STORM), batch.times[row:]
        quiet = self._policy.quiet_seconds(episode)
        count = self._storm.part(times, episode.end, quiet)
        if not count:
            if not self._storm.goes_on(float(times[0]), episode.end, quiet):
                self._ongoing.finish(STORM, Telling(row, episode, "over"), decided)
                self._ongoing.close(STORM, episode)
            return row
        stop = row + count
        keys = between(groups, row, stop).keys
        self._storm.join(marks(keys, len(keys)))
        joined = episode.joined(batch.times[row:stop], batch.scores[row:stop])
        self._ongoing.keep(STORM, joined._replace(last=joined.end))  # a clock that is behind ends nothing
        if STORM in self._ongoing.waiting:
            self._retell(batch, row, stop, joined, decided)
        else:
            self._tell_change(batch.at(np.arange(row, stop)), episode, decided)
        self._storm.remember()
        return stop

    def _retell(self, batch: Alerting, row: int, stop: int, storm: Episode, decided: Decided) -> None:
        """While it waits to be told, a much worse record takes the place of the one it is told by."""
        worst = None
        for place, score in enumerate(batch.scores[row:stop].tolist(), row):
            if score > WORSE * self._storm.score:
                worst, self._storm.score = place, score
        if worst is not None:
            retract(self._storm.told_by, decided)
            self._storm.told_by = batch.ids[worst]
            decided.told.append(Told(STORM, Telling(worst, storm), self._storm.told_by, self._storm.size))

    def _tell_change(self, alerts: Alerting, storm: Episode, decided: Decided) -> None:
        """Once it has lasted for long, that this may be how things are; from then on only what is much worse."""
        lasts, begin = self._policy.lasts(storm, alerts.times), 0
        while (place := first(self._worse(alerts) if storm.changed else lasts, begin)) is not None:
            begin, storm = place + 1, storm._replace(changed=1.0)
            self._storm.score = max(self._storm.score, float(alerts.scores[place]))
            standing = storm.joined(alerts.times[:begin], alerts.scores[:begin])
            decided.told.append(Told(STORM, Telling(int(alerts.rows[place]), standing, "worse"), keys=self._storm.size))
        self._ongoing.keep(STORM, self._ongoing.episode(STORM)._replace(changed=storm.changed))

    def _worse(self, alerts: Alerting) -> Bools:
        """Which alerts score much higher than what the storm was told by, [m]."""
        worse: Bools = alerts.scores > WORSE * self._storm.score
        return worse


def _with(storm: Episode, episode: Episode) -> Episode:
    """The storm with the alerts of another episode among its own."""
    return storm._replace(
        start=min(storm.start, episode.start) if storm.alerts else episode.start,
        end=max(storm.end, episode.end),
        last=max(storm.end, episode.end),
        alerts=storm.alerts + episode.alerts,
        peak=max(storm.peak, episode.peak),
    )
