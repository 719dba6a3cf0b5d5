"""How much of several things is found: a line each, in groups, with its recall at two thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from monitor.reporting.evaluation import Estimate
from monitor.reporting.figures.style import (
    ANOMALOUS,
    BENIGN,
    legend_below,
    new_figure,
    share_ticks,
    styled,
)
from monitor.reporting.wording import percent

MOST = 80
"""Lines of one plot at most, two pages of paper; the table has all."""

LINE = 0.25
"""Inches a line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked for, and how much of it was found."""

    group: str
    name: str
    recall: Estimate  # at the threshold
    recall_at_rate: Estimate  # at the one that a share of the benign records exceed


@styled
def recall_plot(lines: Sequence[Line], rate: float, *, things: str, names: str) -> Figure:
    """Recall with its interval at the threshold, and at the one that the share ``rate`` of benign records exceed.

    ``things`` is what was looked for and ``names`` what the names of the lines are, as titles have them.
    """
    groups = list(dict.fromkeys(row.group for row in lines))
    rows = sorted(lines, key=lambda row: groups.index(row.group))[:MOST]
    shown = list(dict.fromkeys(row.group for row in rows))
    places = [at + shown.index(row.group) * 1.6 + 1 for at, row in enumerate(rows)]
    heads = {name: min(p for p, row in zip(places, rows, strict=True) if row.group == name) - 1.1 for name in shown}
    bottom = max(places, default=0) + 1
    figure = new_figure(1.5 + LINE * max(bottom, 4))
    axes = figure.add_subplot()
    for name, shift, color, marker, estimates in (
        ("at the threshold", -0.16, BENIGN, "o", [row.recall for row in rows]),
        (f"at {percent(rate)} false positives", 0.16, ANOMALOUS, "D", [row.recall_at_rate for row in rows]),
    ):
        values = [estimate.value for estimate in estimates]
        axes.errorbar(
            values, [place + shift for place in places], xerr=_arms(estimates), color=color, marker=marker,
            markersize=5.5, markerfacecolor=color if marker == "o" else "none", markeredgewidth=1.3, linestyle="none",
            elinewidth=1.4, capsize=2.5, clip_on=False, label=f"recall {name}", zorder=3,
        )  # fmt: skip
    axes.set_ylim(bottom, -0.6)
    axes.set_yticks([*heads.values(), *places], [*heads, *(row.name for row in rows)])
    for tick, _ in zip(axes.get_yticklabels(), heads, strict=False):
        tick.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    for line, _ in zip(axes.yaxis.get_gridlines(), heads, strict=False):
        line.set_visible(False)
    axes.set_xlim(-0.02, 1.02)
    share_ticks(axes.xaxis)
    more = f" (the first {MOST} of {len(lines)})" if len(lines) > MOST else ""
    axes.set_title(f"Recall of {things}{more}")
    axes.set_xlabel(f"recall (share of {things} found), with 95 % interval")
    axes.set_ylabel(names)
    legend_below(figure, axes, columns=2)
    return figure


def _arms(estimates: Sequence[Estimate]) -> tuple[list[float], list[float]]:
    """Lengths of the intervals to both sides; none where there is no interval."""
    return (
        [_length(estimate.value - estimate.low) for estimate in estimates],
        [_length(estimate.high - estimate.value) for estimate in estimates],
    )


def _length(length: float) -> float:
    return 0.0 if math.isnan(length) else max(length, 0.0)
