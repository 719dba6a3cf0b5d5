"""What the report says in words and tables: sentences a tired person understands, figures with their meaning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitor.reporting.confusion import rates_of
from monitor.reporting.evaluation import Confusion, Estimate, Evaluation, Event
from monitor.reporting.figures.style import percent, short
from monitor.reporting.tables import interval, number, share

FEW = 100
"""With fewer records of a class, one record more or less moves a rate by over 1 %."""

MOST_EVENTS = 20
"""Events listed on the page, the missed ones first; the file has all."""

MOST_INPUTS = 20
"""Input files named on the page."""

MOST_THRESHOLDS = 14
"""About so many rows of the sweep are on the page; the file has all."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first ``words`` columns are texts and whose other ones are numbers."""

    caption: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: int = 1
    meanings: tuple[str, ...] = ()  # a line in small letters under each row's name
    note: str = ""
    marked: frozenset[int] = field(default_factory=frozenset)  # rows that stand out


@dataclass(frozen=True, slots=True)
class BigNumber:
    """One figure, large, with what it is and what it counts."""

    name: str
    value: str
    counts: str
    interval: str


def verdict(evaluation: Evaluation) -> tuple[str, ...]:
    """The result in a few sentences."""
    return (*_found(evaluation.confusion), *_alarms(evaluation.confusion))


def _found(counts: Confusion) -> tuple[str, ...]:
    anomalous = counts.true_positives + counts.false_negatives
    benign = counts.false_positives + counts.true_negatives
    return (
        f"Of {_records(anomalous, 'anomalous')} {_share_found(counts)}."
        if anomalous
        else "No record of the input is labelled anomalous, so nothing can be said about what is found.",
        f"Of {_records(benign, 'benign')} {_share_false(counts.false_positives, benign)}."
        if benign
        else "No record of the input is labelled benign, so nothing can be said about false alerts.",
    )


def _share_found(counts: Confusion) -> str:
    if not counts.false_negatives:
        return "all are found"
    if not counts.true_positives:
        return "none is found"
    return f"{counts.true_positives:,} {_are(counts.true_positives)} found, {counts.false_negatives:,} missed"


def _share_false(alerts: int, benign: int) -> str:
    if not alerts:
        return "none raises an alert"
    return f"{alerts:,} {'raises' if alerts == 1 else 'raise'} an alert ({percent(alerts / benign)})"


def _alarms(counts: Confusion) -> tuple[str, ...]:
    """How far an alert can be believed; that is known where there are both classes."""
    alerts, right = counts.true_positives + counts.false_positives, counts.true_positives
    if not alerts or not counts.false_positives + counts.true_negatives or not right + counts.false_negatives:
        return ()
    return (f"Of {alerts:,} {'alert' if alerts == 1 else 'alerts'} {right:,} {_are(right)} right.",)


def _records(count: int, kind: str) -> str:
    return f"{count:,} {kind} {'record' if count == 1 else 'records'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def big_numbers(evaluation: Evaluation) -> list[BigNumber]:
    """The four figures that are looked at first."""
    counts = evaluation.confusion
    anomalous = counts.true_positives + counts.false_negatives
    benign = counts.false_positives + counts.true_negatives
    alerts = counts.true_positives + counts.false_positives
    return [
        _rate("found", evaluation.recall, f"{counts.true_positives:,} of {_records(anomalous, 'anomalous')}"),
        _rate(
            "false alerts",
            evaluation.false_positive_rate,
            f"{counts.false_positives:,} of {_records(benign, 'benign')}",
        ),
        _rate("alerts that are right", evaluation.precision, f"{counts.true_positives:,} of {alerts:,} alerts"),
        BigNumber(
            "AUROC", share(evaluation.auroc.value), "1 ranks perfectly, 0.5 guesses", _interval(evaluation.auroc)
        ),
    ]


def _rate(name: str, estimate: Estimate, counts: str) -> BigNumber:
    known = not math.isnan(estimate.low)
    between = f"{percent(estimate.low)} to {percent(estimate.high)}" if known else ""
    return BigNumber(name, percent(estimate.value), counts, between)


def _interval(estimate: Estimate) -> str:
    return "" if math.isnan(estimate.low) else interval(estimate)


def warnings(evaluation: Evaluation) -> list[str]:
    """What a reader must know before believing a figure."""
    counts = evaluation.confusion
    classes = (
        ("anomalous", counts.true_positives + counts.false_negatives),
        ("benign", counts.false_positives + counts.true_negatives),
    )
    few = [
        f"There {_are(count)} only {_records(count, kind)}: one more or less moves a rate by {percent(1 / count)}."
        for kind, count in classes
        if 0 < count < FEW
    ]
    left_out = [
        f"{count:,} of {evaluation.records:,} records {why} and are in none of the figures."
        for count, why in ((evaluation.unparsed, "could not be parsed"), (evaluation.unlabelled, "have no label"))
        if count
    ]
    collapsed = (
        ["The network learned hardly more than the mean record (it collapsed); its scores say little."]
        if evaluation.history.collapsed
        else []
    )
    return [*collapsed, *map(_sentence, evaluation.notes), *few, *left_out]


