"""Keys that are there all the time are missed when they are not, once; keys that come and go never are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from monitor.core.accounting import Memory
from monitor.core.clock import DAY_SECONDS, ManualClock
from monitor.core.errors import StateError
from monitor.deciding.key_policy import KeyPolicy, Steady, steady_keys
from monitor.deciding.key_silence import GONE_SECONDS, KeyNews, KeySilence
from monitor.deciding.presence import LONGEST, Presence
from tests.records import records

LIMIT, STEP, GAP, HOLD = 60.0, 10.0, 300.0, 30.0
POLICY = KeyPolicy(LIMIT, storm_keys=3, gap_seconds=GAP, hold_seconds=HOLD)
LEARNING = KeyPolicy(LIMIT, learn=True, storm_keys=3, gap_seconds=GAP, hold_seconds=HOLD)


class World:
    """Keys that each speak every ten seconds, by a clock that event times follow, and what is told of them."""

    def __init__(self, policy: KeyPolicy = POLICY, *, timed: bool = True, max_keys: int = 10_000) -> None:
        self.clock = ManualClock(1_000.0)
        self.timed = timed
        self.rule = ""
        self.accepted: set[str] = set()
        self.told: list[str] = []
        self.max_keys = max_keys
        self.silence = KeySilence("web", policy, self.presence(), self.rules, lambda: self.accepted)
        self.said: list[str] = []

    def presence(self) -> Presence:
        return Presence(self.clock, timed=self.timed, max_keys=self.max_keys)

    def rules(self, keys: Sequence[str]) -> Sequence[str]:
        return [self.rule] * len(keys)

    def hear(self, keys: Iterable[str | None], *, behind: float = 0.0, complete: bool = True) -> list[str]:
        names = list(keys)
        times = [self.clock.now() - behind] * len(names) if self.timed else None
        news = self.silence.hear(records(times=times, keys=names), complete=complete)
        self.said += said(news)
        self.told += [fallen.id for fallen in news.fallen]
        return self.said

    def run(self, keys: Iterable[str | None], seconds: float, *, step: float = STEP) -> list[str]:
        names = list(keys)
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.hear(names)
        return self.said

    def restart(self) -> None:
        before = self.silence
        self.silence = KeySilence("web", before.policy, self.presence(), self.rules, lambda: self.accepted)
        assert self.silence.take_over(Memory(before.made_by, before.keyed_state)) is None


def said(news: KeyNews) -> list[str]:
    fallen = [
        f"{','.join(sorted(away.key for away in each.keys))} silent{f' but {each.rule}' if each.rule else ''}"
        for each in news.fallen
    ]
    ends = [
        f"{each.key or f'{each.keys - each.silent} of {each.keys}'} "
        f"{'joined' if each.joined else 'gone' if each.gone else 'back'}"
        for each in news.risen
    ]
    return [*fallen, *ends]


def fleet(count: int) -> list[str]:
    return [f"k{number}" for number in range(count)]


def known(count: int, policy: KeyPolicy = POLICY) -> World:
    """A fleet that has been there long enough to be missed."""
    world = World(policy)
    assert world.run(fleet(count), 20 * LIMIT + STEP) == []
    return world


def test_a_key_that_was_always_there_is_missed_once_and_its_return_is_told() -> None:
    world = known(5)

    assert world.run(fleet(4), LIMIT + HOLD) == []
    assert world.run(fleet(4), STEP) == ["k4 silent"]
    assert world.run(fleet(4), 5_000.0) == ["k4 silent"]
    assert world.hear(fleet(5)) == ["k4 silent", "k4 back"]
    assert world.run(fleet(5), 5_000.0) == ["k4 silent", "k4 back"]


def test_who_comes_and_goes_is_never_missed() -> None:
    world = World()

    for visit in range(300):
        world.run(["always", f"visitor {visit}", f"client {visit % 7}", None], 100.0)

    assert world.said == []


def test_a_rack_that_falls_silent_is_one_message_and_so_is_its_return() -> None:
    world = known(500)

    world.run(fleet(100), 3_000.0)
    world.run(fleet(500), 1_000.0)

    assert [line.count("k") for line in world.said] == [400, 1]
    assert world.said[1] == "400 of 400 back"


def test_who_stays_silent_when_the_others_return_is_told_alone() -> None:
    world = known(10)

    world.run(fleet(4), 200.0)
    world.run(fleet(9), 100.0)
    world.run(fleet(10), 10.0)

    assert world.said == ["k4,k5,k6,k7,k8,k9 silent", "k9 silent", "5 of 6 back", "k9 back"]


def test_more_and_more_keys_become_one_message() -> None:
    world = known(10)

    for count in range(9, 2, -1):
        world.run(fleet(count), 100.0)

    assert world.said == ["k9 silent", "k8 silent", "k7,k8,k9 silent", "k8 joined", "k9 joined"]
    assert world.silence.silent == 7


def test_who_falls_silent_long_after_the_others_is_told_alone() -> None:
    world = known(10)

    world.run(fleet(6), 200.0)
    world.run(fleet(6), GAP)
    world.run(fleet(5), 200.0)

    assert world.said == ["k6,k7,k8,k9 silent", "k5 silent"]


def test_while_nobody_speaks_no_key_is_silent() -> None:
    world = known(10)
    world.clock.advance(36_000.0)

    world.hear(["k3"])
    world.clock.advance(2.0)
    world.hear(["k4"])
    world.clock.advance(STEP)
    world.hear(fleet(10))

    assert world.said == []


def test_a_busy_key_is_missed_though_only_a_slow_one_is_left() -> None:
    world = known(2)

    world.run(["k0"], 2_000.0, step=200.0)

    assert world.said == ["k1 silent"]


def test_a_restart_tells_nothing_again_and_forgets_no_end() -> None:
    world = known(5)
    world.run(fleet(4), 100.0)
    world.restart()
    world.run(fleet(4), 1_000.0)
    world.restart()

    assert world.hear(fleet(5)) == ["k4 silent", "k4 back"]


def test_while_the_program_was_down_nobody_was_silent_nor_in_a_backlog() -> None:
    world = known(5)
    world.clock.advance(50_000.0)
    world.restart()

    for behind in np.arange(50_000.0, 0.0, -500.0).tolist():  # hosts one after the other, each in a few seconds
        world.clock.advance(0.1)
        world.hear(fleet(4), behind=behind)
    world.hear(["k4"])

    assert world.run(fleet(5), 1_000.0) == []


def test_a_program_that_is_behind_takes_nobody_for_silent() -> None:
    world = known(5)

    for _ in range(20):  # ten seconds of the stream take a hundred
        world.clock.advance(100.0)
        world.hear(fleet(4), behind=2_000.0)
    assert world.said == []


def test_a_clock_years_ahead_silences_nobody_and_hides_nobody() -> None:
    world = known(5)
    world.hear(["k0"], behind=-1e9)

    assert world.run(fleet(4), 100.0) == ["k4 silent"]


def test_records_that_were_passed_over_are_nobodys_silence() -> None:
    world = known(5)

    for _ in range(100):
        world.clock.advance(STEP)
        world.hear(fleet(4), complete=False)

    assert world.said == []


def test_without_event_times_the_clock_tells() -> None:
    world = World(timed=False)
    world.run(fleet(5), 20 * LIMIT + STEP)

    assert world.run(fleet(4), 100.0) == ["k4 silent"]


def test_a_rule_hides_a_silence_until_it_is_over() -> None:
    world = known(5)
    world.rule = "maintenance"

    assert world.run(fleet(4), 1_000.0) == ["k4 silent but maintenance"]
    world.rule = ""
    assert world.run(fleet(4), STEP) == ["k4 silent but maintenance", "k4 silent"]
    assert world.hear(fleet(5))[2:] == ["k4 back"]


def test_the_end_of_a_silence_that_was_hidden_is_not_told() -> None:
    world = known(5)
    world.rule = "maintenance"
    world.run(fleet(4), 1_000.0)

    assert world.run(fleet(5), 100.0) == ["k4 silent but maintenance"]


def test_a_silence_that_is_called_benign_is_over_at_once_and_the_key_not_expected() -> None:
    world = known(5)
    world.run(fleet(4), 1_000.0)
    world.restart()

    world.accepted = {*world.told, "of another, by hand"}
    assert world.run(fleet(4), STEP) == ["k4 silent", "k4 gone"]
    assert world.silence.presence.keys == fleet(4)
    assert world.run(fleet(4), 1_000.0) == ["k4 silent", "k4 gone"]
    world.run(fleet(5), 20 * LIMIT + STEP)
    assert world.run(fleet(4), 1_000.0)[2:] == ["k4 silent"]


def test_a_silence_of_many_that_is_called_benign_is_over_for_all_of_them() -> None:
    world = known(10)
    world.run(fleet(4), 1_000.0)

    world.accepted = set(world.told)

    assert world.run(fleet(4), 1_000.0)[1:] == ["6 of 6 gone"]
    assert world.silence.presence.keys == fleet(4)


def test_who_is_silent_for_a_week_is_not_expected_any_more() -> None:
    world = known(5)

    world.run(fleet(4), GONE_SECONDS + 1_000.0, step=50.0)

    assert world.said == ["k4 silent", "k4 gone"]
    assert world.silence.presence.keys == fleet(4)


def test_a_key_of_which_nothing_is_told_yet_is_held_to_what_benign_keys_do() -> None:
    world = World(LEARNING)
    world.run(fleet(5), 21 * STEP)

    assert world.run(fleet(4), 100.0) == ["k4 silent"]


def test_after_a_day_each_key_is_held_to_its_own_longest_absence() -> None:
    world = World(LEARNING)
    for number in range(1_501):
        world.clock.advance(60.0)
        world.hear(fleet(3 + (number % 10 == 0)))  # the fourth every ten minutes

    world.run(fleet(3), 1_800.0 + HOLD)
    assert world.said == []
    world.run(fleet(3), 60.0)
    assert world.said == ["k3 silent"]


def test_a_week_halves_what_an_absence_counts() -> None:
    world = World(LEARNING)
    world.hear(["a"])

    world.run(["a"], 1 * DAY_SECONDS, step=DAY_SECONDS)
    world.run(["a"], 7 * DAY_SECONDS, step=3_600.0)

    assert world.silence.presence.table[0, LONGEST] == pytest.approx(DAY_SECONDS / 2)


def test_beyond_the_most_keys_those_go_that_were_never_there_for_long() -> None:
    world = World(max_keys=20)
    world.run(fleet(5), 20 * LIMIT + STEP)

    for visit in range(100):
        world.run([*fleet(5), f"visitor {visit}"], STEP)

    presence = world.silence.presence
    assert len(presence.keys) == 20
    assert presence.keys[:5] == fleet(5)
    assert presence.overflowed
    assert world.run(fleet(4), 100.0) == ["k4 silent"]


def test_what_changed_is_all_that_a_checkpoint_needs() -> None:
    world, table = World(max_keys=20), dict[str | None, Sequence[float]]()
    for visit in range(200):
        world.run([*fleet(5), f"visitor {visit}"][visit > 150 :], STEP)
        updated, forgotten = world.silence.keyed_changes()
        assert not updated.keys() & set(forgotten)
        for key in forgotten:
            table.pop(key, None)
        table.update(updated)

    state = world.silence.keyed_state()
    assert table == dict(zip(state["keys"], state["values"], strict=True))


def test_where_nothing_is_told_nothing_is_remembered() -> None:
    world = World(KeyPolicy())

    world.run(fleet(5), 100.0)

    assert world.silence.presence.keys == []
    assert world.silence.take_over(Memory("", world.silence.keyed_state)) is None


def test_what_is_remembered_goes_where_nothing_is_told_any_more() -> None:
    before = World()
    before.run(fleet(5), 100.0)

    assert "nothing is told" in str(World(KeyPolicy()).silence.take_over(Memory("", before.silence.keyed_state)))


def test_damage_is_told_also_where_nothing_is_told_of_keys() -> None:
    def damaged() -> dict[str, Any]:
        raise StateError("a row is damaged")

    assert World(KeyPolicy()).silence.take_over(Memory("", damaged)) == "a row is damaged"


def test_damaged_state_is_not_gone_on_with() -> None:
    state = {"version": 1, "keys": ["a"], "values": [[1.0]]}

    assert "not 10 finite numbers" in str(World().silence.take_over(Memory("", lambda: state)))


# -- what benign data tell -------------------------------------------------------------------------------------------


def learned(keys: Sequence[str], times: Sequence[float]) -> Steady | None:
    presence = Presence(ManualClock(1e9), timed=True)
    order = np.argsort(times, kind="stable")
    for part in np.array_split(order, 7):
        presence.hear(records(times=[times[row] for row in part], keys=[keys[int(row)] for row in part]))
    return steady_keys(presence)


def test_benign_data_tell_how_long_each_of_their_keys_may_be_silent() -> None:
    times = np.arange(0, 2 * DAY_SECONDS, 600.0)
    keys = [key for key in fleet(20) for _ in times]

    assert learned(keys, np.tile(times, 20).tolist()) == Steady(20, 1_800.0)


@pytest.mark.parametrize("days", [0.5, 30.0])
def test_less_than_a_day_or_clients_that_come_and_go_tell_nothing(days: float) -> None:
    random = np.random.default_rng(1)
    times = np.sort(random.uniform(0, days * DAY_SECONDS, 20_000))
    always = ["a" if number % 2 else f"client {number // 40}" for number in range(20_000)]

    assert learned(always if days > 1 else ["a", "b"] * 10_000, times.tolist()) is None
