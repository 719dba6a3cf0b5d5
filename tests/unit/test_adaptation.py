"""The limit that follows: back to the promised rate after a slow change, never beyond its bounds, every step told."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.arrays import F64
from monitor.core.errors import DataError, StateError
from monitor.deciding.adaptation import Adaptation, Change

CHANCE = 0.01  # a block is 69 records
LIMIT = math.exp(2.3263)  # the 99th percentile of a standard log-normal


def drifted(factor: float, count: int = 200_000) -> F64:
    return factor * np.random.default_rng(4).lognormal(size=count)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
def test_the_rate_of_alerts_comes_back_after_a_change(factor: float) -> None:
    scores = drifted(factor)
    adaptation = Adaptation(LIMIT, CHANCE)

    alerting, _ = adaptation.alerts(scores, now=0.0)

    assert alerting[100_000:].mean() == pytest.approx(CHANCE, rel=0.1)
    assert adaptation.limit == pytest.approx(factor * LIMIT, rel=0.25)
    assert factor == 1.0 or abs((scores > LIMIT).mean() / CHANCE - 1) > 0.5  # a limit that stays put does not


@pytest.mark.parametrize(("factor", "bound"), [(10.0, 2.0), (0.1, 0.5)])
def test_the_limit_stays_within_its_bounds(factor: float, bound: float) -> None:
    adaptation = Adaptation(LIMIT, CHANCE)

    _, changes = adaptation.alerts(drifted(factor), now=0.0)

    assert adaptation.limit == pytest.approx(bound * LIMIT, rel=1e-12)
    assert "the bound is reached" in next(c.reason for c in changes if c.new == adaptation.limit)


def test_an_incident_of_any_size_moves_the_limit_by_one_step_a_block() -> None:
    adaptation = Adaptation(LIMIT, CHANCE)

    alerting, changes = adaptation.alerts(np.full(2 * 69, 1e9), now=12.5)

    assert alerting.all()
    assert [(change.time, change.reason) for change in changes] == [(12.5, "alerts in 69 records")] * 2
    assert [LIMIT, *(change.new for change in changes)] == pytest.approx([LIMIT, 1.01 * LIMIT, 1.01**2 * LIMIT])
    assert [change.old for change in changes] == [LIMIT, changes[0].new]


def test_quiet_lowers_the_limit() -> None:
    adaptation = Adaptation(LIMIT, CHANCE)

    _, (change,) = adaptation.alerts(np.zeros(69), now=1.0)

    assert [change.old, change.new] == pytest.approx([LIMIT, LIMIT / 1.01])
    assert change.reason == "no alert in 69 records"


def test_a_score_that_is_not_a_number_alerts() -> None:
    assert Adaptation(LIMIT, CHANCE).alerts(np.array([math.nan]), now=0.0)[0].tolist() == [True]


@example(scores=[3.0] * 10, cuts=[2])
@given(st.lists(st.sampled_from([0.0, 0.9, 1.1, 3.0]), max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_it_does_not_matter_how_records_are_cut_nor_where_it_is_stopped(scores: list[float], cuts: list[int]) -> None:
    whole, pieces = Adaptation(1.0, 0.2), Adaptation(1.0, 0.2)
    expected = whole.alerts(np.array(scores), now=0.0)
    alerting: list[bool] = []
    changes: list[Change] = []

    for start, stop in itertools.pairwise(sorted({0, len(scores), *(min(cut, len(scores)) for cut in cuts)})):
        part, steps = pieces.alerts(np.array(scores[start:stop]), now=0.0)
        alerting, changes = alerting + part.tolist(), changes + steps
        state = json.loads(json.dumps(pieces.state()))
        pieces = Adaptation(1.0, 0.2)
        pieces.load(state)

    assert (alerting, changes) == (expected[0].tolist(), expected[1])
    assert pieces.state() == whole.state()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": 2}, "adapted limit: version 2 is not 1"),
        ({"steps": None}, r"adapted limit: Expected `int`, got `null` - at `\$\.steps`"),
        ({"calibrated": 7.0}, "adapted limit: it belongs to another model; begin with that of the model in use"),
        ({"block": 7}, "adapted limit: it belongs to another model"),
        ({"steps": 700}, "adapted limit: 700 steps and 0 records are out of its bounds"),
        ({"seen": 69}, "adapted limit: 0 steps and 69 records are out of its bounds"),
    ],
)
def test_state_that_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    adaptation = Adaptation(LIMIT, CHANCE)

    with pytest.raises(StateError, match=message):
        adaptation.load({**adaptation.state(), **changed})


@pytest.mark.parametrize(("limit", "chance"), [(0.0, 0.01), (math.inf, 0.01), (1.0, 0.0), (1.0, 1.0)])
def test_a_limit_that_cannot_follow_is_refused(limit: float, chance: float) -> None:
    with pytest.raises(
        DataError, match=r"alert\.adaptive: a limit can follow if it is above 0 and some benign records"
    ):
        Adaptation(limit, chance)
