"""What the pages show of alerts and do with feedback: read from the ledger, beside the daemon that writes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from monitor.app.alerting import rfc3339
from monitor.app.history import found_alert, label_found
from monitor.app.labels import Label, labels_version, read_labels
from monitor.app.model_drift import sign_of_drift
from monitor.app.standing import standing
from monitor.app.surroundings import GONE, surroundings
from monitor.core.alerts import Alert
from monitor.core.clock import DAY_SECONDS, Clock
from monitor.core.config import Config
from monitor.deciding.episode import Episode as Ongoing
from monitor.ledger import Ledger, ToldEpisode, Wanted
from monitor.plugins import resolve_state_dir
from monitor.telemetry import StreamOverview
from monitor.web.api import answers
from monitor.web.api.answers import Detail, Feedback
from monitor.web.desk import Surroundings

Live = Mapping[str, Ongoing]
"""What is going on, by the id of the alert that told it."""


class LedgerDesk:
    """The ``Desk`` of a configuration, which may be another one at every call."""

    def __init__(self, config: Callable[[], Config], clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._read: tuple[tuple[int, ...], Mapping[str, Label]] = (), {}

    def episodes(self, wanted: Wanted) -> answers.Episodes:
        with self._ledger() as ledger:
            page = ledger.episodes(wanted)
            told = [(each, _alert(each.first)) for each in page.episodes]
            live = _live(ledger, {alert.stream for each, alert in told if each.state == "firing"})
        labels = self._labels()
        return answers.Episodes(
            [_episode(each, alert, live, labels.get(alert.id)) for each, alert in told], page.before
        )

    def detail(self, alert_id: str) -> Detail | None:
        with self._ledger() as ledger:
            found = ledger.told(alert_id)
            live = {} if found is None else _live(ledger, {_alert(found[0]).stream})
        label = self._labels().get(alert_id)
        if found is None:
            return None if label is None else _kept(label)
        first, resolved, worse = _alert(found[0]), found[1], found[2] and _alert(found[2])
        told = ToldEpisode(_state(first, resolved), (worse or first).severity, found[0], resolved)
        return Detail(_episode(told, first, live, label), first, worse or None)

    def surroundings(self, alert: Alert) -> Surroundings:
        stream = self._config().streams.get(alert.stream)
        if stream is None:
            return GONE
        with self._ledger() as ledger:
            return surroundings(ledger, stream, alert)

    def say(self, alert_id: str, feedback: Feedback, by: str) -> answers.Label:
        alert = found_alert(self._state_dir(), alert_id)
        (label,) = label_found(self._state_dir(), [alert], feedback.label, feedback.note, self._clock, by=by)
        return _said(label)

    def sign_of_drift(self, stream: StreamOverview) -> str | None:
        if stream.seen.drifted is None:
            return None
        age = self._clock.now() - (stream.model_created or self._clock.now())
        return sign_of_drift(stream.seen.drifted, stream.seen.promise, age / DAY_SECONDS)

    def _state_dir(self) -> Path:
        return resolve_state_dir(self._config(), os.environ)

    def _ledger(self) -> Ledger:
        return Ledger.open(self._state_dir(), read_only=True)

    def _labels(self) -> Mapping[str, Label]:
        """Read again only when the file has changed: it holds every alert that was ever labelled."""
        version = labels_version(self._state_dir())
        if self._read[0] != version:
            self._read = version, read_labels(self._state_dir())
        return self._read[1]


def _live(ledger: Ledger, streams: Iterable[str]) -> Live:
    """How far the episodes of these streams have come, as of the last commit."""
    return {each.alert_id: each for stream in streams for each in standing(ledger, stream).values()}


def _episode(told: ToldEpisode, alert: Alert, live: Live, label: Label | None) -> answers.Episode:
    """As it was told last, or as it stands while it is going on."""
    last = alert if told.resolved is None else _alert(told.resolved)
    episode = last.episode
    ongoing = live.get(episode.id) if episode and told.state == "firing" else None
    ends = [rfc3339(ongoing.end) if ongoing else None, episode.last if episode else None]
    peaks = [alert.score.value, episode.peak if episode else 0.0, ongoing.peak if ongoing else 0.0]
    return answers.Episode(
        id=alert.id,
        stream=alert.stream,
        key=alert.key,
        state=msgspec.convert(told.state, answers.State),
        severity=told.severity,
        first=(episode and episode.first) or alert.time or alert.detected_at,
        last=next(filter(None, ends), None),
        resolved_at=None if told.resolved is None else last.detected_at,
        count=int(ongoing.alerts) if ongoing else last.count,
        peak=max(peaks),
        limit=alert.score.threshold,
        summary=alert.summary,
        keys=episode.keys if episode else 1,
        suppressed_by=alert.suppressed_by,
        label=None if label is None else _said(label),
    )


def _state(first: Alert, resolved: bytes | None) -> str:
    if first.state == "suppressed":
        return first.state
    return "resolved" if resolved else "firing" if first.episode else "record"


def _kept(label: Label) -> Detail:
    """An alert that only its label still tells of."""
    alert = label.alert
    told = ToldEpisode("resolved" if alert.episode else "record", alert.severity, b"", None)
    return Detail(_episode(told, alert, {}, label), alert, None)


def _said(label: Label) -> answers.Label:
    return answers.Label(label.label, label.note, label.labelled_at, label.by)


def _alert(body: bytes) -> Alert:
    return msgspec.json.decode(body, type=Alert)
