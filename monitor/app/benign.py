"""What a training learns from: the sample that the daemon kept, files, or both, and what people said of alerts."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from monitor.app.bursts import bursts
from monitor.app.compose import build_ingest, learned_fields, read_input
from monitor.app.feedback import Feedback
from monitor.app.kept import Kept
from monitor.app.spread import Share, beside, parsed
from monitor.core.arrays import I64, Bools
from monitor.core.arrow import pa
from monitor.core.config import Config, StreamConfig
from monitor.core.errors import NoInputError
from monitor.core.groups import by_key
from monitor.core.printable import printable
from monitor.core.progress import Progress
from monitor.core.records import HEADER, Origin, RawBatch, RecordBatch
from monitor.core.rows import places_only
from monitor.engines.engine import Engine
from monitor.plugins import resolve_state_dir
from monitor.plugins.matching import matches, patterns
from monitor.reservoir.columns import KEY, SCORE, TIME, numbers, records_of

ENOUGH = 1000
"""A sample of fewer records is not preferred to the files that the source reads."""

FIRST_OF_FILES = 1 << 32
"""The number of the first stretch that is none of the sample; that has fewer."""


def benign(
    config: Config,
    name: str,
    stream: StreamConfig,
    files: Sequence[Path],
    kept: Kept,
    progress: Progress,
    engine: Engine | None = None,
) -> Iterator[RecordBatch]:
    """Parsed batches in the order of event time: of the files and of the sample.

    Records that people called benign are among them; those they called anomalies, what came near an alert, and bursts
    of what is odd, are marked as filtered.

    Raises:
        NoInputError: a file is not there any more.
        StateError, PermissionDeniedError: what people said cannot be read.
        UsageError, UnavailableError: the engine's workers cannot read it, or die of it.
    """
    feedback = Feedback.of(resolve_state_dir(config, os.environ), name, stream)
    sampled = _sampled(stream, kept, feedback)
    others = (feedback.benign(), _read(_parsed(config, name, files, engine), name, feedback, progress))
    if kept.needed and kept.days:
        sampled, others = _in_stretches(kept, sampled), (_alone(others[0]), _by_key(others[1]))
    return heapq.merge((records for records, _ in sampled), *others, key=_begins)


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
    learnable = kept.learnable()
    few = f"{learnable:,} records{_besides(kept, learnable)}, under {ENOUGH:,}"
    if not reservoir and learnable < ENOUGH:
        if len(kept):
            progress(f"{name}: reservoir", 1, 1, f"left out: {few}; reading files")
        return Kept((), ())
    if not learnable:
        raise NoInputError(f"stream {name}: the reservoir has no record to learn from: {few}; let the daemon go on")
    first, last = (datetime.fromtimestamp(moment, UTC).isoformat(" ", "minutes") for moment in kept.period)
    told = f"{learnable:,} records from {first} to {last}, of about {kept.records_per_day:,.0f} a day"
    told += _besides(kept, learnable)
    progress(f"{name}: reservoir", 1, 1, told)
    return kept


def _besides(kept: Kept, learnable: int) -> str:
    others = len(kept) - learnable
    return f", and {others:,} that only tell what came before" if others else ""


def _because(kept: Kept) -> str:
    return f" ({'; '.join(kept.unused)})" if kept.unused else ""


def _sampled(stream: StreamConfig, kept: Kept, feedback: Feedback) -> Iterator[tuple[RecordBatch, Bools]]:
    """The sample, a batch a day, and which of it is suspected; a record stands in its file at its line number."""
    fields = learned_fields(stream)
    for (path, day), burst in zip(kept.days, _bursts(kept, feedback), strict=True):
        records = records_of(day.table, fields, timed=stream.time is not None, keyed=stream.key is not None)
        near = feedback.near_alert(records, numbers(day.table, TIME), numbers(day.table, SCORE)) | burst
        known = feedback.near_anomaly(records, numbers(day.table, TIME)) if kept.needed else near
        raw = places_only(Origin(file_id=str(path), epoch=0, path=str(path)), len(records))
        yield _without(replace(records, raw=raw), known), near


def _bursts(kept: Kept, feedback: Feedback) -> Sequence[Bools]:
    """Which records of each day are in a burst of odd ones."""
    if not len(kept):
        return [np.zeros(0, dtype=np.bool_)] * len(kept.days)
    keys = pa.chunked_array([day.table.column(KEY).combine_chunks() for _, day in kept.days]).combine_chunks()
    scores = np.concatenate([numbers(day.table, SCORE) for _, day in kept.days])
    found = bursts(keys, kept.times, feedback.odd(scores))
    return np.split(found, np.cumsum([len(day.table) for _, day in kept.days])[:-1])


def _in_stretches(kept: Kept, sampled: Iterable[tuple[RecordBatch, Bools]]) -> Iterator[tuple[RecordBatch, Bools]]:
    """The same with its stretches, from 0; what came near an alert, and not near a known anomaly, stands apart."""
    days = list(sampled)
    left_out = np.concatenate([near for _, near in days]) | kept.left_out()
    cuts = np.cumsum([len(near) for _, near in days])[:-1]
    of_days = (np.split(each, cuts) for each in kept.stretches(left_out))
    for (records, near), stretches, warming, apart in zip(days, *of_days, strict=True):
        yield replace(records, stretches=stretches, warming=warming, apart=apart), near


def _alone(batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
    """Records of which nobody knows what came before: each a stretch, below 0, and learned all the same."""
    count = 0
    for batch in batches:
        count += len(batch)
        yield _following(batch, np.arange(len(batch)) - count)


def _by_key(batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
    """Records of files: all of a key are one stretch, from ``FIRST_OF_FILES`` on."""
    known: dict[str | None, int] = {}
    for batch in batches:
        groups = by_key(batch)
        numbers = [known.setdefault(key, FIRST_OF_FILES + len(known)) for key in groups.keys]
        stretches = np.empty(len(batch), dtype=np.int64)
        stretches[groups.rows] = np.array(numbers, dtype=np.int64)[groups.ids]
        yield _following(batch, stretches)


def _following(batch: RecordBatch, stretches: I64) -> RecordBatch:
    nothing = np.zeros(len(batch), dtype=np.bool_)
    return replace(batch, stretches=stretches, warming=nothing, apart=nothing)


def _read(
    batches: Iterable[tuple[RawBatch, RecordBatch]], name: str, feedback: Feedback, progress: Progress
) -> Iterator[RecordBatch]:
    read = 0
    for raw, records in batches:
        read += len(raw)
        progress(f"{name}: reading", read, 0, "")
        yield _without(records, feedback.anomalies(raw))


def _parsed(
    config: Config, name: str, paths: Sequence[Path], engine: Engine | None
) -> Iterator[tuple[RawBatch, RecordBatch]]:
    """Each batch of the files, by this process or by the engine's workers."""
    stream = config.streams[name]
    if engine is not None:
        for raw, records in beside(engine, Share(config, name), parsed, paths):
            yield raw, replace(records, raw=raw)
        return
    ingest = build_ingest(stream, learned_fields(stream))
    for raw in read_input(config, stream, paths):
        yield raw, ingest.parse(raw)


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


def learned_files(name: str, stream: StreamConfig, inputs: Sequence[Path], kept: Kept) -> Sequence[Path]:
    """The files to learn from: those given; without them and without a sample, those that the stream's source reads.

    Raises:
        NoInputError: there are none.
    """
    return inputs if inputs or kept.days else source_files(name, stream)


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
