"""The tables of an evaluation, each figure once: the terminal and the page show these and differ in nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from monitor.core.names import plural
from monitor.reporting.confusion import rates_of
from monitor.reporting.evaluation import Confusion, Evaluation, EventScores, Recovered
from monitor.reporting.wording import UNKNOWN, interval, number, percent, share, short, side_by_side

MOST_EVENTS = 20
"""Events listed, the missed ones first; the file has all."""

MOST_THRESHOLDS = 14
"""About so many rows of the sweep are shown; the file has all."""

NAME = 40
"""Characters of a key, a feature or a file in a table at most."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first ``words`` columns are texts and whose other ones are numbers."""

    caption: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: int = 1
    meanings: tuple[str, ...] = ()  # a line in small letters under each row's name, where there is room
    note: str = ""
    marked: frozenset[int] = field(default_factory=frozenset)  # rows that stand out


def aligned(table: Table) -> Iterator[str]:
    """The table as lines of text: caption, columns side by side, note; nothing for a table without rows."""
    if not table.rows:
        return
    yield table.caption
    yield from side_by_side([table.heads, *table.rows], range(table.words))
    if table.note:
        yield table.note


def counted(evaluation: Evaluation) -> str:
    """How many records there are of which class."""
    anomalous = int(evaluation.labels.sum())
    return (
        f"{anomalous:,} anomalous, {len(evaluation.labels) - anomalous:,} benign, "
        f"{evaluation.unlabelled:,} without label, {evaluation.unparsed:,} unparsed"
    )


def confusion(counts: Confusion) -> Table:
    """The four counts."""
    return Table(
        f"Counts at threshold {number(counts.threshold)}: a record is called anomalous when its score exceeds it.",
        ("true label", "called anomalous", "called benign"),
        [
            ("anomalous", f"{counts.true_positives:,} (TP)", f"{counts.false_negatives:,} (FN)"),
            ("benign", f"{counts.false_positives:,} (FP)", f"{counts.true_negatives:,} (TN)"),
        ],
    )


def figures(evaluation: Evaluation) -> Table:
    """Every figure with its interval and its definition."""
    rows = (
        ("recall", evaluation.recall, "share of the anomalous records that are found"),
        ("false-positive rate", evaluation.false_positive_rate, "share of the benign records that raise an alert"),
        ("precision", evaluation.precision, "share of the alerts that are right"),
        ("F1", evaluation.f1, "harmonic mean of precision and recall"),
        ("accuracy", evaluation.accuracy, "share of all records called right; misleading when anomalies are rare"),
        ("MCC", evaluation.mcc, "Matthews correlation of call and truth, −1 to 1; 0 is guessing"),
        ("AUROC", evaluation.auroc, "chance that an anomalous record scores above a benign one; 0.5 is guessing"),
        ("average precision", evaluation.average_precision, "precision averaged over all recalls (higher is better)"),
    )  # fmt: skip
    return Table(
        "Figures. Intervals hold the middle 95 % of bootstrap resamples, at a fixed threshold; - is not defined.",
        ("figure", "value", "95 % interval"),
        [(name, share(estimate.value), interval(estimate)) for name, estimate, _ in rows],
        meanings=tuple(meaning for _, _, meaning in rows),
    )


def precision_at(evaluation: Evaluation) -> Table:
    """What somebody finds who looks at the highest scores only."""
    return Table(
        "Precision at k: of the k highest scores, the share that is anomalous.",
        ("records looked at", "anomalous among them"),
        [(f"{k:,} highest", percent(value)) for k, value in evaluation.precision_at],
    )


def sweep(evaluation: Evaluation) -> Table:
    """The counts and rates of other thresholds."""
    every = max(1, math.ceil(len(evaluation.sweep) / MOST_THRESHOLDS))
    named = {evaluation.rate_threshold: f"{percent(evaluation.rate)} FPR"} | {evaluation.threshold: "in use"}
    chosen = [c for at, c in enumerate(evaluation.sweep) if at % every == 0 or c.threshold in named]
    return Table(
        "Other thresholds. FPR is the false-positive rate.",
        ("threshold", "TP", "FP", "TN", "FN", "recall", "FPR", "precision", "F1", "which"),
        [(*_counts_and_rates(counts), named.get(counts.threshold, "")) for counts in chosen],
        words=0,
        note="" if every == 1 else f"{len(chosen)} of {len(evaluation.sweep)} thresholds; sweep.csv has all.",
        marked=frozenset(at for at, counts in enumerate(chosen) if counts.threshold == evaluation.threshold),
    )


