"""The episodes that people were told of while the sample of a stream was taken, and that it leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from monitor.app.alerting import RAW_CHARACTERS
from monitor.app.compose import build_ingest, learned_fields
from monitor.app.feedback import MOST_ALERTS
from monitor.app.gates.feedback import framed
from monitor.app.labels import read_labels
from monitor.core.alerts import Alert
from monitor.core.clock import DAY_SECONDS
from monitor.core.config import StreamConfig
from monitor.core.errors import NoInputError
from monitor.core.rows import keep
from monitor.deciding.told import ToldRecords
from monitor.ledger import Ledger


@dataclass(frozen=True, slots=True)
class _Episode:
    """Of an episode the alert with the highest score that was told, and the highest score of all its records."""

    alert: Alert
    peak: float

    @property
    def factor(self) -> float:
        """How many times as high."""
        score = self.alert.score.value
        return max(1.0, self.peak / score) if score > 0 else 1.0


def told_records(state_dir: Path, name: str, stream: StreamConfig, period: tuple[float, float]) -> ToldRecords | None:
    """Those of a period, in seconds since 1970, which nobody labelled; None where there are none.

    What was called benign is learned, and what was called an anomaly is none of the false alerts that a budget is of.
    Episodes whose alert keeps only the beginning of its record, or is of none (a silence), are left out.

    Raises:
        StateError, PermissionDeniedError: what people said cannot be read.
    """
    first, last = period
    alerts, labels = _alerts(state_dir, name), read_labels(state_dir)
    known = [
        each
        for id_, each in _episodes(alerts).items()
        if id_ not in labels and first <= _moment(each.alert) <= last and 0 < len(each.alert.raw) < RAW_CHARACTERS
    ]
    if not known or last <= first:
        return None
    parsed = build_ingest(stream, learned_fields(stream)).parse(framed([each.alert.raw for each in known]))
    factors = np.array([each.factor for each in known])
    return ToldRecords(keep(parsed, parsed.ok), factors[parsed.ok], (last - first) / DAY_SECONDS)


def _alerts(state_dir: Path, name: str) -> list[Alert]:
    try:
        with Ledger.open(state_dir, read_only=True) as ledger:
            return [msgspec.json.decode(line, type=Alert) for line in ledger.alerts(name, MOST_ALERTS)]
    except NoInputError:
        return []


def _episodes(alerts: Iterable[Alert]) -> Mapping[str, _Episode]:
    """By id. Of one that was told again, as it got worse or was over, the newest alert says how high it came."""
    found: dict[str, _Episode] = {}
    for alert in alerts:
        if alert.episode is None:
            continue
        known = found.get(alert.episode.id, _Episode(alert, alert.episode.peak))
        best = max(known.alert, alert, key=lambda each: each.score.value)
        found[alert.episode.id] = _Episode(best, max(known.peak, alert.episode.peak))
    return found


def _moment(alert: Alert) -> float:
    return datetime.fromisoformat(alert.time or alert.detected_at).timestamp()
