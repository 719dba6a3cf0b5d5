"""Records in the plane, coloured and marked by their cluster."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
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
    number_ticks,
    styled,
)
from monitor.reporting.wording import short

LABELLED = 24
"""Clusters with a line in the legend: the largest ones."""

APART = 21.0
"""Points between two numbers, so that their circles do not touch."""

OFFSETS = [
    radius * np.array([np.cos(angle), np.sin(angle)])
    for radius in (20.0, 36.0, 52.0, 68.0, 88.0)
    for angle in np.arange(1, 13) * np.pi / 6 + 0.2
]
"""Places tried for a number, in points from its centre: beside it, since a number on it would hide a tight cluster."""


@styled
def cluster_plot(points: F64, cluster: I64, outliers: Bools | I64, axes: tuple[str, str]) -> Figure:
    """Points by cluster, with each cluster's number beside the mean of its drawn points.

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
    plot.set_title("Records by cluster, a number beside each centre")
    number_ticks(plot.xaxis)
    number_ticks(plot.yaxis)
    plot.set_xlabel(short(axes[0], 50))
    plot.set_ylabel(short(axes[1], 50))
    legend_below(figure, plot, columns=4)
    centres = np.array([points[cluster == number].mean(axis=0) for number in numbers]).reshape(-1, 2)
    _number(figure, plot, numbers, centres)
    return figure


def _number(figure: Figure, plot: Axes, numbers: I64, centres: F64) -> None:
    """A number beside each centre with a line to it, where no other number and no centre is in the way."""
    figure.draw_without_rendering()  # finds out where the plot is, and so where the centres are
    point = figure.dpi / 72
    box = plot.bbox.padded(-point * APART / 2)
    places = plot.transData.transform(centres) / point
    taken: list[F64] = []
    for number, centre, place in zip(numbers.tolist(), centres, places, strict=True):
        inside = [offset for offset in OFFSETS if box.contains(*(point * (place + offset)))]
        clear = [offset for offset in inside if _clear(place + offset, taken, APART)]
        free = [offset for offset in clear if _clear(place + offset, places, APART * 0.7)]
        offset = (free or clear or OFFSETS)[0]
        taken.append(place + offset)
        plot.annotate(
            str(number), centre, xytext=(offset[0], offset[1]), textcoords="offset points", ha="center", va="center",
            size=9, weight="bold", zorder=5, arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.9},
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": PAPER, "edgecolor": INK, "linewidth": 1.1},
        )  # fmt: skip


def _clear(place: F64, others: Iterable[F64], distance: float) -> bool:
    """Whether a place [2] is farther than ``distance`` from all others."""
    return all(np.hypot(*(place - other)) > distance for other in others)
