"""All figures of an evaluation, from the labelled scores: what is written down in docs/evaluation.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.core.errors import DataError
from monitor.core.progress import Progress
from monitor.model.history import History
from monitor.reporting.confusion import SLACK, confusions, estimated_rates, sweep_thresholds, threshold_at_rate
from monitor.reporting.curves import areas, precision_at, precision_recall, roc
from monitor.reporting.evaluation import Confusion, Evaluation
from monitor.reporting.events import Series, score_events
from monitor.reporting.intervals import Bootstrap
from monitor.reporting.labelled import Labelled
from monitor.reporting.labels import ANOMALOUS

EXACT_TAIL = 0.05
"""Chance that the exact one-sided bound of a share of 0 or 1 leaves out."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is evaluated: the model, the input, and the threshold that the configuration has.

    ``learned`` is the event time, in seconds since 1970 UTC, of the first and the last record the model was made from.
    """

    stream: str
    model: str
    inputs: tuple[str, ...]
    configured_threshold: float
    history: History
    loss: str
    learned: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """How the thresholds are found: given, or the one for a false-positive rate, or (both None) the configured one."""

    threshold: float | None
    max_fpr: float | None
    rate: float


def assess(
    labelled: Labelled, subject: Subject, choice: Choice, bootstrap: Bootstrap, progress: Progress
) -> Evaluation:
    """The evaluation of a labelled input, without pictures and corruptions.

    Raises:
        DataError: no record has both a score and a label, or a threshold is asked for that needs benign records.
    """
    usable = labelled.usable
    if not usable.any():
        raise DataError(
            f"of {len(labelled):,} records none can be evaluated: {int((~labelled.parsed).sum()):,} could not be "
            f"parsed, {int((labelled.parsed & ~usable).sum()):,} have no label"
        )
    scores, labels = labelled.scores[usable], labelled.codes[usable] == ANOMALOUS
    threshold, source = _threshold(scores[~labels], subject, choice)
    counts = confusions(scores, labels, np.array([threshold]))[0]
    figures = estimated_rates(counts, bootstrap)
    auroc, average_precision = areas(scores, labels, bootstrap, progress)
    rate_threshold = threshold_at_rate(scores[~labels], choice.rate)
    thresholds = sweep_thresholds(scores, threshold, subject.configured_threshold, rate_threshold)
    return Evaluation(
        stream=subject.stream,
        model=subject.model,
        inputs=subject.inputs,
        records=len(labelled),
        unparsed=int((~labelled.parsed).sum()),
        unlabelled=int((labelled.parsed & ~usable).sum()),
        scores=scores,
        errors=labelled.errors[usable],
        labels=labels,
        places=np.flatnonzero(usable).astype(np.int64),
        times=None if labelled.times is None else labelled.times[usable],
        threshold=threshold,
        threshold_source=source,
        confusion=counts,
        precision=figures.precision,
        recall=figures.recall,
        false_positive_rate=figures.false_positive_rate,
        f1=figures.f1,
        auroc=auroc,
        average_precision=average_precision,
        roc=roc(scores, labels),
        precision_recall=precision_recall(scores, labels),
        precision_at=precision_at(scores, labels),
        sweep=confusions(scores, labels, thresholds),
        events=score_events(_series(labelled, usable, scores > threshold, labels)),
        rate=choice.rate,
        rate_threshold=rate_threshold,
        corruptions=(),
        pictures=(),
        history=subject.history,
        loss=subject.loss,
        accuracy=figures.accuracy,
        mcc=figures.mcc,
        notes=(*_seen_before(labelled, usable, subject), *_notes(labelled, counts, choice)),
    )


def _series(labelled: Labelled, usable: Bools, alerts: Bools, labels: Bools) -> Series:
    return Series(
        alerts=alerts,
        labels=labels,
        places=np.flatnonzero(usable).astype(np.int64),
        keys=labelled.keys[usable],
        names=labelled.names,
        times=None if labelled.times is None else labelled.times[usable],
        paths=labelled.paths,
        files=labelled.files[usable],
        lines=labelled.lines[usable],
    )


def _threshold(benign: F64, subject: Subject, choice: Choice) -> tuple[float, str]:
    """The threshold of the counts and how it was found, for people."""
    if choice.threshold is not None:
        return choice.threshold, "given by --threshold"
    if choice.max_fpr is None:
        return subject.configured_threshold, f"alert.threshold of stream {subject.stream}"
    if not len(benign):
        raise DataError("--max-fpr: the input has no benign record whose score could set the threshold")
    source = (
        f"the smallest that at most {choice.max_fpr:g} of the {len(benign):,} benign records of this input exceed; "
        "chosen on the evaluated records themselves, so its figures are optimistic"
    )
    return threshold_at_rate(benign, choice.max_fpr), source


def _seen_before(labelled: Labelled, usable: Bools, subject: Subject) -> list[str]:
    """Records the model may know are no test of it."""
    if labelled.times is None or subject.learned is None:
        return []
    times = labelled.times[usable]
    first, last = subject.learned
    known = int(((times >= first) & (times <= last)).sum())
    told = f"of {len(times):,} records, {known:,} are from the time of the records that the model was made from"
    return [f"{told}; if they are the same ones, the figures are optimistic"] if known else []


def _notes(labelled: Labelled, counts: Confusion, choice: Choice) -> list[str]:
    anomalous, benign = counts.true_positives + counts.false_negatives, counts.false_positives + counts.true_negatives
    notes: list[str] = []
    if not anomalous or not benign:
        absent = "anomalous" if not anomalous else "benign"
        notes.append(
            f"there is no {absent} record, so what compares the two classes is not defined: precision, F1, MCC, "
            "AUROC, average precision, the curves"
        )
    lost = int((~labelled.parsed & (labelled.codes == ANOMALOUS)).sum())
    if lost:
        notes.append(f"records labelled anomalous that could not be parsed: {lost:,}; they are in none of the figures")
    if benign and math.floor(choice.rate * benign + SLACK) < 1:
        notes.append(
            f"{choice.rate:g} of {benign:,} benign records is less than one: the threshold for that rate is the "
            "largest benign score, and the rate in operation may well be higher"
        )
    return [*notes, *_sure_shares(counts, anomalous, benign)]


def _sure_shares(counts: Confusion, anomalous: int, benign: int) -> list[str]:
    """Where all resamples agree an interval has no width, which is not the same as being sure."""
    shares: Sequence[tuple[str, int, int]] = (
        ("recall", counts.true_positives, anomalous),
        ("false-positive rate", counts.false_positives, benign),
    )
    return [_sure(name, hits == records, records) for name, hits, records in shares if records and hits in (0, records)]


def _sure(name: str, all_of_them: bool, records: int) -> str:
    bound = EXACT_TAIL ** (1 / records)
    beyond = f"below {bound:.4g}" if all_of_them else f"above {1 - bound:.4g}"
    return (
        f"the {name} is {'1' if all_of_them else '0'}; by the exact bound it is not {beyond} "
        f"(one-sided 95 %, {records:,} records)"
    )
