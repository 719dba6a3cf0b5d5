"""Which plots an evaluation has, each with what to look for and what somebody hears who cannot see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from monitor.reporting.evaluation import Evaluation, Recovered
from monitor.reporting.figures.confusion import confusion_plot
from monitor.reporting.figures.corruption import corruption_plot
from monitor.reporting.figures.curves import precision_recall_plot, roc_plot
from monitor.reporting.figures.events import event_plot
from monitor.reporting.figures.faults import fault_plot
from monitor.reporting.figures.pictures import contact_sheet
from monitor.reporting.figures.scores import distribution_plot, score_plot
from monitor.reporting.figures.sweep import sweep_plot
from monitor.reporting.figures.training import loss_plot
from monitor.reporting.wording import number, percent, share


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot by its file name, how it is drawn, and its texts."""

    name: str
    draw: Callable[[], Figure]
    caption: str  # what to look for
    description: str  # what it shows, for those who do not see it


def plots(evaluation: Evaluation) -> list[Plot]:
    """All that can be drawn; a curve of one class, or events where there are none, cannot."""
    return [
        *_scores(evaluation),
        *_curves(evaluation),
        *_events(evaluation),
        *_damage(evaluation),
        *_faults(evaluation),
        *_rest(evaluation),
    ]


def _scores(found: Evaluation) -> list[Plot]:
    counts = found.confusion
    return [
        Plot(
            "confusion",
            lambda: confusion_plot(counts),
            "Each row adds up to 100 %. The dark cells should be the upper left and the lower right one.",
            f"Confusion matrix at threshold {number(counts.threshold)}: {counts.true_positives:,} true positives, "
            f"{counts.false_negatives:,} false negatives, {counts.false_positives:,} false positives, "
            f"{counts.true_negatives:,} true negatives.",
        ),
        Plot(
            "scores",
            lambda: score_plot(found),
            "Each mark is a record. Crosses belong above the dashed line and dots below it. Dots that climb from left "
            "to right are drift; crosses among the dots are anomalies the model takes for normal.",
            f"Scatter plot of {len(found.scores):,} scores in the order of the input with the threshold at "
            f"{number(found.threshold)}.",
        ),
        Plot(
            "distribution",
            lambda: distribution_plot(found),
            "The less the two shapes overlap, the better any threshold can be. No bar stands on both sides of the "
            "dashed line; what of the solid shape lies right of it are false alerts, what of the hatched one lies left "
            "of it is missed.",
            f"Histogram of benign and anomalous scores with the threshold at {number(found.threshold)}.",
        ),
    ]


def _curves(found: Evaluation) -> list[Plot]:
    curves = [
        Plot(
            "roc",
            lambda: roc_plot(found),
            "The nearer to the upper left corner, the better. The right half shows the same curve where few benign "
            "records raise an alert, which is where a monitor is operated.",
            f"ROC curve with an area of {share(found.auroc.value)}; at the threshold in use the false-positive rate is "
            f"{percent(found.false_positive_rate.value)} and recall {percent(found.recall.value)}.",
        ),
        Plot(
            "precision_recall",
            lambda: precision_recall_plot(found),
            "The nearer to the upper right corner, the better. Precision depends on how many records of the input are "
            "anomalous: where anomalies are rarer than here, it is lower.",
            f"Precision against recall, average precision {share(found.average_precision.value)}.",
        ),
    ]
    sweep = Plot(
        "sweep",
        lambda: sweep_plot(found),
        "Where the curves are flat around the dashed line the choice of the threshold hardly matters; where they are "
        "steep it does.",
        f"Recall, precision, F1 and false-positive rate at {len(found.sweep)} thresholds.",
    )
    return [*(curves if len(found.roc.x) else []), *([sweep] if found.sweep else [])]


def _events(found: Evaluation) -> list[Plot]:
    scores = found.events
    if scores is None or not scores.events:
        return []
    missed = sum(event.delay_records is None for event in scores.events)
    return [
        Plot(
            "events",
            lambda: event_plot(scores, found.records),
            "Above, each event at its place in the input; crosses are missed. Below, how many of all events are found "
            "within which delay: a curve that rises late finds too late.",
            f"Timeline of {len(scores.events):,} events, {missed:,} of them missed, and the distribution of delays.",
        )
    ]


def _damage(found: Evaluation) -> list[Plot]:
    if not found.corruptions:
        return []
    return [
        Plot(
            "corruption",
            lambda: corruption_plot(found.corruptions, found.rate),
            "Each line is one kind and strength of damage done to benign records. The further right, the more of it is "
            "found; damage far left goes unnoticed.",
            f"Recall of {len(found.corruptions)} kinds and strengths of damage, with intervals.",
        )
    ]


def _faults(found: Evaluation) -> list[Plot]:
    if not found.planted:
        return []
    worst = min(found.planted, key=lambda row: row.recall.value)
    best = max(found.planted, key=lambda row: row.recall.value)
    return [
        Plot(
            "planted",
            lambda: fault_plot(found.planted, found.rate),
            "Each line is one fault in one field of benign records. Where all lines of a field lie far left, the model "
            "hardly watches it; where a fault lies far left in every field, the model cannot see it.",
            f"Recall of {len(found.planted)} faults, field by field, with intervals, from {_told(worst)} to "
            f"{_told(best)}.",
        )
    ]


def _told(row: Recovered) -> str:
    return f"{percent(row.recall.value)} of {row.fault} in {row.field}"


def _rest(found: Evaluation) -> list[Plot]:
    sheet = Plot(
        "pictures",
        lambda: contact_sheet(found.pictures, f"Images of stream {found.stream}"),
        "What the network cannot draw is what it finds anomalous: the brighter the third image, the worse the "
        "reconstruction.",
        f"{len(found.pictures)} records as images: input, reconstruction and absolute difference.",
    )
    loss = Plot(
        "loss",
        lambda: loss_plot(found.history, found.loss),
        "Both curves should fall and level off. A held-out curve that rises while the other falls is overfitting; "
        "curves that never fall are a network that did not learn.",
        f"Loss of {len(found.history.epochs)} epochs of training.",
    )
    return [*([sheet] if found.pictures else []), *([loss] if found.history.epochs else [])]
