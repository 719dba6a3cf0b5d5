"""Faults planted in held-out records, for the new model, the one in use and two that learned nothing: who finds what.

All are allowed the same number of false alerts: where benign records have changed since the one in use was made, or its
limit is lower than its budget allows, it alerts on more of them, faults or not, and that is no merit.

A limit that a handful of benign records set is an accident: two models of the same records, trained from different
seeds, then find 46 % and 76 % of what is planted in a field (`docs/retraining.md`). So single fields are compared where
more records decide.
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

ENOUGH_FALSE, MOST_SHARE = 20, 0.01
"""So many false alerts tell a limit to within a quarter; of few records no more than this share of them are allowed."""

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
    """What was found by each: the new model, the one in use (None: there is none), the mean record, the identity.

    Of the two models at their limits, and at ``rate``, where chance decides less: the share of benign records that each
    of them would then alert on. Of the others at ``rate`` alone.
    """

    found: tuple[Recovered, ...]  # by the new model
    champion: tuple[Recovered, ...] | None
    mean: tuple[Planted, ...]
    identity: tuple[Planted, ...]
    rate: float

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
    """Plant the same faults for all of them.

    To none of them any value of the records that set the limit is new: the model in use may know most of these from the
    day before, and would raise fewer false alerts for that alone.
    """
    ours = contest.candidate.knowing(contest.calibrating)
    rival = None if contest.champion is None else contest.champion.knowing(contest.calibrating)
    benign = alarms(contest, ours)
    false_alerts = benign.above(ours.threshold)
    many = enough_to_compare(benign, false_alerts)
    limits = Limits(ours.threshold, benign.limit(many))
    values = ours.encode(contest.held_out)
    stretch = ours.stretch(contest.held_out, values)

    def baseline(expected: F32) -> tuple[Planted, ...]:
        judge = Judge(ours.features, distance_from(expected, ours.features.layout), lambda _values: [])
        limit = _alarms(contest, lambda records: _judged(judge, ours, records)).limit(many)
        return planted(_found(contest, judge, stretch, Limits(limit, limit)))

    return Tried(
        found=_found(contest, ours.judge, stretch, limits, EFFORT.named),
        champion=None if rival is None else _rival(contest, rival, false_alerts, many),
        mean=baseline(values[:, : ours.features.layout.width].mean(axis=0, dtype=np.float64).astype(np.float32)),
        identity=baseline(np.empty(0, dtype=np.float32)),
        rate=many / benign.weights.sum(),
    )


def _judged(judge: Judge, ours: Contender, records: RecordBatch) -> F64:
    return judge.score(FeatureMatrix(ours.encode(records), ours.features.layout))


def _rival(contest: Contest, rival: Contender, false_alerts: float, many: float) -> tuple[Recovered, ...]:
    """What the one in use finds at its own limit, or where it raises no more false alerts; and where both raise many.

    Of the few records that faults are planted in neither may alert on any, and one of them ten times as often as the
    other: so all count that set the new limit.
    """
    benign = alarms(contest, rival)
    fair, wide = (rivals_limit(benign, rival.threshold, each) for each in (false_alerts, many))
    values = rival.encode(contest.held_out)
    limits = Limits(max(rival.threshold, fair), wide)
    return _found(contest, rival.judge, rival.stretch(contest.held_out, values), limits)


@dataclass(frozen=True, slots=True)
class Alarms:
    """Scores of benign records, [n], and of how many records each of them stands for one, [n]."""

    scores: F64
    weights: F64

    def above(self, limit: float) -> float:
        """How many alert."""
        return float(self.weights[self.scores > limit].sum())

    def limit(self, false_alerts: float) -> float:
        """The lowest limit above which no more than so many alert."""
        return fair_limit(self.scores, false_alerts, self.weights)


def alarms(contest: Contest, contender: Contender) -> Alarms:
    """Of the records that set the limit, and of the episodes told of while these were kept, in the same time."""
    return _alarms(contest, lambda records: contender.scores(records, contender.encode(records)))


def _alarms(contest: Contest, score: Callable[[RecordBatch], F64]) -> Alarms:
    records = contest.calibrating
    scores, weights = score(records), np.ones(len(records))
    if records.warming is not None:
        weights[records.warming] = 0.0
    told, rate = contest.told, contest.stream.alert.records_per_day
    if told is None or rate is None or not len(told.records):
        return Alarms(scores, weights)
    again = score(told.records) * told.factors
    share = weights.sum() / rate / told.days
    return Alarms(np.concatenate([scores, again]), np.concatenate([weights, np.full(len(again), share)]))


def enough_to_compare(benign: Alarms, false_alerts: float) -> float:
    """How many false alerts both models are allowed where single fields are compared; no fewer than the new one raises.

    >>> enough_to_compare(Alarms(np.zeros(50_000), np.ones(50_000)), 3)
    20.0
    >>> enough_to_compare(Alarms(np.zeros(500), np.ones(500)), 3), enough_to_compare(Alarms(np.ones(9), np.ones(9)), 3)
    (5.0, 3)
    """
    return max(false_alerts, min(float(ENOUGH_FALSE), MOST_SHARE * float(benign.weights.sum())))


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
    """Where the model in use raises no more than ``false_alerts``.

    That is up to ``FURTHEST`` times its own limit, and beyond only if even there most records would alert. What most
    records do is how things are now; what some do may be what has to be found, and the new model has learned it.

    Args:
        alarms: of held-out records by the model in use.
        threshold: its own limit.
        false_alerts: how many alerts the new model raises on them.
    """
    fair, furthest = alarms.limit(false_alerts), FURTHEST * threshold
    if fair > furthest and alarms.above(furthest) <= MOST * alarms.weights.sum():
        return furthest
    return fair


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


def _found(contest: Contest, judge: Judge, stretch: Stretch, limits: Limits, named: int = 0) -> tuple[Recovered, ...]:
    effort = Effort(EFFORT.planted, named, EFFORT.runs)
    return recover(judge, stretch, contest.stream.key, FAULTS, limits, Bootstrap(0, 1), lambda *_: None, effort=effort)[
        0
    ]


def planted(rows: Sequence[Recovered]) -> tuple[Planted, ...]:
    """The rows as counts, at the model's own limit."""
    return tuple(Planted(r.field, r.fault, r.records, round(r.recall.value * r.records)) for r in rows)


def planted_at_rate(rows: Sequence[Recovered]) -> tuple[Planted, ...]:
    """The rows as counts, where both models raise as many false alerts as can be compared."""
    return tuple(Planted(r.field, r.fault, r.records, round(r.recall_at_rate.value * r.records)) for r in rows)


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
