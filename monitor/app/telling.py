"""What of a batch's alerting records goes to the sinks: each of them, or each episode as it begins and as it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from monitor.app.alerting import AlertWriter, Scored, rfc3339
from monitor.core.accounting import Resolution
from monitor.core.alerts import Alert, EpisodeRef
from monitor.core.arrays import I64
from monitor.core.records import RecordBatch
from monitor.core.rows import take
from monitor.deciding.episode import Episode, Telling
from monitor.deciding.episodes import Episodes, Told
from monitor.explaining.fields import conclude

Unit = Literal["episodes", "records"]

HIGHEST = 1e300
"""Stands for a score that is not a number; what is remembered has to be one."""


class News(NamedTuple):
    """What became of some alerting records: how many episodes began with them, and what the sinks get."""

    begun: int = 0
    alerts: Sequence[Alert] = ()
    resolved: Sequence[Resolution] = ()


class Teller:
    """Decides of what a person is told; ``unit`` is an episode or a record."""

    def __init__(self, alerts: AlertWriter, episodes: Episodes, unit: Unit) -> None:
        self.alerts = alerts
        self.episodes = episodes
        self.unit = unit

    def tell(self, scored: Scored, rows: I64, context: RecordBatch) -> News:
        """What is to be told of the alerting ``rows`` [m]; ``context`` [m] has their event times and keys."""
        scores = np.nan_to_num(scored.scores.scores[rows], nan=HIGHEST, posinf=HIGHEST)
        ids = self.alerts.ids(scored, rows)
        begun, found = self.episodes.take(context, scores, scored.limits[rows], ids)
        if self.unit == "records":
            return News(begun, self.alerts.write(scored, rows, context))
        tellings = [each.telling for each in found if not each.telling.over]
        told = np.array([telling.row for telling in tellings], dtype=np.int64)
        written = self.alerts.write(scored, rows[told], take(context, told)) if tellings else ()
        return News(begun, tuple(map(_with_episode, written, tellings)), self._resolutions(found))

    def ended(self, newest: float | None) -> Sequence[Resolution]:
        """The episodes that are over by the event time ``newest``, None where it is not known, or by the clock."""
        return self._resolutions(self.episodes.ended(newest))

    def _resolutions(self, found: Sequence[Told]) -> tuple[Resolution, ...]:
        if self.unit == "records":
            return ()
        return tuple(self._resolution(each.key, each.telling.episode) for each in found if each.telling.over)

    def _resolution(self, key: str | None, episode: Episode) -> Resolution:
        count, seconds = int(episode.alerts), episode.end - episode.start
        sentence = conclude(self.alerts.stream, key, count, seconds, episode.peak)
        return Resolution(_reference(episode), count, rfc3339(self.episodes.clock.now()) or "", sentence)


def _with_episode(alert: Alert, telling: Telling) -> Alert:
    return msgspec.structs.replace(alert, count=int(telling.episode.alerts), episode=_reference(telling.episode))


def _reference(episode: Episode) -> EpisodeRef:
    return EpisodeRef(episode.alert_id, rfc3339(episode.start), rfc3339(episode.end), episode.peak)
