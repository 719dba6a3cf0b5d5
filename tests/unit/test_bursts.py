"""Odd records of a key that came together once are told from those that come again and again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from monitor.app.bursts import LEAST_RECORDS, bursts
from monitor.core.arrays import Bools

HOUR, DAY = 3_600.0, 86_400.0
MONTH = [("others", day * DAY) for day in range(30)]


def found(odd: Sequence[tuple[str | None, float]], benign: Sequence[tuple[str | None, float]] = MONTH) -> Bools:
    """Which of the odd records are in a burst, among benign ones that are not odd."""
    records = [*odd, *benign]
    times = np.array([time for _, time in records])
    order = np.random.default_rng(1).permutation(len(records))  # a sample is sorted by time, keys are not
    keys = pa.array([records[row][0] for row in order], pa.string())
    result = np.empty(len(records), dtype=np.bool_)
    result[order] = bursts(keys, times[order], order < len(odd))
    assert not result[len(odd) :].any()
    return result[: len(odd)]


def hourly(key: str | None, day: float, count: int) -> list[tuple[str | None, float]]:
    return [(key, day * DAY + hour * HOUR) for hour in range(count)]


def test_a_burst_is_found_whole_and_nothing_else_of_its_key() -> None:
    before = [("thief", 3 * DAY)]

    assert found([*hourly("thief", 22, 9), *before]).tolist() == [True] * 9 + [False]


def test_a_few_of_a_patient_attack_are_enough_though_the_key_is_odd_now_and_then() -> None:
    often = [("thief", 3 * DAY), ("thief", 12 * DAY)]

    assert found([*hourly("thief", 22, 3), *often]).tolist() == [True] * 3 + [False] * 2
    assert not found([*hourly("thief", 22, 3), *often, ("thief", 27 * DAY)]).any()


@pytest.mark.parametrize(
    "odd",
    [
        hourly("client", 22, LEAST_RECORDS - 1),
        [record for day in range(5) for record in hourly("probe", day, 9)],
        [*hourly("new", 28, 9), *hourly("new", 29, 9)],
        hourly(None, 22, 9),
        [("slow", day * DAY) for day in range(0, 30, 2)],
    ],
    ids=["too few", "every day", "on the next day again", "without a key", "spread out"],
)
def test_what_comes_again_is_no_burst(odd: Sequence[tuple[str | None, float]]) -> None:
    assert not found(odd).any()


def test_a_sample_of_two_days_knows_of_no_other_time() -> None:
    short = [("others", 0.0), ("others", 2 * DAY)]

    assert not found(hourly("thief", 1, 9), short).any()
    assert found(hourly("thief", 1, 9), [*short, ("others", 3 * DAY)]).all()


def test_nothing_odd_is_no_burst() -> None:
    assert not found([]).any()
