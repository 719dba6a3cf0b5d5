"""What is measured of a detector that has scored labelled rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from monitor.core.arrays import F64, Bools

Scorer = Callable[[F64], F64]
"""Scores [n] of rows [n, d]; higher is more anomalous."""

Learner = Callable[[F64], Scorer]
"""Learns rows [n, d]."""


@dataclass(frozen=True, slots=True)
class Measures:
    """One detector on one trial. ``fpr`` and ``tpr`` are those of its own threshold, None for a peer."""

    auroc: float
    average_precision: float
    best_f1: float
    fpr: float | None = None
    tpr: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time: seconds to learn all rows, and microseconds to score one row of a slice."""

    fit_seconds: float
    row_microseconds: float


def measured(scores: F64, truth: Bools, flagged: Bools | None = None) -> Measures:
    """Compare ``scores`` [n], higher is more anomalous, and ``flagged`` [n] with the ``truth`` [n].

    Raises:
        ValueError: a score is not finite, or the truth knows one class only.
    """
    return Measures(
        auroc=float(roc_auc_score(truth, scores)),
        average_precision=float(average_precision_score(truth, scores)),
        best_f1=best_f1(scores, truth),
        fpr=None if flagged is None else float(flagged[~truth].mean()),
        tpr=None if flagged is None else float(flagged[truth].mean()),
    )


def best_f1(scores: F64, truth: Bools) -> float:
    """The largest F1 that any threshold on ``scores`` [n] reaches: an upper bound, no operator could know it."""
    precision, recall, _ = precision_recall_curve(truth, scores)
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)))


def cost(fit: Learner, rows: F64, slice_rows: int = 1_024, slices: int = 50) -> Cost:
    """Learn all ``rows`` [n, d], then score the first ``slice_rows`` of them again and again."""
    fit(rows[:slice_rows])  # the first call also imports
    begun = time.process_time()
    score = fit(rows)
    fitted = time.process_time()
    for _ in range(slices):
        score(rows[:slice_rows])
    return Cost(fitted - begun, (time.process_time() - fitted) / (slices * slice_rows) * 1e6)


def made_up(rows: int = 10_000, fields: int = 40, causes: int = 8) -> F64:
    """Rows that follow a few hidden causes, with noise, [rows, fields]."""
    random = np.random.default_rng(1)
    directions = random.normal(size=(causes, fields))
    return random.normal(size=(rows, causes)) @ directions + 0.1 * random.normal(size=(rows, fields))
