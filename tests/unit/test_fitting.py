from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.arrays import F32
from monitor.core.errors import DataError, TryLaterError
from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig
from monitor.model.history import Epoch
from monitor.training.corruption import Corruption
from monitor.training.fitting import Fitted, fit
from monitor.training.plain_sgd import PlainSgd, serves
from monitor.training.splits import Split, split, split_by_time
from monitor.training.steps import AutogradSteps
from tests.support_models import CPU, network

NONE = np.empty((0, 6), dtype=np.float32)


def ignore(epoch: Epoch) -> None:
    """Nobody watches."""


def benign(count: int = 300, width: int = 6, seed: int = 0) -> F32:
    """Rows on a curve, so that a bottleneck of one can learn them."""
    t = np.random.default_rng(seed).uniform(-1, 1, (count, 1))
    return (np.sin(t * np.arange(1, width + 1)) * 0.5 + 0.1).astype(np.float32)


def weights(fitted: Fitted) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in fitted.module.state_dict().values()]


def loss_of(fitted: Fitted, values: F32) -> float:
    with torch.no_grad():
        return float(((fitted.module(torch.tensor(values))[0].numpy() - values) ** 2).mean())


# -- learning --------------------------------------------------------------------------------------------------


def test_training_learns_to_reproduce_benign_records() -> None:
    fitted = fit(benign(), benign(seed=1), ModelConfig(batch_size=32, epochs=40), CPU, ignore)

    assert loss_of(fitted, benign(seed=2)) < 0.1 * float(benign().var())


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "huber"},
        {"loss": "l1"},
        {"optimizer": "adamw", "weight_decay": 1e-4},
        {"optimizer": "sgd", "learning_rate": 0.3, "weight_decay": 1e-5},
        {"activation": "relu"},
        {"activation": "gelu"},
        {"activation": "sigmoid"},
        {"init": "torch"},
        {"noise": 0.05},
        {"masking": 0.2},
        {"output_activation": "tanh"},
    ],
)
def test_every_option_learns(options: dict[str, object]) -> None:
    config = ModelConfig.model_validate({"batch_size": 16, "epochs": 15, **options})

    fitted = fit(benign(), benign(seed=1), config, CPU, ignore)

    assert min(epoch.loss for epoch in fitted.history.epochs) < 0.8 * fitted.history.epochs[0].loss


def test_the_same_seed_gives_the_same_weights_to_the_last_bit() -> None:
    config = ModelConfig(batch_size=32, epochs=5, noise=0.1, masking=0.1)

    first, second = (fit(benign(), benign(seed=1), config, CPU, ignore) for _ in range(2))

    assert weights(first) == weights(second)
    assert first.history == second.history


def test_another_seed_gives_other_weights() -> None:
    first, second = (fit(benign(), NONE, ModelConfig(epochs=1, seed=seed), CPU, ignore) for seed in (1, 2))

    assert weights(first) != weights(second)


def test_training_leaves_the_random_numbers_of_the_process_and_the_data_alone() -> None:
    before, values = torch.random.get_rng_state(), benign()
    values.setflags(write=False)

    fit(values, NONE, ModelConfig(epochs=2, noise=0.1, masking=0.1), CPU, ignore)

    assert torch.equal(before, torch.random.get_rng_state())


def test_the_last_incomplete_batch_is_trained_with_too() -> None:
    values = np.zeros((5, 2), dtype=np.float32)
    values[4] = 100  # one extreme row: whatever batch it lands in, the loss of the epoch must count it once
    config = ModelConfig(batch_size=4, epochs=1, learning_rate=1e-9)

    fitted = fit(values, values[:0], config, CPU, ignore)

    assert fitted.history.epochs[0].loss == pytest.approx(loss_of(fitted, values), rel=1e-4)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "none"])
@pytest.mark.parametrize("loss", ["mse", "huber", "l1"])
def test_plain_sgd_gives_the_weights_that_autograd_gives(activation: str, loss: str) -> None:
    config = ModelConfig.model_validate(
        {"activation": activation, "loss": loss, "optimizer": "sgd", "learning_rate": 0.3, "weight_decay": 0.01}
    )
    one, other = network(6, config), network(6, config)
    plain, autograd = PlainSgd(one, config), AutogradSteps(other, config)
    values = torch.tensor(benign(37))

    losses = [
        (float(plain.step(batch + 0.1, batch)), float(autograd.step(batch + 0.1, batch)))
        for batch in (values[:16], values[16:32], values[32:], values[:16])
    ]

    assert all(a == pytest.approx(b, rel=1e-5) for a, b in losses)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_plain_sgd_serves_what_it_can_differentiate() -> None:
    assert serves(ModelConfig(optimizer="sgd", activation="relu", output_activation="sigmoid"))
    assert not serves(ModelConfig(optimizer="sgd", activation="gelu"))
    assert not serves(ModelConfig(optimizer="adam"))


