"""Surprise in bans: closed vocabularies, open ones, and numbers up to infinity."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.novelty import REACH, beyond, changed, distance, never, unseen


def test_ten_thousand_records_without_a_new_value_make_four_bans() -> None:
    assert unseen(10_000, 0) == pytest.approx(4.0, abs=1e-3)
    assert never(10_000) == unseen(10_000, 0)


def test_where_all_values_are_new_another_is_no_surprise() -> None:
    assert unseen(10_000, 10_000) == pytest.approx(0.0, abs=1e-4)


@given(records=st.integers(0, 10**9), singletons=st.integers(0, 10**9))
def test_strength_is_never_negative_and_falls_with_new_values(records: int, singletons: int) -> None:
    singletons = min(records, singletons)

    assert 0.0 <= unseen(records, singletons) <= never(records)


def test_distance_is_ordered_from_the_smallest_to_infinity() -> None:
    excess = np.array([0.0, 1e-9, 1.0, 9.0, 1e6, 1e308, 1.79e308, math.inf])

    far = distance(excess, 1.0)

    assert far[0] == 0.0
    assert far[3] == pytest.approx(1.0)
    assert (np.diff(far) > 0.0).all()


@pytest.mark.parametrize("span", [2.3e-308, 1e-200, 1.0, 1e200, 1e308])
def test_distance_is_finite_for_every_range(span: float) -> None:
    far = distance(np.array([0.0, 5e-324, 1.0, 1.79e308, math.inf]), span)

    assert np.isfinite(far).all()
    assert (np.diff(far) >= 0.0).all()


def test_a_little_beyond_costs_little_and_no_distance_costs_more_than_what_never_happened() -> None:
    strength = beyond(np.array([0.01, 1.0, 1e300, math.inf]), 1.0, 10_000)

    assert strength[0] < 0.01
    assert (np.diff(strength) > 0.0).all()
    assert strength[-1] < never(10_000)


def test_a_change_outweighs_all_else_and_keeps_the_order() -> None:
    strength = changed(10_000, np.array([0.0, 1.0, 700.0]))

    assert strength[0] == never(10_000) + REACH
    assert (np.diff(strength) > 0.0).all()
    assert strength[-1] < strength[0] + 1.0
