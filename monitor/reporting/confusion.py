"""Counts at thresholds, and the rates made of them: a score above the threshold calls its record anomalous."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.reporting.evaluation import Confusion, Estimate
from monitor.reporting.intervals import Bootstrap, estimate

SWEEP_POINTS = 50
"""Thresholds of a sweep: half of them spread evenly over the records, half ever denser towards the highest scores."""

SLACK = 1e-9
"""0.29 of 100 records are 29, also in floating point."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The figures that counts give, of one confusion or of many; NaN where the denominator is 0."""

    precision: F64
    recall: F64
    false_positive_rate: F64
    f1: F64
    accuracy: F64
    mcc: F64


@dataclass(frozen=True, slots=True)
class RateEstimates:
    """The same with intervals."""

    precision: Estimate
    recall: Estimate
    false_positive_rate: Estimate
    f1: Estimate
    accuracy: Estimate
    mcc: Estimate


def confusions(scores: F64, labels: Bools, thresholds: F64) -> tuple[Confusion, ...]:
    """The counts at each threshold, in the order given.

    Args:
        scores: [n], higher is more anomalous.
        labels: [n], True = anomalous.
        thresholds: [t].
    """
    anomalous, benign = np.sort(scores[labels]), np.sort(scores[~labels])
    missed = np.searchsorted(anomalous, thresholds, side="right").tolist()
    passed = np.searchsorted(benign, thresholds, side="right").tolist()
    return tuple(
        Confusion(threshold, len(anomalous) - fn, len(benign) - tn, tn, fn)
        for threshold, fn, tn in zip(thresholds.tolist(), missed, passed, strict=True)
    )


def sweep_thresholds(scores: F64, *also: float) -> F64:
    """About 50 thresholds, rising, each the score of a record; and those in ``also`` that are finite."""
    tail = 1 - np.geomspace(0.5, 1 / max(2, len(scores)), SWEEP_POINTS // 2)
    places = np.concatenate((np.linspace(0, 1, SWEEP_POINTS // 2), tail))
    found = np.quantile(scores, places, method="lower")
    return np.unique(np.concatenate((found, [threshold for threshold in also if math.isfinite(threshold)])))


def threshold_at_rate(benign: F64, rate: float) -> float:
    """The smallest threshold that at most the share ``rate`` of the benign scores [n] exceeds; NaN for n = 0."""
    allowed = math.floor(rate * len(benign) + SLACK)
    if not len(benign):
        return math.nan
    if allowed >= len(benign):
        return float(np.nextafter(benign.min(), -np.inf))
    return float(np.partition(benign, len(benign) - 1 - allowed)[len(benign) - 1 - allowed])


def rates(true_positives: F64, false_positives: F64, anomalous: int, benign: int) -> Rates:
    """Precision, recall and the others, of arrays [m] of counts among ``anomalous`` and ``benign`` records.

    All but accuracy compare the classes or describe one of them: they are NaN when a class they need is empty.
    Matthews correlation (1975): covariance of call and truth over the product of their deviations, -1 to 1.
    """
    tp, fp = true_positives, false_positives
    fn, tn = anomalous - tp, benign - fp
    both = float(anomalous > 0 and benign > 0)
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return Rates(
        precision=_ratio(tp, (tp + fp) * both),
        recall=_ratio(tp, np.full_like(tp, anomalous)),
        false_positive_rate=_ratio(fp, np.full_like(fp, benign)),
        f1=_ratio(2 * tp, (2 * tp + fp + fn) * both),
        accuracy=_ratio(tp + tn, np.full_like(tp, anomalous + benign)),
        mcc=_ratio(tp * tn - fp * fn, spread * both),
    )


def rates_of(confusion: Confusion) -> Rates:
    """The figures of one confusion, arrays of one number each."""
    anomalous = confusion.true_positives + confusion.false_negatives
    benign = confusion.false_positives + confusion.true_negatives
    return rates(
        np.array([float(confusion.true_positives)]), np.array([float(confusion.false_positives)]), anomalous, benign
    )


def estimated_rates(confusion: Confusion, bootstrap: Bootstrap) -> RateEstimates:
    """The figures of a confusion with intervals for its fixed threshold."""
    anomalous = confusion.true_positives + confusion.false_negatives
    benign = confusion.false_positives + confusion.true_negatives
    values = rates_of(confusion)
    drawn = rates(
        bootstrap.hits(confusion.true_positives, anomalous, 2).astype(np.float64),
        bootstrap.hits(confusion.false_positives, benign, 3).astype(np.float64),
        anomalous,
        benign,
    )
    return RateEstimates(
        precision=estimate(values.precision[0], drawn.precision),
        recall=estimate(values.recall[0], drawn.recall),
        false_positive_rate=estimate(values.false_positive_rate[0], drawn.false_positive_rate),
        f1=estimate(values.f1[0], drawn.f1),
        accuracy=estimate(values.accuracy[0], drawn.accuracy),
        mcc=estimate(values.mcc[0], drawn.mcc),
    )


def _ratio(part: F64, whole: F64) -> F64:
    ratios: F64 = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return ratios
