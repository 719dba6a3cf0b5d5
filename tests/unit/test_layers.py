from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.errors import DataError
from monitor.core.model_config import ModelConfig
from monitor.model.layers import auto_bottleneck, layer_widths, powers_of_two


def test_mnist_down_to_16_has_the_layers_of_the_reference_system() -> None:
    assert powers_of_two(784, 16) == (512, 256, 128, 64, 32, 16, 32, 64, 128, 256, 512)


def test_a_power_of_two_as_input_or_bottleneck_is_not_repeated() -> None:
    assert powers_of_two(64, 16) == (32, 16, 32)


@given(st.integers(1, 5000), st.integers(1, 600))
def test_widths_are_mirrored_powers_strictly_between_bottleneck_and_input(width: int, bottleneck: int) -> None:
    widths = powers_of_two(width, bottleneck)

    middle = len(widths) // 2
    assert widths == widths[::-1]
    assert widths[middle] == bottleneck
    assert all(w & (w - 1) == 0 and bottleneck < w < width for w in widths[:middle])
    assert all(before == 2 * after for before, after in pairwise(widths[:middle]))
    assert middle == sum(bottleneck < 2**k < width for k in range(14))


@given(st.integers(1, 100_000))
def test_auto_is_narrower_than_its_input_and_never_enormous(width: int) -> None:
    widths = layer_widths(width, ModelConfig())

    assert widths[0] == widths[-1] == width
    assert 1 <= min(widths) <= 32
    assert min(widths) < width or width == 1
    assert max(widths[1:-1]) <= 512


def test_given_layers_are_taken_as_they_are() -> None:
    assert layer_widths(9, ModelConfig(hidden=[4, 2, 4])) == (9, 4, 2, 4, 9)


def test_a_given_bottleneck_is_where_the_powers_of_two_end() -> None:
    assert layer_widths(9, ModelConfig(bottleneck=2)) == (9, 8, 4, 2, 4, 8, 9)


def test_no_column_gives_the_null_network() -> None:
    assert layer_widths(0, ModelConfig(hidden=[4])) == ()


def test_auto_bottleneck_of_one_column_is_one() -> None:
    assert auto_bottleneck(1) == 1


def test_a_network_that_would_exhaust_the_machine_is_refused() -> None:
    with pytest.raises(DataError, match=r"model\.hidden: a network 60000-60000-60000 has 7,200,000,000 weights"):
        layer_widths(60_000, ModelConfig(hidden=[60_000]))


def test_a_bottleneck_that_contradicts_the_layers_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"bottleneck 3 contradicts hidden \[4, 2, 4\]"):
        ModelConfig(hidden=[4, 2, 4], bottleneck=3)


@pytest.mark.parametrize(
    "options",
    [
        {"hidden": []},
        {"hidden": [0]},
        {"hidden": [70_000]},
        {"learning_rate": float("inf")},
        {"learning_rate": 0.0},
        {"noise": float("nan")},
        {"masking": 1.0},
        {"seed": 2**63},
        {"epochs": 0},
        {"patience": -1},
        {"dropout": 0.5},
    ],
)
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        ModelConfig.model_validate(options)
