"""Of which alerting records nobody is told, and by which rule: those of the configuration, and what people said."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from monitor.app.alerting import AlertWriter, Scored
from monitor.app.called_benign import Benign
from monitor.core.arrays import F64, I64
from monitor.core.groups import by_key
from monitor.core.records import RecordBatch
from monitor.core.suppress_config import FEEDBACK
from monitor.deciding.suppression import NOBODY, Suppression
from monitor.ingest.reading import Ingest

ASKED = 64
"""Records of a key in a batch that are asked for the field to blame, which costs as much as an alert. What is beyond
counts as known if all of these are."""


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
        self.benign = benign
        self._alerts = alerts

    @property
    def names(self) -> list[str]:
        """Everything that may suppress."""
        return [*self.rules.names, *([FEEDBACK] if self.benign else [])]

    def by(self, scored: Scored, rows: I64, context: RecordBatch, times: F64) -> list[str]:
        """The rule that suppresses each of the alerting ``rows`` [m], or NOBODY."""
        found = [NOBODY] * len(rows)
        if self.rules.names:
            found = self.rules.by(self._ingest.context(scored.records.raw, rows), times)
        if self.benign and (fields := self.benign.fields()):
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
