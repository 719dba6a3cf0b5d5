from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.arrays import F32, F64
from monitor.core.errors import DataError
from monitor.core.features import FeatureMatrix, Layout
from monitor.core.model_config import Activation, ModelConfig
from monitor.model.autoencoder import Autoencoder, autoencoder_for
from monitor.model.calibration import Calibration, calibrate_network
from monitor.model.inference import BEYOND, Inference, field_errors
from monitor.scoring.l1 import L1Scorer, squared_errors
from monitor.training.fitting import fit
from tests.support_models import CPU, layout, network, rows

WIDTHS = (1, 2, 3, 7, 9, 16, 23, 37, 64, 101, 300)


def scorer(module: Autoencoder, place: Layout, slice_rows: int = 1024) -> L1Scorer:
    none = (0.0,) * len(place.blocks)
    return L1Scorer(module, place, Calibration(200, 0.0, 1.0, none, none), slice_rows=slice_rows)


# -- the same numbers as plain float64 ---------------------------------------------------------------------------


class Reference:
    """R3's scoring, written out in float64: forward pass, weighted L1, minimum and maximum, normalised score."""

    def __init__(self, module: Autoencoder, place: Layout, benign: F32) -> None:
        state = {name: tensor.numpy().astype(np.float64) for name, tensor in module.state_dict().items()}
        self.layers: list[tuple[F64, F64]] = [
            (state[f"layers.{k}.weight"], state[f"layers.{k}.bias"]) for k in range(len(state) // 2)
        ]
        self.place = place
        errors = [self.error(row) for row in benign]
        self.low, self.high = min(errors), max(errors)

    def reconstruct(self, x: F64) -> F64:
        for weight, bias in self.layers[:-1]:
            x = np.tanh(weight @ x + bias)
        weight, bias = self.layers[-1]
        output: F64 = weight @ x + bias
        return output

    def error(self, row: F32) -> float:
        x = row.astype(np.float64)
        reconstruction = self.reconstruct(x[: self.place.width])
        error = 0.0
        for block in self.place.blocks:
            columns = range(block.start, block.stop)
            error += sum(abs(x[k] - reconstruction[k]) for k in columns) / len(columns)
            error += sum(x[block.novelty_start : block.novelty_stop])
        return float(error)

    def score(self, row: F32) -> float:
        return (self.error(row) - self.low) / (self.high - self.low)


@pytest.mark.parametrize("width", [4, 9, 16, 40])
def test_scores_agree_with_a_float64_reference(width: int) -> None:
    place = layout(width)
    benign, new = rows(150, place, 1), rows(300, place, 2)
    module = fit(
        benign[:, :width], benign[:0, :width], ModelConfig(epochs=5, batch_size=16), CPU, lambda _: None
    ).module
    calibration = calibrate_network(Inference(module, place), benign)

    scores = L1Scorer(module, place, calibration).score(FeatureMatrix(new, place)).scores

    reference = Reference(module, place, benign)
    assert calibration.low == pytest.approx(reference.low, abs=1e-5)
    np.testing.assert_allclose(scores, [reference.score(row) for row in new], rtol=1e-5, atol=1e-5)


def test_the_worked_example_of_the_error() -> None:
    place = Layout.of([("sex", 1, 0), ("age", 1, 0), ("income", 1, 0)])
    values = np.array([[-1, 0.32, 0.55]], dtype=np.float32)
    output = np.array([[-0.90, 0.40, 0.60]], dtype=np.float32)

    np.testing.assert_allclose(field_errors(place, values, output), [[0.10, 0.08, 0.05]], atol=1e-6)
    assert squared_errors(place, values, output) == pytest.approx([0.0189], abs=1e-6)


def test_squared_errors_leave_novelty_columns_out_and_weigh_all_others_alike() -> None:
    place = Layout.of([("wide", 2, 1), ("narrow", 1, 1)])
    values = np.array([[1, 2, 3, 100, 200], [0, 0, 0, 0, 0]], dtype=np.float32)

    errors = squared_errors(place, values, np.zeros((2, 5), np.float32))

    assert errors.tolist() == [14, 0]


def test_squared_errors_of_overflowed_arithmetic_are_finite() -> None:
    place = Layout.of([("a", 1, 0)])
    largest = np.full((1, 1), np.finfo(np.float32).max, dtype=np.float32)

    assert np.isfinite(squared_errors(place, largest, -largest)).all()


# -- the same record, the same score -----------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_a_record_has_the_same_score_bit_for_bit_alone_and_anywhere_in_any_batch(width: int) -> None:
    place = layout(width, novelty=width % 4)
    judge = scorer(network(width), place)
    values = rows(2100, place)
    scores = judge.score(FeatureMatrix(values, place)).scores

    order = np.random.default_rng(3).permutation(len(values))
    shuffled = judge.score(FeatureMatrix(values[order], place)).scores
    alone = [judge.score(FeatureMatrix(values[i : i + 1], place)).scores[0] for i in range(0, 2100, 97)]
    parts = [judge.score(FeatureMatrix(part, place)).scores for part in np.array_split(values, [1, 6, 900, 1925])]

    assert np.array_equal(shuffled, scores[order])
    assert np.array_equal(alone, scores[::97])
    assert np.array_equal(np.concatenate(parts), scores)


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "sigmoid", "none"])
def test_every_activation_is_as_exact(activation: Activation) -> None:
    place = layout(9)
    judge = scorer(network(9, ModelConfig(hidden=[5, 3, 5], activation=activation, output_activation="sigmoid")), place)
    values = rows(1500, place)

    scores = judge.score(FeatureMatrix(values, place)).scores

    assert np.array_equal(judge.score(FeatureMatrix(values[::-1], place)).scores, scores[::-1])
    reconstruction = judge.reconstruct(values)
    np.testing.assert_allclose(judge.field_errors(values, reconstruction).sum(axis=1), scores, rtol=1e-5)


