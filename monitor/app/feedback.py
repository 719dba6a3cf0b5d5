"""What the daemon alerted on and what people said of it, as a training has to know it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from monitor.app.alerting import RAW_CHARACTERS
from monitor.app.compose import build_ingest, learned_fields
from monitor.app.gates.feedback import framed
from monitor.app.labels import LABELS_FILE, Label, read_labels
from monitor.app.standing import standing
from monitor.core.alerts import Alert
from monitor.core.arrays import F64, Bools
from monitor.core.arrow import pa, pc
from monitor.core.clock import DAY_SECONDS
from monitor.core.columns import lines
from monitor.core.config import StreamConfig
from monitor.core.errors import NoInputError
from monitor.core.groups import by_key, remembered
from monitor.core.records import RawBatch, RecordBatch
from monitor.core.redaction import Redaction
from monitor.core.suppress_config import FEEDBACK
from monitor.deciding.decided import STORM
from monitor.ledger import Ledger

MOST_ALERTS = 100_000
"""Of a stream, the newest; the ledger keeps as many."""

ODD = 0.5
"""Of the limit: few benign records of a key score higher."""

SUSPECTED_SECONDS = DAY_SECONDS
"""So long before and after an episode what is odd of its key may be part of it."""


@dataclass(frozen=True)
class Feedback:
    """The labels of a stream, and from when to when each of its keys had episodes that nobody called benign, [e, 2]."""

    stream: StreamConfig
    labels: Sequence[Label]
    alerted: dict[str | None, F64]
    path: Path

    @classmethod
    def of(cls, state_dir: Path, name: str, stream: StreamConfig) -> Feedback:
        """What there is; read only, beside a running daemon.

        Raises:
            StateError, PermissionDeniedError: the labels cannot be read.
        """
        labels = [label for label in read_labels(state_dir).values() if label.alert.stream == name]
        false = {label.alert.id for label in labels if label.label == "benign"}
        spans = [*_recorded(state_dir, name), *(_told(label.alert) for label in labels)]
        alerted = _by_key(span for span in spans if span.alert_id not in false)
        return cls(stream, labels, alerted, state_dir / LABELS_FILE)

    def benign(self) -> Iterator[RecordBatch]:
        """The records that were called benign, as one batch; those whose alert keeps only their beginning are not."""
        texts = [label.alert.raw for label in self.labels if label.label == "benign"]
        whole = [text for text in texts if len(text) < RAW_CHARACTERS]
        if whole:
            raw = framed(whole)
            raw = replace(raw, origin=replace(raw.origin, path=str(self.path), file_id=str(self.path)))
            yield build_ingest(self.stream, learned_fields(self.stream)).parse(raw)

    def near_alert(self, records: RecordBatch, times: F64, scores: F64) -> Bools:
        """Which records, [n], happened in an episode of their key, or about then, and which may belong to one.

        An attack that is patient keeps most of its records below the limit: what is odd itself, and of a key that was
        told of within a day, is under suspicion. ``times`` and ``scores`` [n] are finite.
        """
        near = self._near(self.alerted, records, times, self.stream.alert.episode_gap_seconds)
        return near | (self.odd(scores) & self._near(self.alerted, records, times, SUSPECTED_SECONDS))

    def odd(self, scores: F64) -> Bools:
        """Which scores, [n], are high though they need not be above the limit."""
        high: Bools = scores > ODD * self.stream.alert.threshold
        return high

    def near_anomaly(self, records: RecordBatch, times: F64) -> Bools:
        """The same of the episodes that people called an anomaly."""
        spans = (_told(label.alert) for label in self.labels if label.label == "anomaly")
        return self._near(_by_key(spans), records, times, self.stream.alert.episode_gap_seconds)

    def _near(self, episodes: Mapping[str | None, F64], records: RecordBatch, times: F64, seconds: float) -> Bools:
        near = np.zeros(len(records), dtype=np.bool_)
        groups = by_key(records)
        for key, rows in zip(groups.keys, np.split(groups.rows, groups.starts[1:]), strict=True):
            for alerted in (episodes.get(key), episodes.get(STORM)):
                if alerted is not None:
                    near[rows] |= _within(times[rows], alerted, seconds)
        return near

    def anomalies(self, raw: RawBatch) -> Bools:
        """Which records, [n], have the very text of one that was called an anomaly."""
        known = {label.alert.raw for label in self.labels if label.label == "anomaly"}
        if not known:
            return np.zeros(len(raw), dtype=np.bool_)
        texts = pc.utf8_slice_codeunits(Redaction(self.stream.redact).texts(lines(raw)), 0, RAW_CHARACTERS)
        found: Bools = pc.is_in(texts, pa.array(sorted(known))).to_numpy(zero_copy_only=False)
        return found


def labelled(state_dir: Path, name: str) -> list[tuple[str, bool]]:
    """The texts of the records of a stream that a person labelled, each with whether it must alert."""
    labels = [label for label in read_labels(state_dir).values() if label.alert.stream == name]
    return [(label.alert.raw, label.label == "anomaly") for label in labels if len(label.alert.raw) < RAW_CHARACTERS]


class _Span(NamedTuple):
    """From the first to the last record of an episode, as far as an alert or the ledger knows it."""

    alert_id: str
    key: str | None
    first: float
    last: float


def _recorded(state_dir: Path, name: str) -> list[_Span]:
    """What the ledger knows: of an episode told and over its whole span, and how far others have come by now."""
    try:
        with Ledger.open(state_dir, read_only=True) as ledger:
            lines = ledger.alerts(name, MOST_ALERTS, which="all")
            alerts = [msgspec.json.decode(line, type=Alert) for line in lines]
            episodes = standing(ledger, name)
    except NoInputError:
        return []
    going_on = (_Span(each.alert_id, key, each.start, each.end) for key, each in episodes.items())
    return [*(_told(alert) for alert in alerts if alert.suppressed_by != FEEDBACK), *going_on]


def _told(alert: Alert) -> _Span:
    """What an alert tells of its episode; by the time of reading where that of the event is not known."""
    key = None if alert.key is None else remembered(alert.key)
    if alert.episode and alert.episode.keys > 1:
        key = STORM
    episode, moment = alert.episode, alert.time or alert.detected_at
    first, last = (episode.first, episode.last) if episode else (None, None)
    return _Span(alert.id, key, _seconds(first or moment), _seconds(last or moment))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _by_key(spans: Iterable[_Span]) -> dict[str | None, F64]:
    """The spans of each key, [e, 2], by when they begin."""
    found: dict[str | None, list[tuple[float, float]]] = {}
    for span in spans:
        found.setdefault(span.key, []).append((span.first, span.last))
    return {key: np.array(sorted(each)) for key, each in found.items()}


def _within(times: F64, spans: F64, gap_seconds: float) -> Bools:
    """Which times, [n], lie in one of the spans, [e, 2] rising, e > 0, or at most so far from it."""
    begun = np.searchsorted(spans[:, 0], times + gap_seconds, side="right")
    ends = np.maximum.accumulate(np.concatenate([[-np.inf], spans[:, 1]]))
    within: Bools = ends[begun] >= times - gap_seconds
    return within
