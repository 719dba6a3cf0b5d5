"""How narrow a network is made where that is left to the program."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from monitor.core.arrays import F32
from monitor.core.model_config import ModelConfig, Network
from monitor.model.history import Candidate
from monitor.model.layers import auto_bottlenecks
from monitor.model.windows import Windows
from monitor.training.bottleneck import WIDE, candidates_of, narrowest, with_bottleneck
from monitor.training.fitting import Fitted, fit
from tests.support_models import CPU

EMPTY = np.empty((0, 16), dtype=np.float32)


def benign(numbers: int, width: int = 16, noise: float = 0.02, count: int = 400, seed: int = 0) -> F32:
    """Records [count, width] that so many hidden numbers make, always in the same way, with a little noise."""
    random = np.random.default_rng(seed)
    effects = np.random.default_rng(99).normal(size=(numbers, width)) / np.sqrt(numbers)
    values = random.normal(size=(count, numbers)) @ effects + noise * random.normal(size=(count, width))
    return np.asarray(values, dtype=np.float32)


def trained(values: F32, held_out: F32, **options: object) -> Fitted:
    config = ModelConfig.model_validate({"epochs": 1, **options})
    return fit(values, held_out, config, CPU, lambda _: None)


@pytest.mark.parametrize(("numbers", "chosen"), [(1, 2), (2, 2), (4, 4), (7, 8)])
def test_the_bottleneck_is_as_wide_as_the_data_asks_for(numbers: int, chosen: int) -> None:
    fitted = trained(benign(numbers), benign(numbers, seed=1))

    assert fitted.module.latent_width == chosen
    assert [candidate.bottleneck for candidate in fitted.history.candidates] == [2, 4, 8]


def test_columns_that_have_nothing_in_common_get_the_widest() -> None:
    assert trained(benign(16), benign(16, seed=1)).module.latent_width == 8


def test_the_loss_of_a_candidate_is_what_principal_components_leave() -> None:
    values, fresh = benign(6), benign(6, seed=1)
    mean = values.mean(axis=0)
    directions = np.linalg.svd(values - mean, full_matrices=False)[2][:4]

    left = (fresh - mean) - (fresh - mean) @ directions.T @ directions

    found = {candidate.bottleneck: candidate.loss for candidate in candidates_of(values, fresh)}
    assert found[4] == pytest.approx(float((left**2).sum() / ((fresh - mean) ** 2).sum()), rel=1e-3)
    assert found[2] > found[4] > found[8]


def test_of_very_many_columns_fewer_records_say_the_same() -> None:
    values, fresh = (benign(40, width=WIDE + 100, count=2000, seed=seed) for seed in (0, 1))

    candidates = candidates_of(values, fresh)

    assert [candidate.bottleneck for candidate in candidates] == [32]
    assert 0.05 < candidates[0].loss < 0.35


def test_the_same_records_decide_the_same() -> None:
    first, again = (with_bottleneck(benign(5), benign(5, seed=1), ModelConfig()) for _ in range(2))

    assert first == again


@pytest.mark.parametrize("options", [{"hidden": [4]}, {"bottleneck": 5}])
def test_what_is_configured_is_not_decided_anew(options: dict[str, object]) -> None:
    config = ModelConfig.model_validate(options)

    assert with_bottleneck(benign(1), benign(1, seed=1), config) == (config, ())


def test_without_held_out_records_it_is_a_quarter_of_the_columns() -> None:
    for held_out in (EMPTY, benign(1, count=19)):
        fitted = trained(benign(1), held_out)
        assert (fitted.module.latent_width, fitted.history.candidates) == (4, ())


def test_records_that_do_not_vary_get_the_narrowest() -> None:
    still = np.ones((50, 16), dtype=np.float32)

    assert {candidate.loss for candidate in candidates_of(still, still)} == {0.0}
    assert trained(still, still).module.latent_width == 2


def test_the_narrowest_within_the_tolerance_wins_and_not_the_best() -> None:
    assert narrowest((Candidate(2, 0.07), Candidate(4, 0.0501), Candidate(8, 0.05))) == 2
    assert narrowest((Candidate(2, 0.0701), Candidate(4, 0.07), Candidate(8, 0.05))) == 4


def test_a_network_over_windows_is_given_its_bottleneck_alike() -> None:
    windows = Windows((tuple(range(15, -1, -1)),))
    config = ModelConfig(network="conv", epochs=1)

    fitted = fit(benign(4), benign(4, seed=1), config, CPU, lambda _: None, windows=windows)

    assert fitted.module.widths == (16, 32, 4, 32, 16)


@pytest.mark.parametrize("network", ["conv", "gru", "lstm"])
@pytest.mark.parametrize("bottleneck", ["auto", 40])
def test_a_network_over_long_windows_has_channels_wider_than_its_bottleneck(
    network: Network, bottleneck: int | Literal["auto"]
) -> None:
    windows = Windows((tuple(range(63, -1, -1)),))
    noise = np.random.default_rng(0).standard_normal((200, 64)).astype(np.float32)
    config = ModelConfig(network=network, bottleneck=bottleneck, epochs=1)

    fitted = fit(noise, noise[:50], config, CPU, lambda _: None, windows=windows)

    assert fitted.module.widths[1] > fitted.module.latent_width == (32 if bottleneck == "auto" else bottleneck)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 40, 1000])
def test_no_candidate_is_as_wide_as_its_input(width: int) -> None:
    assert all(1 <= candidate <= max(1, -(-width // 2)) for candidate in auto_bottlenecks(width))
