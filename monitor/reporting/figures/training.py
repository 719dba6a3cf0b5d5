"""The course of a training: loss by epoch, and which epoch was kept."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from monitor.model.history import History
from monitor.reporting.figures.style import (
    ANOMALOUS,
    BENIGN,
    INK,
    count_ticks,
    legend_below,
    new_figure,
    number_ticks,
    styled,
)
from monitor.reporting.wording import short

WIDE = 20.0
"""A loss that falls to less than one part in this is drawn on a logarithmic scale."""

MANY_DECADES = 1e3
"""A loss that falls further than this has marks at powers of ten only."""


@styled
def loss_plot(history: History, loss: str) -> Figure:
    """Training and held-out loss; the epoch whose weights were kept is marked."""
    numbers = [epoch.number for epoch in history.epochs]
    marks = len(numbers) <= 40
    figure = new_figure(3.6)
    axes = figure.add_subplot()
    trained = np.array([epoch.loss for epoch in history.epochs])
    held = np.array([math.nan if e.validation_loss is None else e.validation_loss for e in history.epochs])
    axes.plot(numbers, trained, color=BENIGN, marker="o" if marks else None, markersize=4, label="training records")
    if np.isfinite(held).any():
        axes.plot(
            numbers, held, color=ANOMALOUS, linestyle="--", marker="s" if marks else None, markersize=4,
            label="held-out records (early stop)",
        )  # fmt: skip
    if history.best_epoch:
        axes.axvline(
            history.best_epoch, color=INK, linestyle=":", linewidth=1.4, label=f"kept: epoch {history.best_epoch}"
        )
    both = np.concatenate((trained, held))
    both = both[np.isfinite(both)]
    wide = len(both) > 0 and bool(both.min() > 0 and both.max() / both.min() > WIDE)
    axes.set_yscale("log" if wide else "linear")
    if wide:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if both.max() / both.min() < MANY_DECADES else (1,)))
    number_ticks(axes.yaxis)
    count_ticks(axes.xaxis)
    axes.set_xlim(left=0.5)
    axes.set_title("Loss while training" + " (stopped early)" * history.stopped_early)
    axes.set_xlabel("epoch (passes over the training records)")
    axes.set_ylabel(f"loss ({short(loss.upper(), 12)} per encoded column)" + "\nlog scale" * wide)
    legend_below(figure, axes, columns=3)
    return figure
