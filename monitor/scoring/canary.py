"""The canary knows the score, too: whoever loads a bundle must find what its publisher found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.core.arrays import F64
from monitor.core.errors import BundleError
from monitor.core.features import FeatureMatrix
from monitor.model.manifest import Canary
from monitor.scoring.l1 import L1Scorer

TOLERANCE = 0.02
"""Relative to the score or to 1. Errors differ far less between two processors, but the nearest stored record of a code
book may be another one."""


def with_scores(canary: Canary, scorer: L1Scorer) -> Canary:
    """The same rows with their scores beside the errors."""
    return replace(canary, scores=tuple(map(float, _scores(canary, scorer))))


def check_scores(canary: Canary, scorer: L1Scorer) -> None:
    """Score the rows again and compare; older bundles have none to compare with.

    Raises:
        BundleError: they have other scores than at publication.
    """
    if not canary.scores:
        return
    expected = np.array(canary.scores)
    worst = float(np.max(np.abs(_scores(canary, scorer) - expected) / np.maximum(1, np.abs(expected))))
    if not worst <= TOLERANCE:
        raise BundleError(
            f"the canary rows give other scores than at publication (off by {worst:.2g}): what the score learned, its "
            "range or this version's way to compute it differ; publish anew with `aemonitor retrain`"
        )


def _scores(canary: Canary, scorer: L1Scorer) -> F64:
    return scorer.score(FeatureMatrix(canary.rows(), scorer.layout)).scores