def test_one_thread_or_many_give_the_same_bits() -> None:
    place, threads = layout(64), torch.get_num_threads()
    judge, matrix = scorer(network(64), place), FeatureMatrix(rows(1500, place), place)
    one = judge.score(matrix).scores
    torch.set_num_threads(4)
    try:
        assert np.array_equal(judge.score(matrix).scores, one)
    finally:
        torch.set_num_threads(threads)


def test_two_scorers_of_one_model_agree_to_the_last_bit() -> None:
    place, module = layout(23), network(23)
    matrix = FeatureMatrix(rows(100, place), place)

    assert np.array_equal(scorer(module, place).score(matrix).scores, scorer(module, place).score(matrix).scores)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 64), st.integers(0, 200))
def test_other_slice_sizes_change_the_score_by_rounding_only(width: int, slice_rows: int, count: int) -> None:
    place, module = layout(width), network(width)
    matrix = FeatureMatrix(rows(count, place), place)

    small = scorer(module, place, slice_rows).score(matrix).scores

    np.testing.assert_allclose(small, scorer(module, place).score(matrix).scores, rtol=1e-5)


def test_what_was_scored_before_leaves_no_trace() -> None:
    place = layout(9)
    judge, matrix = scorer(network(9), place), FeatureMatrix(rows(10, place), place)
    first = judge.score(matrix).scores

    judge.score(FeatureMatrix(np.full((2000, place.total), 3e38, dtype=np.float32), place))

    assert np.array_equal(judge.score(matrix).scores, first)


# -- shapes and extremes -----------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(0, 3), st.integers(0, 30))
def test_the_field_errors_of_a_record_add_up_to_its_error(width: int, novelty: int, count: int) -> None:
    place = layout(width, novelty)
    judge, values = scorer(network(width), place), rows(count, place)

    parts = judge.field_errors(values, judge.reconstruct(values))

    assert parts.shape == (count, len(place.blocks))
    np.testing.assert_allclose(parts.sum(axis=1), judge.score(FeatureMatrix(values, place)).errors, rtol=1e-5)


def test_a_feature_of_many_columns_weighs_as_much_as_one_of_a_single_column() -> None:
    place = Layout.of([("wide", 50, 0), ("narrow", 1, 0)])
    judge, values = scorer(network(51), place), rows(1, layout(51, 0))

    reconstruction = judge.reconstruct(values)
    shifted = judge.field_errors(reconstruction + np.float32(0.5), reconstruction)

    np.testing.assert_allclose(shifted, [[0.5, 0.5]], rtol=1e-5)


def test_a_novelty_adds_itself_to_the_error_and_touches_no_other_field() -> None:
    place = layout(9)
    judge, values = scorer(network(9), place), rows(2, place)
    values[:, place.width :] = 0
    values[1] = values[0]
    values[1, place.width + 1] = 2.5

    errors = judge.field_errors(values, judge.reconstruct(values))

    assert errors[1] - errors[0] == pytest.approx([0, 2.5, 0])
    assert np.diff(judge.score(FeatureMatrix(values, place)).errors) == pytest.approx(2.5, rel=1e-6)


