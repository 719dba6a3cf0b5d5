"""The gate before publication: a model that is blind to gross faults, or alerts all the time, stays outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from monitor.app.compose import averaging_of, check_fit, load_bundle, restore_features, threshold_of
from monitor.app.planting import Effort, Judge, Stretch, recover
from monitor.core.config import Config
from monitor.core.errors import BundleError, TryLaterError
from monitor.core.features import FeatureMatrix
from monitor.core.records import RecordBatch
from monitor.core.rows import take
from monitor.model.bundle import BundleContents
from monitor.reporting.corruption import Limits
from monitor.reporting.evaluation import Recovered
from monitor.reporting.intervals import Bootstrap
from monitor.scoring.choice import scorer_of
from monitor.training.splits import split

FAULTS = ("x10", "unseen", "missing")
"""Gross ones: whoever does not find these finds nothing."""

STRETCH_RECORDS = 1000
EFFORT = Effort(planted=20, named=3, runs=24)
"""About a second: a training takes several."""

BLIND, SEEING = 0.1, 0.5
"""A model that finds less than the one share of them does not replace one that finds more than the other."""

MOST_FALSE = 0.2
"""A model that alerts on more of the held-out benign records is of no use to anyone."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a model did with held-out benign records: ``false_alarms`` is the share of them that alert.

    ``recall`` is the share found of ``planted`` faults, as if each lasted long enough to fill the average of scores,
    ``named`` the share of alerts asked that name the spoiled field first. None where there is nothing to share.
    """

    false_alarms: float
    planted: int
    recall: float | None
    named: float | None

    def text(self) -> str:
        """The faults, for a person."""
        if self.recall is None:
            return "no fault can be planted in these fields"
        named = "" if self.named is None else f", {self.named:.0%} of these name the field first"
        return f"{self.recall:.0%} of {self.planted:,} gross ones planted in held-out records are found{named}"


def judged(
    config: Config, name: str, contents: BundleContents, records: RecordBatch, device: torch.device
) -> tuple[Trial, str | None]:
    """How the new model does with held-out records, and why it must not be published."""
    stream = config.streams[name]
    parts = split(len(records), records.times, stream.model.split)
    held_out = take(records, parts.order[parts.calibration][-STRETCH_RECORDS:])

    def tried(model: BundleContents) -> Trial:
        return examine(model, held_out, stream.key, threshold_of(stream, model), device)

    def champion() -> Trial | None:
        model = _champion(config, name)
        return None if model is None else tried(model)

    trial = tried(contents)
    return trial, refusal(trial, champion)


def _champion(config: Config, name: str) -> BundleContents | None:
    """The published model, if there is one that the configured features can still be scored with."""
    try:
        bundle = load_bundle(config, name, None)
        check_fit(name, config.streams[name], bundle, restore_features(bundle.contents))
    except (BundleError, TryLaterError):
        return None
    return bundle.contents


def examine(
    contents: BundleContents, held_out: RecordBatch, key: str | None, threshold: float, device: torch.device
) -> Trial:
    """Try a model on benign records in the order of time, n > 0; it remembers nothing of those before them."""
    features = restore_features(contents)
    stretch = Stretch(features, STRETCH_RECORDS)
    matrix = features.encode(held_out)
    stretch.offer(held_out, matrix.values, np.arange(len(matrix)))
    judge = Judge.of(features, scorer_of(contents, features.layout, device))
    scores = averaging_of(contents).apply(held_out, judge.score(FeatureMatrix(matrix.values, features.layout)))
    limits = Limits(threshold, threshold)
    rows, _ = recover(judge, stretch, key, FAULTS, limits, Bootstrap(0, 1), lambda *_: None, effort=EFFORT)
    return _trial(float((scores > threshold).mean()), rows)


def _trial(false_alarms: float, rows: tuple[Recovered, ...]) -> Trial:
    planted = sum(row.records for row in rows)
    found = np.array([round(row.recall.value * row.records) for row in rows])
    asked = np.minimum(found, EFFORT.named)
    named = np.nansum([row.named.value * times for row, times in zip(rows, asked, strict=True)])
    return Trial(
        false_alarms,
        planted,
        recall=float(found.sum() / planted) if planted else None,
        named=float(named / asked.sum()) if asked.sum() else None,
    )


def refusal(trial: Trial, champion: Callable[[], Trial | None]) -> str | None:
    """Why a model must not be published; None when it may be. ``champion`` tries the one in use, if there is one.

    Where nothing is in use, a blind model is better than none: it still finds what is not tried here.
    """
    if trial.false_alarms > MOST_FALSE:
        return f"it alerts on {trial.false_alarms:.0%} of the held-out benign records; raise alert.threshold"
    if trial.recall is None or trial.recall >= BLIND:
        return None
    rival = champion()
    if rival is None or rival.recall is None or rival.recall <= SEEING:
        return None
    return (
        f"it finds {trial.recall:.0%} of {trial.planted:,} gross faults planted in held-out records, "
        f"the one in use finds {rival.recall:.0%}"
    )