# -- stopping --------------------------------------------------------------------------------------------------


def test_training_stops_when_held_out_records_get_worse_and_keeps_the_best_weights() -> None:
    opposite = -benign()  # learning the training data makes these worse
    config = ModelConfig(batch_size=32, epochs=200, patience=3)

    fitted = fit(benign(), opposite, config, CPU, ignore)

    history = fitted.history
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.stopped_early
    assert len(losses) == fitted.best_epoch + 3
    assert losses[fitted.best_epoch - 1] == min(loss for loss in losses if loss is not None)
    assert loss_of(fitted, opposite) == pytest.approx(losses[fitted.best_epoch - 1], rel=1e-5)


def test_without_patience_every_epoch_is_trained_and_the_last_weights_stay() -> None:
    config = ModelConfig(batch_size=32, epochs=12, patience=0)

    fitted = fit(benign(), -benign(), config, CPU, ignore)

    assert (len(fitted.history.epochs), fitted.best_epoch, fitted.history.stopped_early) == (12, 12, False)
    assert loss_of(fitted, -benign()) == pytest.approx(fitted.history.epochs[-1].validation_loss, rel=1e-5)


def test_when_the_time_is_up_the_best_weights_until_then_are_kept() -> None:
    values, config = benign(), ModelConfig(epochs=12, patience=0)

    cut = fit(values, NONE, config, CPU, lambda epoch: epoch.number == 4)

    assert (len(cut.history.epochs), cut.history.out_of_time, cut.history.stopped_early) == (4, True, False)
    assert weights(cut) == weights(fit(values, NONE, config.model_copy(update={"epochs": 4}), CPU, ignore))


def test_the_last_epoch_is_not_out_of_time() -> None:
    assert not fit(benign(), NONE, ModelConfig(epochs=2), CPU, lambda _epoch: True).history.epochs[1:]
    assert not fit(benign(), NONE, ModelConfig(epochs=1), CPU, lambda _epoch: True).history.out_of_time


def test_without_held_out_records_every_epoch_is_trained() -> None:
    fitted = fit(benign(), NONE, ModelConfig(epochs=15, patience=2), CPU, ignore)

    assert len(fitted.history.epochs) == fitted.best_epoch == 15
    assert fitted.history.epochs[0].validation_loss is None


def test_a_perfect_held_out_loss_is_not_mistaken_for_a_missing_one() -> None:
    values = np.zeros((50, 2), dtype=np.float32)  # zero biases: reproduced exactly from the start

    fitted = fit(values, values, ModelConfig(epochs=30, patience=4), CPU, ignore)

    assert (fitted.best_epoch, len(fitted.history.epochs)) == (1, 5)


def test_every_epoch_is_reported_as_it_ends() -> None:
    seen: list[Epoch] = []

    fitted = fit(benign(), benign(seed=1), ModelConfig(epochs=3), CPU, seen.append)

    assert [epoch.number for epoch in seen] == [1, 2, 3]
    assert tuple(seen) == fitted.history.epochs


# -- refusing --------------------------------------------------------------------------------------------------


def test_a_diverging_training_is_an_error_with_the_cure() -> None:
    config = ModelConfig(optimizer="sgd", learning_rate=1e6, activation="none", epochs=50)

    with pytest.raises(DataError, match=r"training diverged in epoch \d+ .*lower model\.learning_rate \(now 1e\+06\)"):
        fit(benign(), benign(seed=1), config, CPU, ignore)


def test_an_output_that_cannot_reach_the_training_data_is_refused_by_the_name_of_the_feature() -> None:
    place = Layout.of([("age", 2, 0), ("income", 4, 1)])
    values = np.abs(benign())
    values[7, 4] = -0.5

    with pytest.raises(DataError, match=r"output_activation: relu .*feature 'income': -0.5 to"):
        fit(values, NONE, ModelConfig(output_activation="relu"), CPU, ignore, place)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    values = benign()
    values[3, 3] = value

    with pytest.raises(DataError, match="an encoded value is not finite"):
        fit(values, NONE, ModelConfig(), CPU, ignore)
    with pytest.raises(DataError, match="an encoded value is not finite"):
        fit(benign(), values, ModelConfig(), CPU, ignore)


def test_no_record_is_refused() -> None:
    with pytest.raises(DataError, match="no benign record to learn from"):
        fit(NONE, NONE, ModelConfig(), CPU, ignore)


