"""Drift: told of a few records now and then, kept over restarts, forgotten with the model it was told of."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from monitor.app.model_drift import hint
from monitor.core.accounting import Memory
from monitor.core.arrays import F32, F64
from monitor.core.drifted import Drifted, Usual
from monitor.core.limit import Daily, Limit
from monitor.deciding.drift import LOOKED_AT, Drift, drifted

VERSION, OTHER = "20260101T000000.000Z-0123456789ab", "20260102T000000.000Z-0123456789ac"
USUAL = Usual({"level": 0.5, "mode": 0.1}, 0.01)
WIDTH = 3  # network columns; one novelty column follows


class Clock:
    """Monotonic seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def encoded(records: int, *, novel: int = 0) -> F32:
    values = np.zeros((records, WIDTH + 1), dtype=np.float32)
    values[:novel, WIDTH] = 2.0
    return values


def errors_of(values: F32) -> F64:
    return np.tile([1.0, 0.1], (len(values), 1))


def see(drift: Drift, values: F32, episodes: int = 0) -> None:
    drift.see(np.ones(len(values), dtype=np.bool_), values, WIDTH, errors_of, episodes)


def memory(drift: Drift) -> Memory:
    return Memory(drift.made_by, drift.keyed_state)


def test_errors_are_told_as_multiples_of_the_usual_ones_and_news_as_a_share() -> None:
    drift = Drift(VERSION, USUAL, Clock())
    assert math.isnan(drift.now.novel)

    see(drift, encoded(100, novel=25), episodes=2)

    now = drift.now
    assert (now.records, now.episodes, now.novel) == (100, 2, 0.25)
    assert now.ratios() == pytest.approx({"level": 2.0, "mode": 1.0})


def test_all_are_counted_and_a_few_looked_at_once_a_second() -> None:
    clock = Clock()
    drift, looks = Drift(VERSION, USUAL, clock), list[int]()

    def look(values: F32) -> F64:
        looks.append(len(values))
        return errors_of(values)

    for _ in range(10):
        drift.see(np.ones(5_000, dtype=np.bool_), encoded(5_000), WIDTH, look, 1)
        clock.now += 0.5

    assert (drift.now.records, drift.now.episodes) == (50_000, 10)
    assert looks == [LOOKED_AT] * 5


def test_records_that_are_none_do_not_count() -> None:
    drift = Drift(VERSION, USUAL, Clock())

    drift.see(np.array([False, True]), encoded(2, novel=1), WIDTH, errors_of, 0)

    assert (drift.now.records, drift.now.novel) == (1, 0.0)


def test_what_was_long_ago_fades() -> None:
    clock = Clock()
    drift = Drift(VERSION, USUAL, clock)
    see(drift, encoded(256, novel=256))
    for _ in range(1_000):
        clock.now += 1
        see(drift, encoded(256))

    assert drift.now.novel < 1e-3


def test_a_restart_goes_on_and_another_model_begins_anew() -> None:
    before = Drift(VERSION, USUAL, Clock())
    see(before, encoded(100, novel=25), episodes=2)
    same, other = Drift(VERSION, USUAL, Clock()), Drift(OTHER, USUAL, Clock())

    assert same.take_over(memory(before)) is None
    assert other.take_over(memory(before)) is None

    assert same.now == before.now
    assert other.now.records == 0
    assert drifted(memory(before), VERSION, USUAL) == before.now
    assert drifted(memory(before), OTHER, USUAL) is None


def test_a_model_of_other_features_and_damage_say_why_nothing_is_taken_over() -> None:
    before = Drift(VERSION, Usual({"level": 0.5}), Clock())

    assert Drift(OTHER, USUAL).take_over(memory(before)) == "the model before had another number of features"
    damaged = Memory("drift of 2 features", lambda: {"version": 1, "keys": [None], "values": [[1.0]]})
    assert "not 7 finite numbers" in str(Drift(VERSION, USUAL).take_over(damaged))
    assert drifted(damaged, VERSION, USUAL) is None


PROMISE = Limit("budget", 1.0, 5, 999, 0.005, 0.009, Daily(1_000.0, 5.0, 8.0, 1, 12))


@pytest.mark.parametrize(
    ("found", "age", "told"),
    [
        (None, 1.0, "nothing is known yet"),
        (Drifted(1_000, 4, 0.01, {"level": 0.6}, USUAL), 1.0, "no sign of drift"),
        (Drifted(1_000, 40, 0.01, {"level": 0.6}, USUAL), 1.0, "40 episodes came where 5 were expected"),
        (Drifted(1_000, 4, 0.2, {"level": 0.6}, USUAL), 1.0, "20.0% of the records have values .* never shown"),
        (Drifted(1_000, 4, 0.01, {"le\x1bvel": 5.0}, Usual({"le\x1bvel": 0.5})), 1.0, r"le\\x1bvel are 10.0 times"),
        (Drifted(999, 4, 0.2, {"level": 5.0}, USUAL), 1.0, "no sign of drift"),
        (Drifted(1_000, 4, 0.01, {"level": 0.6}, USUAL), 100.0, "the model is 100 days old: retrain"),
    ],
)
def test_the_hint_names_the_plainest_sign(found: Drifted | None, age: float, told: str) -> None:

    assert re.search(told, hint(found, PROMISE, age))
