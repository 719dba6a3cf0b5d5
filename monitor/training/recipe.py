"""From benign records to a publishable model: split by time, fit the encoders, train, calibrate on unseen records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from monitor.core.alert_config import AlertConfig
from monitor.core.arrays import F32
from monitor.core.config import ScoreConfig
from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig
from monitor.core.protocols import Encoder
from monitor.core.records import RecordBatch
from monitor.core.rows import take
from monitor.deciding.score_tail import ScoreTail
from monitor.deciding.told import ToldRecords
from monitor.ingest.features import FeatureSpace
from monitor.model.bundle import BundleContents, canary_of
from monitor.model.calibration import ScoreRange, calibrate_network
from monitor.model.device import spare_cores, threads
from monitor.model.history import Epoch
from monitor.model.inference import SLICE_ROWS, Inference
from monitor.model.manifest import DataSummary
from monitor.scoring.canary import with_scores
from monitor.scoring.choice import scorer_of
from monitor.training.fitting import fit
from monitor.training.halfway import Halfway
from monitor.training.limits import l1_limit, nothing_older, rarity_range, told_again
from monitor.training.sampled import learned_of, only_remembered, with_judged
from monitor.training.score_fitting import learn_score
from monitor.training.splits import Split, split
from monitor.training.trimming import Suspect, trimmed
from monitor.training.windows import windows_for

WIDE = 256
"""Columns from which a second thread pays; below, threads cost far more in waiting for each other than they compute."""


@dataclass(frozen=True, slots=True)
class Judging:
    """What makes a score and an alert of an error: the ``score:`` and ``alert:`` sections of a stream.

    ``told`` are records that those to learn leave out because people were told of them; they count towards a budget.
    ``older`` scores, with the model as it is then, records of which nothing was learned; see ``limits.Older``.
    """

    score: ScoreConfig
    alert: AlertConfig
    told: ToldRecords | None = None
    older: Callable[[BundleContents], ScoreTail | None] = lambda _contents: None

    def sections(self) -> dict[str, dict[str, Any]]:
        """Both sections as plain data."""
        return {"score": self.score.model_dump(mode="json"), "alert": self.alert.model_dump(mode="json")}


@dataclass(frozen=True, slots=True)
class Course:
    """What a training tells of the steps after its epochs, and where the epochs are written down, to survive a kill."""

    on_step: Callable[[int, int, float], None] = lambda _step, _steps, _loss: None
    halfway: Halfway | None = None


COURSE = Course()
"""Of a training that nobody watches."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gave: the contents of a bundle, the features as fitted, and the records that were left out.

    ``contents`` know the values of the records that were learned, as what was held out is judged by; those in use know
    the values of all.
    """

    contents: BundleContents
    features: FeatureSpace
    known: FeatureSpace
    suspects: tuple[Suspect, ...] = ()

    @property
    def in_use(self) -> BundleContents:
        """The contents to publish.

        No record scores higher with them, so they bring no more false alerts than were promised; and nothing that
        benign records showed is called new.
        """
        return replace(self.contents, features=self.known.state())


def train(
    stream: str,
    records: RecordBatch,
    encoders: Mapping[str, Encoder],
    config: ModelConfig,
    judging: Judging,
    device: torch.device,
    on_epoch: Callable[[Epoch], bool | None],
    *,
    course: Course = COURSE,
) -> Trained:
    """Learn ``records`` (all ok, at least ten).

    With ``split: time`` encoders and network see the oldest 70 % only; 10 % decide when to stop; the newest 20 % set
    the benign range. With ``split: none`` all records do all of it. A blend learns from the first 80 %; where there is
    too little to hold out, or nothing but constants, the score is the plain L1 whatever is asked for. ``on_epoch``
    ends the epochs with True; only then does the outcome depend on a clock.

    Raises:
        DataError: nothing can be learned from these records, or training diverged.
        TryLaterError: too few records, or too few to keep the budget of false alerts.
        UsageError: a budget, and no record is held out.
    """
    whole = split(len(records), records.times, config.split)
    parts, suspects = trimmed(learned_of(whole, records), records, encoders, config, device)
    features = FeatureSpace.fit(encoders, take(records, parts.order[parts.train]), novelty=config.novelty)
    parts = with_judged(whole, parts, records)
    layout = features.layout
    # Keyed features remember the records before: encode in the order of time, then cut.
    values = features.encode(take(records, parts.order)).values
    remembered = only_remembered(parts, records)
    parts, values = parts.without(remembered), values[~remembered]
    network = values[:, : layout.width]
    with _cores(layout):
        windows = windows_for(config.network, features)
        fitted = fit(
            network[parts.train],
            network[parts.early_stop],
            config,
            device,
            on_epoch,
            layout,
            windows,
            halfway=course.halfway,
        )
    inference = Inference(fitted.module, layout)
    benign = values[parts.calibration]
    calibration = calibrate_network(inference, benign)
    held_out = take(records, parts.order[parts.calibration])
    early = values[parts.train.start : max(parts.train.stop, parts.early_stop.stop)]
    with _cores(layout):
        learned = learn_score(judging.score, inference, early, benign, config.seed, course.on_step)
    unlimited = BundleContents(
        stream=stream,
        module=fitted.module,
        config=config,
        layout=layout,
        features=features.state(),
        calibration=calibration,
        threshold=judging.alert.threshold,
        canary=canary_of(inference, benign),
        data=_summary(records, parts),
        history=replace(fitted.history, explained=explained_share(inference, benign)),
        sections=judging.sections(),
        score=ScoreRange(judging.score.method, 0.0, 1.0) if learned else None,
        evidence=learned.state if learned else {},
    )
    again = told_again(judging.told, features, scorer_of(unlimited, layout))
    older = partial(judging.older, unlimited) if _tells_of_others(config, features) else nothing_older
    if learned:
        score_range, limit = rarity_range(learned.rarity, held_out, judging.score, judging.alert, again, older)
        contents = replace(unlimited, score=score_range, limit=limit)
        contents = replace(contents, canary=with_scores(contents.canary, scorer_of(contents, layout)))
    else:
        scores = calibration.score(inference.errors(benign))
        limit = l1_limit(scores, held_out, judging.alert, again, older)
        contents = replace(unlimited, threshold=limit.value, limit=limit)
    later = take(records, parts.order[parts.train.stop :])
    return Trained(contents, features, features.widened(later), suspects)


def _tells_of_others(config: ModelConfig, features: FeatureSpace) -> bool:
    """Whether records that the training did not see can calibrate: each by itself, and held out as all of them are.

    Suspected records are found by a first training on all of them, which says nothing of others.
    """
    return config.split == "time" and not config.trim and not features.remembers


def _cores(layout: Layout) -> AbstractContextManager[None]:
    return threads(1 if layout.width < WIDE else spare_cores())


def explained_share(inference: Inference, values: F32) -> float | None:
    """How much of the variation of records [n, total] the network reproduces: 1 all of it, 0 or less none.

    That is 1 - (squared errors) / (squared distances from the mean record), over the network columns; a network that
    answers every record with the same one has 0 at best. None when the records do not vary.
    """
    width = inference.layout.width
    mean = values[:, :width].mean(axis=0, dtype=np.float64).astype(np.float32)
    errors = variation = 0.0
    for start in range(0, len(values), SLICE_ROWS):
        rows = values[start : start + SLICE_ROWS]
        errors += float(np.square(rows - inference.reconstruct(rows))[:, :width].sum(dtype=np.float64))
        variation += float(np.square(rows[:, :width] - mean).sum(dtype=np.float64))
    return 1.0 - errors / variation if variation > 0.0 else None


def _summary(records: RecordBatch, parts: Split) -> DataSummary:
    known = np.empty(0) if records.times is None else records.times[np.isfinite(records.times)]
    return DataSummary(
        train=parts.count(parts.train),
        early_stop=parts.count(parts.early_stop),
        calibration=parts.count(parts.calibration),
        first_time=float(known.min()) if len(known) else None,
        last_time=float(known.max()) if len(known) else None,
    )
