"""How many records damaged on purpose are found, one line a kind and strength of damage."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from monitor.reporting.evaluation import Corrupted, Estimate
from monitor.reporting.figures.style import (
    ANOMALOUS,
    BENIGN,
    legend_below,
    new_figure,
    share_ticks,
    styled,
)
from monitor.reporting.wording import percent, short

MOST = 80
"""Lines of one plot at most, two pages of paper; the table has all."""

LINE = 0.25
"""Inches a line."""


@styled
def corruption_plot(corruptions: Sequence[Corrupted], rate: float) -> Figure:
    """Recall with its interval at the threshold, and at the one that the share ``rate`` of benign records exceed."""
    kinds = list(dict.fromkeys(row.kind for row in corruptions))
    rows = sorted(corruptions, key=lambda row: kinds.index(row.kind))[:MOST]
    shown = list(dict.fromkeys(row.kind for row in rows))
    several = len({row.target for row in corruptions}) > 1
    places = [at + shown.index(row.kind) * 1.6 + 1 for at, row in enumerate(rows)]
    heads = {kind: min(p for p, row in zip(places, rows, strict=True) if row.kind == kind) - 1.1 for kind in shown}
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
    axes.set_yticks([*heads.values(), *places], [*heads, *(_name(row, several=several) for row in rows)])
    for tick, _ in zip(axes.get_yticklabels(), heads, strict=False):
        tick.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    for line, _ in zip(axes.yaxis.get_gridlines(), heads, strict=False):
        line.set_visible(False)
    axes.set_xlim(-0.02, 1.02)
    share_ticks(axes.xaxis)
    more = f" (the first {MOST} of {len(corruptions)})" if len(corruptions) > MOST else ""
    axes.set_title(f"Recall of damaged records{more}")
    axes.set_xlabel("recall (share of damaged records found), with 95 % interval")
    axes.set_ylabel("damage: feature, strength" if several else "damage: strength")
    legend_below(figure, axes, columns=2)
    return figure


def _name(row: Corrupted, *, several: bool) -> str:
    return f"{short(row.target, 22)}, {short(row.strength, 22)}" if several else short(row.strength, 40)


def _arms(estimates: Sequence[Estimate]) -> tuple[list[float], list[float]]:
    """Lengths of the intervals to both sides; none where there is no interval."""
    return (
        [_length(estimate.value - estimate.low) for estimate in estimates],
        [_length(estimate.high - estimate.value) for estimate in estimates],
    )


def _length(length: float) -> float:
    return 0.0 if math.isnan(length) else max(length, 0.0)
