"""Figures in words: whatever a share is, its text is on the right side of nothing and of all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.reporting.wording import percent, share

SHARES = st.floats(1e-12, 1 - 1e-12) | st.floats(-11.5, -1e-12).map(lambda power: 10.0**power)


@given(st.sampled_from([0.0, 1.0]) | SHARES)
def test_only_nothing_is_shown_as_0_and_only_all_as_1(value: float) -> None:
    for shown in (share(value), share(1 - value), share(-value), percent(value), percent(1 - value)):
        read = abs(float(shown.removesuffix(" %").lstrip("<>").strip()))
        assert (read in (0.0, 100.0 if shown.endswith("%") else 1.0)) == (value in (0.0, 1.0)), shown


@pytest.mark.parametrize("value", [0.3, 0.00999999, 0.99000001, 1.2e-8, 1 - 1.2e-8, 0.25, 1e-8])
def test_what_is_shown_is_what_it_is_to_two_digits(value: float) -> None:
    left = min(value, 1 - value)

    assert abs(float(share(value)) - value) <= 0.05 * left + 1e-12
    assert abs(float(share(-value)) + value) <= 0.05 * left + 1e-12
    assert abs(float(percent(value).removesuffix(" %")) / 100 - value) <= 0.1 * left + 1e-12


def test_what_rounding_left_of_one_is_one() -> None:
    assert (share(1 + 2e-16), share(1 - 1e-16), share(-1.0), percent(1 - 1e-16)) == ("1", "1", "-1", "100 %")
