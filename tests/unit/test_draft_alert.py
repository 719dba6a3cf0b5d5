"""What ``init`` writes of alerts is what ``retrain`` can keep with the same records."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from monitor.core.alert_config import AlertConfig
from monitor.core.errors import TryLaterError
from monitor.deciding.budget import budget_limit
from monitor.deciding.held_out import HeldOut
from monitor.training.draft_alert import draft_alert
from monitor.training.splits import split_by_time

DAY = 86_400.0


def times_of(records: int, days: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(1).uniform(0, days * DAY, records)


def test_a_budget_is_drafted_where_the_records_can_keep_it() -> None:
    times = times_of(50_000, 5)
    held_out = times[split_by_time(len(times), times).order][-10_000:]

    text, reason = draft_alert(len(times), times)

    assert text == "{budget: 5/day}"
    assert reason.startswith("false alerts to expect of 10,")
    assert budget_limit(HeldOut(np.random.default_rng(2).normal(size=10_000), held_out), 5).rank >= 4


@pytest.mark.parametrize(
    ("records", "days", "why"),
    [(2000, 43, "forty lines a day"), (50_000, 1, "an hour is held out"), (50_000, 20, "five of 2,500 are many")],
)
def test_a_share_is_drafted_where_a_budget_would_be_refused_or_large(records: int, days: float, why: str) -> None:
    text, reason = draft_alert(records, times_of(records, days))

    assert text == "{threshold: 1.8, false_alarm_rate: 0.01}", why
    assert "1.8 about 0.03%, here " in reason
    assert "from 4 days of 5,000 records on, budget: 5/day" in reason


def test_what_would_be_refused_is_not_drafted() -> None:
    times = np.sort(times_of(50_000, 0.5))
    held_out = times[-10_000:]

    assert draft_alert(len(times), times)[0].startswith("{threshold")
    with pytest.raises(TryLaterError, match="5 alerts a day need at least"):
        budget_limit(HeldOut(np.zeros(len(held_out)), held_out), 5)


@pytest.mark.parametrize("times", [None, np.full(50_000, np.nan), np.full(50_000, 7.0)])
def test_without_a_clock_nobody_knows_what_a_day_brings(times: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    text, reason = draft_alert(50_000, times)

    assert text.startswith("{threshold")
    assert " a day;" not in reason


@pytest.mark.parametrize("records", [1, 9, 10, 100])
def test_a_sample_of_a_few_records_has_a_draft(records: int) -> None:
    text, _ = draft_alert(records, times_of(records, 90))

    assert AlertConfig.model_validate(yaml.safe_load(text)).threshold == 1.8


@pytest.mark.parametrize(("minutes", "gap"), [(1 / 60, 300), (5, 3_600), (30, 21_600)])
def test_numbers_that_are_followed_in_time_are_told_once_while_they_stay_odd(minutes: float, gap: int) -> None:
    text, reason = draft_alert(5_000, 60 * minutes * np.arange(5_000.0), series=True)

    alert = AlertConfig.model_validate(yaml.safe_load(text))
    assert (alert.episode_gap_seconds, alert.habituation_days) == (gap, 7)
    assert "told once" in reason
