"""Offline scoring: the same data path as the daemon's, over files, without a ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from monitor.app.alerting import Scored
from monitor.app.compose import chosen_streams, load_pipeline
from monitor.app.pipeline import Pipeline
from monitor.core.arrays import I64
from monitor.core.clock import SystemClock
from monitor.core.errors import UsageError
from monitor.ingest.reading import read_files
from monitor.plugins import load_config
from monitor.reporting.score_rows import ScoreRow

Progress = Callable[[str, int, int, str], None]


def score_files(
    config_path: Path, stream: str | None, inputs: Sequence[Path], *, explain: bool, progress: Progress
) -> Iterator[list[ScoreRow]]:
    """Scores of every record, batch by batch, in the order of the input.

    ``explain`` adds the sentence of the alert to those that cross the threshold.

    Raises:
        UsageError: there are several streams and none was named.
    """
    config = load_config(config_path)
    chosen = chosen_streams(config, [stream] if stream else [])
    if len(chosen) > 1:
        raise UsageError(f"say which stream's model scores with --stream: {', '.join(chosen)}")
    pipeline = load_pipeline(config, next(iter(chosen)), SystemClock())
    limits = config.limits
    lines: dict[str, int] = {}
    done = 0
    for raw in read_files(inputs, max_record_bytes=limits.max_record_bytes, max_batch_records=limits.max_batch_records):
        scored = pipeline.score(raw)
        first = lines.get(raw.origin.file_id, 0) + 1
        lines[raw.origin.file_id] = first - 1 + len(raw)
        done += len(raw)
        progress("scoring", done, 0, "")
        yield _rows(pipeline, scored, first, explain=explain)


def _rows(pipeline: Pipeline, scored: Scored, first_line: int, *, explain: bool) -> list[ScoreRow]:
    records, scores = scored.records, scored.scores
    alerting: I64 = pipeline.decider.alerts(scores.scores, records.ok)
    summaries: dict[int, str] = {}
    if explain:
        alerts = pipeline.explain(scored, alerting)
        summaries = {int(row): alert.summary for row, alert in zip(alerting, alerts, strict=True)}
    crossed = np.zeros(len(records), dtype=np.bool_)
    crossed[alerting] = True
    path = records.raw.origin.path
    return [
        ScoreRow(
            file=path,
            line=first_line + row,
            score=float(scores.scores[row]) if ok else None,
            error=float(scores.errors[row]) if ok else None,
            alert=bool(crossed[row]),
            summary=summaries.get(row, ""),
            reason=records.reasons.get(row, ""),
        )
        for row, ok in enumerate(records.ok.tolist())
    ]
