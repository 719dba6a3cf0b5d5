"""Many keys that alert at once are told as one, however they are cut into batches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.accounting import Memory
from monitor.core.clock import ManualClock
from monitor.deciding.decided import STORM, Decided
from monitor.deciding.distinct import Distinct, marks
from monitor.deciding.episode import Policy
from monitor.deciding.episodes import Episodes
from monitor.deciding.storm import Storm
from tests.records import records

GAP, HOLD = 10.0, 4.0
POLICY = Policy(GAP, storm_keys=3, hold_seconds=HOLD)


class Alert(NamedTuple):
    time: float
    key: str | None
    score: float = 2.0


class Outbox:
    """What a sink got, as lines, and what waits, by the number of the record that tells it."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.held: dict[int, str] = {}

    def take(self, decided: Decided) -> None:
        for told in decided.told:
            if not told.telling.over:
                episode, number = told.telling.episode, told.telling.row
                self.held[number] = f"{_name(told.key)} {int(episode.alert_id, 16)}"
                if not told.held_as:
                    self.sent.append(f"{self.held.pop(number)} by {number}")
        for withdrawn in decided.withdrawn:
            del self.held[int(withdrawn, 16)]
        for released in decided.released:
            number = int(released.alert_id, 16)
            self.sent.append(f"{self.held.pop(number)} by {number}")
        for told in decided.told:
            if told.telling.over:
                episode = told.telling.episode
                count = f"{int(episode.alerts)} of {told.keys}"
                self.sent.append(f"{_name(told.key)} {int(episode.alert_id, 16)} {told.telling.kind} ({count})")


def _name(key: str | None) -> str:
    return "storm" if key == STORM else str(key)


