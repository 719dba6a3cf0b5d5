"""A trained model applied to records in memory: the daemon's own encoding, scoring and explaining, without a stream.

Every call begins anew: what features remember of a key (the time of its previous record, say) is of that call alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.app.alerting import anomalies
from monitor.app.compose import averaging_of, restore_features
from monitor.core.alerts import FieldFinding
from monitor.core.arrays import F32, F64, Column
from monitor.core.features import FeatureMatrix
from monitor.core.records import Field, RecordBatch
from monitor.core.rows import without_lines
from monitor.explaining.fields import Anomaly, field_findings
from monitor.model.bundle import BundleContents
from monitor.model.device import choose_device
from monitor.scoring.choice import scorer_of

SLICE_ROWS = 8192
"""Records encoded at a time, as in the daemon: hashed text may have a thousand columns, and memory is bounded so."""


class TrainedModel:
    """Any thread may call; calls wait for each other, since the network computes in the buffers of one scorer.

    Can be pickled and copied; the copy chooses its own device anew.
    """

    def __init__(self, contents: BundleContents, device: str) -> None:
        self.contents = contents
        self.device = device
        self.features = restore_features(contents)
        self._beginning = self.features.keyed_state()
        self._scorer = scorer_of(contents, self.features.layout, choose_device(device)[0])
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[TrainedModel], tuple[BundleContents, str]]:
        return TrainedModel, (self.contents, self.device)

    @property
    def latent_width(self) -> int:
        """Columns of the hidden state."""
        return self.contents.module.latent_width

    def scores(self, records: RecordBatch) -> F64:
        """Scores [n]: 0 = best benign, 1 = worst benign, higher is more anomalous."""
        with self._lock:
            averaging, parts = averaging_of(self.contents), self._parts(records)
            matrices = map(self.features.encode, parts)
            scored = [
                averaging.apply(part, self._scorer.score(matrix).scores)
                for part, matrix in zip(parts, matrices, strict=True)
            ]
        return np.concatenate(scored)

    def latent(self, records: RecordBatch) -> F32:
        """Hidden states [n, latent_width]."""
        with self._lock:
            return np.concatenate([self._scorer.latent(matrix.values) for matrix in self._encoded(records)])

    def reconstruct(self, records: RecordBatch) -> dict[Field, Column]:
        """What the network makes of the records, in their own units; fields that cannot be undone are left out."""
        with self._lock:
            parts = [self.features.decode(self._scorer.reconstruct(matrix.values)) for matrix in self._encoded(records)]
        return {field: pa.concat_arrays([part[field] for part in parts]) for field in parts[0]}

    def explain(self, records: RecordBatch, actual: Sequence[Mapping[str, Any]]) -> list[tuple[FieldFinding, ...]]:
        """For each record the fields to blame most, in falling order; ``actual`` has each record's values by field."""
        found: list[tuple[FieldFinding, ...]] = []
        with self._lock:
            for matrix in self._encoded(records):
                rows = actual[len(found) : len(found) + len(matrix)]
                found += [self._findings(*row) for row in zip(self._anomalies(matrix), rows, strict=True)]
        return found

    def _anomalies(self, matrix: FeatureMatrix) -> list[Anomaly]:
        return anomalies(self._scorer, matrix.values)

    def _findings(self, anomaly: Anomaly, actual: Mapping[str, Any]) -> tuple[FieldFinding, ...]:
        values = {feature: actual.get(field) for feature, field in self.features.sources.items()}
        return field_findings(anomaly, self.features.layout, values, self.features.explain_feature)

    def _encoded(self, records: RecordBatch) -> Iterator[FeatureMatrix]:
        return map(self.features.encode, self._parts(records))

    def _parts(self, records: RecordBatch) -> list[RecordBatch]:
        """The records some at a time; features remember nothing of those before."""
        self.features.load_keyed_state(self._beginning)
        return [_part(records, start, start + SLICE_ROWS) for start in range(0, len(records), SLICE_ROWS)]


def _part(records: RecordBatch, start: int, stop: int) -> RecordBatch:
    """Some rows as views into the same memory."""
    if start == 0 and stop >= len(records):
        return records
    return RecordBatch(
        raw=without_lines(),
        columns={field: column.slice(start, stop - start) for field, column in records.columns.items()},
        ok=records.ok[start:stop],
        times=None if records.times is None else records.times[start:stop],
        keys=None if records.keys is None else records.keys.slice(start, stop - start),
    )
