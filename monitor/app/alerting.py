"""Writes the alerts of a batch: the only per-record work, done for the few rows that crossed the threshold."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from monitor.core.alerts import Alert, ModelRef, Score, SourceRef, alert_id, fingerprint
from monitor.core.arrays import F32, F64, I64
from monitor.core.clock import Clock
from monitor.core.features import FeatureMatrix
from monitor.core.protocols import Parser
from monitor.core.records import RecordBatch
from monitor.core.redaction import Redaction
from monitor.core.rows import lines_of
from monitor.deciding.episode import severity
from monitor.deciding.threshold import exceeding
from monitor.explaining.fields import Anomaly, field_findings, summarise
from monitor.explaining.rarity import p_value
from monitor.ingest.features import FeatureSpace
from monitor.model.bundle import Bundle
from monitor.scoring.l1 import L1Scorer
from monitor.scoring.scores import ScoreBatch

RAW_CHARACTERS = 4096
"""Of the record's own text, this much goes into the alert."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch after scoring; ``limits`` [n] are what the scores are held against."""

    records: RecordBatch
    matrix: FeatureMatrix
    scores: ScoreBatch
    limits: F64

    @property
    def alerting(self) -> I64:
        """The rows to alert on, ascending."""
        return exceeding(self.scores.scores, self.limits, self.records.ok)


class _Context(NamedTuple):
    """When a record happened, RFC 3339, and to whom."""

    time: str | None
    key: str | None

    @classmethod
    def of(cls, context: RecordBatch, row: int) -> _Context:
        time = None if context.times is None else rfc3339(context.times[row])
        return cls(time, None if context.keys is None else context.keys[row].as_py())


class AlertWriter:
    """Turns anomalous rows into alerts.

    ``natural`` is the stream's parser asked for no particular field: it gives the values as a person wrote them.
    """

    def __init__(
        self,
        stream: str,
        natural: Parser,
        features: FeatureSpace,
        scorer: L1Scorer,
        bundle: Bundle,
        *,
        clock: Clock,
        redaction: Redaction,
    ) -> None:
        self.stream = stream
        self.bundle = bundle
        self._natural = natural
        self._features = features
        self._scorer = scorer
        self._clock = clock
        self.redaction = redaction
        self.host = socket.gethostname()
        self.model = ModelRef(version=bundle.version, sha256=bundle.sha256)

    def id(self, scored: Scored, row: int) -> str:
        """The id of the alert of a row."""
        origin = scored.records.raw.origin
        return alert_id(self.stream, origin.file_id, origin.epoch, int(scored.records.raw.offsets[row]))

    def blamed(self, scored: Scored, rows: I64) -> list[str]:
        """The feature to blame most of each of a few rows, in order; each costs as much as an alert."""
        blocks = self._features.layout.blocks
        return [blocks[worst].feature for worst in self._scorer.blame(scored.matrix.values[rows]).argmax(axis=1)]

    def write(self, scored: Scored, rows: I64, context: RecordBatch) -> tuple[Alert, ...]:
        """One alert for each row of ``rows`` [m], in order, with event time and key of ``context`` [m]."""
        values = scored.matrix.values[rows]
        found = anomalies(self._scorer, values)
        actual = natural_values(self.redaction.records(self._natural.parse(lines_of(scored.records.raw, rows))))
        detected = rfc3339(self._clock.now()) or ""
        return tuple(
            self._alert(
                scored,
                row,
                found[i],
                actual[i],
                _Context.of(context, i),
                detected,
            )
            for i, row in enumerate(rows.tolist())
        )

    def _alert(
        self, scored: Scored, row: int, anomaly: Anomaly, actual: Mapping[str, Any], context: _Context, detected: str
    ) -> Alert:
        raw, origin = scored.records.raw, scored.records.raw.origin
        offset = int(raw.offsets[row])
        score, limit = float(scored.scores.scores[row]), float(scored.limits[row])
        values = {feature: actual.get(field) for feature, field in self._features.sources.items()}
        fields = field_findings(anomaly, self._features.layout, values, self._features.explain_feature)
        return Alert(
            id=self.id(scored, row),
            fingerprint=fingerprint(self.stream, context.key, tuple(field.name for field in fields[:1])),
            severity=severity(score, limit),
            stream=self.stream,
            key=context.key,
            time=context.time,
            detected_at=detected,
            source=SourceRef(path=origin.path, offset=offset, file_id=origin.file_id, epoch=origin.epoch),
            score=Score(float(scored.scores.l1[row]), score, limit, p_value(anomaly.rarity)),
            fields=fields,
            summary=summarise(self.stream, fields, score, limit, anomaly.rarity),
            raw=self.redaction.text(raw.line(row))[:RAW_CHARACTERS],  # first: what is cut is not recognised
            model=self.model,
            host=self.host,
        )


def anomalies(scorer: L1Scorer, values: F32) -> list[Anomaly]:
    """What there is to say of some encoded records [n, total]."""
    expected, blame, rarity, field_rarities = scorer.attribute(values)
    parts = [values, expected, blame, scorer.field_errors(values, expected)]
    parts += [part for part in (rarity, field_rarities) if part is not None]
    return [Anomaly(*row) for row in zip(*parts, strict=True)]


def natural_values(records: RecordBatch) -> Sequence[dict[str, Any]]:
    """Each row as a mapping from field name to the value as it was written; missing fields are left out."""
    rows: list[dict[str, Any]] = [{} for _ in range(len(records))]
    for field, column in records.columns.items():
        for row, value in zip(rows, column.to_pylist(), strict=True):
            if value is not None:
                row[field.name] = value
    return rows


def rfc3339(seconds: float) -> str | None:
    """Seconds since 1970 as RFC 3339 in UTC with milliseconds; None for an unknown time.

    >>> rfc3339(0.5)
    '1970-01-01T00:00:00.500Z'
    >>> rfc3339(float("nan"))
    """
    if not np.isfinite(seconds):
        return None
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
