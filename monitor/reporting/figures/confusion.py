"""The confusion matrix as a heat map: what the records are against what they were called."""

from __future__ import annotations

import math

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from monitor.reporting.evaluation import Confusion
from monitor.reporting.figures.style import new_figure, styled
from monitor.reporting.wording import number, percent

DARK = 0.768
"""Above this share of the row white letters are easier to read than black ones; both have a contrast of 4.5 here."""


@styled
def confusion_plot(confusion: Confusion) -> Figure:
    """Counts and shares of each row; the darker, the larger the share."""
    found, missed = confusion.true_positives, confusion.false_negatives
    false, quiet = confusion.false_positives, confusion.true_negatives
    figure = new_figure(3.4, 5.4)
    axes = figure.add_subplot()
    axes.grid(visible=False)
    for row, (name, counts) in enumerate((("anomalous", (found, missed)), ("benign", (false, quiet)))):
        for column, count in enumerate(counts):
            share = count / sum(counts) if sum(counts) else math.nan
            _cell(axes, column, row, count, share, name)
    axes.set_xlim(0, 2)
    axes.set_ylim(2, 0)
    axes.set_xticks([0.5, 1.5], ["anomalous\n(alert)", "benign\n(no alert)"])
    axes.set_yticks([0.5, 1.5], ["anomalous", "benign"])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"Confusion matrix at threshold {number(confusion.threshold)}")
    axes.set_xlabel("called (records)")
    axes.set_ylabel("true label (records)")
    return figure


def _cell(axes: Axes, column: int, row: int, count: int, share: float, name: str) -> None:
    # From nearly white to dark blue: the order of the shares survives grey print and any colour vision.
    color = "#e8e8e8" if math.isnan(share) else to_hex(mpl.colormaps["Blues"](0.06 + 0.86 * share))
    axes.add_patch(Rectangle((column + 0.01, row + 0.01), 0.98, 0.98, facecolor=color, linewidth=0))
    letters = "#ffffff" if share > DARK else "#000000"
    axes.text(column + 0.5, row + 0.43, f"{count:,}", ha="center", va="center", size=17, weight="bold", color=letters)
    part = f"there is no {name} record" if math.isnan(share) else f"{percent(share)} of {name}"
    axes.text(column + 0.5, row + 0.72, part, ha="center", va="center", size=9, color=letters)
