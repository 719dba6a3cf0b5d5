"""Well-known detectors with their usual settings, over standardised numbers, or over raw ones of one unit."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from monitor.core.arrays import F64

from .measures import Learner, Measures, Scorer, measured
from .sets import Trial


def knn(train: F64, seed: int) -> Scorer:  # noqa: ARG001 - nothing random
    """Mean distance to the five nearest benign rows."""
    neighbours = NearestNeighbors(n_neighbors=5).fit(train)
    return lambda rows: neighbours.kneighbors(rows)[0].mean(axis=1)


def gmm(train: F64, seed: int) -> Scorer:
    """Negative log likelihood under eight Gaussians of full covariance."""
    mixture = GaussianMixture(n_components=8, reg_covar=1e-3, random_state=seed).fit(train)
    return lambda rows: -mixture.score_samples(rows)


def iforest(train: F64, seed: int) -> Scorer:
    """The isolation forest of scikit-learn."""
    forest = IsolationForest(random_state=seed).fit(train)
    return lambda rows: -forest.score_samples(rows)


def autoencoder(train: F64, seed: int) -> Scorer:
    """The autoencoder of PyOD."""
    detector = import_module("pyod.models.auto_encoder").AutoEncoder(random_state=seed, verbose=0)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        detector.fit(train)
    scorer: Scorer = detector.decision_function
    return scorer


PEERS: Mapping[str, Callable[[F64, int], Scorer]] = {
    "kNN (5)": knn, "GMM (8)": gmm, "IForest": iforest, "PyOD AutoEncoder": autoencoder,
}  # fmt: skip
LIBRARIES = {"PyOD AutoEncoder": "pyod"}
"""Where a peer is from, if not from scikit-learn."""


def library(peer: str) -> str:
    """Name and version of the library that a peer is from.

    Raises:
        SystemExit: it is not installed.
    """
    name = LIBRARIES.get(peer, "scikit-learn")
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        raise SystemExit(
            f"{name} is not installed; `make bench-quality` installs it, --product-only does without"
        ) from None


def learner(peer: str, seed: int) -> Learner:
    """A peer that takes rows as they are."""
    return lambda train: PEERS[peer](train, seed)


def standardised(fit: Learner) -> Learner:
    """The same for rows whose columns are first brought to mean 0 and deviation 1."""

    def fit_standardised(train: F64) -> Scorer:
        centre, scale = train.mean(axis=0), train.std(axis=0)
        scale[scale == 0] = 1
        score = fit((train - centre) / scale)
        return lambda rows: score((rows - centre) / scale)

    return fit_standardised


def run(peer: str, trial: Trial) -> Measures:
    """Learn the benign part and score the test."""
    train, test = trial.matrices
    fit = learner(peer, trial.seed)
    score = (fit if trial.one_unit else standardised(fit))(train)
    return measured(score(test), trial.truth)
