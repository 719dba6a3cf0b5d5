"""The product: ``Detector`` with its defaults, its scores and its own threshold."""

from __future__ import annotations

from monitor import Detector
from monitor.core.arrays import F64

from .measures import Measures, Scorer, measured
from .sets import Trial

NAME = "aemonitor"


def fit(train: F64) -> Scorer:
    """As peers are called: rows of numbers in, a scorer out."""
    scorer: Scorer = Detector().fit(train).anomaly_score
    return scorer


def run(trial: Trial) -> Measures:
    """Learn the benign part and score the test."""
    detector = Detector(**trial.options).fit(trial.train)
    return measured(detector.anomaly_score(trial.test), trial.truth, flagged=detector.predict(trial.test) < 0)
