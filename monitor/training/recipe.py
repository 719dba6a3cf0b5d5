"""From benign records to a publishable model: split by time, fit the encoders, train, calibrate on unseen records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from monitor.core.arrays import F64, I64
from monitor.core.model_config import ModelConfig
from monitor.core.protocols import Encoder
from monitor.core.records import RecordBatch
from monitor.core.rows import take
from monitor.ingest.features import FeatureSpace
from monitor.model.bundle import BundleContents, canary_of
from monitor.model.calibration import calibrate_network
from monitor.model.device import one_thread
from monitor.model.history import Epoch
from monitor.model.inference import Inference
from monitor.model.manifest import DataSummary
from monitor.training.fitting import fit
from monitor.training.splits import split_by_time

WIDE = 256
"""Columns from which a second thread pays; below, threads cost far more in waiting for each other than they compute."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gave: the contents of a bundle, the features as fitted, and benign scores for the report."""

    contents: BundleContents
    features: FeatureSpace
    calibration_scores: F64  # [calibration records]


def train(
    stream: str,
    records: RecordBatch,
    encoders: Mapping[str, Encoder],
    config: ModelConfig,
    threshold: float,
    device: torch.device,
    on_epoch: Callable[[Epoch], None],
) -> Trained:
    """Learn ``records`` (all ok, at least ten).

    Encoders and network see the oldest 70 % only; 10 % decide when to stop; the newest 20 % set the benign range.

    Raises:
        DataError: nothing can be learned from these records, or training diverged.
        TryLaterError: too few records.
    """
    split = split_by_time(len(records), records.times)
    features = FeatureSpace.fit(encoders, take(records, split.train))
    layout = features.layout
    # Keyed features remember the records before: encode in the order of time, then cut.
    order = np.concatenate([split.train, split.early_stop, split.calibration])
    values = features.encode(take(records, order)).values
    stop, calibrate = len(split.train), len(split.train) + len(split.early_stop)
    network = values[:, : layout.width]
    with one_thread() if layout.width < WIDE else nullcontext():
        fitted = fit(network[:stop], network[stop:calibrate], config, device, on_epoch, layout)
    inference = Inference(fitted.module, layout)
    calibration = calibrate_network(inference, values[calibrate:])
    contents = BundleContents(
        stream=stream,
        module=fitted.module,
        config=config,
        layout=layout,
        features=features.state(),
        calibration=calibration,
        threshold=threshold,
        canary=canary_of(inference, values[calibrate:]),
        data=_summary(records, split.train, split.early_stop, split.calibration),
        history=fitted.history,
    )
    return Trained(contents, features, calibration.score(inference.errors(values[calibrate:])))


def _summary(records: RecordBatch, train: I64, early_stop: I64, calibration: I64) -> DataSummary:
    known = np.empty(0) if records.times is None else records.times[np.isfinite(records.times)]
    return DataSummary(
        train=len(train),
        early_stop=len(early_stop),
        calibration=len(calibration),
        first_time=float(known.min()) if len(known) else None,
        last_time=float(known.max()) if len(known) else None,
    )
