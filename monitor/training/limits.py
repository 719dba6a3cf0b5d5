"""Where a stream alerts, and what that costs in false alarms: told by the scores of held-out benign records."""

from __future__ import annotations

from collections.abc import Callable

from monitor.core.alert_config import AlertConfig
from monitor.core.arrays import F64, I64
from monitor.core.config import ScoreConfig
from monitor.core.limit import Limit
from monitor.core.records import RecordBatch
from monitor.deciding.alike import alike
from monitor.deciding.averaging import all_moving_means, length_for
from monitor.deciding.budget import budget_limit, fixed_limit, rate_limit
from monitor.deciding.held_out import HeldOut, known_times
from monitor.deciding.score_tail import ScoreTail, key_codes, merged
from monitor.deciding.told import NOTHING_TOLD, Told, ToldRecords
from monitor.ingest.features import FeatureSpace
from monitor.model.calibration import ScoreRange
from monitor.scoring.l1 import L1Scorer
from monitor.scoring.scores import finite

Older = Callable[[], ScoreTail | None]
"""Gives the scores of older records, of which nothing was learned; None where there are none. It may take minutes."""


def nothing_older() -> None:
    """There are none."""


def rarity_range(
    rarity: F64,
    held_out: RecordBatch,
    score: ScoreConfig,
    alert: AlertConfig,
    told: Told = NOTHING_TOLD,
    older: Older = nothing_older,
) -> tuple[ScoreRange, Limit]:
    """The range of a score by rarity, and what to expect above the threshold.

    Args:
        rarity: bans of the held-out records, [n], n > 0, each told by records without it.
        held_out: the records themselves, in the order of time.
        score: its method, and over how many records it is averaged.
        alert: says how many false alarms are accepted.
        told: the rarity of records that ``held_out`` leaves out; they count towards a budget.
        older: gives the rarity of older records; it is not asked where scores are averaged.

    Raises:
        DataError: a budget is asked for, and nobody knows how many records come in a day.
        TryLaterError: there are too few records to keep the budget.
    """
    codes = _codes(held_out)
    length = length_for(rarity, codes) if score.average == "auto" else score.average
    tail = older() if length == 1 else None  # averages are of records in order, and of pieces nobody knows it
    benign = _benign(all_moving_means(rarity, codes, length), held_out, codes, alert, tail)
    if length > 1:
        told = NOTHING_TOLD  # one record of an episode does not tell its average
    limit = benign_limit(benign, alert, told)
    score_range = ScoreRange(score.method, benign.lowest, limit.value, length)
    return score_range, limit if alert.threshold == 1 else fixed_limit(benign, score_range.value(alert.threshold))


def l1_limit(
    scores: F64,
    held_out: RecordBatch,
    alert: AlertConfig,
    told: Told = NOTHING_TOLD,
    older: Older = nothing_older,
) -> Limit:
    """The limit of plain L1 ``scores`` [n] of held-out records; as ``rarity_range`` has it of others."""
    benign = _benign(scores, held_out, _codes(held_out), alert, older())
    return (
        fixed_limit(benign, alert.threshold)
        if alert.budget_per_day is None
        else budget_limit(benign, alert.budget_per_day, told)
    )


def benign_limit(benign: HeldOut, alert: AlertConfig, told: Told) -> Limit:
    """The limit by budget, or else by rate."""
    if alert.budget_per_day is None:
        return rate_limit(benign, alert.false_alarm_rate)
    return budget_limit(benign, alert.budget_per_day, told)


def told_again(told: ToldRecords | None, features: FeatureSpace, scorer: L1Scorer) -> Told:
    """What the highest record of each episode would score: by as much more than the known one as it did then."""
    if told is None or not len(told.records):
        return NOTHING_TOLD
    scores = scorer.score(features.encode(told.records)).scores
    return Told(finite(scores * told.factors), told.days)


def _codes(records: RecordBatch) -> I64 | None:
    """A number for the key of each record, of a sample of stretches for its stretch, [n]; None without keys."""
    if records.stretches is not None:
        return records.stretches
    return None if records.keys is None else key_codes(records.keys)


def _benign(
    scores: F64, held_out: RecordBatch, codes: I64 | None, alert: AlertConfig, older: ScoreTail | None
) -> HeldOut:
    """The held-out records, and with them the older ones if they are like these, and as to the times, too.

    How many records come in a day the newest tell: files of some time ago need not have all that came.
    """
    gap = alert.episode_gap_seconds
    newest = HeldOut(scores, held_out.times, codes, gap_seconds=gap, records_per_day=alert.records_per_day)
    times = known_times(held_out.times)
    if older is None or (times is None) != (older.times is None) or not alike(newest, older):
        return newest
    tail = merged([ScoreTail.of(scores, times, held_out.keys), older])
    return HeldOut.of(tail, gap_seconds=gap, records_per_day=newest.records_per_day)
