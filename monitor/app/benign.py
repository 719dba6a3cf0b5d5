"""What a training learns from: the sample that the daemon kept, files, or both, and what people said of alerts."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from monitor.app.compose import build_ingest, learned_fields, read_input
from monitor.app.feedback import Feedback
from monitor.app.sampling import sequential
from monitor.app.streams import reservoirs_root
from monitor.core.arrays import Bools
from monitor.core.clock import DAY_SECONDS
from monitor.core.config import Config, StreamConfig
from monitor.core.errors import NoInputError
from monitor.core.printable import printable
from monitor.core.progress import Progress
from monitor.core.records import HEADER, Origin, RecordBatch
from monitor.core.rows import places_only
from monitor.plugins import resolve_state_dir
from monitor.plugins.matching import matches, patterns
from monitor.reservoir.columns import TIME, numbers, records_of
from monitor.reservoir.files import Day, read_days
from monitor.reservoir.sample import came

ENOUGH = 1000
"""A sample of fewer records is not preferred to the files that the source reads."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The days of a stream's sample, oldest first, each with its file; ``unused`` says why others are left out."""

    days: Sequence[tuple[Path, Day]]
    unused: Sequence[str]

    @classmethod
    def of(cls, config: Config, name: str, stream: StreamConfig) -> Kept:
        """What there is to learn from."""
        odd = sequential(stream)
        if odd:
            return cls((), [f"{', '.join(odd)}: learned from records that follow each other, which a sample has not"])
        found = list(read_days(reservoirs_root(config) / name, learned_fields(stream)))
        days = [(path, day) for path, day in found if isinstance(day, Day)]
        return cls(days, [f"{path}: {reason}" for path, reason in found if isinstance(reason, str)])

    def __len__(self) -> int:
        return sum(len(day.table) for _, day in self.days)

    @property
    def period(self) -> tuple[float, float]:
        """The first and the last time, in seconds since 1970; there is a record at least."""
        times = np.concatenate([numbers(day.table, TIME) for _, day in self.days])
        return float(times.min()), float(times.max())

    @property
    def records_per_day(self) -> float:
        """How many records came in a day, not only those that were kept."""
        first, last = self.period
        return sum(came(day.spans, day.bounds) for _, day in self.days) * DAY_SECONDS / max(last - first, 1.0)


def benign(
    config: Config, name: str, stream: StreamConfig, inputs: Sequence[Path], kept: Kept, progress: Progress
) -> Iterator[RecordBatch]:
    """Parsed batches in the order of event time: of the given files and of the sample.

    Without either of the files that the stream's source reads. Records that people called benign are among them; those
    they called anomalies, and what came near an alert, are marked as filtered.

    Raises:
        NoInputError: there is nothing to read.
        StateError, PermissionDeniedError: what people said cannot be read.
    """
    feedback = Feedback.of(resolve_state_dir(config, os.environ), name, stream)
    paths = list(inputs) if inputs or kept.days else source_files(name, stream)
    parts = (
        _sampled(stream, kept, feedback),
        feedback.benign(),
        _read(config, name, stream, paths, feedback, progress),
    )
    return heapq.merge(*parts, key=_begins)


def paced(stream: StreamConfig, kept: Kept) -> StreamConfig:
    """The stream with the rate of its records, where it learns from a sample, whose own rate says nothing of it."""
    if not len(kept) or stream.alert.records_per_day is not None:
        return stream
    alert = stream.alert.model_copy(update={"records_per_day": kept.records_per_day})
    return stream.model_copy(update={"alert": alert})


def chosen(
    config: Config, name: str, stream: StreamConfig, inputs: Sequence[Path], progress: Progress, *, reservoir: bool
) -> Kept:
    """The sample, or none of it where only files are learned from; says on the way which and why.

    It is taken where ``reservoir`` asks for it, and without ``inputs`` if it has enough.

    Raises:
        NoInputError: the sample is asked for and there is none.
    """
    if inputs and not reservoir:
        return Kept((), ())
    kept = Kept.of(config, name, stream)
    for reason in kept.unused:
        progress(f"{name}: reservoir", 1, 1, printable(f"left out: {reason}"))
    if reservoir and not len(kept):
        raise NoInputError(
            f"stream {name}: the reservoir has no record to learn from{_because(kept)}; the daemon fills it while it "
            "runs, or give benign records with --input FILE"
        )
    if not reservoir and len(kept) < ENOUGH:
        if len(kept):
            progress(f"{name}: reservoir", 1, 1, f"left out: {len(kept):,} records, under {ENOUGH:,}; reading files")
        return Kept((), ())
    first, last = (datetime.fromtimestamp(moment, UTC).isoformat(" ", "minutes") for moment in kept.period)
    told = f"{len(kept):,} records from {first} to {last}, of about {kept.records_per_day:,.0f} a day"
    progress(f"{name}: reservoir", 1, 1, told)
    return kept


def _because(kept: Kept) -> str:
    return f" ({'; '.join(kept.unused)})" if kept.unused else ""


def _sampled(stream: StreamConfig, kept: Kept, feedback: Feedback) -> Iterator[RecordBatch]:
    """The sample, a batch a day; a record stands in its file at the row that is its line number here."""
    fields = learned_fields(stream)
    for path, day in kept.days:
        records = records_of(day.table, fields, timed=stream.time is not None, keyed=stream.key is not None)
        near = feedback.near_alert(records, numbers(day.table, TIME))
        raw = places_only(Origin(file_id=str(path), epoch=0, path=str(path)), len(records))
        yield _without(replace(records, raw=raw), near)


def _read(
    config: Config, name: str, stream: StreamConfig, paths: Sequence[Path], feedback: Feedback, progress: Progress
) -> Iterator[RecordBatch]:
    ingest = build_ingest(stream, learned_fields(stream))
    records = 0
    for raw in read_input(config, stream, paths):
        records += len(raw)
        progress(f"{name}: reading", records, 0, "")
        yield _without(ingest.parse(raw), feedback.anomalies(raw))


def _without(records: RecordBatch, rows: Bools) -> RecordBatch:
    """The batch with some rows marked as no records, so that the places of the others stay."""
    if not rows.any():
        return records
    reasons = {**records.reasons, **dict.fromkeys(np.flatnonzero(rows).tolist(), HEADER)}
    return replace(records, ok=records.ok & ~rows, reasons=reasons)


def _begins(batch: RecordBatch) -> float:
    """When the first record of a batch happened; before all others where that is not known."""
    times = np.empty(0) if batch.times is None else batch.times[np.isfinite(batch.times)]
    return float(times[0]) if len(times) else -np.inf


def source_files(name: str, stream: StreamConfig) -> list[Path]:
    """The files a stream's source would read, oldest first.

    Raises:
        NoInputError: the source reads no files, or there are none yet.
    """
    options = stream.source.options
    paths = {Path(found) for pattern in patterns(options) for found in matches(pattern, options)}
    files = sorted((path for path in paths if path.is_file()), key=lambda path: path.stat().st_mtime)
    if not files:
        what = (
            f"no file matches {', '.join(patterns(options))}"
            if patterns(options)
            else f"a {stream.source.kind} source has no files"
        )
        raise NoInputError(f"stream {name}: {what}; give benign records with --input FILE")
    return files
