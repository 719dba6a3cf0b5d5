"""The limit that follows: back to the promised rate after a lasting change, blind to incidents, never out of bounds."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.accounting import LimitChange, Memory
from monitor.core.arrays import F64
from monitor.core.errors import DataError
from monitor.core.limit import Daily, Limit
from monitor.deciding.adaptation import Adaptation
from monitor.deciding.pace import FURTHEST, PERIODS, Pace
from monitor.deciding.threshold import exceeding

DAY = 1_000
"""Records; a period has 250."""

RATE = 0.004
"""Alerts a record: one in a period, and one in every other block of 173."""

QUANTILE = 1 / RATE
"""Scores of a Pareto law with exponent 1 exceed this with that chance."""


def promise(expected: float = RATE * DAY, records: float = DAY) -> Limit:
    return Limit("rate", 1.0, 4, 999, RATE, 0.01, Daily(records, expected, 2 * expected, 0, 9))


def adaptation(calibrated: float = QUANTILE, limit: Limit | None = None, model: str = "v1") -> Adaptation:
    return Adaptation(calibrated, limit or promise(), model)


def follow(limit: Adaptation, scores: F64) -> F64:
    """What each score is held against."""
    return limit.limits(scores, np.ones(len(scores), dtype=np.bool_))


def days(count: float, level: float = 1.0, seed: int = 4) -> F64:
    """Benign scores of some days at a level."""
    return level * (1 + np.random.default_rng(seed).pareto(1.0, round(count * DAY)))


def memory(of: Adaptation) -> Memory:
    """As it comes back from the ledger."""
    state = json.loads(json.dumps(of.keyed_state()))
    return Memory(of.made_by, lambda: state)


def test_the_pace_keeps_the_promise() -> None:
    assert Pace.of(promise()) == Pace(period=250, block=173, rank=8)
    assert Pace.of(promise(expected=1 / 7)) == Pace(period=250, block=250, rank=1)  # one a week: the highest peak
    assert Pace.of(promise(expected=10_000, records=1e6)) == Pace(period=250_000, block=69, rank=8)


def test_the_rate_of_alerts_comes_back_after_a_lasting_change() -> None:
    followed, scores = adaptation(), days(400, 1.6)

    limits = follow(followed, scores)

    alerts = scores > limits
    assert alerts[5 * DAY :].mean() == pytest.approx(RATE, rel=0.2)
    assert (scores > QUANTILE).mean() > 1.5 * RATE  # what a limit that stays put raises


def test_it_hardly_moves_while_nothing_changes() -> None:
    followed, scores = adaptation(), days(400)

    limits = follow(followed, scores)

    assert (scores > limits).mean() == pytest.approx(RATE, rel=0.3)
    assert limits.min() == QUANTILE


@pytest.mark.parametrize(("lasting", "moves"), [(1.75, False), (2.25, True)])
def test_what_lasts_for_less_than_two_days_moves_nothing(lasting: float, moves: bool) -> None:
    followed = adaptation(1.0)

    follow(followed, np.concatenate([np.full(round(lasting * DAY), 1.5), np.zeros(4 * DAY)]))

    assert bool(followed.changes()) is moves
    assert followed.limit == 1.0  # again, or still


def test_every_change_is_told_with_its_reason() -> None:
    followed = adaptation(1.0)

    follow(followed, np.concatenate([np.full(2 * DAY, 1.5), np.zeros(4 * DAY)]))

    assert followed.changes() == [
        LimitChange(1.0, 1.5, "exceeded in 8 of the last 15 periods of 250 records"),
        LimitChange(1.5, 1.0, "scores were lower in the last 15 periods of 250 records"),
    ]
    assert followed.changes() == []


def test_whoever_feeds_in_growing_scores_gets_to_the_bound_and_no_further() -> None:
    followed = adaptation(1.0)

    limits = follow(followed, np.geomspace(1.0, 1e300, 60 * DAY))

    assert limits.max() == followed.limit == FURTHEST
    assert followed.changes()[-1].reason.endswith("; this is its bound, retrain")


def test_the_limit_never_falls_below_the_calibrated_one() -> None:
    assert follow(adaptation(1.0), np.zeros(30 * DAY)).min() == 1.0


def test_records_that_could_not_be_parsed_count_for_nothing() -> None:
    scores, ok = np.full(4 * DAY, 1.5), np.arange(4 * DAY) % 2 == 0
    scores[~ok] = 1e9
    followed, expected = adaptation(1.0), adaptation(1.0)

    limits = followed.limits(scores, ok)

    assert limits[ok].tolist() == follow(expected, scores[ok]).tolist()
    assert followed.keyed_state() == expected.keyed_state()


def test_a_score_that_is_not_a_number_alerts_and_counts_as_the_highest() -> None:
    followed, scores = adaptation(1.0), np.full(3 * DAY, math.nan)

    limits = follow(followed, scores)

    assert len(exceeding(scores, limits, np.ones(len(scores), dtype=np.bool_))) == 3 * DAY
    assert followed.limit == FURTHEST


@example(scores=[3.0] * 200, cuts=[2])
@given(st.lists(st.sampled_from([0.0, 0.9, 1.1, 3.0]), max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_it_does_not_matter_how_records_are_cut_nor_where_it_is_stopped(scores: list[float], cuts: list[int]) -> None:
    quick = promise(expected=8.0, records=40.0)  # ten records are a period
    whole, pieces = adaptation(1.0, quick), adaptation(1.0, quick)
    expected = follow(whole, np.array(scores))
    limits: list[float] = []
    changes: list[LimitChange] = []

    for start, stop in itertools.pairwise(sorted({0, len(scores), *(min(cut, len(scores)) for cut in cuts)})):
        limits += follow(pieces, np.array(scores[start:stop])).tolist()
        changes += pieces.changes()
        before, pieces = pieces, adaptation(1.0, quick)
        assert pieces.take_over(memory(before)) is None

    assert (limits, changes) == (expected.tolist(), whole.changes())
    assert not scores or pieces.keyed_state() == whole.keyed_state()


def test_only_a_batch_that_was_scored_is_written_down() -> None:
    followed = adaptation()

    assert not followed.keyed_changes().updated
    follow(followed, np.zeros(3))
    assert list(followed.keyed_changes().updated) == [None]
    follow(followed, np.zeros(0))
    assert not followed.keyed_changes().updated


def test_another_model_begins_as_calibrated_and_says_so() -> None:
    old, new = adaptation(1.0), adaptation(1.0, model="v2")
    follow(old, np.full(3 * DAY, 1.5))

    reason = new.take_over(memory(old))

    assert reason == "it begins as calibrated for model v2 at 1"
    assert (new.limit, new.changes()) == (1.0, [LimitChange(1.5, 1.0, "begins as calibrated for model v2 at 1")])
    unmoved = adaptation(1.0, model="v3")
    follow(unmoved, np.zeros(1))
    new.take_over(memory(unmoved))
    assert new.changes() == []


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([[1.0, 0.0, 1.0]], "not 18 finite numbers"),
        ([[2.5, 0.0, 1.0, *[1.0] * PERIODS]], "the adapted limit is out of its bounds"),
        ([[1.0, 0.0, 1.0, *[0.5] * PERIODS]], "the adapted limit is out of its bounds"),
        ([[1.0, 250.0, 1.0, *[1.0] * PERIODS]], "the adapted limit counts 250 of the 250 records of a period"),
        ([[1.0, 0.5, 1.0, *[1.0] * PERIODS]], r"the adapted limit counts 0\.5 of the 250 records"),
    ],
)
def test_what_is_damaged_is_not_gone_on_with(numbers: Sequence[Sequence[float]], message: str) -> None:
    followed = adaptation(1.0)
    state: dict[str, Any] = {"version": 1, "keys": [None] * len(numbers), "values": list(map(list, numbers))}

    reason = followed.take_over(Memory(followed.made_by, lambda: state))

    assert reason
    assert followed.limit == 1.0
    assert re.search(message, reason)


@pytest.mark.parametrize("limit", [None, replace(promise(), daily=None), promise(expected=0.0)])
def test_a_limit_that_promises_nothing_cannot_follow(limit: Limit | None) -> None:
    with pytest.raises(DataError, match=r"alert\.adaptive: it is not known how many alerts benign records raise"):
        Pace.of(limit)


def test_a_limit_that_is_not_above_0_cannot_follow() -> None:
    with pytest.raises(DataError, match=r"alert\.adaptive: a limit of 0 cannot follow, it is not above 0"):
        adaptation(0.0)


def test_the_limit_of_a_key_is_none_of_the_stream() -> None:
    followed = adaptation(1.0)
    state = {"version": 1, "keys": ["a"], "values": [[1.0, 0.0, 1.0, *[1.0] * PERIODS]]}

    assert followed.take_over(Memory(followed.made_by, lambda: state)) == (
        "the adapted limit is kept under a key that is not its own"
    )


def test_a_limit_that_has_seen_nothing_is_taken_over_as_it_is() -> None:
    assert adaptation(1.0).take_over(memory(adaptation(1.0, model="v2"))) is None
