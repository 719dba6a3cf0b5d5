"""What other thresholds would give: recall, precision and false positives against the threshold."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from monitor.reporting.confusion import rates_of
from monitor.reporting.evaluation import Evaluation
from monitor.reporting.figures.score_axis import drawable, scale_for, upright_lines
from monitor.reporting.figures.style import (
    ANOMALOUS,
    BENIGN,
    FOURTH,
    THIRD,
    legend_below,
    new_figure,
    number_ticks,
    share_ticks,
    styled,
)


@styled
def sweep_plot(evaluation: Evaluation) -> Figure:
    """Recall, precision and F1 above; below, on a logarithmic scale, the false-positive rate that they cost."""
    sweep = evaluation.sweep
    thresholds = drawable(np.array([counts.threshold for counts in sweep]))
    rates = [rates_of(counts) for counts in sweep]
    scale = scale_for(thresholds, evaluation.threshold)
    figure = new_figure(5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for name, line, marker, color in (
        ("recall", "-", "o", BENIGN),
        ("precision", "--", "s", THIRD),
        ("f1", "-.", "^", FOURTH),
    ):
        values = np.array([getattr(rate, name)[0] for rate in rates])
        label = "F1" if name == "f1" else name
        upper.plot(thresholds, values, color=color, linestyle=line, marker=marker, markersize=4, label=label)
    false = np.array([rate.false_positive_rate[0] for rate in rates])
    counts = evaluation.confusion
    one = 1 / max(counts.false_positives + counts.true_negatives, 1)
    for axes in (upper, lower):
        axes.set_xscale(scale.name, **scale.options)
    lower.plot(thresholds, false, color=ANOMALOUS, marker="x", markersize=5, label="false-positive rate")
    lower.set_yscale("symlog", linthresh=one, linscale=0.8)
    lower.set_ylim(-0.3 * one, 1.5)
    lower.set_yticks([0.0, *(10.0**power for power in range(math.ceil(math.log10(one)), 1))])
    lower.yaxis.set_minor_locator(NullLocator())
    upper.set_ylim(-0.03, 1.03)
    share_ticks(upper.yaxis, lower.yaxis)
    number_ticks(lower.xaxis)
    upright_lines(upper, evaluation)
    upright_lines(lower, evaluation)
    upper.set_title("What other thresholds would give")
    upper.set_ylabel("recall, precision, F1")
    lower.set_ylabel("false-positive rate\n(share of benign, log)")
    lower.set_xlabel(f"threshold: {scale.label}")
    legend_below(figure, upper, lower, columns=3)
    return figure
