"""Numbers: scaled by their benign spread, ordered up to infinity, loud where they never changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.errors import DataError
from monitor.core.novelty import REACH, never
from monitor.core.protocols import FittedEncoder
from monitor.core.records import Field, FieldType
from tests.encoding import encode, encoder, finding
from tests.records import records

X = Field("x", FieldType.NUMBER)
ANY = [math.nan, -math.inf, -1e308, -5.0, 0.0, 5e-324, 7.5, 1e308, math.inf, None]


def fitted(values: Sequence[float | None], **options: Any) -> FittedEncoder:
    return encoder("numeric", **options).fit(records(x=values))


def test_nearly_all_benign_values_lie_between_minus_one_and_one() -> None:
    values = np.random.default_rng(0).normal(50, 9, 10_000)

    columns, _ = encode(fitted(values.tolist()), records(x=values.tolist()))

    assert columns.shape == (10_000, 1)
    assert np.mean(np.abs(columns) <= 1.0) >= 0.997
    assert np.abs(np.median(columns)) < 1e-6


def test_one_outlier_does_not_squeeze_the_others() -> None:
    values = [*np.random.default_rng(0).normal(50, 9, 10_000).tolist(), 1e9]

    columns, novelty = encode(fitted(values), records(x=values))

    assert columns[:-1].std() > 0.2
    assert columns[-1, 0] == pytest.approx(4.0)
    assert not novelty.any()


def test_sizes_are_put_on_a_logarithmic_scale_and_levels_are_not() -> None:
    rng = np.random.default_rng(0)
    sizes = fitted(rng.lognormal(8, 2, 5_000).tolist())
    levels = fitted(rng.normal(50, 9, 5_000).tolist())

    by_size, _ = encode(sizes, records(x=[1e4, 1e6, 1e8]))
    by_level, _ = encode(levels, records(x=[30.0, 50.0, 70.0]))

    assert by_size[1, 0] - by_size[0, 0] == pytest.approx(by_size[2, 0] - by_size[1, 0], rel=0.1)
    assert by_level[1, 0] - by_level[0, 0] == pytest.approx(by_level[2, 0] - by_level[1, 0], rel=1e-5)


def test_a_logarithmic_scale_does_not_depend_on_the_unit() -> None:
    seconds = np.random.default_rng(0).lognormal(-6, 2, 2_000)
    milliseconds = seconds * 1000

    in_seconds, _ = encode(fitted(seconds.tolist()), records(x=seconds.tolist()))
    in_milliseconds, _ = encode(fitted(milliseconds.tolist()), records(x=milliseconds.tolist()))

    np.testing.assert_allclose(in_seconds, in_milliseconds, atol=1e-5)


def test_a_logarithmic_scale_holds_what_is_absurdly_far_out() -> None:
    columns, _ = encode(fitted([0.0] * 6 + [1.0, 1.0, 5e9], scale="log", clip=8), records(x=[1e38, 1e300]))

    assert np.isfinite(columns).all()


def test_a_logarithm_of_both_signs_keeps_the_order() -> None:
    encoding = fitted([-1e6, -10.0, -1.0, 0.0, 1.0, 10.0, 1e6] * 20, scale="log")

    columns, _ = encode(encoding, records(x=[-1e6, -10.0, 0.0, 10.0, 1e6]))

    assert (np.diff(columns[:, 0]) > 0.1).all()
    np.testing.assert_allclose(columns, -columns[::-1], atol=1e-6)


def test_mostly_one_value_is_still_told_from_the_others() -> None:
    values = [0.0] * 9_999 + [4.0]

    columns, novelty = encode(fitted(values), records(x=[0.0, 4.0]))

    assert columns[:, 0].tolist() == [0.0, 1.0]
    assert not novelty.any()


def test_an_explicit_divisor_makes_exactly_one_column() -> None:
    encoding = fitted([18.0, 32.0, 68.0], divide_by=100)

    columns, _ = encode(encoding, records(x=[32.0, 55.0]))

    assert encoding.columns == ("value",)
    np.testing.assert_allclose(columns, [[0.32], [0.55]])


def test_an_explicit_divisor_keeps_the_column_of_a_constant() -> None:
    columns, novelty = encode(fitted([50.0] * 10, divide_by=100), records(x=[50.0, 60.0]))

    np.testing.assert_allclose(columns, [[0.5], [0.6]])
    assert novelty[0, 0] == 0.0
    assert novelty[1, 0] > never(10)


def test_a_divisor_that_leaves_huge_values_is_refused() -> None:
    with pytest.raises(DataError, match="field 'x': divided by 1, benign values still reach 1e\\+12; give a larger"):
        fitted([0.0, 1e12], divide_by=1)


def test_a_divisor_and_a_scale_contradict() -> None:
    with pytest.raises(ValidationError, match="give either scale or divide_by"):
        encoder("numeric", divide_by=100, scale="log")


@pytest.mark.parametrize("divide_by", [0, -1])
def test_a_divisor_is_above_zero(divide_by: float) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        encoder("numeric", divide_by=divide_by)


def test_extremes_stay_in_order_up_to_infinity() -> None:
    encoding = fitted(list(np.linspace(3, 250, 8_000)))

    _, novelty = encode(encoding, records(x=[250.0, 251.0, 1e3, 1e6, 1e300, 1e308, math.inf]))

    strength = novelty[:, 0].tolist()
    assert strength[0] == 0.0
    assert 0.0 < strength[1] < 0.01
    assert strength == sorted(set(strength))
    assert strength[-1] < never(8_000)


def test_below_is_as_far_as_above() -> None:
    _, novelty = encode(fitted([0.0, 50.0, 100.0]), records(x=[-20.0, 120.0]))

    assert novelty[0, 0] == pytest.approx(novelty[1, 0])


@settings(max_examples=60, deadline=None)
@given(
    benign=st.lists(st.floats(allow_nan=False), min_size=1, max_size=12),
    extremes=st.lists(st.floats(allow_nan=False), min_size=2, max_size=8),
)
def test_farther_out_is_never_weaker(benign: list[float], extremes: list[float]) -> None:
    if not any(map(math.isfinite, benign)):
        return
    above = sorted(value for value in extremes if value >= max(benign))

    _, novelty = encode(fitted(list(benign)), records(x=above or [benign[0]]))

    assert (np.diff(novelty[:, 0]) >= 0.0).all()


def test_a_changed_constant_is_louder_than_anything_else_that_can_happen_to_a_number() -> None:
    constant, varying = fitted([5.0] * 8_000), fitted(list(np.linspace(0, 1, 8_000)))

    _, changed = encode(constant, records(x=[5.0, 5.0001, 6.0, 1e308, math.inf]))
    columns, novelty = encode(varying, records(x=ANY))

    assert constant.columns == ()
    assert changed[0, 0] == 0.0
    assert changed[1, 0] >= np.float32(never(8_000) + REACH)
    assert (np.diff(changed[:, 0]) > 0.0).all()
    # reproduced at the far end of what benign data reach
    assert changed[1, 0] > (np.abs(columns).sum(axis=1) + 1.0 + novelty.sum(axis=1)).max()


def test_missing_is_a_novelty_where_benign_data_always_had_it() -> None:
    columns, novelty = encode(fitted([1.0, 2.0, 3.0]), records(x=[2.0, None]))

    assert columns.tolist() == [[0.0], [0.0]]
    assert novelty[1].tolist() == pytest.approx([0.0, never(3), 0.0])


def test_missing_is_a_column_where_benign_data_had_it() -> None:
    encoding = fitted([1.0, None, 3.0])

    columns, novelty = encode(encoding, records(x=[3.0, None]))

    assert encoding.columns == ("value", "missing")
    assert columns[:, 1].tolist() == [0.0, 1.0]
    assert columns[1, 0] == 0.0
    assert not novelty.any()


def test_not_a_number_is_told_from_missing() -> None:
    encoding = fitted([1.0, 2.0, 3.0])

    _, novelty = encode(encoding, records(x=[2.0, math.nan]))

    assert encoding.novelty == ("beyond", "missing", "not a number")
    assert novelty[1].tolist() == pytest.approx([0.0, 0.0, never(3)])


def test_infinity_in_benign_data_is_benign() -> None:
    _, novelty = encode(fitted([1.0, 2.0, math.inf]), records(x=[math.inf, 1e308, 0.0]))

    assert novelty[:2].tolist() == [[0.0] * 3] * 2
    assert novelty[2, 0] > 0.0


@pytest.mark.parametrize("values", [[None, None], [math.nan, math.nan], [math.inf, math.inf]])
def test_without_a_finite_number_there_is_nothing_to_learn(values: list[float | None]) -> None:
    with pytest.raises(DataError, match="field 'x': not one finite number in 2 benign records"):
        fitted(values)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1000.0, "above everything benign (max 250)"),
        (-7.0, "below everything benign (min 3.1)"),
        (None, "missing, though present in all 8,000 benign records"),
        (math.nan, "not a number, as in none of 8,000 benign records"),
        (100.0, "unusual together with the other fields"),
    ],
)
def test_the_reason_says_what_is_wrong(value: float | None, reason: str) -> None:
    encoding = fitted(np.linspace(3.1, 250, 8_000).tolist())

    said = finding(encoding, records(x=[1.0, value]))

    assert said.reason == reason
    assert said.benign_range == "3.1 to 250"


def test_what_is_expected_comes_in_the_units_of_the_field() -> None:
    encoding = fitted(np.linspace(3.1, 250, 8_000).tolist())
    columns, _ = encode(encoding, records(x=[123.456789]))

    said = finding(encoding, records(x=[9.0]), [float(columns[0, 0])])

    assert said.expected == pytest.approx(123.5, abs=0.05)
    assert len(str(said.expected)) <= 6


def test_what_is_expected_of_whole_numbers_is_whole_and_benign() -> None:
    encoding = fitted([float(i) for i in range(100)])

    assert finding(encoding, records(x=[3.0]), [0.013]).expected in range(45, 55)
    assert finding(encoding, records(x=[3.0]), [-3.0]).expected == 0
    assert finding(encoding, records(x=[3.0]), [math.nan]).expected in range(45, 55)


def test_a_constant_is_expected_as_it_was() -> None:
    said = finding(fitted([0.1] * 40), records(x=[7.0]))

    assert (said.expected, said.benign_range) == (0.1, "always 0.1")
    assert said.reason == "changed: always 0.1 in 40 benign records"


def test_a_state_the_network_does_not_expect_is_the_reason() -> None:
    encoding = fitted([1.0, None, 3.0])

    assert finding(encoding, records(x=[None]), [0.0, 0.1]).reason == "missing, unlike what the other fields suggest"
    assert finding(encoding, records(x=[1.0]), [0.0, 0.9]).reason == "not missing, unlike what the other fields suggest"
    assert finding(encoding, records(x=[1.0]), [0.0, 0.9]).expected == "missing"
    assert finding(encoding, records(x=[1.0])).benign_range == "1 to 3, or missing"


def decoded(encoding: FittedEncoder, columns: Any) -> list[float | None]:
    values: list[float | None] = encoding.decode(np.array(columns, dtype=np.float32))[X].to_pylist()
    return values


@pytest.mark.parametrize("options", [{"scale": "linear"}, {"scale": "log"}, {"scale": "auto"}, {"divide_by": 7e3}])
@settings(max_examples=100, deadline=None)
@given(benign=st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=40))
def test_what_was_encoded_and_not_cut_off_can_be_decoded(options: dict[str, Any], benign: list[float]) -> None:
    encoding = fitted(benign, clip=1000.0, **options)
    values = np.array(benign)

    again = np.array(decoded(encoding, encode(encoding, records(x=benign))[0]))

    # float32 cannot tell neighbours apart where a range is narrow against its distance from 0, and has no tiny numbers.
    tolerance = 1e-3 * np.ptp(values) + 1e-5 * np.abs(values).max() + 1e-30
    np.testing.assert_allclose(again, values, rtol=0, atol=tolerance)


@pytest.mark.parametrize("options", [{}, {"scale": "log"}, {"divide_by": 1000}])
def test_decoded_numbers_have_no_more_digits_than_they_came_with(options: dict[str, Any]) -> None:
    values = [0.32, 1.5, 20.25, 300.0, 0.0, 47.1]
    encoding = fitted(values, **options)

    assert decoded(encoding, encode(encoding, records(x=values))[0]) == values


def test_whole_numbers_are_decoded_to_whole_numbers() -> None:
    encoding = fitted([float(i) for i in range(18, 69)], divide_by=100)

    assert decoded(encoding, [[0.4249], [0.18], [-0.001]]) == [42.0, 18.0, 0.0]


def test_decoding_is_not_kept_inside_the_benign_range_but_finite() -> None:
    encoding = fitted([float(i) for i in range(11)], divide_by=10)

    assert decoded(encoding, [[2.5], [math.inf], [math.nan], [3e38]]) == [25.0, 5.0, 5.0, 50.0]


def test_a_state_stronger_than_the_number_is_decoded_to_nothing() -> None:
    encoding = fitted([1.0, None, 3.0])

    assert decoded(encoding, [[1.0, 0.6], [1.0, 0.4]]) == [None, 3.0]


def test_a_constant_is_decoded_to_itself() -> None:
    assert decoded(fitted([0.1] * 40), np.empty((2, 0))) == [0.1, 0.1]


def test_a_divisor_makes_exactly_one_column_even_of_a_constant() -> None:
    assert fitted([18.0, 68.0], divide_by=100).columns == ("value",)
    assert fitted([18.0, 18.0], divide_by=100).columns == ("value",)
