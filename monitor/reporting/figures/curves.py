"""Curves over all thresholds: what is found against what it costs in false alerts."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from monitor.reporting.evaluation import Estimate, Evaluation
from monitor.reporting.figures.style import ANOMALOUS, BENIGN, FAINT, INK, legend_below, new_figure, share_ticks, styled
from monitor.reporting.wording import interval, number, share

FALSE_POSITIVES = "false-positive rate (share of benign records)"
RECALL = "recall (share of anomalous records)"


@styled
def roc_plot(evaluation: Evaluation) -> Figure:
    """Recall against false-positive rate, whole and with the part that operators live in enlarged."""
    counts, curve = evaluation.confusion, evaluation.roc
    benign = counts.false_positives + counts.true_negatives
    here = (evaluation.false_positive_rate.value, evaluation.recall.value)
    least = 0.5 / max(benign, 1)
    figure = new_figure(4.4)
    whole, near = figure.subplots(1, 2, sharey=True)
    for axes, floor in ((whole, 0.0), (near, least)):
        axes.plot(
            np.maximum(curve.x, floor), curve.y, color=BENIGN, label=f"AUROC {_estimated(evaluation.auroc)}", zorder=3
        )
        chance = np.geomspace(least, 1, 50) if floor else np.array([0.0, 1.0])
        axes.plot(chance, chance, color=FAINT, linestyle=":", linewidth=1.3, label="guessing")
        axes.plot(
            max(here[0], floor), here[1], color=ANOMALOUS, marker="D", markersize=8, markeredgecolor=INK,
            linestyle="none", label=f"threshold {number(evaluation.threshold)}", zorder=4, clip_on=False,
        )  # fmt: skip
        axes.set_box_aspect(1)
        axes.set_ylim(-0.02, 1.02)
        share_ticks(axes.xaxis, axes.yaxis)
    whole.set_xlim(-0.02, 1.02)
    near.set_xscale("log")
    near.set_xlim(least, 1)
    share_ticks(near.xaxis)
    whole.set_title("ROC curve")
    near.set_title("ROC curve, few false positives")
    whole.set_ylabel(RECALL)
    whole.set_xlabel(FALSE_POSITIVES)
    near.set_xlabel(f"{FALSE_POSITIVES}\nlog scale, 0 at the left edge")
    legend_below(figure, whole, columns=3)
    return figure


@styled
def precision_recall_plot(evaluation: Evaluation) -> Figure:
    """Precision against recall."""
    curve = evaluation.precision_recall
    base = float(evaluation.labels.mean()) if len(evaluation.labels) else math.nan
    figure = new_figure(4.4, 5.4)
    axes = figure.add_subplot()
    # A step, not a slope: between two thresholds no precision in between can be had.
    axes.plot(
        curve.x, curve.y, color=BENIGN, drawstyle="steps-pre", zorder=3,
        label=f"average precision {_estimated(evaluation.average_precision)}",
    )  # fmt: skip
    axes.axhline(base, color=FAINT, linestyle=":", linewidth=1.3, label=f"guessing ({share(base)})")
    if not math.isnan(evaluation.precision.value):
        axes.plot(
            evaluation.recall.value, evaluation.precision.value, color=ANOMALOUS, marker="D", markersize=8,
            markeredgecolor=INK, linestyle="none", label=f"threshold {number(evaluation.threshold)}", zorder=4,
            clip_on=False,
        )  # fmt: skip
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    share_ticks(axes.xaxis, axes.yaxis)
    axes.set_title("Precision and recall")
    axes.set_xlabel(RECALL)
    axes.set_ylabel("precision (share of alerts that are right)")
    legend_below(figure, axes, columns=1)
    return figure


def _estimated(estimate: Estimate) -> str:
    known = not math.isnan(estimate.low)
    return f"{share(estimate.value)} ({interval(estimate)})" if known else share(estimate.value)
