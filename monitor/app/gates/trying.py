"""Faults planted in held-out records, for the new model, the one in use and two that learned nothing: who finds what.

All are allowed the same number of false alerts: where benign records have changed since the one in use was made, or its
limit is lower than its budget allows, it alerts on more of them, faults or not, and that is no merit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.app.gates.contender import Contender
from monitor.app.gates.contest import Contest
from monitor.app.planting import Effort, Judge, Stretch, recover
from monitor.core.arrays import F32, F64
from monitor.core.features import FeatureMatrix, Layout
from monitor.core.records import RecordBatch
from monitor.deciding.pace import FURTHEST
from monitor.model.inference import field_errors
from monitor.model.trials import Planted
from monitor.reporting.corruption import Limits
from monitor.reporting.evaluation import Recovered
from monitor.reporting.intervals import Bootstrap

FAULTS = ("x10", "swap", "unseen", "missing", "frozen")
"""One of each way in which a field goes wrong: too large, of another record, new, gone, stuck."""

EFFORT = Effort(planted=100, named=3, runs=150)
"""With five faults a field a recall is known to within about 4 points; naming costs most, and a few show it."""

RATE = 0.001
"""The share of false alerts at which reports tell recall a second time."""

MARGIN = 0.05
"""So much less of the planted faults a model may find than its rival."""

MOST = 0.5
"""More than this share of the held-out records is what most of them do."""

NEGLIGIBLE = 1e-9
"""Sums of weights differ by less than this."""

SURE = 2.33
"""Standard deviations by which chance exceeds once in a hundred times what a model may fall short."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What was found by each: the new model, the one in use (None: there is none), the mean record, the identity."""

    found: tuple[Recovered, ...]  # by the new model
    champion: tuple[Planted, ...] | None
    mean: tuple[Planted, ...]
    identity: tuple[Planted, ...]

    @property
    def candidate(self) -> tuple[Planted, ...]:
        """What the new model found, as counts."""
        return planted(self.found)

    @property
    def named(self) -> float | None:
        """The share of its alerts asked that name the spoiled field first; None where none was."""
        asked = np.array([min(row.found, EFFORT.named) for row in self.candidate])
        named = np.nansum([row.named.value * times for row, times in zip(self.found, asked, strict=True)])
        return float(named / asked.sum()) if asked.sum() else None


def tried(contest: Contest) -> Tried:
    """Plant the same faults for all of them."""
    ours, records = contest.candidate, contest.held_out
    values = ours.encode(records)
    scores = ours.scores(records, values)
    false_alerts = int((scores > ours.threshold).sum())
    limits = Limits(ours.threshold, fair_limit(scores, int(RATE * len(scores))))
    found = _found(contest, ours.judge, ours.stretch(records, values), limits)

    def baseline(expected: F32) -> tuple[Planted, ...]:
        judge = Judge(ours.features, distance_from(expected, ours.features.layout), lambda _values: [])
        benign = judge.score(FeatureMatrix(values, ours.features.layout))
        limit = fair_limit(benign, false_alerts)
        return planted(_found(contest, judge, ours.stretch(records, values), Limits(limit, limit)))

    return Tried(
        found=found,
        champion=None if contest.champion is None else _rival(contest, contest.champion),
        mean=baseline(values[:, : ours.features.layout.width].mean(axis=0, dtype=np.float64).astype(np.float32)),
        identity=baseline(np.empty(0, dtype=np.float32)),
    )


def _rival(contest: Contest, rival: Contender) -> tuple[Planted, ...]:
    limit, values = comparable_limit(contest, rival), rival.encode(contest.held_out)
    return planted(_found(contest, rival.judge, rival.stretch(contest.held_out, values), Limits(limit, limit), named=0))


def comparable_limit(contest: Contest, rival: Contender) -> float:
    """Where the model in use raises as many false alerts as the new one, of all that sets the new limit.

    Of the few records that faults are planted in neither may alert on any, and one of them ten times as often as the
    other.
    """
    ours, theirs = alarms(contest, contest.candidate), alarms(contest, rival)
    return rivals_limit(theirs, rival.threshold, ours.above(contest.candidate.threshold))


@dataclass(frozen=True, slots=True)
class Alarms:
    """Scores of benign records, [n], and of how many records each of them stands for one, [n]."""

    scores: F64
    weights: F64

    def above(self, limit: float) -> float:
        """How many alert."""
        return float(self.weights[self.scores > limit].sum())


