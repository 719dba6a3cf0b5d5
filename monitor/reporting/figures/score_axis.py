"""Axes of scores: linear where people look, logarithmic beyond when a few scores are a million times the others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.scale import SymmetricalLogTransform

from monitor.core.arrays import F64
from monitor.reporting.evaluation import Evaluation
from monitor.reporting.figures.style import FAINT, INK
from monitor.reporting.wording import number

LABEL = "score (1 = worst benign record)"

FAR = 30.0
"""Scores this many times the threshold (or 1) would press all others to a line on a linear axis."""

HIGHEST = 1e200
"""Scores beyond are drawn here: what an axis adds at its ends must still be a number."""


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """A scale for scores; ``linear`` is where its linear part ends on both sides of 0, infinite for all linear."""

    linear: float

    @property
    def label(self) -> str:
        """What is written at the axis."""
        return LABEL if math.isinf(self.linear) else f"{LABEL}\nlogarithmic beyond ±{number(self.linear)}"

    @property
    def name(self) -> str:
        """As matplotlib calls it."""
        return "linear" if math.isinf(self.linear) else "symlog"

    @property
    def options(self) -> dict[str, float]:
        """For ``set_xscale`` and ``set_yscale``."""
        return {} if math.isinf(self.linear) else {"linthresh": self.linear, "linscale": 1.5}

    def bins(self, values: F64, threshold: float, count: int) -> F64:
        """Edges of about ``count`` bins that look equally wide and over all values; one edge is the threshold.

        So that no bar stands on both sides of the threshold.
        """
        places = self._forward(np.append(values, threshold))
        low, high, at = float(places.min()), float(places.max()), float(places[-1])
        width = (high - low) / count or 1.0
        first, last = math.floor((low - at) / width), math.ceil((high - at) / width)
        places = at + width * np.arange(first, max(last, first + 1) + 1, dtype=np.float64)
        edges = self._back(places)
        edges[-first] = threshold  # there and back through a logarithm is not exact
        edges[0] = min(edges[0], values.min(initial=threshold))
        edges[-1] = max(edges[-1], values.max(initial=threshold))
        return edges

    def _forward(self, values: F64) -> F64:
        return values if math.isinf(self.linear) else np.asarray(self._transform().transform(values))

    def _back(self, values: F64) -> F64:
        return values if math.isinf(self.linear) else np.asarray(self._transform().inverted().transform(values))

    def _transform(self) -> SymmetricalLogTransform:
        return SymmetricalLogTransform(10, self.linear, 1.5)


def drawable(scores: F64) -> F64:
    """Scores that an axis can hold."""
    return np.clip(scores, -HIGHEST, HIGHEST)


def scale_for(scores: F64, threshold: float) -> ScoreScale:
    """The scale that shows both the threshold and the extremes of drawable scores."""
    size = max(1.0, abs(threshold))
    extreme = float(np.abs(scores).max(initial=0.0))
    return ScoreScale(2 * size if extreme > FAR * size else math.inf)


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold line."""

    value: float
    text: str
    style: str
    color: str


def limits(evaluation: Evaluation) -> list[Limit]:
    """The threshold that was used, and the one of the stated false-positive rate if it is another."""
    used = Limit(evaluation.threshold, f"threshold {number(evaluation.threshold)}", "--", INK)
    other = evaluation.rate_threshold
    if not math.isfinite(other) or other == evaluation.threshold or evaluation.labels.all():
        return [used]
    text = f"threshold at {100 * evaluation.rate:.3g} % false positives {number(other)}"
    return [used, Limit(other, text, ":", FAINT)]


def level_lines(axes: Axes, evaluation: Evaluation) -> None:
    """Thresholds across a plot whose scores rise upwards."""
    for limit in limits(evaluation):
        axes.axhline(limit.value, color=limit.color, linestyle=limit.style, label=limit.text, linewidth=1.5)


def upright_lines(axes: Axes, evaluation: Evaluation) -> None:
    """Thresholds across a plot whose scores rise to the right."""
    for limit in limits(evaluation):
        axes.axvline(limit.value, color=limit.color, linestyle=limit.style, label=limit.text, linewidth=1.5)
