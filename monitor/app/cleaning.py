"""Denoised records: what the network makes of each one, in original units, as a filter from records to records."""

# The functions of pyarrow.compute are made at import time; no checker can see them.
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.app.compose import build_parser
from monitor.app.offline import Offline
from monitor.app.parts import Part, part
from monitor.core.arrays import I64, Column
from monitor.core.columns import convert
from monitor.core.progress import Progress
from monitor.core.records import Field, FieldType, RawBatch, RecordBatch

UNPARSED = "_unparsed"
"""The column with the text of records that cannot be parsed; they have no other."""


def cleaned(offline: Offline, inputs: Sequence[Path], progress: Progress) -> Iterator[Part]:
    """One denoised record for each record, in the order of the input, with all its fields; at least one part.

    Fields that features can decode are replaced by their reconstruction; others (labels, times, hashed texts) stay as
    they are. A record that cannot be parsed is its text in ``_unparsed``. Header lines are no records.
    """
    natural = build_parser(offline.config.streams[offline.stream], None)
    features, scorer = offline.pipeline.features, offline.pipeline.scorer
    for batch in offline.batches(inputs, progress, "cleaning"):
        records, values = batch.scored.records, batch.scored.matrix.values
        decoded = features.decode(scorer.reconstruct(values))
        table = _table(natural.parse(records.raw), decoded, records)
        yield part(batch, table)
    nothing = features.decode(np.zeros((0, features.layout.total), dtype=np.float32))
    names = {field.name: column for field, column in nothing.items()}
    yield Part(pa.table(names | {UNPARSED: pa.nulls(0, pa.string())}), 0, 0, 0)


def _table(actual: RecordBatch, decoded: Mapping[Field, Column], records: RecordBatch) -> Any:
    """The fields as the parser finds them, decoded ones replaced; fields found nowhere in the batch come last."""
    columns = {field.name: column for field, column in actual.columns.items()}
    natural = {field.name: field.type for field in actual.columns}
    for field, column in decoded.items():
        columns[field.name] = as_found(column, natural.get(field.name, field.type))
    ok = pa.array(records.ok & actual.ok)
    columns = {name: _only(column, ok) for name, column in columns.items()}
    columns[UNPARSED] = _texts(records.raw, np.flatnonzero(~(records.ok & actual.ok)))
    return pa.table(columns)


def as_found(column: Column, kind: FieldType) -> Column:
    """A decoded column as the type its field has in the records, where no value is lost by that.

    A category that is a number everywhere (status codes, say) becomes a number again.
    """
    if not pa.types.is_string(column.type) or kind is FieldType.TEXT:
        return column
    converted = convert(column, kind)
    lost = converted.null_count > column.null_count
    if kind is FieldType.NUMBER:
        lost = lost or bool(pc.any(pc.is_nan(converted)).as_py())
    return column if lost else converted


def _only(column: Column, ok: Column) -> Column:
    return pc.if_else(ok, column, pa.scalar(None, column.type))


def _texts(raw: RawBatch, rows: I64) -> Column:
    """The text of some records, missing elsewhere."""
    texts = np.full(len(raw), None, dtype=object)
    texts[rows] = [raw.line(row) for row in rows.tolist()]
    return pa.array(texts, pa.string())
