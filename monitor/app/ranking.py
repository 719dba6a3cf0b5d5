"""The most anomalous and the best reproduced records of files, with their fields; only these are kept in memory."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from monitor.app.alerting import Scored
from monitor.app.cleaning import as_found
from monitor.app.compose import build_parser
from monitor.app.offline import Offline, OfflineBatch
from monitor.app.pipeline import Pipeline, count
from monitor.app.score import mean_squared, path_text
from monitor.core.accounting import Counts
from monitor.core.arrays import F32, F64, I64
from monitor.core.errors import UsageError
from monitor.core.features import FeatureMatrix
from monitor.core.names import did_you_mean, quoted
from monitor.core.progress import Progress
from monitor.core.protocols import Parser
from monitor.core.records import FieldType, RawBatch, RecordBatch
from monitor.core.rows import joined_lines, lines_of
from monitor.explaining.text import shown
from monitor.reporting.evaluation import Picture
from monitor.reporting.pictures import Place, image_feature, pictures
from monitor.reporting.score_rows import FieldValues, ScoreRow
from monitor.scoring.l1 import squared_errors
from monitor.scoring.scores import ScoreBatch

T = TypeVar("T")

TOP, LOWEST = "top", "lowest"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The shown rows, the most anomalous first and then the best reproduced first, with the counts of all records."""

    rows: tuple[ScoreRow, ...]
    values: F32  # [rows, total], encoded
    records: int
    anomalies: int
    unparsed: int


@dataclass(frozen=True, slots=True)
class _Kept:
    """One record that may be shown."""

    raw: RawBatch  # this record alone
    line: int
    score: float
    limit: float  # what the score is held against
    error: float
    squared_error: float
    values: F32  # [total]


