"""Drafts when a stream alerts: by a budget a day where the sample can keep that promise, otherwise by a share."""

from __future__ import annotations

import math

import numpy as np

from monitor.core.arrays import F64
from monitor.core.limit import two_digits
from monitor.deciding.held_out import HeldOut
from monitor.training.splits import CALIBRATION_SHARE, MIN_RECORDS, split_by_time

BUDGET_PER_DAY = 5
BUDGET_ALERTS = 4
"""A budget is drafted where held-out records may raise so many alerts: then the limit hangs on no single record, and a
file that grows faster at its end than the sample showed still supports it."""

BUDGET_RECORDS = 1000
"""Records a day for each alert a day: of forty lines a day five alerts would be no small number."""

FALSE_ALARM_RATE = 0.01
MARGIN = 1.8
"""A draft alerts above a margin over what one benign record in a hundred exceeds. Scores count factors of ten in
rarity, so four fifths more are about one record in four thousand, told by the tail and not by the worst one alone."""

EXPECTED_SHARE = FALSE_ALARM_RATE**MARGIN

HABITUATION_DAYS = 7
"""Of numbers that are followed in time: what is odd there stays so for days, and comes again every day or week."""

GAP_RECORDS = 12
"""So many records in a row without an alert end an episode of such numbers: an hour where they come every 5 minutes."""

SHORTEST_GAP_SECONDS = 300


def draft_alert(records: int, times: F64 | None, *, series: bool = False) -> tuple[str, str]:
    """The ``alert`` section for a sample as YAML on one line, and the reason.

    Args:
        records: how many benign records the sample has.
        times: their event times in seconds, NaN where unknown, [records]; None without event times.
        series: whether numbers of it are followed in time.
    """
    options, reason = _limit(records, times)
    if not series:
        return f"{{{options}}}", reason
    options += f", episode_gap_seconds: {gap_seconds(times):g}, habituation_days: {HABITUATION_DAYS}"
    return f"{{{options}}}", f"{reason}; what stays odd is told once, and again when it gets worse"


def gap_seconds(times: F64 | None) -> float:
    """How long a key may be quiet within an episode: for some records, and for some minutes at least."""
    steps = np.empty(0) if times is None else np.diff(np.unique(times[np.isfinite(times)]))
    several = math.ceil(GAP_RECORDS * float(np.median(steps))) if len(steps) else 0
    return max(SHORTEST_GAP_SECONDS, several)


def _limit(records: int, times: F64 | None) -> tuple[str, str]:
    """The options that say where the limit lies, and the reason."""
    per_day, days = _held_out(records, times)
    if per_day >= BUDGET_PER_DAY * BUDGET_RECORDS and days * BUDGET_PER_DAY >= BUDGET_ALERTS:
        reason = f"false alerts to expect of {per_day:,.0f} records a day; `retrain` finds the limit that keeps to it"
        return f"budget: {BUDGET_PER_DAY}/day", reason
    return f"threshold: {MARGIN:g}, false_alarm_rate: {FALSE_ALARM_RATE:g}", _by_share(per_day)


def _by_share(per_day: float) -> str:
    here = f", here {two_digits(per_day * EXPECTED_SHARE)} a day" if per_day else ""
    days = math.ceil(BUDGET_ALERTS / BUDGET_PER_DAY / CALIBRATION_SHARE)
    return (
        f"1 is what {FALSE_ALARM_RATE:.0%} of benign records exceed, {MARGIN:g} about {EXPECTED_SHARE:.2%}{here}; from "
        f"{days} days of {BUDGET_PER_DAY * BUDGET_RECORDS:,} records on, budget: {BUDGET_PER_DAY}/day says it directly"
    )


def _held_out(records: int, times: F64 | None) -> tuple[float, float]:
    """Records a day, and how many days those stand for that ``retrain`` would hold out; 0 where nobody knows."""
    if times is None or records < MIN_RECORDS:
        return 0.0, 0.0
    parts = split_by_time(records, times)
    count = parts.count(parts.calibration)
    per_day = HeldOut(np.zeros(count), times[parts.order[parts.calibration]]).records_per_day or 0.0
    return per_day, (count + 1) / per_day if per_day else 0.0
