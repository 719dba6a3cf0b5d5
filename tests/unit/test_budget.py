"""The limit by a budget: what it promises is what synthetic days then bring, and it promises nothing it cannot know."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.alert_config import AlertConfig
from monitor.core.arrays import F64
from monitor.core.clock import DAY_SECONDS, ManualClock
from monitor.core.errors import DataError, TryLaterError
from monitor.deciding.budget import budget_limit, conformal_limit, fixed_limit, rate_limit
from monitor.deciding.episode import Alerting, Episode, Policy
from monitor.deciding.episodes import Episodes
from monitor.deciding.held_out import HeldOut
from monitor.deciding.poisson import mean_quantile, quantile
from monitor.deciding.threshold import Decider, exceeding
from monitor.deciding.told import Told
from monitor.training.limits import l1_limit
from tests.records import records

PER_DAY = 500
GAP_SECONDS = 300.0
DAYS = 200

Days = tuple[F64, F64]
"""Scores and times of some days, in the order of time."""


def independent(days: int, random: np.random.Generator) -> Days:
    """Heavy tails: squares of Student's t with two degrees of freedom."""
    times = np.sort(random.uniform(0, days * DAY_SECONDS, days * PER_DAY))
    return np.square(random.standard_t(2, len(times))), times


def bursty(days: int, random: np.random.Generator) -> Days:
    """The same, and three times a day some ten records in a row are raised together."""
    scores, times = independent(days, random)
    for start in random.uniform(0, days * DAY_SECONDS, random.poisson(3 * days)):
        row = int(np.searchsorted(times, start))
        scores[row : row + random.geometric(0.1)] *= 1 + random.pareto(1.5)
    return scores, times