def alarms(contest: Contest, contender: Contender) -> Alarms:
    """Of the records that set the limit, and of the episodes told of while these were kept, in the same time."""
    scores = _scores(contender, contest.calibrating)
    told, rate = contest.told, contest.stream.alert.records_per_day
    if told is None or rate is None or not len(told.records):
        return Alarms(scores, np.ones(len(scores)))
    again = _scores(contender, told.records) * told.factors
    share = len(scores) / rate / told.days
    return Alarms(np.concatenate([scores, again]), np.repeat([1.0, share], [len(scores), len(again)]))


def _scores(contender: Contender, records: RecordBatch) -> F64:
    return contender.scores(records, contender.encode(records))


def fair_limit(scores: F64, false_alerts: float, weights: F64 | None = None) -> float:
    """The lowest limit that no more than ``false_alerts`` of the scores [n] exceed; each counts its weight, or 1.

    >>> fair_limit(np.array([3.0, 1.0, 2.0]), 1), fair_limit(np.array([3.0, 1.0]), 2)
    (2.0, -inf)
    >>> fair_limit(np.array([3.0, 1.0, 2.0]), 1.5, np.array([1.0, 1.0, 0.5]))
    1.0
    """
    order = np.argsort(-scores)
    exceeding = np.cumsum(np.ones(len(scores)) if weights is None else weights[order])
    beyond = np.flatnonzero(exceeding > false_alerts + NEGLIGIBLE)
    return float(scores[order[beyond[0]]]) if len(beyond) else -math.inf


def rivals_limit(alarms: Alarms, threshold: float, false_alerts: float) -> float:
    """Where the model in use is to alert, so that it raises no more false alerts than the new one.

    It goes up to ``FURTHEST`` times its own limit, and beyond only if even there most records would alert. What most
    records do is how things are now; what some do may be what has to be found, and the new model has learned it.

    Args:
        alarms: of held-out records by the model in use.
        threshold: its own limit.
        false_alerts: how many of them alert with the new model.
    """
    fair, furthest = fair_limit(alarms.scores, false_alerts, alarms.weights), FURTHEST * threshold
    if fair > furthest and alarms.above(furthest) <= MOST * alarms.weights.sum():
        fair = furthest
    return max(threshold, fair)


def distance_from(expected: F32, layout: Layout) -> Callable[[FeatureMatrix], F64]:
    """The error of a network that answers every record with ``expected`` [width], or, where it is empty, with itself.

    What is new counts as it does for any network.
    """

    def errors(matrix: FeatureMatrix) -> F64:
        answer = np.zeros_like(matrix.values)
        answer[:, : layout.width] = expected if len(expected) else matrix.values[:, : layout.width]
        summed: F64 = field_errors(layout, matrix.values, answer).sum(axis=1)
        return summed

    return errors


def _found(
    contest: Contest, judge: Judge, stretch: Stretch, limits: Limits, named: int = EFFORT.named
) -> tuple[Recovered, ...]:
    effort = Effort(EFFORT.planted, named, EFFORT.runs)
    return recover(judge, stretch, contest.stream.key, FAULTS, limits, Bootstrap(0, 1), lambda *_: None, effort=effort)[
        0
    ]


def planted(rows: Sequence[Recovered]) -> tuple[Planted, ...]:
    """The rows as counts."""
    return tuple(Planted(r.field, r.fault, r.records, round(r.recall.value * r.records)) for r in rows)


def total(rows: Sequence[Planted]) -> tuple[int, int]:
    """Of how many faults how many were found."""
    return sum(row.records for row in rows), sum(row.found for row in rows)


def falls_short(ours: tuple[int, int], theirs: tuple[int, int]) -> bool:
    """Whether the first finds a smaller share than the second, beyond the margin and beyond chance.

    Args:
        ours: of how many faults how many were found.
        theirs: the same of the other.

    >>> falls_short((500, 400), (500, 500)), falls_short((500, 470), (500, 500)), falls_short((10, 8), (10, 9))
    (True, False, False)
    """
    (n, found), (m, rival) = ours, theirs
    if not (n and m):
        return False
    share, rivals = found / n, rival / m
    chance = math.sqrt(share * (1 - share) / n + rivals * (1 - rivals) / m)
    return rivals - share > MARGIN + SURE * chance