def test_constant_features_alone_are_judged_by_their_novelty() -> None:
    place = Layout.of([("a", 0, 1), ("b", 0, 2)])
    judge = scorer(autoencoder_for(0, ModelConfig()), place)
    values = np.array([[0, 0, 0], [0, 1, 2]], dtype=np.float32)

    assert judge.score(FeatureMatrix(values, place)).errors.tolist() == [0, 3]
    assert judge.reconstruct(values).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert judge.latent(values).shape == (2, 0)
    assert judge.expected(values).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert judge.blame(values).tolist() == [[0, 0], [0, 3]]


def test_no_feature_at_all_scores_0() -> None:
    place = Layout.of([])
    judge = scorer(autoencoder_for(0, ModelConfig()), place)

    assert judge.score(FeatureMatrix(np.empty((3, 0), np.float32), place)).errors.tolist() == [0, 0, 0]


def test_an_empty_batch_has_no_scores() -> None:
    place = layout(9)

    assert len(scorer(network(9), place).score(FeatureMatrix(rows(0, place), place))) == 0


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_arithmetic_that_overflows_gives_the_largest_finite_score(activation: Activation) -> None:
    place = layout(9)
    judge = scorer(network(9, ModelConfig(activation=activation)), place)
    values = np.full((1, place.total), np.finfo(np.float32).max, dtype=np.float32)
    values[0, ::2] *= -1

    batch = judge.score(FeatureMatrix(values, place))

    assert batch.errors[0] == np.float32(BEYOND)
    assert np.isfinite(batch.scores).all()
    assert np.isfinite(judge.field_errors(values, judge.reconstruct(values))).all()


def test_rows_that_are_read_only_or_not_contiguous_are_scored_alike_and_left_alone() -> None:
    place = layout(9)
    judge, values = scorer(network(9), place), rows(50, place)
    strided = np.asfortranarray(values)
    strided.setflags(write=False)
    before = strided.copy()

    scores = judge.score(FeatureMatrix(strided, place)).scores

    assert np.array_equal(scores, judge.score(FeatureMatrix(values, place)).scores)
    assert np.array_equal(strided, before)


def test_the_hidden_state_is_that_of_the_network() -> None:
    place, module = layout(9), network(9, ModelConfig(hidden=[4, 2, 4]))
    values = rows(1030, place)

    latent = scorer(module, place).latent(values)

    with torch.no_grad():
        expected = module(torch.tensor(values[:, :9]))[1].numpy()
    assert latent.shape == (1030, 2)
    np.testing.assert_allclose(latent, expected, atol=1e-5)


def test_what_is_expected_is_the_reconstruction() -> None:
    place = layout(9)
    judge, values = scorer(network(9), place), rows(3, place)

    assert np.array_equal(judge.expected(values), judge.reconstruct(values))


def test_a_field_is_blamed_for_its_excess_over_what_is_usual_for_it() -> None:
    place = layout(9)
    values = rows(20, place)
    errors = scorer(network(9), place).field_errors(values, scorer(network(9), place).reconstruct(values))
    usual = tuple(errors.mean(axis=0))
    judge = L1Scorer(network(9), place, Calibration(200, 0.0, 1.0, usual, usual))

    blame = judge.blame(values)

    assert (blame == 0).any()
    np.testing.assert_allclose(blame, np.maximum(errors - usual, 0))


def test_blame_is_finite_where_the_arithmetic_overflows() -> None:
    place = layout(9)

    assert np.isfinite(scorer(network(9), place).blame(np.full((1, place.total), 3e38, dtype=np.float32))).all()


def test_a_matrix_of_another_width_is_refused() -> None:
    judge = scorer(network(9), layout(9))

    with pytest.raises(DataError, match="records have 8 encoded columns, the model knows 12"):
        judge.score(FeatureMatrix(np.zeros((1, 8), np.float32), layout(9)))


def test_a_network_that_does_not_fit_the_layout_is_refused() -> None:
    with pytest.raises(DataError, match="the network reads 9 columns, the encoders make 8"):
        scorer(network(9), layout(8))


def test_a_calibration_of_other_features_is_refused() -> None:
    with pytest.raises(DataError, match="the calibration knows 1 features, the layout 3"):
        L1Scorer(network(9), layout(9), Calibration(1, 0.0, 1.0, (0.0,), (0.0,)))
