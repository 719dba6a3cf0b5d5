"""Finds records that are probably not benign at all: what a first, short training reproduces far worse than the rest.

Benign data is collected, not proven. Records that do not belong teach the network to reproduce anomalies, widen what
the encoders take for ordinary and, held out, lift the limit above the anomalies to come. They are left out before
anything else is learned, and shown to a person, who may want to know why they were there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from monitor.core.arrays import F32, F64, I64, Bools
from monitor.core.model_config import ModelConfig
from monitor.core.protocols import Encoder
from monitor.core.records import RecordBatch
from monitor.core.rows import take
from monitor.ingest.features import FeatureSpace
from monitor.model.device import threads
from monitor.model.inference import Inference, field_errors
from monitor.training.fitting import fit
from monitor.training.splits import Split
from monitor.training.windows import windows_for

EPOCHS = 10
"""Of the first training: enough to learn what most records are like, too few to learn each odd one."""

FAR = 1.5
"""A held-out record is suspected only with so many times the largest error that was kept in training: leaving out the
merely unusual ones would promise fewer false alarms than there will be."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A record left out: its ``row`` among those given, how many ``times`` the median error it has, and where mostly.

    ``part`` is what it would have been used for.
    """

    row: int
    part: str
    times: float
    feature: str


def trimmed(
    parts: Split, records: RecordBatch, encoders: Mapping[str, Encoder], config: ModelConfig, device: torch.device
) -> tuple[Split, tuple[Suspect, ...]]:
    """The split without suspected records, and these, the worst first; as it is where ``config.trim`` is 0.

    Of the training records the share ``config.trim`` with the largest errors goes, of held-out ones at most as large a
    share, and only what lies far beyond every training record that stays. All of them take part in the first training,
    whose only purpose this is: that times have changed is no reason for suspicion.

    Raises:
        DataError: nothing can be learned from these records.
    """
    if not config.trim:
        return parts, ()
    in_time = take(records, parts.order)
    features = FeatureSpace.fit(encoders, in_time, novelty=config.novelty)
    values = features.encode(in_time).values
    inference = _first(values, features, config, device)
    errors = inference.errors(values).astype(np.float64)
    rows = np.flatnonzero(suspected := _suspected(errors, parts, config.trim))
    return parts.without(suspected), _told(rows, values[rows], errors, parts, inference)


def _first(values: F32, features: FeatureSpace, config: ModelConfig, device: torch.device) -> Inference:
    """The network after a short training on all records, [n, total], with a loss that outliers pull at less."""
    layout = features.layout
    short = config.model_copy(update={"epochs": min(EPOCHS, config.epochs), "loss": "huber"})
    network = values[:, : layout.width]
    windows = windows_for(config.network, features)
    with threads(1):
        fitted = fit(network, network[:0], short, device, lambda _epoch: None, layout, windows)
    return Inference(fitted.module, layout, device)


def _suspected(errors: F64, parts: Split, share: float) -> Bools:
    """Which records to leave out, [n] in the order of the split."""
    suspected = np.zeros(len(errors), dtype=np.bool_)
    learned = errors[parts.train]
    suspected[parts.train] = _largest(learned, share)
    far = FAR * float(learned[~suspected[parts.train]].max())
    for part in (parts.early_stop, parts.calibration):
        if parts.train.stop <= part.start:  # held out
            suspected[part] = _largest(errors[part], share) & (errors[part] > far)
    return suspected


def _usual(errors: F64) -> float:
    """The median error; never 0."""
    return max(float(np.median(errors)), float(np.finfo(np.float32).eps))


def _largest(errors: F64, share: float) -> Bools:
    """The share of the largest errors, [n]; of equal ones the later."""
    largest = np.zeros(len(errors), dtype=np.bool_)
    count = int(len(errors) * share)
    largest[np.argsort(errors, kind="stable")[len(errors) - count :]] = True
    return largest


def _told(rows: I64, values: F32, errors: F64, parts: Split, inference: Inference) -> tuple[Suspect, ...]:
    """The suspects at ``rows`` [m] of the split, which have ``values`` [m, total], the worst first."""
    usual = _usual(errors[parts.train])
    worst = field_errors(inference.layout, values, inference.reconstruct(values)).argmax(axis=1)
    found = [
        Suspect(
            int(parts.order[row]), _part(parts, row), float(errors[row]) / usual, inference.layout.blocks[field].feature
        )
        for row, field in zip(rows.tolist(), worst.tolist(), strict=True)
    ]
    return tuple(sorted(found, key=lambda suspect: -suspect.times))


def _part(parts: Split, row: int) -> str:
    if row < parts.train.stop:
        return "train"
    return "early_stop" if row < parts.early_stop.stop else "calibration"
