"""How well scores rank anomalous above benign records, whatever the threshold: ROC, PR, their areas, the top k."""

from __future__ import annotations

import math

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.core.progress import Progress
from monitor.reporting.evaluation import NOT_DEFINED, Curve, Estimate
from monitor.reporting.intervals import Bootstrap, estimate, resampled_rankings

CURVE_POINTS = 1000
"""A plot shows no more; the areas are computed from all records."""

TOP = (10, 50, 100)
"""The k of precision at k, besides the number of anomalous records."""


def roc(scores: F64, labels: Bools) -> Curve:
    """False-positive rate and recall of every threshold; no point when there is one class only."""
    from sklearn.metrics import roc_curve

    if _one_class(labels):
        return _no_curve()
    x, y, thresholds = roc_curve(labels, scores)
    return _thinned(x, y, thresholds)


def precision_recall(scores: F64, labels: Bools) -> Curve:
    """Recall and precision of every threshold, thresholds falling; no point when there is one class only."""
    from sklearn.metrics import precision_recall_curve

    if _one_class(labels):
        return _no_curve()
    precision, recall, thresholds = precision_recall_curve(labels, scores, drop_intermediate=True)
    return _thinned(recall[::-1], precision[::-1], np.append(thresholds, np.inf)[::-1])


def areas(scores: F64, labels: Bools, bootstrap: Bootstrap, progress: Progress) -> tuple[Estimate, Estimate]:
    """AUROC and average precision with intervals; not defined when there is one class only."""
    if _one_class(labels):
        return NOT_DEFINED, NOT_DEFINED
    from sklearn.metrics import average_precision_score

    drawn = resampled_rankings(scores[~labels], scores[labels], bootstrap, progress)
    precision = float(average_precision_score(labels, scores))
    return estimate(auroc(scores, labels), drawn[0]), estimate(precision, drawn[1])


def auroc(scores: F64, labels: Bools) -> float:
    """The area under the ROC curve; NaN when there is one class only."""
    from sklearn.metrics import roc_auc_score

    return math.nan if _one_class(labels) else float(roc_auc_score(labels, scores))


def precision_at(scores: F64, labels: Bools) -> tuple[tuple[int, float], ...]:
    """The share of anomalous records among the k highest scores, for 10, 50, 100 and the number of anomalous ones.

    Of records with equal scores at the edge each is as likely to be among the k: the expectation over all orders is
    given. A k larger than the input is left out; without an anomalous record there is nothing to say.
    """
    anomalous = int(labels.sum())
    if not anomalous:
        return ()
    return tuple((k, _precision_at(scores, labels, k)) for k in sorted({*TOP, anomalous}) if k <= len(scores))


def _precision_at(scores: F64, labels: Bools, k: int) -> float:
    edge = np.partition(scores, len(scores) - k)[len(scores) - k]
    above, tied = scores > edge, scores == edge
    found = labels[above].sum() + (k - above.sum()) * labels[tied].mean()
    return float(found / k)


def _one_class(labels: Bools) -> bool:
    return bool(labels.all() or not labels.any())


def _no_curve() -> Curve:
    none = np.empty(0)
    return Curve(none, none, none)


def _thinned(x: F64, y: F64, thresholds: F64) -> Curve:
    """The first and the last point and those between them at even distances along the curve.

    Along the curve, not by number: where half of the points stand in one corner, the rest must not lose its shape.
    """
    if len(x) > CURVE_POINTS:
        way = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
        kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], CURVE_POINTS)))
        kept = np.unique(np.concatenate(([0], np.minimum(kept, len(x) - 1), [len(x) - 1])))
        x, y, thresholds = x[kept], y[kept], thresholds[kept]
    return Curve(x.astype(np.float64), y.astype(np.float64), thresholds.astype(np.float64))
