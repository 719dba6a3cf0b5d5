"""Where a stream alerts, and what that costs in false alarms: told by the scores of held-out benign records."""

from __future__ import annotations

import numpy as np

from monitor.core.alert_config import AlertConfig
from monitor.core.arrays import F64, I64
from monitor.core.config import ScoreConfig
from monitor.core.errors import UsageError
from monitor.core.limit import Limit
from monitor.core.records import RecordBatch
from monitor.deciding.averaging import all_moving_means, length_for
from monitor.deciding.budget import budget_limit, fixed_limit, rate_limit
from monitor.deciding.held_out import HeldOut
from monitor.deciding.told import NOTHING_TOLD, Told, ToldRecords
from monitor.ingest.features import FeatureSpace
from monitor.model.calibration import ScoreRange
from monitor.scoring.l1 import L1Scorer

HIGHEST = 1e300
"""Stands for a score that is not finite."""


def rarity_range(
    rarity: F64, held_out: RecordBatch, score: ScoreConfig, alert: AlertConfig, told: Told = NOTHING_TOLD
) -> tuple[ScoreRange, Limit]:
    """The range of a score by rarity, and what to expect above the threshold.

    Args:
        rarity: bans of the held-out records, [n], n > 0, each told by records without it.
        held_out: the records themselves, in the order of time.
        score: its method, and over how many records it is averaged.
        alert: says how many false alarms are accepted.
        told: the rarity of records that ``held_out`` leaves out; they count towards a budget.

    Raises:
        DataError: a budget is asked for, and nobody knows how many records come in a day.
        TryLaterError: there are too few records to keep the budget.
    """
    codes = key_codes(held_out)
    length = length_for(rarity, codes) if score.average == "auto" else score.average
    benign = _benign(all_moving_means(rarity, codes, length), held_out, codes, alert)
    if length > 1:
        told = NOTHING_TOLD  # one record of an episode does not tell its average
    limit = benign_limit(benign, alert, told)
    score_range = ScoreRange(score.method, float(benign.scores.min()), limit.value, length)
    return score_range, limit if alert.threshold == 1 else fixed_limit(benign, score_range.value(alert.threshold))


def l1_limit(scores: F64, held_out: RecordBatch, alert: AlertConfig, told: Told = NOTHING_TOLD) -> Limit:
    """The limit of plain L1 ``scores`` [n] of held-out records; as ``rarity_range`` has it of others."""
    benign = _benign(scores, held_out, key_codes(held_out), alert)
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


def check_budget(alert: AlertConfig, split: str) -> None:
    """A budget needs records that nothing was learned from.

    Raises:
        UsageError: there are none, and a budget is asked for.
    """
    if alert.budget is not None and split == "none":
        raise UsageError(
            "alert.budget: with model.split: none every record is learned, so none can tell the rate; "
            "use split: time, or give a threshold"
        )


def told_again(told: ToldRecords | None, features: FeatureSpace, scorer: L1Scorer) -> Told:
    """What the highest record of each episode would score: by as much more than the known one as it did then."""
    if told is None or not len(told.records):
        return NOTHING_TOLD
    scores = scorer.score(features.encode(told.records)).scores
    return Told(np.nan_to_num(scores * told.factors, nan=HIGHEST, posinf=HIGHEST), told.days)


def key_codes(records: RecordBatch) -> I64 | None:
    """A number for the key of each record, of a sample of stretches for its stretch, [n]; None without keys."""
    if records.stretches is not None:
        return records.stretches
    if records.keys is None:
        return None
    encoded = records.keys.dictionary_encode(null_encoding="encode")
    codes: I64 = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _benign(scores: F64, held_out: RecordBatch, codes: I64 | None, alert: AlertConfig) -> HeldOut:
    return HeldOut(
        scores,
        held_out.times,
        codes,
        gap_seconds=alert.episode_gap_seconds,
        records_per_day=alert.records_per_day,
    )
