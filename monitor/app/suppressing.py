"""Of which alerting records nobody is told, and by which rule: those of the configuration, and what people said."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from monitor.app.alerting import AlertWriter, Scored
from monitor.app.labels import labels_version, read_labels
from monitor.core.arrays import F64, I64
from monitor.core.errors import AemonitorError
from monitor.core.groups import by_key, remembered
from monitor.core.records import RecordBatch
from monitor.core.suppress_config import FEEDBACK
from monitor.deciding.suppression import NOBODY, Suppression
from monitor.ingest.reading import Ingest

ASKED = 64
"""Records of a key in a batch that are asked for the field to blame, which costs as much as an alert. What is beyond
counts as known if all of these are."""


class Benign:
    """What was called benign since a model was made: the fields to blame, by key. Read again whenever that changes."""

    def __init__(self, state_dir: Path, stream: str, model_created: str) -> None:
        self._state_dir = state_dir
        self._stream = stream
        self._created = datetime.fromisoformat(model_created) - timedelta(seconds=1)  # labels tell whole seconds
        self._read: tuple[int, ...] | None = None
        self._fields: dict[str | None, set[str]] = {}

    def fields(self) -> Mapping[str | None, set[str]]:
        """As things are now; as they were, while the labels cannot be read (every command that reads them tells)."""
        seen = labels_version(self._state_dir)
        if seen != self._read:
            self._read = seen
            with suppress(AemonitorError):
                self._fields = self._found()
        return self._fields

    def _found(self) -> dict[str | None, set[str]]:
        found: dict[str | None, set[str]] = {}
        for label in read_labels(self._state_dir).values():
            alert = label.alert
            one_key = alert.episode is None or alert.episode.keys == 1
            new = datetime.fromisoformat(label.labelled_at) >= self._created
            if alert.stream == self._stream and label.label == "benign" and one_key and new:
                key = None if alert.key is None else remembered(alert.key)
                found.setdefault(key, set()).update(field.name for field in alert.fields[:1])
        return found


class Suppressor:
    """Names what suppresses each alerting record.

    Args:
        rules: of the configuration.
        ingest: parses the fields that these read.
        benign: what people said; None: that suppresses nothing.
        alerts: tells which field to blame.
    """

    def __init__(self, rules: Suppression, ingest: Ingest, benign: Benign | None, alerts: AlertWriter) -> None:
        self.rules = rules
        self._ingest = ingest
        self._benign = benign
        self._alerts = alerts

    @property
    def names(self) -> list[str]:
        """Everything that may suppress."""
        return [*self.rules.names, *([FEEDBACK] if self._benign else [])]

    def by(self, scored: Scored, rows: I64, context: RecordBatch, times: F64) -> list[str]:
        """The rule that suppresses each of the alerting ``rows`` [m], or NOBODY."""
        found = [NOBODY] * len(rows)
        if self.rules.names:
            found = self.rules.by(self._ingest.context(scored.records.raw, rows), times)
        if self._benign and (fields := self._benign.fields()):
            self._ask(fields, found, scored, rows, context)
        return found

    def _ask(
        self, fields: Mapping[str | None, set[str]], found: list[str], scored: Scored, rows: I64, context: RecordBatch
    ) -> None:
        groups = context.once(by_key)
        for key, places in zip(groups.keys, np.split(groups.rows, groups.starts[1:]), strict=True):
            if key not in fields:
                continue
            blamed = self._alerts.blamed(scored, rows[places[:ASKED]])
            known = [name in fields[key] for name in blamed]
            known += [all(known)] * (len(places) - len(known))
            for place, benign in zip(places.tolist(), known, strict=True):
                found[place] = found[place] or (FEEDBACK if benign else NOBODY)
