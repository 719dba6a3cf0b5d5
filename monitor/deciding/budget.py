"""Sets the limit of a stream so that benign records raise no more alerts than its user accepts.

When n benign records and a new one are exchangeable, the new one exceeds the k-th largest score with a chance of
k / (n + 1), whatever the scores are like (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005).
Where alerts cluster, the same holds of episodes: with e of them in n records, expect (e + 1) / (n + 1)
for each new record.

Of a sample that leaves out what was told of, both parts are added: e sampled episodes in the days that the sample
stands for, and the episodes told in theirs.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from monitor.core.arrays import F64
from monitor.core.errors import DataError, TryLaterError
from monitor.core.limit import Daily, Limit
from monitor.deciding.held_out import HeldOut
from monitor.deciding.pace import FURTHEST
from monitor.deciding.poisson import mean_quantile, quantile
from monitor.deciding.told import NOTHING_TOLD, Told

CONFIDENCE = 0.95
"""Of each bound of a long-term average."""

TAIL = 0.025
"""Days in which there are fewer alerts than in the interval of a day, and days in which there are more."""

MOST_SHARE = 0.1
"""However large a budget is, no more benign records than this are given up to alert: beyond, a score says nothing."""


def conformal_limit(scores: F64, rate: float, count: int | None = None) -> tuple[float, int]:
    """The score that at most a share ``rate`` of new benign records is expected to exceed, and its rank k from the top.

    ``scores`` are the highest of ``count`` records, by default all of them; no lower limit is ever given.

    With fewer than 1/rate scores it is the largest, and more than ``rate`` are expected to exceed it: 1 / (n + 1).

    >>> conformal_limit(np.arange(199.0), 0.01)
    (197.0, 2)
    """
    rank = min(max(1, math.floor(rate * ((count or len(scores)) + 1))), len(scores))
    return float(np.partition(scores, -rank)[-rank]), rank


def rate_limit(benign: HeldOut, rate: float) -> Limit:
    """The limit that at most a share ``rate`` of benign records is expected to exceed, 0 < rate < 1."""
    return _limit("rate", benign, conformal_limit(benign.scores, rate, len(benign))[0])


def fixed_limit(benign: HeldOut, value: float, told: Told = NOTHING_TOLD) -> Limit:
    """A given limit, with what is to be expected of it."""
    return _limit("fixed", benign, value, told)


def budget_limit(benign: HeldOut, alerts_per_day: float, told: Told = NOTHING_TOLD) -> Limit:
    """The lowest limit at which no more than ``alerts_per_day`` > 0 episodes a day are expected of benign records.

    ``told`` are those that ``benign`` leaves out.

    Raises:
        DataError: it is not known how many records come in a day.
        TryLaterError: there are too few records, even the largest score would be exceeded more often.
    """
    if benign.records_per_day is None:
        raise DataError(
            "alert.budget: without event times nobody knows how many records come in a day; "
            "set `time`, or alert.records_per_day"
        )
    days = _days(benign, benign.records_per_day)
    if days * alerts_per_day < 1:
        raise TryLaterError(_too_few(len(benign), days, alerts_per_day))
    # Some of the episodes told of may be attacks: they raise a limit no further than time does.
    alone = _lowest(benign, NOTHING_TOLD, days, alerts_per_day)
    value = alone if not len(told.scores) else min(_lowest(benign, told, days, alerts_per_day), FURTHEST * alone)
    return _limit("budget", benign, value, told)


def _lowest(benign: HeldOut, told: Told, days: float, alerts_per_day: float) -> float:
    """The lowest of the scores above which no more is expected in a day."""
    limits = np.unique(np.concatenate([benign.limits, told.scores]))[::-1]
    allowed = benign.exceeding(limits) < max(1.0, MOST_SHARE * len(benign))
    allowed &= _expected(limits, benign, told, days) <= alerts_per_day
    return float(limits[np.flatnonzero(allowed)[-1]])


def _expected(limits: F64, benign: HeldOut, told: Told, days: float) -> F64:
    """Episodes to be expected in a day above each limit; these fall.

    Above the k-th largest of one kind as many as k of its kind are to be expected, and of the other as many as there
    are. Any limit counts as one of ``benign`` but where an episode told of has just that score.
    """
    # Where lower limits join episodes their number falls; that is no reason to go lower.
    sampled = np.maximum.accumulate(benign.episodes(limits))
    of_told = np.isin(limits, told.scores) & ~np.isin(limits, benign.scores)
    return (sampled + ~of_told) / days + told.per_day(limits) + of_told / told.days


def _days(benign: HeldOut, records_per_day: float) -> float:
    """The days that the held-out records stand for; one record more, as everywhere in this argument."""
    return (len(benign) + 1) / records_per_day


def _limit(kind: Literal["budget", "rate", "fixed"], benign: HeldOut, value: float, told: Told = NOTHING_TOLD) -> Limit:
    """The limit ``value`` with what it costs."""
    at = np.array([value])
    rank, records = int(benign.exceeding(at)[0]) + 1, len(benign)
    upper = min(1.0, mean_quantile(rank, CONFIDENCE) / (records + 1))
    daily = None
    if benign.records_per_day is not None:
        burst = benign.burst(value)
        days = _days(benign, benign.records_per_day)
        daily = _daily(benign.records_per_day, days, int(benign.episodes(at)[0]), burst)
        if len(told.scores):
            expected = float(_expected(at, benign, told, days)[0])
            daily = _with_told(daily, expected, int(told.above(at)[0]), told.days)
    return Limit(kind, value, rank, records, rank / (records + 1), upper, daily)


def _daily(records: float, days: float, episodes: int, burst: float) -> Daily:
    """What a day may bring when ``episodes`` were counted in ``days``: bursts are Poisson, of ``burst`` episodes each.

    The interval is of the counts, for every long-term average that the calibration does not rule out: so it holds
    the days that it promises to hold, not only on average over calibrations.
    """
    seen = round(episodes / burst)
    least, most = mean_quantile(seen, 1 - CONFIDENCE) / days, mean_quantile(seen + 1, CONFIDENCE) / days
    return Daily(
        records=records,
        expected=(episodes + 1) / days,
        upper=burst * most,
        low=math.floor(burst * quantile(least, TAIL)),
        high=math.ceil(burst * quantile(most, 1 - TAIL)),
        burst=burst,
    )


def _with_told(sampled: Daily, expected: float, told: int, days: float) -> Daily:
    """What a day may bring, with the episodes that would be told again among as many as came in ``days``.

    The bounds of both parts are added, which is more than the bound of their sum.
    """
    least, most = mean_quantile(told, 1 - CONFIDENCE) / days, mean_quantile(told + 1, CONFIDENCE) / days
    return replace(
        sampled,
        expected=expected,
        upper=sampled.upper + most,
        low=sampled.low + math.floor(quantile(least, TAIL)),
        high=sampled.high + math.ceil(quantile(most, 1 - TAIL)),
    )


def _too_few(records: int, days: float, alerts_per_day: float) -> str:
    needed = math.ceil((records + 1) / (days * alerts_per_day) - 1)
    return (
        f"alert.budget: {alerts_per_day:.3g} alerts a day need at least {needed:,} held-out benign records "
        f"({1 / alerts_per_day:.3g} days), there are {records:,} ({days:.3g} days); "
        f"retrain with more benign records, or allow at least {1 / days:.3g} a day"
    )
