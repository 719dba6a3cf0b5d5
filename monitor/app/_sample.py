"""A sample read as the daemon would read it: the stream's own parser, event time and key, within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.app.compose import build_encoders, build_ingest, build_parser, new_framer
from monitor.app.init import SAMPLE_RECORDS
from monitor.core.arrays import Column
from monitor.core.config import LimitsConfig, StreamConfig
from monitor.core.errors import NoInputError
from monitor.core.printable import printable
from monitor.core.records import Field, FieldType, RawBatch, RecordBatch
from monitor.core.rows import joined, joined_lines, keep
from monitor.ingest.reading import read_files

SAMPLE_BYTES = 16 << 20
"""So much text is looked at, whatever the number of records: as columns it may take twenty times as much memory."""

LINE_CHARACTERS = 80
"""Of a line that does not parse, so much is shown."""


@dataclass(slots=True)
class Reason:
    """Why records do not parse: how many, and the first of them, printable."""

    reason: str
    records: int
    file: str
    line: int
    text: str


@dataclass
class Sample:
    """The first records of the given files.

    ``records`` are those that parse, with every field the stream uses also as text; None when there is none.
    ``whole`` says that there was no more to read.
    """

    files: tuple[str, ...]
    read: int = 0
    unparsed: int = 0
    whole: bool = True
    reasons: dict[str, Reason] = field(default_factory=dict[str, Reason])
    records: RecordBatch | None = None
    lines: list[RawBatch] = field(default_factory=list[RawBatch], repr=False)

    @cached_property
    def text(self) -> RawBatch:
        """All lines as one batch."""
        return joined_lines(self.lines)

    def natural(self, stream: StreamConfig) -> dict[str, tuple[FieldType, Column]]:
        """Every field the stream's parser finds by itself, in its natural type, of the records that parse.

        What is no number is missing among numbers.
        """
        found = build_parser(stream, None).parse(self.text)
        ok = pa.array(found.ok)
        columns = {field: column.filter(ok) for field, column in found.columns.items()}
        return {
            name: (kind, _without_nan(column) if kind is FieldType.NUMBER else column)
            for (name, kind), column in columns.items()
        }


def read_sample(stream: StreamConfig, limits: LimitsConfig, files: Sequence[str]) -> Sample:
    """Read and parse the first records of the files (``-`` is standard input).

    Raises:
        NoInputError: a file does not exist, or there is no record at all.
        PermissionDeniedError, DataError: a file cannot be read.
    """
    ingest = build_ingest(stream, _with_texts(stream))
    sample = Sample(tuple(files))
    parsed: list[RecordBatch] = []
    for first_line, raw in _bounded(stream, sample, limits):
        batch = ingest.parse(raw)
        headers = int(batch.headers.sum())
        sample.read += len(batch) - headers
        _count_unparsed(sample, batch, first_line)
        if batch.ok.any():
            parsed.append(keep(batch, batch.ok))
    if not sample.read:
        raise NoInputError(f"{', '.join(files)}: there is no record in the sample")
    sample.records = joined(parsed) if parsed else None
    return sample


def _without_nan(column: Column) -> Column:
    return pc.if_else(pc.is_nan(column), None, column)


def _with_texts(stream: StreamConfig) -> list[Field]:
    """The fields of all features, each as text besides: that shows a value even where it is not of the wanted type."""
    fields = {f for encoder in build_encoders(stream).values() for f in encoder.fields}
    return sorted(fields | {Field(f.name, FieldType.TEXT) for f in fields})


def _bounded(stream: StreamConfig, sample: Sample, limits: LimitsConfig) -> Iterator[tuple[int, RawBatch]]:
    """The batches of the sample, kept in it, each with the number of its first line in its file."""
    records = text = 0
    next_line = 1
    for raw in read_files(sample.files, new_framer(limits, stream.input)):
        if not len(raw):
            continue
        if records >= SAMPLE_RECORDS or text >= SAMPLE_BYTES:
            sample.whole = False
            return
        next_line = next_line if raw.offsets[0] else 1  # what starts at 0 is another file
        sample.lines.append(raw)
        yield next_line, raw
        records, text, next_line = records + len(raw), text + len(raw.data), next_line + len(raw)


def _count_unparsed(sample: Sample, batch: RecordBatch, first_line: int) -> None:
    unparsed = np.flatnonzero(batch.unparsed)
    sample.unparsed += len(unparsed)
    for row in unparsed.tolist():
        why = printable(batch.reasons.get(row, "does not parse"), LINE_CHARACTERS)
        if why in sample.reasons:
            sample.reasons[why].records += 1
        else:
            shown = printable(batch.raw.line(row), LINE_CHARACTERS)
            sample.reasons[why] = Reason(why, 1, printable(batch.raw.origin.path), first_line + row, shown)