def episodes_a_day(made: Days, limit: float) -> F64:
    """What a stream with this limit would tell a person, each day of the replay."""
    scores, times = made
    rows = np.flatnonzero(scores > limit)
    alerts = Alerting(rows, times[rows], scores[rows], np.full(len(rows), limit), [""] * len(rows))
    _, _, tellings = Policy(GAP_SECONDS).take(Episode(), alerts)
    begins = [telling.row for telling in tellings if telling.episode.alerts == 1 and not telling.over]
    return np.bincount((times[begins] // DAY_SECONDS).astype(int), minlength=DAYS).astype(np.float64)


@pytest.mark.parametrize("world", [independent, bursty])
@pytest.mark.parametrize(("calibrated", "budget"), [(10, 5.0), (3, 5.0), (10, 0.5)])
def test_replayed_days_stay_inside_the_printed_interval(
    world: Callable[[int, np.random.Generator], Days], calibrated: int, budget: float
) -> None:
    random = np.random.default_rng(7)
    inside, means, uppers = [], [], []
    for _ in range(10):
        scores, times = world(calibrated, random)
        limit = budget_limit(HeldOut(scores, times, gap_seconds=GAP_SECONDS), budget)
        assert limit.daily
        counts = episodes_a_day(world(DAYS, random), limit.value)
        inside.append(np.mean((limit.daily.low <= counts) & (counts <= limit.daily.high)))
        means.append(counts.mean())
        uppers.append(limit.daily.upper)

    assert min(inside) >= 0.95, inside
    assert 0.5 * budget <= np.mean(means) <= 1.1 * budget
    assert np.mean(np.array(means) <= uppers) >= 0.8  # of ten, each with 95 % confidence


def test_days_that_differ_are_noticed_and_widen_the_interval() -> None:
    random = np.random.default_rng(3)
    scores, times = independent(60, random)
    restless = scores * np.exp(random.normal(0, 1.0, 60))[(times // DAY_SECONDS).astype(int)]

    calm, wild = (budget_limit(HeldOut(s, times, gap_seconds=GAP_SECONDS), 5).daily for s in (scores, restless))

    assert calm
    assert wild
    assert calm.burst < 1.5
    assert wild.burst > 2
    assert calm.high < wild.high
    assert calm.upper < wild.upper


@pytest.mark.parametrize("rate", [0.005, 0.01, 0.05])
def test_a_rate_is_kept_on_average_whatever_the_scores_are_like(rate: float) -> None:
    random = np.random.default_rng(1)
    made = np.square(random.standard_t(1, (400, 399)))

    rates = [np.mean(np.square(random.standard_t(1, 2_000)) > conformal_limit(scores, rate)[0]) for scores in made]

    assert 0.9 * math.floor(rate * 400) / 400 <= np.mean(rates) <= 1.1 * rate


def test_one_outlier_does_not_move_the_limit() -> None:
    scores = np.arange(1000.0)

    assert rate_limit(HeldOut(scores), 0.01).value == 990.0
    assert rate_limit(HeldOut(np.append(scores[:-1], 1e30)), 0.01).value == 990.0


def test_with_few_records_the_limit_is_the_largest_and_says_what_that_costs() -> None:
    limit = rate_limit(HeldOut(np.arange(19.0)), 0.01)

    assert (limit.value, limit.rank, limit.share) == (18.0, 1, 0.05)
    assert limit.text() == "expect 5 % of benign records above it, at most 15 %"


def test_a_given_limit_is_told_with_its_cost() -> None:
    limit = fixed_limit(HeldOut(np.arange(99.0), records_per_day=200.0), 94.0)

    assert (limit.kind, limit.rank, limit.share, limit.alerts_per_record) == ("fixed", 5, 0.05, 0.05)
    assert limit.text() == "expect 10 false alerts a day (95 %: 0 to 27), on average at most 18"


def test_the_budget_is_used_up_but_not_exceeded() -> None:
    benign = HeldOut(np.arange(999.0), records_per_day=500.0)  # two days, with the one to come

    limit = budget_limit(benign, 5.0)

    assert (limit.kind, limit.value, limit.rank, limit.share) == ("budget", 989.0, 10, 0.01)
    assert limit.daily
    assert (limit.daily.records, limit.daily.expected) == (500.0, 5.0)


def test_equal_scores_are_all_above_or_all_below() -> None:
    benign = HeldOut(np.repeat([1.0, 2.0, 3.0], [900, 97, 2]), records_per_day=1000.0)

    assert budget_limit(benign, 2.0).value == 3.0
    assert budget_limit(benign, 3.0).value == 2.0
    assert budget_limit(benign, 99.0).value == 2.0
    assert budget_limit(benign, 100.0).value == 1.0


def test_a_generous_budget_does_not_make_most_records_alert() -> None:
    benign = HeldOut(np.arange(999.0), records_per_day=1000.0)

    assert budget_limit(benign, 1e6).rank == 100


def test_lower_limits_that_join_episodes_do_not_pass_for_fewer_alerts() -> None:
    # A record a minute. For some time all are above 5 and every tenth above 10: one long episode, or many short ones.
    scores = np.linspace(0.0, 1.0, 2000)
    scores[500:650] += np.where(np.arange(150) % 10 == 0, 10.0, 5.0)
    benign = HeldOut(scores, 60.0 * np.arange(2000.0), gap_seconds=120.0)

    limit = budget_limit(benign, 5.0)

    assert benign.episodes(np.array([5.0, 10.0])).tolist() == [1, 15]
    assert limit.value > 10.0


def test_a_budget_the_data_cannot_support_is_refused_with_what_it_takes() -> None:
    benign = HeldOut(np.arange(999.0), records_per_day=500.0)

    with pytest.raises(
        TryLaterError,
        match=r"alert\.budget: 0\.143 alerts a day need at least 3,499 held-out benign records \(7 days\), "
        r"there are 999 \(2 days\); retrain with more benign records, or allow at least 0\.5 a day",
    ):
        budget_limit(benign, 1 / 7)
    assert budget_limit(HeldOut(np.arange(3500.0), records_per_day=500.0), 1 / 7).rank == 1


@pytest.mark.parametrize("times", [None, np.full(9, math.nan), np.full(9, 5.0)])
def test_a_budget_without_event_times_is_refused_with_the_cure(times: F64 | None) -> None:
    with pytest.raises(DataError, match=r"how many records come in a day; set `time`, or alert\.records_per_day"):
        budget_limit(HeldOut(np.arange(9.0), times), 5.0)


@pytest.mark.parametrize("scores", [[], [1.0, math.nan], [math.inf]])
def test_scores_that_are_none_are_refused(scores: list[float]) -> None:
    with pytest.raises(DataError, match="no benign record was held out, or one has a score that is not finite"):
        HeldOut(np.array(scores))


def test_a_limit_is_finite_and_plain_data() -> None:
    limit = budget_limit(HeldOut(np.arange(999.0), records_per_day=500.0), 5.0)

    assert json.loads(json.dumps(asdict(limit)))["daily"]["expected"] == 5.0
    with pytest.raises(ValueError, match="the limit is not finite"):
        replace(limit, value=math.inf)


def test_a_clock_that_was_wrong_once_does_not_change_how_fast_records_come() -> None:
    times = np.arange(10_000.0)

    right = HeldOut(times, times).records_per_day
    wrong = HeldOut(times, np.append(-1e9, times[1:])).records_per_day

    assert right == pytest.approx(DAY_SECONDS)
    assert wrong == pytest.approx(DAY_SECONDS, rel=0.01)


def test_a_record_without_a_time_goes_with_the_one_before() -> None:
    benign = HeldOut(np.array([5.0, 5.0, 5.0]), np.array([math.nan, 0.0, 100.0]), gap_seconds=50.0)

    assert benign.episodes(np.array([1.0])).tolist() == [2]


@settings(max_examples=200, deadline=None)
@given(
    alerts=st.lists(st.tuples(st.integers(0, 60), st.sampled_from("ab"), st.integers(0, 6)), min_size=1, max_size=60),
    gap=st.integers(0, 9),
)
def test_episodes_are_counted_as_a_stream_tells_them(alerts: list[tuple[int, str, int]], gap: int) -> None:
    alerts.sort(key=lambda alert: alert[0])
    times, keys, scores = zip(*alerts, strict=True)
    codes = np.unique(keys, return_inverse=True)[1]
    limits = np.arange(-1.0, 7.0)

    counted = HeldOut(np.array(scores, float), np.array(times, float), codes, gap_seconds=gap).episodes(limits)

    for limit, count in zip(limits, counted, strict=True):
        above = [alert for alert in alerts if alert[2] > limit]
        batch = records(times=[time for time, _, _ in above], keys=[key for _, key, _ in above])
        assert Episodes(Policy(gap), ManualClock()).begun(batch) == count


@pytest.mark.parametrize("mean", [0.01, 1.0, 7.3, 250.0, 1e6])
@pytest.mark.parametrize("chance", [0.025, 0.5, 0.975])
def test_a_quantile_of_counts_and_of_their_mean_undo_each_other(mean: float, chance: float) -> None:
    count = quantile(mean, chance)

    # At most `count` come with at least `chance`, fewer come with less: so the mean lies between these.
    assert mean_quantile(count, 1 - chance) <= mean <= mean_quantile(count + 1, 1 - chance)


def test_quantiles_are_those_of_the_tables() -> None:
    assert [quantile(3.0, chance) for chance in (0.025, 0.5, 0.975)] == [0, 3, 7]
    assert quantile(0.0, 0.975) == 0
    # Garwood's 95 % interval of a mean of which ten events were seen.
    assert [round(mean_quantile(10, 0.025), 3), round(mean_quantile(11, 0.975), 3)] == [4.795, 18.390]
    assert mean_quantile(0, 0.025) == 0.0


def test_without_a_rate_of_records_alerts_are_those_of_the_records() -> None:
    limit = rate_limit(HeldOut(np.arange(99.0)), 0.05)

    assert (limit.daily, limit.alerts_per_record) == (None, 0.05)


def clustered(days: int, random: np.random.Generator) -> Days:
    """Six times a day some ten records in a row are far above all others, now more and now less."""
    scores, times = independent(days, random)
    scores = np.minimum(scores, 50.0)
    for start in random.uniform(0, days * DAY_SECONDS, random.poisson(6 * days)):
        row = int(np.searchsorted(times, start))
        scores[row : row + random.geometric(0.1)] = 60.0 + random.pareto(1.5)
    return scores, times


def test_a_stream_with_clustered_exceedances_keeps_its_budget_in_episodes() -> None:
    random, gap = np.random.default_rng(11), 1_800.0
    learned, times = clustered(20, random)
    held_out = records(times=times.tolist(), x=learned.tolist())
    limit = l1_limit(learned, held_out, AlertConfig(budget="4/day", episode_gap_seconds=gap))
    assert limit.daily

    scores, times = clustered(DAYS, random)
    rows = exceeding(scores, Decider(limit.value).limits(scores, np.ones(len(scores), np.bool_)), scores > 0)
    told, days = Episodes(Policy(gap), ManualClock()), (times[rows] // DAY_SECONDS).astype(int)
    episodes = np.array([told.begun(records(times=times[rows[days == day]].tolist())) for day in range(DAYS)])

    assert np.mean((limit.daily.low <= episodes) & (episodes <= limit.daily.high)) >= 0.95
    assert 0.7 * limit.daily.expected <= episodes.mean() <= limit.daily.upper
    assert len(rows) / DAYS > 5 * limit.daily.upper  # what a person would get without episodes
    assert limit.alerts_per_record < limit.share / 5


RATE, SAMPLED = 10_000, 0.05


def sampled(scores: F64, before: float, days: float, seed: int) -> tuple[HeldOut, Told]:
    """One record in twenty of those that the limit before let pass, of their newest fifth; and all that it told of."""
    random = np.random.default_rng(seed)
    passed = scores[scores <= before]
    kept = passed[random.random(len(passed)) < SAMPLED]
    return HeldOut(kept[-len(kept) // 5 :], records_per_day=RATE), Told(scores[scores > before], days)


@pytest.mark.parametrize("before", [6.5, 7.5])
def test_a_budget_is_kept_though_a_sample_leaves_out_what_was_told_of(before: float) -> None:
    """What lies above the limit before is 15, or 5.5, records in a day: a sample alone takes it for none."""
    days, budget = 20.0, 6.0
    alone, both = [], []
    for seed in range(20):
        benign, told = sampled(np.random.default_rng(seed).exponential(size=int(days * RATE)), before, days, seed)
        alone.append(RATE * math.exp(-budget_limit(benign, budget).value))
        both.append(RATE * math.exp(-budget_limit(benign, budget, told).value))

    assert min(alone) > budget or before > 7
    assert np.mean(both) <= 1.05 * budget
    assert np.mean(both) < np.mean(alone)


def test_what_was_told_of_is_part_of_what_is_promised() -> None:
    benign = HeldOut(np.arange(100.0), records_per_day=10.0)

    limit = budget_limit(benign, 1.0, Told(np.array([50.0, 98.5, 120.0]), 20.0))

    assert limit.value == 91.0  # 8 held-out records and the one it is in 10.1 days, two episodes in 20
    assert limit.daily is not None
    assert limit.daily.expected == pytest.approx(9 / 10.1 + 2 / 20)
    assert limit.daily.upper > fixed_limit(benign, limit.value).daily.upper  # type: ignore[union-attr]


def test_a_limit_set_by_an_episode_told_of_counts_that_one_and_no_held_out_record_more() -> None:
    benign = HeldOut(np.arange(100.0), records_per_day=100.0)

    limit = budget_limit(benign, 1.0, Told(np.arange(100.0, 140.0, 2.0), 10.0))

    assert limit.value == 120.0
    assert limit.daily is not None
    assert limit.daily.expected == 1.0  # nine above it and itself, in ten days


def test_many_attacks_among_what_was_told_of_raise_a_limit_no_further_than_twice() -> None:
    benign = HeldOut(np.arange(1.0, 101.0), records_per_day=100.0)

    assert budget_limit(benign, 2.0, Told(np.full(1_000, 500.0), 1.0)).value == 198.0