def _sentence(text: str) -> str:
    """With a capital and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


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
    always = (evaluation.threshold, evaluation.rate_threshold)
    chosen = [c for at, c in enumerate(evaluation.sweep) if at % every == 0 or c.threshold in always]
    rows: list[tuple[str, ...]] = []
    for counts in chosen:
        rates = rates_of(counts)
        shares = (rates.recall, rates.false_positive_rate, rates.precision, rates.f1)
        four = (counts.true_positives, counts.false_positives, counts.true_negatives, counts.false_negatives)
        rows.append((number(counts.threshold), *(f"{c:,}" for c in four), *(share(float(s[0])) for s in shares)))
    used = [at for at, counts in enumerate(chosen) if counts.threshold == evaluation.threshold]
    return Table(
        "Other thresholds; the one in use is marked.",
        ("threshold", "TP", "FP", "TN", "FN", "recall", "false-positive rate", "precision", "F1"),
        rows,
        words=0,
        note="" if every == 1 else f"{len(chosen)} of {len(evaluation.sweep)} thresholds; sweep.csv has all.",
        marked=frozenset(used),
    )


def events(listed: Sequence[Event]) -> Table:
    """Where events lie and when they were found, the missed ones first."""
    chosen = sorted(listed, key=lambda event: event.delay_records is not None)[:MOST_EVENTS]
    note = f"{MOST_EVENTS} of {len(listed):,} events; events.csv has all." if len(listed) > MOST_EVENTS else ""
    rows = [
        (
            short(event.key, 60) if event.key is not None else "-",
            "missed" if event.delay_records is None else "found",
            _moment(event.start_time),
            f"{event.first:,}",
            f"{event.last:,}",
            "-" if event.delay_records is None else f"{event.delay_records:,}",
            "-" if event.delay_seconds is None else f"{event.delay_seconds:,.6g}",
        )
        for event in chosen
    ]
    return Table(
        "Events. First and last are places in the input, from 0; the delay runs from the first record to its first "
        "alert.",
        ("key", "result", "start (UTC)", "first", "last", "delay (records)", "delay (s)"),
        rows,
        words=3,
        note=note,
    )


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # a time beyond the year 9999 is the record's, not ours
        return f"{seconds:.6g} s"


def corruptions(evaluation: Evaluation) -> Table:
    """Every damage, how it was done and how much of it is found."""
    rows = [
        (
            short(row.target, 60),
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
    at_rate = f"recall at {percent(evaluation.rate)} false positives"
    return Table(
        "Damage. AUROC compares damaged with undamaged records.",
        ("feature", "damage", "strength", "records", "recall", "95 % interval", at_rate, "AUROC"),
        rows,
        words=3,
    )


def about(evaluation: Evaluation) -> Table:
    """What was evaluated."""
    history, more = evaluation.history, len(evaluation.inputs) - MOST_INPUTS
    inputs = ", ".join(short(path, 120) for path in evaluation.inputs[:MOST_INPUTS])
    anomalous = int(evaluation.labels.sum())
    records = (
        f"{evaluation.records:,}: {anomalous:,} anomalous, {len(evaluation.labels) - anomalous:,} benign, "
        f"{evaluation.unlabelled:,} without label, {evaluation.unparsed:,} unparsed"
    )
    training = (
        f"{len(history.epochs):,} epochs, the weights of epoch {history.best_epoch:,} kept, "
        f"loss {short(evaluation.loss.upper(), 20)}"
    )
    rows = [
        ("stream", evaluation.stream),
        ("model", evaluation.model),
        ("input", inputs + (f" and {more:,} more files" if more > 0 else "")),
        ("records", records),
        ("threshold", f"{number(evaluation.threshold)}: {evaluation.threshold_source}"),
        ("threshold for comparison", _comparison(evaluation)),
        ("score", "0 is the best reconstructed benign record of the calibration, 1 the worst, above 1 worse than that"),
        ("training", training if history.epochs else "no epoch is recorded"),
    ]
    if history.explained is not None:
        rows.append(
            ("explained", f"{percent(max(0.0, history.explained))} of the variation of the calibration records")
        )
    return Table("What was evaluated, and how.", ("", ""), rows, words=2)


def _comparison(evaluation: Evaluation) -> str:
    if math.isnan(evaluation.rate_threshold):
        return "none, since there is no benign record"
    return (
        f"{number(evaluation.rate_threshold)}: at most {percent(evaluation.rate)} of the benign records of this input "
        "exceed it"
    )
