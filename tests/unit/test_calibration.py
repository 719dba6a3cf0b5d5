from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.errors import DataError
from monitor.core.model_config import ModelConfig
from monitor.model.autoencoder import autoencoder_for
from monitor.model.calibration import Calibration, calibrate, calibrate_network
from monitor.model.inference import BEYOND, Inference
from tests.support_models import layout, network, rows

ERRORS = st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=150)


def of(*errors: float) -> Calibration:
    values = np.array(errors)
    return calibrate(values, values[:, np.newaxis])


def test_the_best_benign_record_scores_0_and_the_worst_1() -> None:
    assert of(0.5, 2.5, 1.0).score(np.array([0.5, 2.5, 1.5, 4.5, 0.0])).tolist() == [0, 1, 0.5, 2, -0.25]


@given(ERRORS, ERRORS)
def test_a_larger_error_never_has_a_smaller_score(benign: list[float], errors: list[float]) -> None:
    scores = of(*benign).score(np.sort(np.array(errors)))

    assert np.isfinite(scores).all()
    assert (np.diff(scores) >= 0).all()


@given(ERRORS)
def test_benign_scores_lie_between_0_and_1_and_all_else_beyond(benign: list[float]) -> None:
    calibration = of(*benign)

    scores = calibration.score(np.array(benign))
    worse = calibration.score(np.array([2 * calibration.high + 1]))

    assert ((scores >= 0) & (scores <= 1)).all()
    assert worse[0] > 1


def test_equal_benign_errors_are_flat_and_whatever_differs_is_far_above_1() -> None:
    calibration = of(*[0.0] * 200)

    assert calibration.state == "flat"
    assert calibration.score(np.array([0.0, 1e-4])).tolist() == [0.0, pytest.approx(10)]


def test_differences_no_larger_than_the_rounding_of_two_processors_are_flat() -> None:
    calibration = of(*[3.0, 3.000001] * 100)

    assert calibration.state == "flat"
    assert calibration.score(np.array([3.0000029])) < 1


def test_what_counts_as_rounding_grows_with_the_errors() -> None:
    assert (of(*[1e6, 1e6 + 1] * 100).state, of(*[0.0, 1.0] * 100).state) == ("flat", "ok")


def test_fewer_than_100_records_are_few() -> None:
    assert (of(*range(99)).state, of(*range(100)).state) == ("few", "ok")


def test_one_record_is_flat_and_scores_0() -> None:
    assert (of(2.0).state, of(2.0).score(np.array([2.0]))[0]) == ("flat", 0)


def test_the_means_and_highs_of_fields_are_kept_in_order() -> None:
    calibration = calibrate(np.array([1.0, 5.0]), np.array([[1.0, 0.0], [3.0, 2.0]]))

    assert (calibration.field_means, calibration.field_highs) == ((2.0, 1.0), (3.0, 2.0))


def test_no_record_is_refused() -> None:
    with pytest.raises(DataError, match="there is no record to calibrate with"):
        calibrate(np.empty(0), np.empty((0, 2)))


@pytest.mark.parametrize("error", [np.nan, np.inf, BEYOND])
def test_an_error_that_is_not_finite_is_refused(error: float) -> None:
    with pytest.raises(DataError, match="an error that is not finite"):
        of(1.0, error)


def test_a_field_error_that_is_not_finite_is_refused() -> None:
    with pytest.raises(DataError, match="an error that is not finite"):
        calibrate(np.ones(1), np.array([[np.nan]]))


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 1.0), (1, float("nan"), 1.0), (1, -1.0, 1.0), (1, 0.0, float("inf"))]
)
def test_an_impossible_calibration_cannot_be_made(count: int, low: float, high: float) -> None:
    with pytest.raises(ValueError, match="calibration needs records and errors that are finite and not negative"):
        Calibration(count, low, high, (), ())


def test_a_reversed_range_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="calibration range is reversed"):
        Calibration(1, 2.0, 1.0, (), ())


def test_a_network_is_calibrated_with_the_errors_it_will_be_judged_by() -> None:
    place = layout(7)
    inference = Inference(network(7), place)
    values = rows(2500, place)  # more than two pieces

    calibration = calibrate_network(inference, values)

    errors = inference.errors(values)
    assert (calibration.count, calibration.low, calibration.high) == (2500, errors.min(), errors.max())
    assert sum(calibration.field_means) == pytest.approx(errors.mean(), rel=1e-5)
    assert calibration.state == "ok"


def test_a_network_is_not_calibrated_without_records() -> None:
    with pytest.raises(DataError, match="there is no record"):
        calibrate_network(Inference(network(7), layout(7)), rows(0, layout(7)))


def test_constant_features_alone_are_flat() -> None:
    place = layout(0)

    calibration = calibrate_network(Inference(autoencoder_for(0, ModelConfig()), place), rows(150, place))

    assert (calibration.state, calibration.low, calibration.high) == ("flat", 0, 0)