class World:
    """Episodes, the clock they see and who is told."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.clock = ManualClock(20.0)
        self.episodes = Episodes(policy, self.clock)
        self.outbox = Outbox()
        self.begun = 0

    def take(self, alerts: list[Alert], first: int = 0) -> list[str]:
        times, keys, scores = zip(*alerts, strict=True)
        ids = [f"{first + row:032x}" for row in range(len(alerts))]
        batch = records(times=list(times), keys=list(keys))
        decided = self.episodes.take(batch, np.array(scores), np.ones(len(alerts)), ids)
        decided.told = [
            told._replace(telling=told.telling._replace(row=first + told.telling.row)) for told in decided.told
        ]
        self.begun += decided.begun
        self.outbox.take(decided)
        return self.outbox.sent

    def wait(self, newest: float | None = None, *, at_once: bool = False) -> list[str]:
        self.outbox.take(self.episodes.ended(newest, at_once=at_once))
        return self.outbox.sent

    def restart(self) -> None:
        again = Episodes(self.episodes.policy, self.clock)
        storm = self.episodes.storm
        assert again.take_over(Memory(self.episodes.made_by, self.episodes.keyed_state)) is None
        assert again.storm.take_over(Memory(storm.made_by, storm.keyed_state)) is None
        self.episodes = again


ALERTS = st.lists(
    st.builds(
        Alert, st.integers(0, 60).map(float), st.sampled_from([*"abcdef", None]), st.sampled_from([1.5, 3.0, 9.0, 99.0])
    ),
    min_size=1,
    max_size=40,
)
POLICIES = st.builds(
    Policy,
    st.integers(0, 9).map(float),
    st.integers(1, 2),
    st.just(0.0),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.0, 1.0]),
    st.sampled_from([0, 0, 1, 2, 3]),
    st.sampled_from([8.0, 30.0]),
)


@settings(deadline=None, max_examples=300)
@given(alerts=ALERTS, size=st.integers(1, 7), policy=POLICIES, in_order=st.booleans())
def test_batches_and_restarts_change_nothing(alerts: list[Alert], size: int, policy: Policy, in_order: bool) -> None:
    policy = policy if policy.hold_seconds <= policy.gap_seconds else Policy(5.0, 1, 0.0, 3, 2.0)
    alerts = sorted(alerts, key=lambda alert: alert.time) if in_order else alerts
    whole, parts = World(policy), World(policy)
    whole.take(alerts)

    for start in range(0, len(alerts), size):
        parts.take(alerts[start : start + size], start)
        parts.restart()

    assert sorted(parts.outbox.sent) == sorted(whole.outbox.sent)
    assert (parts.outbox.held, parts.begun) == (whole.outbox.held, whole.begun)


def burst(keys: int, each: int = 1, start: float = 100.0) -> list[Alert]:
    return [Alert(start + number / 1e5, f"k{number % keys}") for number in range(keys * each)]


def test_a_burst_of_many_keys_is_three_messages() -> None:
    world = World()

    world.take(burst(500, each=4))
    world.wait(newest=100 + HOLD + 1)
    world.wait(newest=200.0)

    assert world.outbox.sent == ["k0 0 by 0", "storm 0 by 2", "storm 0 over (2000 of 502)"]  # about 500
    assert world.outbox.held == {}


def test_fewer_keys_wait_and_are_told_each() -> None:
    world = World()

    assert world.take([Alert(100, "a"), Alert(101, "b")]) == ["a 0 by 0"]
    assert world.wait(newest=103.9) == ["a 0 by 0"]
    assert world.wait(newest=104.0) == ["a 0 by 0", "b 1 by 1"]


@pytest.mark.parametrize("seconds", [HOLD, HOLD + 0.1])
def test_the_clock_ends_the_waiting_also_after_a_restart(seconds: float) -> None:
    world = World()
    world.take([Alert(100, "a"), Alert(101, "b")])
    world.restart()
    world.clock.advance(seconds)

    assert ("b 1 by 1" in world.wait()) is (seconds > HOLD)


def test_at_the_end_of_input_nobody_waits() -> None:
    world = World()
    world.take([Alert(100, "a"), Alert(101, "b")])

    assert world.wait(at_once=True) == ["a 0 by 0", "b 1 by 1"]


def test_whoever_waits_is_told_by_the_record_that_is_critical() -> None:
    world = World()
    world.take([Alert(100, "a"), Alert(101, "b")])
    world.take([Alert(102, "b", 9.0)], first=2)

    assert world.wait(newest=104.0) == ["a 0 by 0", "b 2 by 2"]
    assert world.outbox.held == {}


def test_the_end_of_an_episode_that_waits_follows_its_beginning() -> None:
    world = World()
    world.take([Alert(100, "a"), Alert(101, "b")])

    assert world.wait(newest=112.0) == ["a 0 by 0", "b 1 by 1", "a 0 over (1 of 1)", "b 1 over (1 of 1)"]


def test_episodes_told_apart_are_said_to_be_part_of_a_storm() -> None:
    world = World()

    sent = world.take([Alert(100, "a"), Alert(105, "b"), Alert(109.9, "c"), Alert(110, "a")])
    world.wait(newest=114.0)

    assert sent == ["a 0 by 0", "b 1 by 1", "b 1 joined (1 of 1)", "storm 0 by 2"]


def test_a_storm_is_told_by_a_much_worse_record_while_it_waits() -> None:
    world = World()
    world.take(burst(3))
    world.take([Alert(101, "x", 5.9), Alert(101, "y", 6.1), Alert(101, "z", 18.0)], first=3)
    world.wait(newest=105.0)
    world.take([Alert(106, "x", 99.0)], first=6)

    assert world.outbox.sent == ["k0 0 by 0", "storm 0 by 4"]


def test_a_storm_is_over_when_few_keys_alert_in_a_whole_gap() -> None:
    world = World()
    world.take(burst(5))
    world.take([Alert(100.0 + second, "a") for second in range(1, 25)], first=5)

    assert world.outbox.sent == ["k0 0 by 0", "a 25 by 25", "storm 0 by 2", "storm 0 over (25 of 6)"]


def test_whoever_was_quiet_for_long_is_no_part_of_a_storm() -> None:
    world = World()
    world.take([Alert(0, "z")])
    world.take(burst(3), first=1)
    world.wait(newest=105.0)

    assert world.outbox.sent == ["z 0 by 0", "k0 1 by 1", "z 0 over (1 of 1)", "storm 1 by 3"]


def test_a_storm_that_goes_on_is_told_once_however_long_it_takes() -> None:
    world = World()

    world.take([Alert(float(number), f"k{number % 4}") for number in range(1000)])

    assert [line for line in world.outbox.sent if not line.startswith("k")] == ["storm 0 by 2"] or world.outbox.held
    assert len(world.outbox.sent) <= 2


LASTING = Policy(GAP, storm_keys=3, regime_after=2, regime_seconds=100.0)


def test_a_storm_that_lasts_is_a_change_of_regime_and_over_when_it_was_quiet_for_as_long() -> None:
    world = World(LASTING)

    world.take([Alert(number / 2, f"k{number % 4}") for number in range(1_000)])
    world.take([Alert(560.0, "a"), Alert(570.0, "b"), Alert(671.0, "c")], first=1_000)

    storm = [line for line in world.outbox.sent if "storm" in line]
    assert storm == ["storm 0 by 2", "storm 0 by 200", "storm 0 over (1002 of 6)"]
    assert "c 1002 by 1002" in world.outbox.sent


def test_in_a_change_of_regime_only_what_is_much_worse_is_told() -> None:
    world = World(LASTING)
    world.take([Alert(number / 2, f"k{number % 4}") for number in range(400)])

    world.take([Alert(200, "x", 5.9), Alert(201, "y", 6.1), Alert(202, "x", 18.0), Alert(203, "z", 19.0)], first=400)

    assert [line for line in world.outbox.sent if "storm" in line][2:] == ["storm 0 by 401", "storm 0 by 403"]


def test_the_second_storm_of_a_day_is_the_last_that_is_told() -> None:
    world = World(LASTING)
    for start in (0.0, 30.0, 60.0, 90.0):
        world.take([Alert(start, f"{start} {number}") for number in range(6)], first=int(start))

    assert [line for line in world.outbox.sent if "storm" in line] == [
        "storm 0 by 2",
        "storm 30 by 32",
        "storm 0 over (6 of 6)",
    ]


def test_all_records_are_near_an_alert_while_there_is_a_storm() -> None:
    world = World()
    world.take(burst(5))

    near = world.episodes.open(records(times=[100.0, 109.0, 111.0], keys=["quiet", "quiet", "quiet"]))

    assert near.tolist() == [True, True, False]


def test_without_the_option_each_key_is_told_of() -> None:
    world = World(Policy(GAP))

    assert len(world.take(burst(50))) == 50


def test_another_number_of_keys_begins_without_a_storm() -> None:
    reason = Storm(4, GAP).take_over(Memory("a storm of 3 keys", dict))

    assert reason == "it was a storm of 3 keys, now it is a storm of 4 keys"


def test_a_damaged_storm_is_not_gone_on_with() -> None:
    state = {"version": 1, "keys": [None], "values": [[1.0]]}

    assert "not 699 finite numbers" in str(Storm(3, GAP).take_over(Memory("a storm of 3 keys", lambda: state)))


@pytest.mark.parametrize(("keys", "error"), [(0, 0.0), (1, 0.0), (10, 0.0), (412, 0.02), (40_000, 0.05)])
def test_different_keys_are_counted(keys: int, error: float) -> None:
    distinct = Distinct()
    names = [f"10.0.{number // 256}.{number % 256}" for number in range(keys)]

    distinct.add(marks(names, keys))
    distinct.add(marks(names[::2], len(names[::2])))

    assert Distinct(distinct.state()).count() == pytest.approx(keys, rel=error)
