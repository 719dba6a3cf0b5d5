"""What the daemon alerted on and what people said of it, as a training has to know it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from monitor.app.alerting import RAW_CHARACTERS
from monitor.app.compose import build_ingest, learned_fields
from monitor.app.gates.feedback import framed
from monitor.app.labels import LABELS_FILE, Label, read_labels
from monitor.core.alerts import Alert
from monitor.core.arrays import F64, Bools
from monitor.core.arrow import pa, pc
from monitor.core.columns import lines
from monitor.core.config import StreamConfig
from monitor.core.errors import NoInputError
from monitor.core.groups import by_key, remembered
from monitor.core.records import RawBatch, RecordBatch
from monitor.core.redaction import Redaction
from monitor.ledger import Ledger

MOST_ALERTS = 100_000
"""Of a stream, the newest; the ledger keeps as many."""


@dataclass(frozen=True)
class Feedback:
    """The labels of a stream, by alert, and when each of its keys alerted other than falsely, rising."""

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
        alerts = {alert.id: alert for alert in _alerts(state_dir, name)}
        alerts |= {label.alert.id: label.alert for label in labels}
        for label in labels:
            if label.label == "benign":
                del alerts[label.alert.id]
        return cls(stream, labels, _times(alerts.values()), state_dir / LABELS_FILE)

    def benign(self) -> Iterator[RecordBatch]:
        """The records that were called benign, as one batch; those whose alert keeps only their beginning are not."""
        texts = [label.alert.raw for label in self.labels if label.label == "benign"]
        whole = [text for text in texts if len(text) < RAW_CHARACTERS]
        if whole:
            raw = framed(whole)
            raw = replace(raw, origin=replace(raw.origin, path=str(self.path), file_id=str(self.path)))
            yield build_ingest(self.stream, learned_fields(self.stream)).parse(raw)

    def near_alert(self, records: RecordBatch, times: F64) -> Bools:
        """Which records, [n], happened about when their key alerted; ``times`` [n] are finite."""
        near = np.zeros(len(records), dtype=np.bool_)
        groups = by_key(records)
        for key, rows in zip(groups.keys, np.split(groups.rows, groups.starts[1:]), strict=True):
            alerted = self.alerted.get(key)
            if alerted is not None:
                near[rows] = _distance(times[rows], alerted) <= self.stream.alert.episode_gap_seconds
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


def _alerts(state_dir: Path, name: str) -> list[Alert]:
    try:
        with Ledger.open(state_dir, read_only=True) as ledger:
            return [msgspec.json.decode(line, type=Alert) for line in ledger.alerts(name, MOST_ALERTS)]
    except NoInputError:
        return []


def _times(alerts: Iterable[Alert]) -> dict[str | None, F64]:
    """When each key alerted: the event time, or where it is not known the time of reading."""
    times: dict[str | None, list[float]] = {}
    for alert in alerts:
        key = None if alert.key is None else remembered(alert.key)
        times.setdefault(key, []).append(datetime.fromisoformat(alert.time or alert.detected_at).timestamp())
    return {key: np.sort(np.array(found)) for key, found in times.items()}


def _distance(times: F64, alerted: F64) -> F64:
    """From each time to the nearest of some rising ones, at least one, [n]."""
    after = np.searchsorted(alerted, times)
    bounded = np.concatenate([[-np.inf], alerted, [np.inf]])
    nearest: F64 = np.minimum(times - bounded[after], bounded[after + 1] - times)
    return nearest
