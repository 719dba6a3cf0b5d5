"""Evaluations as the command makes them, of made-up scores: what plots and pages are tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.model.history import Epoch, History
from monitor.reporting.assessment import Choice, Subject, assess
from monitor.reporting.evaluation import Corrupted, Estimate, Evaluation, Picture, Recovered
from monitor.reporting.intervals import Bootstrap
from monitor.reporting.labelled import Labelled

HISTORY = History(
    tuple(Epoch(at, 0.5 * 0.8**at + 0.01, 0.5 * 0.82**at + 0.02) for at in range(1, 31)), best_epoch=25, explained=0.8
)
STRENGTHS = ("0 to 20", "0 to 50", "0 to 100", "100 to 200")


def quiet(_what: str, _done: int, _total: int, _remark: str) -> None:
    """Progress nobody looks at."""


def two_classes(benign: int = 900, anomalous: int = 100, seed: int = 1) -> tuple[F64, Bools]:
    """Scores and labels, [n] each, the anomalous ones in runs of ten; the classes overlap a little."""
    random = np.random.default_rng(seed)
    labels = np.zeros(benign + anomalous, dtype=np.bool_)
    for start in np.linspace(0, max(len(labels) - 10, 0), max(anomalous // 10, 1)).astype(int):
        labels[start : start + 10] = anomalous > 0
    scores = np.where(labels, random.normal(3.0, 1.0, len(labels)), random.beta(2, 6, len(labels)) * 1.25)
    return scores, labels


def evaluation(scores: F64, labels: Bools, threshold: float = 1.0, keys: Sequence[str | None] = (None,)) -> Evaluation:
    """The evaluation of these scores, without corruptions and pictures; keys alternate every ten records."""
    rows = len(scores)
    labelled = Labelled(
        paths=("test.csv",),
        files=np.zeros(rows, dtype=np.int64),
        lines=np.arange(1, rows + 1),
        scores=scores,
        errors=scores * 0.1 + 0.2,
        codes=labels.astype(np.int8),
        times=np.linspace(1.7e9, 1.7e9 + 60.0 * rows, rows, endpoint=False),
        keys=np.arange(rows) // 10 % len(keys),
        names=tuple(keys),
    )
    subject = Subject("digits", "20261122T120000Z-ab12cd34", ("test.csv",), 1.0, HISTORY, "mse")
    return assess(labelled, subject, Choice(threshold, None, 0.001), Bootstrap(20, 1), quiet)


def corruptions(targets: Sequence[str] = ("pixels",), kinds: Sequence[str] = ("noise", "scale")) -> list[Corrupted]:
    """Damage that is found the more often the stronger it is."""
    found: list[Corrupted] = []
    for target in targets:
        for kind in kinds:
            for at, strength in enumerate(STRENGTHS):
                recall = Estimate(0.2 + 0.25 * at, 0.15 + 0.25 * at, min(0.25 + 0.25 * at, 1.0))
                found.append(Corrupted(kind, target, strength, 2000, recall, recall, 0.5 + 0.1 * at))
    return found


def planted(fields: Sequence[str] = ("load", "host")) -> tuple[Recovered, ...]:
    """Faults that are found the more often the later they stand."""
    found = [Estimate(0.3 + 0.3 * at, 0.2 + 0.3 * at, 0.4 + 0.3 * at) for at in range(3)]
    faults = ("missing", "swap", "unseen")
    return tuple(
        Recovered(field, fault, 200, recall, recall, recall)
        for field in fields
        for fault, recall in zip(faults, found, strict=True)
    )


def pictures(count: int, label: str = "7", file: str = "test.csv") -> tuple[Picture, ...]:
    """Rings that the network draws a little too large, every other one in noise."""
    random = np.random.default_rng(1)
    distance = np.hypot(*(np.mgrid[:28, :28] - 14.0))
    rings = [255 * np.exp(-(((distance - radius) / 1.5) ** 2)) for radius in (4 + at % 7 for at in range(count))]
    noisy = [np.clip(ring + at % 2 * random.integers(100, 200, ring.shape), 0, 255) for at, ring in enumerate(rings)]
    made = 255 * np.exp(-(((distance - 7) / 2.5) ** 2))
    return tuple(Picture(file, 31 * at + 7, 12.5 - at, label, ring, made, 0.0, 255.0) for at, ring in enumerate(noisy))


def full(keys: Sequence[str | None] = (None,)) -> Evaluation:
    """Everything that can be in one."""
    found = evaluation(*two_classes(), keys=keys)
    return replace(
        found, corruptions=tuple(corruptions()), planted=planted(), pictures=pictures(3), notes=("one thing to know",)
    )
