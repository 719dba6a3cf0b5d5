"""The lines of ``aemonitor data requests``: benign requests, some of them spoiled and labelled with what was true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from monitor.core.arrays import Column
from monitor.datasets.requests import requests
from monitor.faults.planting import Planting
from monitor.faults.scattering import scatter
from monitor.reporting.row_text import as_jsonl, cell_texts

TIME = "time"
"""Not spoiled: it orders the records."""

PIECE_ROWS = 65_536
"""Rows whose text is in memory at a time."""


def request_lines(rows: int, seed: int, share: float) -> tuple[Iterator[str], tuple[Planting, ...]]:
    """JSON Lines, and what was planted in about ``share`` of the records; without faults there are no labels."""
    batch = requests(rows, seed)
    fields = [field.name for field in batch.columns if field.name != TIME]
    made = scatter(batch, fields, share, np.random.default_rng([seed, 1]))
    columns = {field.name: column for field, column in made.records.columns.items()}
    return _lines(pa.table(columns | (labels(made.planted, rows) if share else {}))), made.planted


def labels(planted: Sequence[Planting], rows: int) -> dict[str, Column]:
    """``label`` (0, 1) of each row, and of the spoiled ones what befell which field and its true value, as text."""
    told = {name: np.full(rows, None, dtype=object) for name in ("fault", "fault_field", "true_value")}
    spoiled = np.zeros(rows, dtype=np.int64)
    for planting in planted:
        spoiled[planting.rows] = 1
        told["fault"][planting.rows] = planting.fault
        told["fault_field"][planting.rows] = planting.field
        told["true_value"][planting.rows] = cell_texts(planting.truth).to_pylist()
    return {"label": pa.array(spoiled), **{name: pa.array(texts, pa.string()) for name, texts in told.items()}}


def _lines(table: pa.Table) -> Iterator[str]:
    for start in range(0, table.num_rows, PIECE_ROWS):
        yield as_jsonl(table.slice(start, PIECE_ROWS), omit=table.column_names)
