"""All scores of an evaluation: one by one in the order of the input, and how they are distributed."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from monitor.reporting.evaluation import Evaluation
from monitor.reporting.figures.score_axis import drawable, level_lines, scale_for, upright_lines
from monitor.reporting.figures.style import (
    ANOMALOUS,
    BENIGN,
    MANY_POINTS,
    count_ticks,
    legend_below,
    new_figure,
    number_ticks,
    styled,
)

BINS = 60
"""Bars of the distribution: about 3 mm each."""


@styled
def score_plot(evaluation: Evaluation) -> Figure:
    """Every record's score in the order of the input, with the threshold lines."""
    scores = drawable(evaluation.scores)
    scale = scale_for(scores, evaluation.threshold)
    many = len(scores) > MANY_POINTS
    figure = new_figure(4.2)
    axes = figure.add_subplot()
    axes.set_yscale(scale.name, **scale.options)
    for name, chosen, color, marker in (
        ("benign", ~evaluation.labels, BENIGN, "o"),
        ("anomalous", evaluation.labels, ANOMALOUS, "x"),
    ):
        if not chosen.any():
            continue
        axes.scatter(
            evaluation.places[chosen],
            scores[chosen],
            s=(5 if many else 16) * (2 if marker == "x" else 1),
            c=color,
            marker=marker,
            linewidths=0 if marker == "o" else 0.9,
            alpha=0.6 if many and marker == "o" else 0.9,
            label=f"{name} ({int(chosen.sum()):,})",
            rasterized=many,
        )
    level_lines(axes, evaluation)
    axes.set_title("Scores in the order of the input")
    axes.set_xlabel("place of the record in the input (records, from 0)")
    count_ticks(axes.xaxis)
    number_ticks(axes.yaxis)
    axes.set_ylabel(scale.label)
    legend_below(figure, axes, columns=2, marks=2.5 if many else 1.0)
    return figure


@styled
def distribution_plot(evaluation: Evaluation) -> Figure:
    """How many benign and how many anomalous records have which score; no bar stands on both sides of the threshold."""
    scores = drawable(evaluation.scores)
    scale = scale_for(scores, evaluation.threshold)
    edges = scale.bins(scores, evaluation.threshold, BINS)
    figure = new_figure(3.8)
    axes = figure.add_subplot()
    axes.set_xscale(scale.name, **scale.options)
    benign, anomalous = (np.histogram(scores[chosen], edges)[0] for chosen in (~evaluation.labels, evaluation.labels))
    # A single record among thousands is what this plot is for; on a linear axis it would be invisible.
    log = max(benign.max(), anomalous.max()) > BINS
    floor = 0.6 if log else 0.0
    for name, counts, color, hatch, line in (
        ("benign", benign, BENIGN, "", "-"),
        ("anomalous", anomalous, ANOMALOUS, "////", "-."),
    ):
        if not counts.any():
            continue
        # Two layers, because an SVG's hatched fill cannot be transparent.
        axes.stairs(counts, edges, baseline=floor, fill=True, facecolor=(color, 0.3), linewidth=0)
        axes.stairs(
            counts, edges, baseline=floor, fill=True, facecolor="none", edgecolor=color, hatch=hatch, linewidth=0
        )
        label = f"{name} ({int(counts.sum()):,})"
        axes.stairs(counts, edges, baseline=floor, color=color, linestyle=line, linewidth=1.6, label=label)
    upright_lines(axes, evaluation)
    axes.set_yscale("log" if log else "linear")
    axes.set_ylim(bottom=floor)
    number_ticks(axes.xaxis)
    number_ticks(axes.yaxis)
    axes.set_title("Distribution of the scores")
    axes.set_xlabel(scale.label)
    axes.set_ylabel(f"records per bar{' (log scale)' if log else ''}")
    legend_below(figure, axes, columns=2)
    return figure
