"""An evaluation as text for people and as files for programs; every figure stands with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from monitor.core.arrays import Bools
from monitor.core.printable import printable
from monitor.reporting import facts
from monitor.reporting.confusion import rates_of
from monitor.reporting.evaluation import Confusion, Corrupted, Evaluation, Event, Recovered
from monitor.reporting.labelled import Labelled
from monitor.reporting.labels import ANOMALOUS, UNLABELLED
from monitor.reporting.output_file import created
from monitor.reporting.row_text import as_csv
from monitor.reporting.wording import number

PER_RECORD = frozenset({"scores", "errors", "labels", "places", "times", "pictures"})
"""Left out of the JSON: they are one value a record and stand in scores.csv, or are drawn."""

CSV_ROWS = 65_536
"""Records written together: the texts of one piece stay in memory."""


def as_text(evaluation: Evaluation) -> str:
    """What a person reads on a terminal."""
    sections = (
        _heading(evaluation),
        facts.aligned(facts.confusion(evaluation.confusion)),
        facts.aligned(facts.figures(evaluation)),
        facts.aligned(facts.precision_at(evaluation)),
        _events(evaluation),
        facts.aligned(facts.sweep(evaluation)),
        facts.aligned(facts.corruptions(evaluation)),
        facts.aligned(facts.planted(evaluation)),
        _notes(evaluation),
    )
    return "\n\n".join(text for section in sections if (text := "\n".join(section))) + "\n"


def as_json(evaluation: Evaluation) -> bytes:
    """One JSON object, indented: every figure and curve, but nothing by record.

    What is not defined is null, and so is the first threshold of a curve, which is infinite.
    """
    found = {field.name: getattr(evaluation, field.name) for field in fields(evaluation)}
    figures = {name: value for name, value in found.items() if name not in PER_RECORD}
    labels = evaluation.labels
    classes = {"anomalous": int(labels.sum()), "benign": int((~labels).sum())}
    return msgspec.json.format(msgspec.json.encode({**classes, **figures}, enc_hook=_listed), indent=2)


def write_files(evaluation: Evaluation, labelled: Labelled, directory: Path) -> None:
    """``evaluation.json``, ``scores.csv``, ``sweep.csv``, ``corruptions.csv``, ``planted.csv`` and ``events.csv``.

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
        ("planted", _planted_table(evaluation.planted)),
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


def _heading(evaluation: Evaluation) -> Iterable[str]:
    yield printable(f"stream {evaluation.stream}, model {evaluation.model}")
    yield printable(f"input  {', '.join(evaluation.inputs)}", 400)
    yield f"{evaluation.records:,} records: {facts.counted(evaluation)}"
    yield f"threshold {number(evaluation.threshold)}: {printable(evaluation.threshold_source, 400)}"


def _events(evaluation: Evaluation) -> Iterable[str]:
    if evaluation.events is not None and evaluation.events.events:
        yield from facts.aligned(facts.events(evaluation))
        yield facts.found_events(evaluation.events)


def _notes(evaluation: Evaluation) -> Iterable[str]:
    return (f"note: {printable(note, 600)}" for note in evaluation.notes)


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
        **_estimates("recall", "recall_at_rate"),
        "auroc": lambda row: _or_none(row.auroc),
    }
    return pa.table({name: [get(row) for row in rows] for name, get in getters.items()})


def _planted_table(rows: Sequence[Recovered]) -> Any:
    getters: dict[str, Callable[[Recovered], Any]] = {
        "field": lambda row: row.field,
        "fault": lambda row: row.fault,
        "records": lambda row: row.records,
        **_estimates("recall", "recall_at_rate", "named"),
    }
    return pa.table({name: [get(row) for row in rows] for name, get in getters.items()})


def _estimates(*names: str) -> dict[str, Callable[[Any], float | None]]:
    """Columns of some estimates of a row, each with the ends of its interval."""
    ends = {"": attrgetter("value"), "_low": attrgetter("low"), "_high": attrgetter("high")}
    return {name + end: _estimated(attrgetter(name), part) for name in names for end, part in ends.items()}


def _estimated(which: Callable[[Any], Any], part: Callable[[Any], float]) -> Callable[[Any], float | None]:
    return lambda row: _or_none(part(which(row)))


def _event_table(events: Sequence[Event]) -> Any:
    return pa.table({field.name: [getattr(event, field.name) for event in events] for field in fields(Event)})


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _flags(values: Bools, missing: Bools) -> Any:
    return pa.array(values.astype(np.int64), mask=missing)


def _listed(value: Any) -> Any:
    """What msgspec does not know: arrays."""
    return value.tolist()
