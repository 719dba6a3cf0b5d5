"""k-means on latent vectors: which record belongs to which cluster, and which stands apart from its own.

Distances are Euclidean, in the units of the latent vector as the network made it: columns are not scaled. They leave
the same activation, so they share a scale, and one that hardly varies is one that the network hardly uses; dividing
by its spread would give it the same say as the others.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships none; comes with scikit-learn

from monitor.core.arrays import F32, F64, I64, Bools
from monitor.core.errors import DataError, UsageError
from monitor.core.progress import Progress
from monitor.reporting.cluster_count import (
    CHOICE_RECORDS,
    STARTS,
    Choice,
    as_points,
    choose,
    different,
    k_means,
    sampled,
    silhouette,
)

FIT_RECORDS = 20_000
"""Centres are fitted to so many records at the most, drawn by the seed; all others go to the nearest centre."""

RADIUS_SHARE = 0.95
"""The radius of a cluster holds this share of its members."""

SMALL_SHARE, SMALL_RECORDS = 0.01, 5
"""A cluster with a smaller share, or with fewer members, is small."""

FLAT = 1e-4
"""A cluster tighter than this share of the radius of all records is measured by that instead of its own radius, which
is 0 where nearly all members are equal."""

ROUNDING = 1e-6
"""In radii: nearer than this is in the centre, for latent vectors are float32."""

SLICE_ROWS = 16_384


@dataclass(frozen=True, slots=True)
class Clustering:
    """Clusters, the largest first, and the place of each record. Cluster ``c`` is entry ``c - 1`` of the [k] arrays.

    A record whose latent vector is not finite belongs to cluster 0, which is none; its distances are NaN.
    """

    choice: Choice
    silhouette: float | None  # of the result, on at most CHOICE_RECORDS; None for a single cluster
    cluster: I64  # [n], from 1
    distance: F64  # [n], to the centre of its cluster
    relative: F64  # [n], the same in radii of its cluster; large stands apart
    centres: F64  # [k, w]
    sizes: I64  # [k]
    radii: F64  # [k], RADIUS_SHARE of the members are no farther from the centre
    prototypes: I64  # [k], the record nearest to the centre, the first of equals

    @property
    def small(self) -> Bools:
        """Which clusters are small, [k]; a single one never is."""
        few = np.maximum(SMALL_RECORDS, SMALL_SHARE * self.sizes.sum())
        return np.asarray((self.sizes < few) & (len(self.sizes) > 1))

    def farthest(self, count: int) -> I64:
        """The records farthest from their centre in radii of their cluster, at most ``count``, the farthest first."""
        apart = np.flatnonzero(self.relative > ROUNDING)  # NaN is not
        return apart[np.argsort(-self.relative[apart], kind="stable")[:count]]


def cluster_latent(latent: F32, wanted: int | None, *, most: int, seed: int, progress: Progress) -> Clustering:
    """Cluster latent vectors [n, w]; the same for the same vectors and seed.

    Args:
        latent: one row a record, n > 0; rows that are not finite are left in no cluster.
        wanted: the number of clusters; None chooses it (see ``choose``).
        most: the largest number that is tried, at least 2.
        seed: of samples, of starts and of structureless data.
        progress: called as the choice goes on.

    Raises:
        DataError: no row is finite.
        UsageError: more clusters are wanted than there are different vectors.
    """
    finite = _finite(latent)
    points = latent if finite.all() else latent[finite]  # [m, w]
    if not len(points):
        raise DataError(
            f"none of {len(latent):,} records has a finite latent vector; retrain the model on such records"
        )
    # One thread: the order of sums, and with it the last bits, must not depend on the machine.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # vectors equal but for rounding; empty clusters are dropped
        fitted = as_points(points, FIT_RECORDS, seed)  # [f, w]
        choice = _given(wanted, fitted, len(points)) or choose(fitted, most=most, seed=seed, progress=progress)
        centres = _centres(fitted, choice.clusters, seed)
        return _described(choice, centres, points, finite, seed)


def plane(latent: F32, seed: int) -> tuple[F64, tuple[str, str]]:
    """Latent vectors [n, w] seen from where they spread most, [n, 2], and what the two axes are called.

    Principal components, fitted to at most ``FIT_RECORDS``; rows that are not finite are NaN.
    """
    finite = _finite(latent)
    seen = np.zeros((int(finite.sum()), 2))
    fitted = as_points(latent[finite], FIT_RECORDS, seed)
    shares = [0.0, 0.0]
    if fitted.size and np.ptp(fitted, axis=0).any():
        components = min(2, *fitted.shape)
        with threadpool_limits(1):
            axes = PCA(components, svd_solver="full").fit(fitted)
            seen[:, :components] = axes.transform(latent[finite].astype(np.float64))
        shares = [*axes.explained_variance_ratio_.tolist(), 0.0]
    first, second = (f"Principal component {i} ({shares[i - 1]:.0%} of the variance)" for i in (1, 2))
    return _placed(seen, finite), (first, second)


def _finite(latent: F32) -> Bools:
    return np.asarray(np.isfinite(latent).all(axis=1))


def _given(wanted: int | None, fitted: F64, records: int) -> Choice | None:
    if wanted is None:
        return None
    distinct = different(fitted)
    if wanted > distinct:
        raise UsageError(
            f"{wanted} clusters cannot be made of {records:,} records with {distinct:,} different latent vectors; "
            f"ask for --k {distinct} or fewer, or for --k auto"
        )
    return Choice(wanted, "as asked for")


def _centres(points: F64, clusters: int, seed: int) -> F64:
    if clusters == 1:
        return np.asarray(points.mean(axis=0, keepdims=True), dtype=np.float64)
    return k_means(points, clusters, STARTS, seed)[0]


def _assigned(points: F32, centres: F64) -> tuple[I64, F64]:
    """The nearest centre of each record [n] and how far it is [n], a slice at a time."""
    nearest = np.zeros(len(points), dtype=np.int64)
    distance = np.empty(len(points))
    for start in range(0, len(points), SLICE_ROWS):
        rows = slice(start, start + SLICE_ROWS)
        some = points[rows].astype(np.float64)
        if len(centres) > 1:
            nearest[rows] = pairwise_distances_argmin(some, centres)
        # Not the distances of the search: it takes them from squares, which leaves few digits of small ones.
        distance[rows] = np.linalg.norm(some - centres[nearest[rows]], axis=1)
    return nearest, distance


def _described(choice: Choice, centres: F64, points: F32, finite: Bools, seed: int) -> Clustering:
    """Assign the finite records [m, w], number the clusters by size and measure them."""
    nearest, distance = _assigned(points, centres)
    members = [np.flatnonzero(nearest == c) for c in range(len(centres))]
    inner = [int(rows[np.argmin(distance[rows])]) if len(rows) else -1 for rows in members]
    order = sorted((c for c in range(len(centres)) if len(members[c])), key=lambda c: (-len(members[c]), inner[c]))
    rows = np.flatnonzero(finite)  # [m], their numbers among all n records
    cluster = np.zeros(len(finite), dtype=np.int64)
    for number, c in enumerate(order, 1):
        cluster[rows[members[c]]] = number
    radii = np.array([np.quantile(distance[members[c]], RADIUS_SHARE) for c in order])
    return Clustering(
        choice=choice,
        silhouette=_sampled_silhouette(points, cluster[finite], seed) if len(order) > 1 else None,
        cluster=cluster,
        distance=_placed(distance, finite),
        relative=_placed(_in_radii(distance, radii[cluster[finite] - 1], points), finite),
        centres=centres[order],
        sizes=np.array([len(members[c]) for c in order], dtype=np.int64),
        radii=radii,
        prototypes=rows[[inner[c] for c in order]],
    )


def _in_radii(distance: F64, radii: F64, points: F32) -> F64:
    """Distances [n] in radii [n] of their clusters; 0 where everything is in one place."""
    centre = points.mean(axis=0, dtype=np.float64, keepdims=True)
    overall = float(np.quantile(_assigned(points, centre)[1], RADIUS_SHARE))
    units = np.maximum(radii, FLAT * overall)
    return np.divide(distance, units, out=np.zeros_like(distance), where=units > 0)


def _sampled_silhouette(points: F32, cluster: I64, seed: int) -> float:
    rows = sampled(len(points), CHOICE_RECORDS, seed)
    return silhouette(points[rows].astype(np.float64), cluster[rows])


def _placed(values: F64, where: Bools) -> F64:
    """``values`` [m, ...] at the m places that are True of ``where`` [n], and NaN at the others."""
    placed = np.full((len(where), *values.shape[1:]), np.nan)
    placed[where] = values
    return placed
