"""How many clusters points have, and why: k-means is judged against what it would make of data without clusters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances, silhouette_score

from monitor.core.arrays import F32, F64, I64
from monitor.core.progress import Progress

CHOICE_RECORDS = 2_000
"""The number of clusters is chosen on so many: each silhouette needs all their distances, 32 MB."""

STARTS = 10
"""k-means is started so often and the best end is kept."""

REFERENCES, REFERENCE_STARTS = 3, 3
"""Structureless sets of each kind that silhouettes are measured against, and starts of k-means on each."""

FEWEST_RECORDS = 10
"""With fewer, chance alone makes any split look good."""

WORST_SILHOUETTE = -1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A number of clusters that was tried. Silhouettes are means over records, -1 to 1, higher is better.

    ``structureless`` is what the same k-means reaches on data of the same spread that has no clusters, and ``excess``
    by how much the silhouette is higher.
    """

    clusters: int
    silhouette: float
    structureless: float
    excess: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The number of clusters and a sentence that says why; ``candidates`` are empty where none had to be tried."""

    clusters: int
    reason: str
    candidates: tuple[Candidate, ...] = ()


def choose(points: F64, *, most: int, seed: int, progress: Progress) -> Choice:
    """The number of clusters whose silhouette exceeds that of structureless data most, or one.

    The silhouette alone favours few clusters in few dimensions and cannot say whether there are any: k-means cuts even
    a single cloud in two. So each is compared with what the same procedure reaches on data that has no clusters but
    the same spread: normal with the same covariance, and uniform over the same ranges of the principal axes (the
    reference of the gap statistic: Tibshirani, Walther, Hastie, 2001); the better of the two counts.

    Args:
        points: [n, w], of which at most ``CHOICE_RECORDS`` are used.
        most: the largest number to try, at least 2.
        seed: of the sample, of the starts and of the structureless data.
        progress: called after each of the data sets.
    """
    sample = points[sampled(len(points), CHOICE_RECORDS, seed)]
    distinct = different(sample)
    if reason := _one(points, distinct):
        return Choice(1, reason)
    numbers = range(2, min(most, distinct, len(sample) - 1) + 1)
    sets = 1 + 2 * REFERENCES
    found = np.empty((sets, len(numbers)))
    for index, data in enumerate((sample, *_structureless(sample, seed))):
        found[index] = _silhouettes(data, numbers, REFERENCE_STARTS if index else STARTS, seed)
        progress("choosing the number of clusters", index + 1, sets, "")
    reference = found[1:].reshape(REFERENCES, 2, len(numbers)).mean(axis=0).max(axis=0)  # [numbers]
    excess = found[0] - reference
    candidates = tuple(map(Candidate, numbers, found[0].tolist(), reference.tolist(), excess.tolist()))
    return _best(candidates, needed_excess(len(sample)))


def needed_excess(records: int) -> float:
    """By how much the silhouette must exceed that of structureless data before clusters are believed.

    Fewer records leave more to chance. Found by trying normal, uniform and spherical clouds of 1 to 30 dimensions.

    >>> needed_excess(40), needed_excess(2000)
    (0.07, 0.021)
    """
    return 0.02 + 2 / records


def different(points: F64) -> int:
    """How many different rows there are; rows without columns are all the same."""
    return len(np.unique(points, axis=0)) if points.shape[1] else min(1, len(points))


def k_means(points: F64, clusters: int, starts: int, seed: int) -> tuple[F64, I64]:
    """Centres [k, w] and the nearest one of each point [n], the best of several starts."""
    fitted = KMeans(n_clusters=clusters, n_init=starts, random_state=seed).fit(points)  # pyright: ignore[reportArgumentType] - sklearn's own default is a number
    return np.asarray(fitted.cluster_centers_, dtype=np.float64), np.asarray(fitted.labels_, dtype=np.int64)


def silhouette(points: F64, labels: I64) -> float:
    """Mean silhouette of points [n, w]; -1, the worst, where all are in one cluster or each is in its own."""
    return _silhouette(np.asarray(pairwise_distances(points)), labels)


def sampled(count: int, most: int, seed: int) -> I64:
    """At most so many row numbers of ``count``, drawn by the seed, rising.

    >>> sampled(3, 5, seed=1).tolist()
    [0, 1, 2]
    """
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng([seed, 0]).choice(count, most, replace=False))


def as_points(latent: F32, most: int, seed: int) -> F64:
    """At most so many latent vectors, in their order, as float64; adding 0 makes -0 the same number as 0."""
    return latent[sampled(len(latent), most, seed)].astype(np.float64) + 0.0


def _one(points: F64, distinct: int) -> str:
    """Why there can be no more than one cluster; empty when there can."""
    if not points.shape[1]:
        return "latent vectors have no columns, every feature was constant in training"
    if distinct == 1:
        return "all latent vectors are equal" + (", but for a few at most" if len(points) > CHOICE_RECORDS else "")
    if len(points) < FEWEST_RECORDS:
        return f"{len(points)} records are too few to tell clusters from chance, {FEWEST_RECORDS} are needed"
    return ""


def _best(candidates: Sequence[Candidate], needed: float) -> Choice:
    best = max(candidates, key=lambda candidate: candidate.excess)
    compared = f"silhouette {best.silhouette:.3f} against {best.structureless:.3f} in structureless data of like spread"
    if best.excess < needed:
        reason = (
            f"no split is better than chance: {best.clusters} clusters have {compared}, {needed:.3f} more are needed"
        )
        return Choice(1, reason, tuple(candidates))
    tried = f", the largest excess of 2 to {candidates[-1].clusters} clusters" if len(candidates) > 1 else ""
    return Choice(best.clusters, compared + tried, tuple(candidates))


def _structureless(points: F64, seed: int) -> Iterator[F64]:
    """Sets without clusters, in turn normal and uniform, spread as ``points`` [n, w] along their principal axes."""
    random = np.random.default_rng([seed, 1])
    centred = points - points.mean(axis=0)
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(centred.T)))
    along = centred @ axes  # [n, w]
    deviations = np.sqrt(np.maximum(variances, 0))
    for _ in range(REFERENCES):
        yield random.standard_normal(along.shape) * deviations
        yield random.uniform(along.min(axis=0), along.max(axis=0), along.shape)


def _silhouettes(points: F64, numbers: Sequence[int], starts: int, seed: int) -> list[float]:
    distances = np.asarray(pairwise_distances(points))
    return [_silhouette(distances, k_means(points, number, starts, seed)[1]) for number in numbers]


def _silhouette(distances: F64, labels: I64) -> float:
    """Of distances [n, n]."""
    if not 1 < len(np.unique(labels)) < len(labels):
        return WORST_SILHOUETTE
    return float(silhouette_score(distances, labels, metric="precomputed"))
