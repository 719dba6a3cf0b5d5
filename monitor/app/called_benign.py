"""What people called benign since a model was made, as it is by now."""

from __future__ import annotations

from collections.abc import Mapping, Set
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from monitor.app.labels import labels_version, read_labels
from monitor.core.alerts import SILENCE, Alert, EpisodeRef, fingerprint
from monitor.core.errors import AemonitorError
from monitor.core.groups import remembered


class Benign:
    """The alerts of a stream that were called benign since its model was made, read again whenever that changes.

    While the labels cannot be read it stays as it was; every command that reads them tells.
    """

    def __init__(self, state_dir: Path, stream: str, model_created: str) -> None:
        self._state_dir = state_dir
        self._stream = stream
        self._created = datetime.fromisoformat(model_created) - timedelta(seconds=1)  # labels tell whole seconds
        self._read: tuple[int, ...] | None = None
        self._fields: dict[str | None, set[str]] = {}
        self._silences: set[str] = set()
        self._longest_silence = 0.0

    def fields(self) -> Mapping[str | None, set[str]]:
        """The fields to blame, by key."""
        self._look()
        return self._fields

    def silences(self) -> Set[str]:
        """The ids of what was told of silences, of the stream or of its keys."""
        self._look()
        return self._silences

    def longest_silence(self) -> float:
        """Of the whole stream, in seconds, as far as it had come when it was labelled; 0 where there is none."""
        self._look()
        return self._longest_silence

    def _look(self) -> None:
        seen = labels_version(self._state_dir)
        if seen != self._read:
            self._read = seen
            with suppress(AemonitorError):
                alerts = self._found()
                silent = [alert for alert in alerts if _of_silence(alert)]
                self._fields, self._silences = _by_key(alerts), {alert.id for alert in silent}
                whole = (alert.episode for alert in silent if alert.key is None)
                self._longest_silence = max((_seconds(each) for each in whole if each and each.keys == 1), default=0.0)

    def _found(self) -> list[Alert]:
        return [
            label.alert
            for label in read_labels(self._state_dir).values()
            if label.alert.stream == self._stream
            and label.label == "benign"
            and datetime.fromisoformat(label.labelled_at) >= self._created
        ]


def _by_key(alerts: list[Alert]) -> dict[str | None, set[str]]:
    found: dict[str | None, set[str]] = {}
    for alert in alerts:
        if alert.fields and (alert.episode is None or alert.episode.keys == 1):
            key = None if alert.key is None else remembered(alert.key)
            found.setdefault(key, set()).add(alert.fields[0].name)
    return found


def _of_silence(alert: Alert) -> bool:
    return alert.fingerprint == fingerprint(alert.stream, alert.key, (SILENCE,))


def _seconds(episode: EpisodeRef) -> float:
    if episode.first is None or episode.last is None:
        return 0.0
    return (datetime.fromisoformat(episode.last) - datetime.fromisoformat(episode.first)).total_seconds()
