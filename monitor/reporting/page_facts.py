"""What the page says beyond the tables: the result in sentences a tired person understands, and what to beware of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.core.names import plural
from monitor.reporting.evaluation import Confusion, Estimate, Evaluation
from monitor.reporting.facts import Table, counted
from monitor.reporting.wording import interval, number, percent, share, short

FEW = 100
"""With fewer records of a class, one record more or less moves a rate by over 1 %."""

MOST_INPUTS = 20
"""Input files named on the page."""


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
    return f"{plural(counts.true_positives, 'is', 'are')} found, {counts.false_negatives:,} missed"


def _share_false(alerts: int, benign: int) -> str:
    if not alerts:
        return "none raises an alert"
    return f"{plural(alerts, 'raises', 'raise')} an alert ({percent(alerts / benign)})"


def _alarms(counts: Confusion) -> tuple[str, ...]:
    """How far an alert can be believed; that is known where there are both classes."""
    alerts, right = counts.true_positives + counts.false_positives, counts.true_positives
    if not alerts or not counts.false_positives + counts.true_negatives or not right + counts.false_negatives:
        return ()
    return (f"Of {plural(alerts, 'alert')} {plural(right, 'is', 'are')} right.",)


def _records(count: int, kind: str) -> str:
    return plural(count, f"{kind} record")


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
        f"Only {_records(count, kind)}: one more or less moves a rate by {percent(1 / count)}."
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


def about(evaluation: Evaluation) -> Table:
    """What was evaluated."""
    history, more = evaluation.history, len(evaluation.inputs) - MOST_INPUTS
    inputs = ", ".join(short(path, 120) for path in evaluation.inputs[:MOST_INPUTS])
    training = (
        f"{len(history.epochs):,} epochs, the weights of epoch {history.best_epoch:,} kept, "
        f"loss {short(evaluation.loss.upper(), 20)}"
    )
    rows = [
        ("stream", evaluation.stream),
        ("model", evaluation.model),
        ("input", inputs + (f" and {more:,} more files" if more > 0 else "")),
        ("records", f"{evaluation.records:,}: {counted(evaluation)}"),
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
