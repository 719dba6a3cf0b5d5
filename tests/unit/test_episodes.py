"""Episodes: alerts of a key that follow each other closely, told once, however they are cut into batches."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.accounting import Memory
from monitor.core.clock import DAY_SECONDS, ManualClock
from monitor.deciding.decided import Told
from monitor.deciding.episode import Policy
from monitor.deciding.episodes import Episodes
from tests.records import records

NOW = 20.0
GAP = 10.0


class Alert(NamedTuple):
    time: float
    key: str | None = None
    score: float = 2.0


class Said(NamedTuple):
    """A telling as a test reads it; ``id`` is the number of the alert that told the episode first."""

    what: str
    at: int
    key: str | None
    id: int
    alerts: int
    peak: float


ALERTS = st.lists(
    st.builds(
        Alert,
        st.integers(0, 40).map(float) | st.just(math.nan),
        st.sampled_from(["a", "b", None]),
        st.sampled_from([1.5, 2.0, 3.0, 9.0]),
    ),
    max_size=40,
)
POLICIES = st.builds(
    Policy,
    gap_seconds=st.integers(0, 9).map(float),
    fire_after=st.integers(1, 3),
    half_life_seconds=st.sampled_from([0.0, 7.0]),
    regime_after=st.integers(0, 3),
    regime_seconds=st.integers(5, 20).map(float),
)


def said(told: Told, first: int = 0) -> Said:
    row, episode, _ = told.telling
    what = told.telling.kind if told.telling.over else ("warning", "critical")[int(episode.told) - 1]
    return Said(
        what, row if row < 0 else first + row, told.key, int(episode.alert_id, 16), int(episode.alerts), episode.peak
    )


def take(episodes: Episodes, alerts: list[Alert], first: int = 0) -> tuple[int, list[Said]]:
    """All of a batch whose first alert has the number ``first``; the limit is 1."""
    times, keys, scores = zip(*alerts, strict=True)
    batch = records(times=list(times), keys=list(keys))
    ids = [f"{first + row:032x}" for row in range(len(alerts))]
    decided = episodes.take(batch, np.array(scores), np.ones(len(alerts)), ids)
    return decided.begun, [said(each, first) for each in decided.told]


def restarted(episodes: Episodes) -> Episodes:
    again, state = Episodes(episodes.policy, episodes.clock), episodes.keyed_state()
    assert again.take_over(Memory(episodes.made_by, lambda: state)) is None
    return again


def told(*alerts: Alert, policy: Policy | None = None) -> list[tuple[str, int, int]]:
    """What is told of alerts in one batch: what it is, by which of them, and of how many alerts then."""
    found = take(Episodes(policy or Policy(GAP), ManualClock(NOW)), list(alerts))[1]
    return [(each.what, each.at, each.alerts) for each in found]


@settings(deadline=None)
@given(alerts=ALERTS, size=st.integers(1, 7), policy=POLICIES)
def test_batches_and_restarts_change_nothing(alerts: list[Alert], size: int, policy: Policy) -> None:
    whole = take(Episodes(policy, ManualClock(NOW)), alerts) if alerts else (0, [])

    episodes, begun, tellings = Episodes(policy, ManualClock(NOW)), 0, list[Said]()
    for start in range(0, len(alerts), size):
        more, said_now = take(episodes, alerts[start : start + size], start)
        begun, tellings, episodes = begun + more, tellings + said_now, restarted(episodes)

    assert (begun, tellings) == whole


@settings(deadline=None)
@given(alerts=ALERTS, gap=st.integers(0, 9))
def test_without_conditions_each_episode_is_told_by_its_first_alert(alerts: list[Alert], gap: int) -> None:
    last: dict[str | None, float] = {}
    first = list[int]()
    for number, alert in enumerate(alerts):
        time = NOW if math.isnan(alert.time) else alert.time
        if abs(time - last.get(alert.key, math.inf)) > gap:
            first.append(number)
        last[alert.key] = time

    begun, tellings = take(Episodes(Policy(gap), ManualClock(NOW)), alerts) if alerts else (0, [])

    assert begun == len(first)
    assert [each.at for each in tellings if each.alerts == 1 and each.what != "over"] == first


def test_alerts_close_in_time_are_told_once_and_the_next_episode_tells_the_end_of_the_one_before() -> None:
    assert told(Alert(100), Alert(110), Alert(120), Alert(130.5)) == [
        ("warning", 0, 1),
        ("over", 3, 3),
        ("warning", 3, 1),
    ]


def test_an_episode_that_turns_critical_is_told_once_more() -> None:
    assert told(Alert(0), Alert(1, score=2.9), Alert(2, score=3.0), Alert(3, score=9.0)) == [
        ("warning", 0, 1),
        ("critical", 2, 3),
    ]


def test_a_critical_one_is_not_told_again_as_a_warning() -> None:
    assert told(Alert(0, score=3.0), Alert(1)) == [("critical", 0, 1)]


def test_the_end_has_the_id_of_the_alert_that_told_it_first() -> None:
    episodes = Episodes(Policy(GAP), ManualClock(NOW))
    take(episodes, [Alert(0), Alert(1, score=4.0)], first=7)

    (end,) = map(said, episodes.ended(newest=11.5).told)

    assert (end.what, end.at, end.id, end.alerts, end.peak) == ("over", -1, 7, 2, 4.0)
    assert episodes.ended(newest=1e9).told == []


def test_an_episode_fires_after_so_many_alerts() -> None:
    policy = Policy(GAP, fire_after=3)

    assert told(Alert(0), Alert(1), Alert(50), Alert(51), Alert(52), policy=policy) == [("warning", 4, 3)]


def test_a_clock_years_ahead_silences_nobody() -> None:
    assert [each[:2] for each in told(Alert(100), Alert(4e9), Alert(102))] == [
        ("warning", 0), ("over", 1), ("warning", 1), ("over", 2), ("warning", 2),
    ]  # fmt: skip


def test_an_alert_that_comes_late_joins_and_may_move_the_start() -> None:
    episodes = Episodes(Policy(GAP), ManualClock(NOW))
    take(episodes, [Alert(100), Alert(95)])

    (end,) = episodes.ended(newest=200.0).told

    assert end.telling.episode[:3] == (95.0, 100.0, 95.0)


@pytest.mark.parametrize(("newest", "over"), [(110.0, False), (110.1, True)])
def test_event_time_ends_an_episode_when_the_gap_is_exceeded(newest: float, over: bool) -> None:
    episodes = Episodes(Policy(GAP), ManualClock(NOW))
    take(episodes, [Alert(100)])

    assert bool(episodes.ended(newest).told) is over


def test_without_records_the_clock_ends_an_episode_also_after_a_restart() -> None:
    clock = ManualClock(NOW)
    episodes = Episodes(Policy(GAP), clock)
    take(episodes, [Alert(1e9, "a"), Alert(1e9, "b")])
    clock.advance(9.0)
    take(episodes, [Alert(1e9, "b")])
    clock.advance(1.5)

    assert [each.key for each in episodes.ended(None).told] == ["a"]
    episodes = restarted(episodes)
    assert episodes.ended(None).told == []  # what happened while it was down is not known
    clock.advance(10.5)
    assert [each.key for each in episodes.ended(None).told] == ["b"]


def test_whoever_was_told_of_a_high_score_is_not_told_of_lower_ones_for_a_while() -> None:
    day = DAY_SECONDS
    policy = Policy(GAP, half_life_seconds=7 * day)

    assert told(
        Alert(0, score=2.5),
        Alert(day, score=2.0),  # below what 2.5 has sunk to
        Alert(2 * day, score=2.6),
        Alert(9 * day, score=1.7),  # 7 days later the 2.6 stands for 1.8
        Alert(10 * day, score=1.9),
        Alert(10 * day, "other", 1.1),
        policy=policy,
    ) == [("warning", 0, 1), ("over", 1, 1), ("warning", 2, 1), ("over", 3, 1), ("warning", 4, 1), ("warning", 5, 1)]


def test_what_goes_on_unnoticed_is_told_when_it_gets_worse() -> None:
    policy = Policy(GAP, half_life_seconds=7 * DAY_SECONDS)

    assert told(Alert(0, score=2.5), Alert(100), Alert(105, score=2.7), policy=policy) == [
        ("warning", 0, 1),
        ("over", 1, 1),
        ("warning", 2, 2),
    ]


DAYLONG = Policy(GAP, regime_after=3, regime_seconds=1000.0)


def changed(*alerts: Alert) -> list[tuple[str, int, bool]]:
    """What is told of alerts, and whether as a change of regime."""
    batch = records(times=[alert.time for alert in alerts], keys=[alert.key for alert in alerts])
    ids = [f"{row:032x}" for row in range(len(alerts))]
    scores = np.array([alert.score for alert in alerts])
    told = Episodes(DAYLONG, ManualClock(NOW)).take(batch, scores, np.ones(len(alerts)), ids).told
    return [(each.telling.kind, each.telling.row, bool(each.telling.episode.changed)) for each in told]


def test_the_third_episode_of_a_day_is_a_change_of_regime_that_ends_after_a_quiet_day() -> None:
    assert changed(*(Alert(time) for time in (0, 100, 200, 300, 1000, 1900, 2901))) == [
        ("begun", 0, False),
        ("over", 1, False),
        ("begun", 1, False),
        ("over", 2, False),
        ("begun", 2, True),
        ("over", 6, True),
        ("begun", 6, False),
    ]


def test_an_episode_that_lasts_for_a_day_is_a_change_of_regime() -> None:
    assert changed(*(Alert(float(time)) for time in range(0, 1500, 10))) == [("begun", 0, False), ("worse", 100, True)]


def test_episodes_of_several_days_are_none() -> None:
    assert not any(each[2] for each in changed(*(Alert(time) for time in (0, 600, 1200, 1800, 2400))))


def test_without_event_times_the_time_of_reading_counts() -> None:
    clock, begun = ManualClock(NOW), list[int]()
    episodes = Episodes(Policy(5.0), clock)

    for seconds in (5.0, 5.1, 0.0):
        begun.append(episodes.take(records(x=[1.0]), np.array([2.0]), np.array([1.0]), ["0" * 32]).begun)
        clock.advance(seconds)

    assert begun == [1, 0, 1]


def test_damaged_state_is_not_gone_on_with() -> None:
    episodes = Episodes(Policy(5.0), ManualClock())

    reason = episodes.take_over(Memory(episodes.made_by, lambda: {"version": 1, "keys": ["a"], "values": [[1.0]]}))

    assert reason == "remembered keys: not 16 finite numbers for each of 1 keys"
