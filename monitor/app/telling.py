"""What of a batch's alerting records goes to the sinks: each of them, or each episode as it begins and as it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import numpy as np

from monitor.app.alerting import AlertWriter, Scored, rfc3339
from monitor.app.key_silences import KeySilenceTeller
from monitor.app.news import News
from monitor.app.signatures import Signatures
from monitor.app.silences import SilenceTeller
from monitor.app.suppressing import Suppressor
from monitor.core.accounting import Release, Resolution
from monitor.core.alerts import Alert, EpisodeRef
from monitor.core.arrays import I64
from monitor.core.arrow import pa
from monitor.core.records import RecordBatch
from monitor.core.rows import take
from monitor.deciding.decided import STORM, Decided, Released, Told
from monitor.deciding.episode import Episode
from monitor.deciding.episodes import Episodes
from monitor.deciding.suppression import NOBODY
from monitor.explaining.fields import conclude
from monitor.explaining.regimes import settle
from monitor.explaining.storms import FIELDS, KEYS, example, gather, merge, subside
from monitor.scoring.scores import finite

Unit = Literal["episodes", "records"]

SAMPLED = 4
"""Records of a batch in a storm that are asked for the field to blame most."""


@dataclass(frozen=True, slots=True)
class _Ids:
    """The ids of the alerting rows of a batch."""

    alerts: AlertWriter
    scored: Scored
    rows: I64

    def __getitem__(self, place: int, /) -> str:
        return self.alerts.id(self.scored, int(self.rows[place]))


class Teller:
    """Decides of what a person is told; ``unit`` is an episode or a record.

    ``signatures`` stand for the key of a stream that has none; None where it has one.
    """

    def __init__(
        self,
        alerts: AlertWriter,
        episodes: Episodes,
        unit: Unit,
        suppressor: Suppressor,
        *,
        signatures: Signatures | None,
        silence: SilenceTeller,
        keys: KeySilenceTeller,
    ) -> None:
        self.alerts = alerts
        self.episodes = episodes
        # An episode of its own for each rule and key: what is suppressed hides nothing else, and a flood costs little.
        self.hidden = Episodes(replace(episodes.policy, hold_seconds=0.0), episodes.clock)
        self.suppressor = suppressor
        self._signatures = signatures
        self.silence = silence
        self.keys = keys
        self.unit = unit
        self._unit_of_storms = FIELDS if signatures else KEYS
        self._blamed = Counter[str]()  # of records sampled in the storm that waits to be told

    def tell(self, scored: Scored, rows: I64, context: RecordBatch) -> News:
        """What is to be told of the alerting ``rows`` [m]; ``context`` [m] has their event times and keys."""
        rules = np.array(self.suppressor.by(scored, rows, context, self.episodes.times(context)))
        shown, hidden = np.flatnonzero(rules == NOBODY), np.flatnonzero(rules != NOBODY)
        if not len(hidden):
            return self._tell(scored, rows, context)
        news = self._tell(scored, rows[shown], take(context, shown)) if len(shown) else News()
        return news.followed_by(self._hide(scored, rows[hidden], take(context, hidden), rules[hidden].tolist()))

    def _hide(self, scored: Scored, rows: I64, context: RecordBatch, rules: list[str]) -> News:
        """The alerting ``rows`` [m] that ``rules`` [m] suppress: counted, and kept by their episodes."""
        keys = [None] * len(rows) if context.keys is None else context.keys.to_pylist()
        apart = pa.array([f"{rule} {key or ''}" for rule, key in zip(rules, keys, strict=True)])
        decided = self._decided(self.hidden, scored, rows, replace(context, keys=apart))
        begins, written = self._written(decided, scored, rows, context)
        alerts = [
            msgspec.structs.replace(alert, state="suppressed", suppressed_by=rules[told.telling.row])
            for alert, told in zip(written, begins, strict=True)
        ]
        return News(alerts=alerts, suppressed=Counter(rules))

    def _decided(self, episodes: Episodes, scored: Scored, rows: I64, context: RecordBatch) -> Decided:
        scores = finite(scored.scores.scores[rows])
        return episodes.take(context, scores, scored.limits[rows], _Ids(self.alerts, scored, rows))

    def _written(
        self, decided: Decided, scored: Scored, rows: I64, context: RecordBatch
    ) -> tuple[list[Told], Sequence[Alert]]:
        """What begins, and an alert for each."""
        begins = [told for told in decided.told if not told.telling.over]
        places = np.array([told.telling.row for told in begins], dtype=np.int64)
        return begins, self.alerts.write(scored, rows[places], take(context, places)) if begins else ()

    def _tell(self, scored: Scored, rows: I64, context: RecordBatch) -> News:
        decided = self._decided(self.episodes, scored, rows, self._keyed(scored, rows, context))
        if self.unit == "records":
            return News(decided.begun, self.alerts.write(scored, rows, context))
        if STORM in self.episodes.ongoing.waiting:
            sampled = rows[:: max(1, len(rows) // SAMPLED)][:SAMPLED]
            self._blamed.update(self.alerts.blamed(scored, sampled))
        begins, written = self._written(decided, scored, rows, context)
        return self._news(decided, tuple(map(self._alert, written, begins)))

    def _keyed(self, scored: Scored, rows: I64, context: RecordBatch) -> RecordBatch:
        """The context [m] of alerting ``rows`` [m] with the key by which they are told."""
        if self._signatures is None:
            return context
        return replace(context, keys=pa.array(self._signatures.of(scored.matrix.values[rows]), pa.string()))

    def heard(self, records: RecordBatch) -> News:
        """Records came; others did not, perhaps."""
        return self.silence.heard().followed_by(self.keys.heard(records))

    def silent(self) -> News:
        """Nothing comes, and it may have been for too long."""
        return self.silence.told()

    def ended(self, newest: float | None, *, at_once: bool = False) -> News:
        """What time brings by the event time ``newest``, None where it is not known, or by the clock.

        That is held alerts that are sent now (all of them ``at_once``, since nothing will follow) and ends of episodes.
        """
        self.hidden.ended(newest)
        return self._news(self.episodes.ended(newest, at_once=at_once))

    def _news(self, decided: Decided, alerts: Sequence[Alert] = ()) -> News:
        if self.unit == "records":
            return News()
        released = tuple(map(self._release, decided.released))
        over = tuple(self._resolution(told) for told in decided.told if told.telling.over)
        return News(decided.begun, alerts, withdrawn=decided.withdrawn, released=released, resolved=over)

    def _alert(self, alert: Alert, told: Told) -> Alert:
        """The alert as it tells the episode."""
        episode = told.telling.episode
        told_as = msgspec.structs.replace(
            alert,
            state="held" if told.held_as else "firing",
            count=int(episode.alerts),
            episode=_reference(episode, told.keys),
        )
        if told.key == STORM:
            return self._of_many(told_as, told)
        return self._of_regime(told_as, episode) if episode.changed else told_as

    def _of_regime(self, alert: Alert, episode: Episode) -> Alert:
        """The alert as that of a key that stays as it is."""
        since = rfc3339(min(episode.spell_at, episode.start))
        summary = settle(self.alerts.stream, alert.key, int(episode.spells), since, alert.fields)
        return msgspec.structs.replace(alert, summary=summary)

    def _of_many(self, alert: Alert, told: Told) -> Alert:
        """The alert of one record as that of a storm; what leads its sentence is known when it is sent."""
        lead = "" if told.held_as else self._lead(told.telling.episode, told.keys)
        summary = lead + example(self.alerts.stream, alert.key, alert.summary, unit=self._unit_of_storms)
        return msgspec.structs.replace(alert, key=None, severity="critical", summary=summary)

    def _release(self, released: Released) -> Release:
        if released.key != STORM:
            return Release(released.alert_id)
        episode = released.episode
        lead = self._lead(episode, released.keys)
        self._blamed.clear()
        return Release(released.alert_id, self._now(episode, released.keys, lead))

    def _lead(self, storm: Episode, keys: int) -> str:
        mostly = "".join(name for name, _ in self._blamed.most_common(1))
        since, seconds = rfc3339(storm.start), storm.end - storm.start
        count, unit, settled = int(storm.alerts), self._unit_of_storms, bool(storm.changed)
        return gather(self.alerts.stream, keys, count, since, seconds, mostly, unit=unit, settled=settled)

    def _resolution(self, told: Told) -> Resolution:
        episode, stream = told.telling.episode, self.alerts.stream
        count, seconds = int(episode.alerts), episode.end - episode.start
        if told.telling.kind == "joined":
            summary = merge(stream, told.key, self.episodes.storm_id)
        elif told.key == STORM:
            summary = subside(stream, told.keys, count, seconds, episode.peak, unit=self._unit_of_storms)
        else:
            summary = conclude(stream, told.key, count, seconds, episode.peak)
        return self._now(episode, told.keys, summary)

    def _now(self, episode: Episode, keys: int, summary: str) -> Resolution:
        detected = rfc3339(self.episodes.clock.now()) or ""
        return Resolution(_reference(episode, keys), int(episode.alerts), detected, summary)


def _reference(episode: Episode, keys: int) -> EpisodeRef:
    return EpisodeRef(episode.alert_id, rfc3339(episode.start), rfc3339(episode.end), episode.peak, keys)
