"""Bootstrap: how far a figure would move if the same kind of records were drawn once more.

Resamples are stratified: as many anomalous and as many benign records as there are, each drawn with replacement from
its own class. The interval holds the middle 95 % of the resampled figures (percentile method; Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 13). Thresholds stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F64, I64
from monitor.core.progress import Progress
from monitor.reporting.evaluation import Estimate

TAIL_PERCENT = 2.5
"""Left out on each side."""


@dataclass(frozen=True)
class Bootstrap:
    """How resamples are drawn: their number (0: no intervals) and the seed; the same seed gives the same intervals."""

    resamples: int
    seed: int

    def generator(self, *purpose: int) -> np.random.Generator:
        """Random numbers for one purpose, independent of what was drawn for others."""
        return np.random.default_rng([self.seed, *purpose])

    def hits(self, hits: int, records: int, *purpose: int) -> I64:
        """How many of ``records`` redrawn records are hits, [resamples]: drawing each is a binomial number."""
        share = hits / records if records else 0.0
        return self.generator(*purpose).binomial(records, share, self.resamples).astype(np.int64)

    def share(self, hits: int, records: int, *purpose: int) -> Estimate:
        """A share with its interval."""
        if not records:
            return Estimate(np.nan, np.nan, np.nan)
        return estimate(hits / records, self.hits(hits, records, *purpose) / records)


def estimate(value: float, resampled: F64) -> Estimate:
    """A figure with the middle 95 % of its resamples [b]; those in which it is not defined (NaN) do not count."""
    defined = resampled[~np.isnan(resampled)]
    if np.isnan(value) or not len(defined):
        return Estimate(float(value), np.nan, np.nan)
    low, high = np.percentile(defined, [TAIL_PERCENT, 100 - TAIL_PERCENT])
    return Estimate(float(value), float(low), float(high))


def resampled_rankings(benign: F64, anomalous: F64, bootstrap: Bootstrap, progress: Progress) -> tuple[F64, F64]:
    """AUROC and average precision of each resample, [resamples] each.

    Sorted once; a resample is then only how often each distinct score was drawn, so it costs a few passes over counts.
    Sums, not dot products: for these lengths a threaded dot costs ten times as much on a busy machine.

    Args:
        benign: scores of the one class, [n], n > 0; higher is more anomalous.
        anomalous: scores of the other, [m], m > 0.
        bootstrap: how many resamples.
        progress: told as they are made.
    """
    distinct, places = np.unique(np.concatenate((benign, anomalous)), return_inverse=True)
    falling: I64 = len(distinct) - 1 - places.astype(np.int64)  # 0 is the highest score
    # Sorted, so that the order of the input does not matter.
    classes = np.sort(falling[: len(benign)]), np.sort(falling[len(benign) :])
    random = bootstrap.generator(1)
    figures = np.empty((bootstrap.resamples, 2))
    for index in range(bootstrap.resamples):
        false, true = (_redrawn(ranks, len(distinct), random) for ranks in classes)
        figures[index] = auroc_of_counts(false, true), average_precision_of_counts(false, true)
        progress("bootstrap", index + 1, bootstrap.resamples, "")
    return figures[:, 0], figures[:, 1]


def _redrawn(ranks: I64, count: int, random: np.random.Generator) -> I64:
    """How often each of ``count`` scores is drawn when the records at ``ranks`` [n] are drawn n times."""
    drawn = random.integers(len(ranks), size=len(ranks), dtype=np.int32)
    return np.bincount(ranks[drawn], minlength=count)


def auroc_of_counts(benign: I64, anomalous: I64) -> float:
    """The chance that an anomalous record scores higher than a benign one, ties half (Mann and Whitney, 1947).

    Args:
        benign: benign records at each distinct score, the highest score first, [g].
        anomalous: the same of the anomalous ones, [g].
    """
    below = benign.sum() - np.cumsum(benign)  # benign records of lower scores
    return float((anomalous * (below + benign / 2)).sum() / (benign.sum() * anomalous.sum()))


def average_precision_of_counts(benign: I64, anomalous: I64) -> float:
    """The precision at each threshold, weighted by the recall it adds; as in scikit-learn, without interpolation.

    Args:
        benign: benign records at each distinct score, the highest score first, [g].
        anomalous: the same of the anomalous ones, [g].
    """
    found = np.cumsum(anomalous)
    called = found + np.cumsum(benign)
    return float((anomalous * (found / np.maximum(called, 1))).sum() / found[-1])