class Best(Generic[T]):
    """The ``count`` things with the largest figures, the largest first; of equal ones those that came first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[float, int, T]] = []  # the smallest figure first; the newest of equal ones
        self._seen = 0

    def candidates(self, figures: F64, rows: I64) -> I64:
        """The rows of a batch, of ``rows``, that are among the best so far: at most ``count``."""
        if len(self._heap) == self._count:
            rows = rows[figures[rows] > self._heap[0][0]]
        order = np.argsort(-figures[rows], kind="stable")[: self._count]
        return np.sort(rows[order])

    def add(self, figure: float, kept: T) -> None:
        """Take one in, and let the least of all go if there are too many."""
        entry = (figure, -self._seen, kept)
        self._seen += 1
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def ranked(self) -> list[T]:
        """What is kept, in order."""
        return [kept for _, _, kept in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


def rank(
    offline: Offline,
    inputs: Sequence[Path],
    progress: Progress,
    *,
    top: int | None,
    lowest: int | None,
    squared: bool = False,
) -> Ranking:
    """The ``top`` most anomalous records and the ``lowest`` best reproduced ones, by score or by squared error.

    Records that cannot be parsed have no score and are only counted.
    """
    groups = {TOP: (Best[_Kept](top or 0), 1.0), LOWEST: (Best[_Kept](lowest or 0), -1.0)}
    wanted = [groups[name] for name, count in ((TOP, top), (LOWEST, lowest)) if count]
    counts = Counts()
    for batch in offline.batches(inputs, progress):
        counts += replace(count(batch.scored.records), alerts=len(batch.scored.alerting))
        errors = _squared(offline, batch) if squared else None
        figures = batch.scored.scores.scores if errors is None else errors
        usable = np.flatnonzero(batch.scored.records.ok)
        for best, sign in wanted:
            for row in best.candidates(sign * figures, usable).tolist():
                best.add(sign * float(figures[row]), _kept(batch, row, errors))
    shown = [(name, kept) for name, (best, _) in groups.items() for kept in best.ranked()]
    rows = _rows(offline, shown, squared=squared)
    total = offline.pipeline.features.layout.total
    values = np.array([kept.values for _, kept in shown], dtype=np.float32).reshape(len(shown), total)
    return Ranking(rows, values, counts.read - counts.filtered, counts.alerts, counts.unparsed)


def check_images(offline: Offline) -> None:
    """Whether the records of the stream are images that can be drawn.

    Raises:
        UsageError: they are not; the message says what makes them so.
    """
    if image_feature(offline.pipeline.features) is None:
        raise UsageError(
            f"stream {offline.stream} has no images to draw: give a vector feature its shape, such as "
            "`pixels: {vector: {shape: [28, 28]}}`, and retrain"
        )


def demand_label(ranking: Ranking, label_field: str) -> None:
    """Whether one of the records, if there are any, has the label field.

    Raises:
        UsageError: none has; the message has the nearest name.
    """
    known = {name for row in ranking.rows for name in row.fields}
    if ranking.rows and label_field not in known:
        raise UsageError(
            f"--label-field: none of the records shown has a field {quoted(label_field)}"
            f"{did_you_mean(label_field, known)}"
        )


def drawn(offline: Offline, ranking: Ranking, label_field: str) -> dict[str, list[Picture]]:
    """The shown records that are images, as pictures, by group. ``label_field`` holds the label, if the record has it.

    Only the groups that were asked for and have images; none at all where the stream has no images.
    """
    groups: dict[str, list[Picture]] = {}
    for name in (TOP, LOWEST):
        chosen = [index for index, row in enumerate(ranking.rows) if row.group == name]
        where = [_place(ranking.rows[index], label_field) for index in chosen]
        found = pictures(offline.pipeline.features, offline.pipeline.scorer, ranking.values[chosen], where)
        if found:
            groups[name] = found
    return groups


def _place(row: ScoreRow, label_field: str) -> Place:
    label = row.fields.get(label_field)
    return Place(row.file, row.line, row.score, "" if label is None else shown(label.actual), row.squared_error)


def _squared(offline: Offline, batch: OfflineBatch) -> F64:
    values = batch.scored.matrix.values
    return squared_errors(offline.pipeline.features.layout, values, offline.pipeline.scorer.reconstruct(values))


def _kept(batch: OfflineBatch, row: int, errors: F64 | None) -> _Kept:
    scored = batch.scored
    return _Kept(
        raw=lines_of(scored.records.raw, np.array([row])),
        line=batch.first_line + row,
        score=float(scored.scores.scores[row]),
        limit=float(scored.limits[row]),
        error=float(scored.scores.errors[row]),
        squared_error=float("nan") if errors is None else float(errors[row]),
        values=scored.matrix.values[row].copy(),  # a view would keep the whole batch
    )


def _rows(offline: Offline, shown: Sequence[tuple[str, _Kept]], *, squared: bool) -> tuple[ScoreRow, ...]:
    """The rows to show, in the order of ``shown``; records of one file are parsed and decoded together."""
    natural = build_parser(offline.config.streams[offline.stream], None)
    rows: dict[int, ScoreRow] = {}
    by_file = sorted(range(len(shown)), key=lambda index: shown[index][1].raw.origin.file_id)
    for _, indices in groupby(by_file, key=lambda index: shown[index][1].raw.origin.file_id):
        chosen = list(indices)
        kept = [shown[index][1] for index in chosen]
        summaries, fields = _explained(offline, natural, kept)
        for index, summary, values in zip(chosen, summaries, fields, strict=True):
            rows[index] = _row(offline, *shown[index], summary, values, squared=squared)
    return tuple(rows[index] for index in range(len(shown)))


def _row(
    offline: Offline,
    group: str,
    kept: _Kept,
    summary: str | None,
    fields: dict[str, FieldValues],
    *,
    squared: bool,
) -> ScoreRow:
    mean = float(mean_squared(offline.pipeline.scorer, np.array([kept.squared_error]))[0])
    return ScoreRow(
        file=path_text(kept.raw.origin.path),
        line=kept.line,
        group=group,
        score=kept.score,
        error=kept.error,
        squared_error=kept.squared_error if squared else None,
        mean_squared_error=mean if squared else None,
        alert=summary is not None,
        summary=summary or "",
        fields=fields,
    )


def _explained(
    offline: Offline, natural: Parser, kept: Sequence[_Kept]
) -> tuple[list[str | None], list[dict[str, FieldValues]]]:
    """The sentence of each record that alerts, None for the others, and the fields of each; all are of one file."""
    pipeline = offline.pipeline
    raw = joined_lines([one.raw for one in kept])
    values = np.array([one.values for one in kept])  # [m, total]
    errors, scores = np.array([one.error for one in kept], np.float32), np.array([one.score for one in kept])
    results = ScoreBatch(errors, scores, pipeline.scorer.calibration.score(errors))
    records = RecordBatch(raw, {}, np.ones(len(kept), dtype=np.bool_))
    limits = np.array([one.limit for one in kept])
    scored = Scored(records, FeatureMatrix(values, pipeline.features.layout), results, limits)
    summaries: list[str | None] = [None] * len(kept)
    for row, alert in zip(scored.alerting.tolist(), pipeline.explain(scored, scored.alerting), strict=True):
        summaries[row] = alert.summary
    return summaries, _fields(pipeline, natural.parse(raw), pipeline.scorer.reconstruct(values))


def _fields(pipeline: Pipeline, found: RecordBatch, reconstruction: F32) -> list[dict[str, FieldValues]]:
    """Every field of each record, and of the decodable ones what the network made of it; records without text."""
    kinds = {field.name: field.type for field in found.columns}
    decoded = {
        field.name: as_found(column, kinds.get(field.name, field.type)).to_pylist()
        for field, column in pipeline.features.decode(reconstruction).items()
    }
    actual = _actual(pipeline, found)
    read = {field.name for field in pipeline.features.fields}
    names = dict.fromkeys([*actual, *sorted(read), *decoded])
    rows: list[dict[str, FieldValues]] = [{} for _ in range(len(found))]
    for index, row in enumerate(rows):
        for name in names:
            value = actual[name][index] if name in actual else None
            if name in decoded:
                row[name] = FieldValues(value, decoded[name][index], decoded=True)
            elif value is not None or name in read:
                row[name] = FieldValues(value)
    return rows


def _actual(pipeline: Pipeline, found: RecordBatch) -> dict[str, list[Any]]:
    """The values of each field, [m]: as the records have them, but numbers and vectors that are written as text read.

    What a feature cannot read stays text.
    """
    values: dict[str, list[Any]] = {field.name: column.to_pylist() for field, column in found.columns.items()}
    typed = pipeline.ingest.parse(found.raw)
    for field in pipeline.features.fields:
        if field.type is not FieldType.TEXT and field.name in values:
            read = typed.column(*field).to_pylist()
            values[field.name] = [
                text if value is None or value != value else value  # noqa: PLR0124 - NaN: not a number
                for value, text in zip(read, values[field.name], strict=True)
            ]
    return values
