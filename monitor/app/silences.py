"""The alert of a stream from which nothing comes; there is no record that it could be of."""

from __future__ import annotations

import hashlib
import math

from monitor.app.alerting import AlertWriter, rfc3339
from monitor.core.accounting import Resolution
from monitor.core.alerts import Alert, EpisodeRef, Score, SourceRef, fingerprint
from monitor.core.clock import Clock
from monitor.core.config import StreamConfig
from monitor.deciding.silence import Silence, Silent
from monitor.explaining.silences import hush, speak
from monitor.model.bundle import BundleContents

SECTION = "silence"
"""Of what a model was made by: how long its stream may be silent."""


def silence_of(stream: StreamConfig, contents: BundleContents, clock: Clock) -> Silence:
    """When the silence of a stream is told: as the configuration says, or as benign data were."""
    given = stream.alert.silence
    learned = contents.sections.get(SECTION, {}).get("seconds")
    seconds = learned if given == "auto" else given
    return Silence(math.inf if seconds in (None, "off") else float(seconds), clock)


class SilenceTeller:
    """Tells of one silence, and that it is over."""

    def __init__(self, silence: Silence, alerts: AlertWriter, clock: Clock) -> None:
        self.silence = silence
        self._alerts = alerts
        self._clock = clock

    def told(self) -> Alert | None:
        """The silence that is to be told now."""
        silent = self.silence.told()
        return None if silent is None else self._alert(silent)

    def heard(self) -> Resolution | None:
        """Records came: the end of a silence that was told."""
        silent = self.silence.heard()
        if silent is None:
            return None
        return Resolution(self._episode(silent), 0, self._now(), speak(self._alerts.stream, silent.seconds))

    def _alert(self, silent: Silent) -> Alert:
        stream, limit = self._alerts.stream, self.silence.limit_seconds
        ratio = silent.seconds / limit
        return Alert(
            id=_id(stream, silent),
            fingerprint=fingerprint(stream, None, (SECTION,)),
            severity="warning",
            stream=stream,
            key=None,
            time=rfc3339(silent.since),
            detected_at=self._now(),
            source=SourceRef(path="", offset=0),
            count=0,
            episode=self._episode(silent),
            score=Score(0.0, ratio, 1.0),
            fields=(),
            summary=hush(stream, rfc3339(silent.since), silent.seconds, limit),
            raw="",
            model=self._alerts.model,
            host=self._alerts.host,
        )

    def _episode(self, silent: Silent) -> EpisodeRef:
        begun, ended = rfc3339(silent.since), rfc3339(silent.since + silent.seconds)
        return EpisodeRef(_id(self._alerts.stream, silent), begun, ended, silent.seconds / self.silence.limit_seconds)

    def _now(self) -> str:
        return rfc3339(self._clock.now()) or ""


def _id(stream: str, silent: Silent) -> str:
    """The same for the same silence, whoever tells of it when."""
    return hashlib.blake2b(f"{stream}\0{SECTION}\0{silent.since!r}".encode(), digest_size=16).hexdigest()