def test_splits_encoded_differently_are_refused() -> None:
    with pytest.raises(DataError, match="6 columns to train with, 5 to stop by"):
        fit(benign(), benign(width=5), ModelConfig(), CPU, ignore)


def test_no_column_gives_the_null_network_without_training() -> None:
    fitted = fit(np.empty((9, 0), np.float32), np.empty((2, 0), np.float32), ModelConfig(), CPU, ignore)

    assert (fitted.module.width, fitted.history.epochs, fitted.best_epoch) == (0, (), 0)


def test_one_record_with_one_column_can_be_learned() -> None:
    fitted = fit(np.ones((1, 1), np.float32), np.ones((0, 1), np.float32), ModelConfig(epochs=200), CPU, ignore)

    assert loss_of(fitted, np.ones((1, 1), np.float32)) < 1e-3


# -- corruption ------------------------------------------------------------------------------------------------


def test_masking_hides_whole_features() -> None:
    place = Layout.of([("a", 3, 1), ("b", 1, 0), ("c", 4, 0)])
    corruption = Corruption(ModelConfig(masking=0.5), 8, place, CPU)

    hidden = corruption.apply(torch.ones(2000, 8)) == 0

    blocks = [hidden[:, block.start : block.stop] for block in place.blocks]
    assert all(bool((block.all(dim=1) == block.any(dim=1)).all()) for block in blocks)
    assert all(0.4 < float(block.float().mean()) < 0.6 for block in blocks)


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    corruption = Corruption(ModelConfig(noise=0.3), 10, None, CPU)

    assert float(corruption.apply(torch.zeros(5000, 10)).std()) == pytest.approx(0.3, rel=0.05)


def test_without_corruption_the_records_are_not_copied() -> None:
    x = torch.ones(3, 8)

    assert Corruption(ModelConfig(), 8, None, CPU).apply(x) is x


# -- splitting -------------------------------------------------------------------------------------------------

TIMES = st.lists(
    st.one_of(st.integers(-5, 5).map(float), st.just(float("nan")), st.floats(0, 2e9)), min_size=10, max_size=400
)


def sizes(parts: Split) -> list[int]:
    return [parts.count(part) for part in (parts.train, parts.early_stop, parts.calibration)]


@settings(max_examples=60)
@given(TIMES)
def test_the_parts_are_disjoint_complete_and_in_the_order_of_time(values: list[float]) -> None:
    times = np.array(values)

    parts = split_by_time(len(times), times)

    everything = parts.order
    known = times[everything][~np.isnan(times[everything])]
    assert sorted(everything) == list(range(len(times)))
    assert (np.diff(known) >= 0).all()
    assert sizes(parts)[0] + sizes(parts)[1] + sizes(parts)[2] == len(times)
    assert (parts.train.stop, parts.early_stop.stop) == (parts.early_stop.start, parts.calibration.start)
    assert min(sizes(parts)) >= 1


@given(st.integers(10, 100_000))
def test_training_always_gets_the_largest_part(count: int) -> None:
    parts = split_by_time(count)

    train, _, calibration = sizes(parts)
    assert train >= 0.55 * count
    assert calibration >= min(100, 0.3 * count - 1)
    assert (np.diff(parts.order) == 1).all()


def test_large_data_is_split_70_10_20() -> None:
    parts = split_by_time(10_000)

    assert sizes(parts) == [7000, 1000, 2000]


def test_240_records_can_be_split() -> None:
    parts = split_by_time(240)

    assert sizes(parts) == [144, 24, 72]


def test_records_of_one_moment_keep_their_order() -> None:
    parts = split_by_time(100, np.zeros(100))

    assert parts.order.tolist() == list(range(100))


def test_a_record_without_a_time_goes_with_the_one_before_it() -> None:
    times = np.arange(20.0)[::-1].copy()  # newest first
    times[[0, 5]] = np.nan

    parts = split_by_time(20, times)

    order = parts.order.tolist()
    assert order[0] == 0  # nothing before it
    assert order[order.index(5) - 1] == 4


def test_nine_records_are_too_few() -> None:
    with pytest.raises(TryLaterError, match="at least 10 benign records, there are 9"):
        split_by_time(9)


def test_without_a_split_every_record_trains_and_calibrates() -> None:
    parts = split(20, np.arange(20.0)[::-1].copy(), "none")

    assert sizes(parts) == [20, 0, 20]
    assert parts.order[parts.train].tolist() == parts.order[parts.calibration].tolist() == list(range(19, -1, -1))


def test_without_a_split_nine_records_are_too_few_all_the_same() -> None:
    with pytest.raises(TryLaterError, match="there are 9"):
        split(9, None, "none")
