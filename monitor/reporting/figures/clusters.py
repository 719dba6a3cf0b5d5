"""Records in the plane, coloured and marked by their cluster."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from monitor.core.arrays import F64, I64, Bools
from monitor.reporting.figures.style import (
    INK,
    MANY_POINTS,
    MARKERS,
    PALETTE,
    PAPER,
    legend_below,
    new_figure,
    short,
    styled,
)

LABELLED = 24
"""Clusters with a line in the legend: the largest ones."""


@styled
def cluster_plot(points: F64, cluster: I64, outliers: Bools | I64, axes: tuple[str, str]) -> Figure:
    """Points by cluster, with each cluster's number at the mean of its drawn points.

    Args:
        points: [n, 2], places in the plane.
        cluster: [n], the number of each point's cluster.
        outliers: which points are ringed: [n] flags or [m] places.
        axes: what the two directions are, with their units.
    """
    numbers, counts = np.unique(cluster, return_counts=True)
    named = set(numbers[np.argsort(-counts, kind="stable")][:LABELLED].tolist())
    many = len(points) > MANY_POINTS
    figure = new_figure(5.6)
    plot = figure.add_subplot()
    for at, (number, count) in enumerate(zip(numbers.tolist(), counts.tolist(), strict=True)):
        here = points[cluster == number]
        plot.scatter(
            here[:, 0], here[:, 1], s=8 if many else 20, c=PALETTE[at % len(PALETTE)],
            marker=MARKERS[at % len(MARKERS)], alpha=0.55 if many else 0.8, linewidths=0, rasterized=many,
            label=f"cluster {number} ({count:,})" if number in named else None,
        )  # fmt: skip
    ringed = points[outliers]
    if len(ringed):
        plot.scatter(
            ringed[:, 0], ringed[:, 1], s=75, facecolors="none", edgecolors=INK, linewidths=1.3,
            label=f"outlier ({len(ringed):,})", zorder=4,
        )  # fmt: skip
    for number in numbers.tolist():
        x, y = points[cluster == number].mean(axis=0)
        plot.text(
            x, y, str(number), ha="center", va="center", size=9, weight="bold", zorder=5,
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": PAPER, "edgecolor": INK, "linewidth": 1.1},
        )  # fmt: skip
    plot.set_title("Records by cluster, a number at each centre")
    plot.set_xlabel(short(axes[0], 70))
    plot.set_ylabel(short(axes[1], 70))
    legend_below(figure, plot, columns=4)
    return figure