def _counts_and_rates(counts: Confusion) -> tuple[str, ...]:
    rates = rates_of(counts)
    shares = (rates.recall, rates.false_positive_rate, rates.precision, rates.f1)
    four = (counts.true_positives, counts.false_positives, counts.true_negatives, counts.false_negatives)
    return (number(counts.threshold), *(f"{c:,}" for c in four), *(share(float(s[0])) for s in shares))


def found_events(scores: EventScores) -> str:
    """How many events are found and how late, as sentences."""
    found = [event for event in scores.events if event.delay_records is not None]
    episodes = plural(scores.false_episodes, "false episode")
    text = (
        f"{len(found):,} of {len(scores.events):,} events found, {episodes}; "
        f"precision {share(scores.precision)}, recall {share(scores.recall)}."
    )
    records = [event.delay_records for event in found if event.delay_records is not None]
    seconds = [event.delay_seconds for event in found if event.delay_seconds is not None]
    delays = [
        f"median {np.median(delays):g} {unit}, longest {max(delays):,g}"
        for delays, unit in ((records, "records"), (seconds, "seconds"))
        if delays
    ]
    return f"{text} Delay to the first alert: {'; '.join(delays)}." if delays else text


def events(evaluation: Evaluation) -> Table:
    """Where events lie and when they were found, the missed ones first."""
    listed = evaluation.events.events if evaluation.events else ()
    chosen = sorted(listed, key=lambda event: event.delay_records is not None)[:MOST_EVENTS]
    lines, place = ("lines", "{line}") if len(evaluation.inputs) == 1 else ("file:line", "{file}:{line}")
    rows = [
        (
            UNKNOWN if event.key is None else short(event.key, NAME),
            "missed" if event.delay_records is None else "found",
            _moment(event.start_time),
            place.format(file=short(event.first_file, NAME), line=event.first_line),
            place.format(file=short(event.last_file, NAME), line=event.last_line),
            UNKNOWN if event.delay_records is None else f"{event.delay_records:,}",
            UNKNOWN if event.delay_seconds is None else f"{event.delay_seconds:,.6g}",
        )
        for event in chosen
    ]
    return Table(
        f"Events. First and last are {lines} of the input; the delay runs from the first record to its first alert.",
        ("key", "result", "start (UTC)", "first", "last", "delay (records)", "delay (s)"),
        rows,
        words=3,
        note=f"{MOST_EVENTS} of {len(listed):,} events; events.csv has all." if len(listed) > MOST_EVENTS else "",
    )


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # a time beyond the year 9999 is the record's, not ours
        return f"{seconds:.6g} s"


def corruptions(evaluation: Evaluation) -> Table:
    """Every damage, how it was done and how much of it is found."""
    rows = [
        (
            short(row.target, NAME),
            row.kind,
            row.strength,
            f"{row.records:,}",
            share(row.recall.value),
            interval(row.recall),
            share(row.recall_at_rate.value),
            share(row.auroc),
        )
        for row in evaluation.corruptions
    ]
    return Table(
        f"Benign records damaged on purpose: how many are found, also at {percent(evaluation.rate)} false positives "
        "(FPR). AUROC compares damaged with undamaged records.",
        ("feature", "damage", "strength", "records", "recall", "95 % interval", f"at {percent(evaluation.rate)} FPR",
         "AUROC"),
        rows,
        words=3,
    )  # fmt: skip


def planted(evaluation: Evaluation) -> Table:
    """The recall of each fault in each field, and how often an alert names the field first."""
    found = evaluation.planted
    faults = tuple(dict.fromkeys(row.fault for row in found))
    cells = {(row.field, row.fault): share(row.recall.value) for row in found}
    return Table(
        "Recall by field and fault: one fault at a time in one field of benign records, and the share that is found.",
        ("field", *faults, "named first"),
        [
            (short(field, NAME), *(cells.get((field, fault), UNKNOWN) for fault in faults), _named(found, field))
            for field in dict.fromkeys(row.field for row in found)
        ],
        note="Named first is the share of what is found whose alert blames the field before all others; "
        "planted.csv has all figures with their intervals.",
    )


def _named(found: Sequence[Recovered], field: str) -> str:
    """Of all faults of a field that are found, each counted as often as it is found."""
    known = [row for row in found if row.field == field and not math.isnan(row.named.value)]
    counts = [row.recall.value * row.records for row in known]
    return (
        share(sum(n * row.named.value for n, row in zip(counts, known, strict=True)) / sum(counts))
        if known
        else UNKNOWN
    )
