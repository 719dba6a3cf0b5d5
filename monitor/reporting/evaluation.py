"""What an evaluation found, as facts: every table, plot and page is made from these and from nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.core.arrays import F64, I64, Bools
from monitor.model.history import History


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % bootstrap confidence interval; all NaN where it is not defined (one class only).

    ``low`` and ``high`` alone are NaN when no resamples were asked for.
    """

    value: float
    low: float
    high: float


NOT_DEFINED = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts at a threshold: a record is called anomalous when its score exceeds it."""

    threshold: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, [p] each; p = 0 where it is not defined.

    ROC: false-positive rate, recall. PR: recall, precision. ``thresholds`` falls; the first one is infinite (nothing is
    called anomalous). Thinned to about 1,000 points.
    """

    x: F64
    y: F64
    thresholds: F64


@dataclass(frozen=True, slots=True)
class Event:
    """A run of anomalous records of one key, in the order of the input, and when the first alert in it came.

    Records of other keys, and those without score or label, do not end a run.
    ``first`` and ``last`` are places in the input, from 0. Delays count from the event's first record; None: missed,
    for seconds also: no event time.
    """

    first: int
    last: int
    key: str | None
    start_time: float | None  # seconds since 1970 UTC
    delay_records: int | None
    delay_seconds: float | None
    first_file: str  # where the first and the last record stand, lines from 1 in their file
    first_line: int
    last_file: str
    last_line: int


@dataclass(frozen=True, slots=True)
class EventScores:
    """Detection of events, without point adjustment: an alert outside every event is a false episode.

    Consecutive alerts of one key outside events are one false episode.
    """

    events: tuple[Event, ...]
    false_episodes: int
    precision: float  # events found / (events found + false episodes)
    recall: float  # events found / events


@dataclass(frozen=True, slots=True)
class Corrupted:
    """Benign records damaged on purpose, and how many of them are found.

    ``kind`` is noise, scale, swap, flip, missing or unseen; ``target`` the feature that was damaged, or
    ``all features``; ``strength`` a text for people such as ``0 to 20`` or ``x 10``. ``records`` counts those that the
    damage changed; the others (ten times nothing is nothing) are left out.
    """

    kind: str
    target: str
    strength: str
    records: int
    recall: Estimate  # share above the threshold
    recall_at_rate: Estimate  # share above the threshold that `false_positive_rate` of the benign records exceed
    auroc: float  # damaged against undamaged


@dataclass(frozen=True, slots=True)
class Recovered:
    """One kind of fault planted in one field of benign records: how many are found, and blamed on that field.

    ``records`` counts those that the fault changed. ``named`` is the share of those above the threshold whose alert
    names the field first (of very many, of a sample); not defined where none is. Faults that move the clock have the
    field ``event time``, and what remembers earlier records is to blame.
    """

    field: str
    fault: str
    records: int
    recall: Estimate  # share above the threshold
    recall_at_rate: Estimate  # share above the threshold that `rate` of the benign records exceed
    named: Estimate


@dataclass(frozen=True, slots=True)
class Picture:
    """A record that is an image: what it is, what the network made of it, both in the field's own units.

    ``line`` counts from 1 in its file; ``label`` is the true one; ``squared_error`` is there where it decides the
    rank. Grey [h, w] or colour [h, w, 3].
    """

    file: str
    line: int
    score: float
    label: str
    image: F64
    reconstruction: F64
    low: float  # black
    high: float  # white
    squared_error: float | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything about one model on one labelled input. Arrays are in the order of the input, one entry a record.

    Records that could not be parsed or have no label are counted (``records`` counts all; lines that are column headers
    are no records) and are in none of the arrays. ``notes`` are sentences a reader of the figures must know: why one is
    not defined, what was chosen on the evaluated data, what was sampled.
    """

    stream: str
    model: str  # version
    inputs: tuple[str, ...]
    records: int
    unparsed: int
    unlabelled: int
    scores: F64  # [n]
    errors: F64  # [n], weighted L1
    labels: Bools  # [n], True = anomalous
    places: I64  # [n], place of the record in the whole input, from 0
    times: F64 | None  # [n], seconds since 1970 UTC, NaN where unknown
    threshold: float
    threshold_source: str  # how it was found, for people
    confusion: Confusion
    precision: Estimate
    recall: Estimate
    false_positive_rate: Estimate
    f1: Estimate
    auroc: Estimate
    average_precision: Estimate
    roc: Curve
    precision_recall: Curve
    precision_at: tuple[tuple[int, float], ...]  # (k, share of anomalies among the k highest scores)
    sweep: tuple[Confusion, ...]  # thresholds rising
    events: EventScores | None
    rate: float  # the false-positive rate of `recall_at_rate`
    rate_threshold: float  # the threshold that gives it on the benign records of this input
    corruptions: tuple[Corrupted, ...]
    pictures: tuple[Picture, ...]
    history: History  # of the training
    loss: str  # name of the training loss
    accuracy: Estimate = NOT_DEFINED
    mcc: Estimate = NOT_DEFINED  # Matthews correlation, -1 to 1; 0 is guessing
    planted: tuple[Recovered, ...] = ()
    notes: tuple[str, ...] = ()
