"""An evaluation as text for people and as files for programs; every figure stands with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from monitor.core.arrays import Bools
from monitor.core.printable import printable
from monitor.reporting.confusion import rates_of
from monitor.reporting.evaluation import Confusion, Corrupted, Estimate, Evaluation, Event
from monitor.reporting.labelled import Labelled
from monitor.reporting.labels import ANOMALOUS, UNLABELLED
from monitor.reporting.output_file import created
from monitor.reporting.row_text import as_csv

SWEEP_ROWS = 12
"""Of the threshold sweep, this many rows are printed; the file has all."""

MISSED_EVENTS = 5
"""Of the missed events, this many are printed."""

PER_RECORD = frozenset({"scores", "errors", "labels", "places", "times", "pictures"})
"""Left out of the JSON: they are one value a record and stand in scores.csv, or are drawn."""

CSV_ROWS = 65_536
"""Records written together: the texts of one piece stay in memory."""

UNKNOWN = "-"


def as_text(evaluation: Evaluation) -> str:
    """What a person reads on a terminal."""
    sections = (_heading, _counts, _figures, _top, _events, _sweep, _corruptions, _notes)
    return "\n\n".join(text for section in sections if (text := "\n".join(section(evaluation)))) + "\n"


def as_json(evaluation: Evaluation) -> bytes:
    """One JSON object, indented: every figure and curve, but nothing by record. What is not defined is null."""
    found = {field.name: getattr(evaluation, field.name) for field in fields(evaluation)}
    figures = {name: value for name, value in found.items() if name not in PER_RECORD}
    labels = evaluation.labels
    classes = {"anomalous": int(labels.sum()), "benign": int((~labels).sum())}
    return msgspec.json.format(msgspec.json.encode({**classes, **figures}, enc_hook=_listed), indent=2)


def write_files(evaluation: Evaluation, labelled: Labelled, directory: Path) -> None:
    """``evaluation.json``, ``scores.csv``, ``sweep.csv``, ``corruptions.csv`` and ``events.csv``.

    Raises:
        CannotCreateError: the directory does not exist or a file cannot be written.
    """
    with created(directory / "evaluation.json") as file:
        file.write(as_json(evaluation) + b"\n")
    with created(directory / "scores.csv") as file:
        for text in scores_csv(labelled, evaluation.threshold):
            file.write(text.encode())
    for name, table in (
        ("sweep", _sweep_table(evaluation.sweep)),
        ("corruptions", _corruption_table(evaluation.corruptions)),
        ("events", _event_table(evaluation.events.events if evaluation.events else ())),
    ):
        with created(directory / f"{name}.csv") as file:
            file.write(as_csv(table, header=True).encode())


def scores_csv(labelled: Labelled, threshold: float) -> Iterator[str]:
    """Every record in the order of the input: file, line, score, error, label, predicted; empty where there is none.

    ``label`` and ``predicted`` are 1 for anomalous and 0 for benign.
    """
    for start in range(0, max(1, len(labelled)), CSV_ROWS):
        rows = slice(start, start + CSV_ROWS)
        scores, codes = labelled.scores[rows], labelled.codes[rows]
        unparsed = np.isnan(scores)
        table = pa.table(
            {
                "file": pa.array([labelled.paths[file] for file in labelled.files[rows].tolist()], pa.string()),
                "line": pa.array(labelled.lines[rows]),
                "score": pa.array(scores, mask=unparsed),
                "error": pa.array(labelled.errors[rows], mask=unparsed),
                "label": _flags(codes == ANOMALOUS, codes == UNLABELLED),
                "predicted": _flags(scores > threshold, unparsed),
            }
        )
        yield as_csv(table, header=start == 0)


def interval(estimate: Estimate) -> str:
    """The interval for people.

    >>> interval(Estimate(0.5, 0.4567, 0.5432)), interval(Estimate(0.5, float("nan"), float("nan")))
    ('0.457 to 0.543', '-')
    """
    return UNKNOWN if math.isnan(estimate.low) else f"{share(estimate.low)} to {share(estimate.high)}"


def share(value: float) -> str:
    """A share for people: three digits, more where it is small or close to 1; ``-`` where it is not defined.

    >>> share(0.5), share(0.0004567), share(0.99987), share(float("nan")), share(1.0), share(0.0)
    ('0.500', '0.00046', '0.99987', '-', '1', '0')
    """
    if math.isnan(value):
        return UNKNOWN
    if value in (-1.0, 0.0, 1.0):
        return f"{value:g}"
    edge = min(abs(value), abs(1 - value))
    digits = 3 if edge >= 0.01 else min(8, 1 - math.floor(math.log10(edge)))  # two digits of what is left
    return f"{value:.{digits}f}"


def number(value: float) -> str:
    """A score for people.

    >>> number(1.25), number(123456.0), number(-0.0123456)
    ('1.25', '123456', '-0.01235')
    """
    return UNKNOWN if math.isnan(value) else f"{value:.6g}" if abs(value) >= 1000 else f"{value:.4g}"


def _heading(evaluation: Evaluation) -> Iterable[str]:
    anomalous = int(evaluation.labels.sum())
    benign = len(evaluation.labels) - anomalous
    yield printable(f"stream {evaluation.stream}, model {evaluation.model}")
    yield printable(f"input  {', '.join(evaluation.inputs)}", 400)
    yield (
        f"{evaluation.records:,} records: {anomalous:,} anomalous, {benign:,} benign, "
        f"{evaluation.unlabelled:,} without label, {evaluation.unparsed:,} unparsed"
    )
    yield f"threshold {number(evaluation.threshold)}: {printable(evaluation.threshold_source, 400)}"


def _counts(evaluation: Evaluation) -> Iterable[str]:
    counts = evaluation.confusion
    yield from _aligned(
        [
            ["", "called anomalous", "called benign"],
            ["anomalous", f"{counts.true_positives:,}", f"{counts.false_negatives:,}"],
            ["benign", f"{counts.false_positives:,}", f"{counts.true_negatives:,}"],
        ]
    )


def _figures(evaluation: Evaluation) -> Iterable[str]:
    named = (
        ("precision", evaluation.precision),
        ("recall", evaluation.recall),
        ("false-positive rate", evaluation.false_positive_rate),
        ("F1", evaluation.f1),
        ("accuracy", evaluation.accuracy),
        ("MCC", evaluation.mcc),
        ("AUROC", evaluation.auroc),
        ("average precision", evaluation.average_precision),
    )
    rows = [[name, share(figure.value), interval(figure)] for name, figure in named]
    yield from _aligned([["", "value", "95 % interval"], *rows])


def _top(evaluation: Evaluation) -> Iterable[str]:
    if evaluation.precision_at:
        rows = [[f"of the {k:,} highest scores", share(value)] for k, value in evaluation.precision_at]
        yield from _aligned([["", "anomalous"], *rows])


def _events(evaluation: Evaluation) -> Iterable[str]:
    scores = evaluation.events
    if scores is None or not scores.events:
        return
    found = [event for event in scores.events if event.delay_records is not None]
    yield (
        f"events (runs of anomalous records): {len(found):,} of {len(scores.events):,} found, "
        f"false episodes: {scores.false_episodes:,}; precision {share(scores.precision)}, recall {share(scores.recall)}"
    )
    if found:
        yield f"delay to the first alert: {_delays(found)}"
    missed = [event for event in scores.events if event.delay_records is None]
    if missed:
        named = [f"{event.first:,} to {event.last:,}" for event in missed[:MISSED_EVENTS]]
        yield f"missed, by place in the input from 0: {', '.join(named)}{', …' * (len(missed) > MISSED_EVENTS)}"


def _delays(found: Sequence[Event]) -> str:
    records = [event.delay_records for event in found if event.delay_records is not None]
    seconds = [event.delay_seconds for event in found if event.delay_seconds is not None]
    text = f"median {np.median(records):g} records, longest {max(records):,}"
    return text + (f"; median {np.median(seconds):g} s, longest {max(seconds):g} s" if seconds else "")


def _sweep(evaluation: Evaluation) -> Iterable[str]:
    every = max(1, math.ceil(len(evaluation.sweep) / SWEEP_ROWS))
    always = {evaluation.rate_threshold: f"<- {evaluation.rate:g} FPR"} | {evaluation.threshold: "<- threshold"}
    chosen = [c for i, c in enumerate(evaluation.sweep) if i % every == 0 or c.threshold in always]
    yield from _aligned(
        [
            ["threshold", "recall", "false-positive rate", "precision", "F1", ""],
            *([*_rates(counts), always.get(counts.threshold, "")] for counts in chosen),
        ]
    )


def _rates(counts: Confusion) -> list[str]:
    rates = rates_of(counts)
    figures = (rates.recall, rates.false_positive_rate, rates.precision, rates.f1)
    return [number(counts.threshold), *(share(float(figure[0])) for figure in figures)]


def _corruptions(evaluation: Evaluation) -> Iterable[str]:
    if not evaluation.corruptions:
        return
    yield "benign records damaged on purpose: how many are found"
    yield from _aligned(
        [
            ["damaged", "by", "strength", "records", "recall", "95 % interval", f"at {evaluation.rate:g} FPR", "AUROC"],
            *(
                [
                    printable(row.target, 30),
                    row.kind,
                    row.strength,
                    f"{row.records:,}",
                    share(row.recall.value),
                    interval(row.recall),
                    share(row.recall_at_rate.value),
                    share(row.auroc),
                ]
                for row in evaluation.corruptions
            ),
        ],
        left=3,
    )


def _notes(evaluation: Evaluation) -> Iterable[str]:
    return (f"note: {printable(note, 600)}" for note in evaluation.notes)


def _aligned(rows: Sequence[Sequence[str]], left: int = 1) -> Iterator[str]:
    """Columns side by side, the first ``left`` of them flush left, the others flush right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _sweep_table(sweep: Sequence[Confusion]) -> Any:
    rates = [rates_of(counts) for counts in sweep]
    columns: dict[str, Any] = {
        field.name: [getattr(counts, field.name) for counts in sweep] for field in fields(Confusion)
    }
    if rates:
        names = [field.name for field in fields(rates[0])]
        columns |= {name: [_or_none(float(getattr(rate, name)[0])) for rate in rates] for name in names}
    return pa.table(columns)


def _corruption_table(rows: Sequence[Corrupted]) -> Any:
    getters: dict[str, Callable[[Corrupted], Any]] = {
        "target": lambda row: row.target,
        "kind": lambda row: row.kind,
        "strength": lambda row: row.strength,
        "records": lambda row: row.records,
        "recall": lambda row: row.recall.value,
        "recall_low": lambda row: _or_none(row.recall.low),
        "recall_high": lambda row: _or_none(row.recall.high),
        "recall_at_rate": lambda row: row.recall_at_rate.value,
        "recall_at_rate_low": lambda row: _or_none(row.recall_at_rate.low),
        "recall_at_rate_high": lambda row: _or_none(row.recall_at_rate.high),
        "auroc": lambda row: _or_none(row.auroc),
    }
    return pa.table({name: [get(row) for row in rows] for name, get in getters.items()})


def _event_table(events: Sequence[Event]) -> Any:
    return pa.table({field.name: [getattr(event, field.name) for event in events] for field in fields(Event)})


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _flags(values: Bools, missing: Bools) -> Any:
    return pa.array(values.astype(np.int64), mask=missing)


def _listed(value: Any) -> Any:
    """What msgspec does not know: arrays."""
    return value.tolist()
