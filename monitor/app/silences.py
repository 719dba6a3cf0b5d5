"""The alert of a stream from which nothing comes; there is no record that it could be of."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import numpy as np

from monitor.app.alerting import AlertWriter, rfc3339
from monitor.app.called_benign import Benign
from monitor.app.last_places import LastPlaces
from monitor.app.news import News
from monitor.core.accounting import Resolution
from monitor.core.alerts import SILENCE, Alert, EpisodeRef, Score, fingerprint
from monitor.core.arrow import pa
from monitor.core.clock import Clock
from monitor.core.config import StreamConfig
from monitor.core.records import FieldType, RecordBatch
from monitor.core.rows import without_lines
from monitor.deciding.silence import Silence, Silent
from monitor.deciding.suppression import Suppression
from monitor.explaining.silences import accept, hush, speak
from monitor.model.bundle import BundleContents

SECTION = "silence"
"""Of what a model was made by: how long its stream may be silent, and its keys."""

Rules = Callable[[Sequence[str | None]], Sequence[str]]
"""Names the rule that suppresses the silence of each of some keys, of the stream for None; empty: none does."""


def silence_of(stream: StreamConfig, contents: BundleContents, clock: Clock) -> Silence:
    """When the silence of a stream is told: as the configuration says, or as benign data were."""
    given = stream.alert.silence
    learned = contents.sections.get(SECTION, {}).get("seconds")
    seconds = learned if given == "auto" else given
    return Silence(math.inf if seconds in (None, "off") else float(seconds), clock)


def rules_of(suppression: Suppression, key_field: str | None, clock: Clock) -> Rules:
    """The rules of a stream, asked of who is silent now as of a record that has nothing but its key."""
    kinds = {FieldType.TEXT: pa.string(), FieldType.NUMBER: pa.float64()}

    def by(keys: Sequence[str | None]) -> Sequence[str]:
        if not keys or not suppression.names:
            return [""] * len(keys)
        nothing = [None] * len(keys)
        columns = {
            field: pa.array(keys if field == (key_field, FieldType.TEXT) else nothing, kinds[field.type])
            for field in suppression.fields
        }
        records = RecordBatch(without_lines(), columns, np.ones(len(keys), dtype=np.bool_))
        return suppression.by(records, np.full(len(keys), clock.now()))

    return by


class SilenceWriter:
    """Writes alerts that are of no record, and their ends. ``places`` say where somebody was heard last."""

    def __init__(self, alerts: AlertWriter, clock: Clock, places: LastPlaces) -> None:
        self.stream = alerts.stream
        self.places = places
        self._alerts = alerts
        self._clock = clock

    def alert(
        self, alert_id: str, silent: Silent, limit: float, summary: str, *, keys: Sequence[str] = (), rule: str = ""
    ) -> Alert:
        """The alert of the stream, of a key or of many; with a rule one that nobody is sent."""
        key = keys[0] if len(keys) == 1 else None
        return Alert(
            id=alert_id,
            fingerprint=fingerprint(self.stream, key, (SILENCE,)),
            state="suppressed" if rule else "firing",
            severity="critical" if len(keys) > 1 else "warning",
            stream=self.stream,
            key=key,
            time=rfc3339(silent.since),
            detected_at=self._now(),
            source=self.places.of(keys[0] if keys else None),
            count=0,
            episode=self._episode(alert_id, silent, limit, max(1, len(keys))),
            score=Score(0.0, silent.seconds / limit, 1.0),
            fields=(),
            summary=summary,
            raw="",
            model=self._alerts.model,
            host=self._alerts.host,
            suppressed_by=rule or None,
        )

    def end(self, alert_id: str, silent: Silent, limit: float, summary: str, *, keys: int = 1) -> Resolution:
        """That it is over."""
        return Resolution(self._episode(alert_id, silent, limit, keys), 0, self._now(), summary)

    def _episode(self, alert_id: str, silent: Silent, limit: float, keys: int) -> EpisodeRef:
        begun, ended = rfc3339(silent.since), rfc3339(silent.since + silent.seconds)
        return EpisodeRef(alert_id, begun, ended, silent.seconds / limit, keys)

    def _now(self) -> str:
        return rfc3339(self._clock.now()) or ""


class SilenceTeller:
    """Tells of the silence of a stream, and that it is over."""

    def __init__(self, silence: Silence, writer: SilenceWriter, rules: Rules, benign: Benign | None = None) -> None:
        self.silence = silence
        self._writer = writer
        self._rules = rules
        self._benign = benign

    def told(self) -> News:
        """Nothing comes, and it may have been for too long; or what was told may last, people say."""
        if self._benign:
            self.silence.allow(self._benign.longest_silence())
            lasting = self.silence.lasting()
            if lasting and _id(self._writer.stream, lasting) in self._benign.silences():
                return self._accepted(lasting)
        return self._due()

    def _accepted(self, silent: Silent) -> News:
        self.silence.accept()
        return News(resolved=[self._end(silent, accept(self._writer.stream, silent.seconds))])

    def _due(self) -> News:
        silent = self.silence.due()
        if silent is None:
            return News()
        (rule,) = self._rules([None])
        if not rule:
            self.silence.tell()
            return News(alerts=[self._alert(silent)])
        return News(alerts=[self._alert(silent, rule)], suppressed={rule: 1}) if self.silence.hide() else News()

    def heard(self) -> News:
        """Records came: perhaps the end of a silence that was told."""
        silent = self.silence.heard()
        if silent is None:
            return News()
        return News(resolved=[self._end(silent, speak(self._writer.stream, silent.seconds))])

    def _end(self, silent: Silent, summary: str) -> Resolution:
        return self._writer.end(_id(self._writer.stream, silent), silent, self.silence.limit_seconds, summary)

    def _alert(self, silent: Silent, rule: str = "") -> Alert:
        stream, limit = self._writer.stream, self.silence.limit_seconds
        summary = hush(stream, rfc3339(silent.since), silent.seconds, limit)
        return self._writer.alert(_id(stream, silent), silent, limit, summary, rule=rule)


def _id(stream: str, silent: Silent) -> str:
    """The same for the same silence, whoever tells of it when."""
    return hashlib.blake2b(f"{stream}\0{SILENCE}\0{silent.since!r}".encode(), digest_size=16).hexdigest()
