from __future__ import annotations

import numpy as np
import pytest
import torch

from monitor.core.errors import DataError, UnavailableError, UsageError
from monitor.core.model_config import Activation, ModelConfig
from monitor.model.autoencoder import ACTIVATIONS, Autoencoder, autoencoder_for, check_reach, initialise
from monitor.model.device import choose_device, one_thread
from monitor.model.torch_passes import IN_PLACE
from tests.support_models import network


def test_forward_gives_the_reconstruction_and_the_hidden_state_of_the_narrowest_layer() -> None:
    module = network(9, ModelConfig(hidden=[4, 2, 4]))

    reconstruction, hidden = module(torch.rand(5, 9))

    assert (reconstruction.shape, hidden.shape) == ((5, 9), (5, 2))


def test_forward_is_what_the_formula_says() -> None:
    module = network(3, ModelConfig(hidden=[2]))
    x = np.array([[0.1, -0.2, 0.3]])

    reconstruction, hidden = module(torch.tensor(x, dtype=torch.float32))

    (w1, b1), (w2, b2) = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in module.linears()]
    expected = np.tanh(x @ w1.T + b1)
    np.testing.assert_allclose(hidden.detach().numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(reconstruction.detach().numpy(), expected @ w2.T + b2, atol=1e-6)


def test_the_null_network_gives_back_no_column_and_no_hidden_state() -> None:
    module = autoencoder_for(0, ModelConfig())

    reconstruction, hidden = module(torch.empty(4, 0))

    assert (reconstruction.shape, hidden.shape, module.width, module.latent_width) == ((4, 0), (4, 0), 0, 0)


def test_glorot_keeps_within_its_bound_and_zeroes_the_biases() -> None:
    module = autoencoder_for(64, ModelConfig(hidden=[32]))

    initialise(module, ModelConfig(), torch.Generator().manual_seed(1))

    bound = (6 / (64 + 32)) ** 0.5
    for layer in module.linears():
        assert 0.9 * bound < float(layer.weight.detach().abs().max()) <= bound
        assert float(layer.bias.detach().abs().max()) == 0


def test_torch_initialisation_stays_within_the_bound_of_torch_and_draws_biases() -> None:
    module = autoencoder_for(64, ModelConfig(hidden=[32]))

    initialise(module, ModelConfig(init="torch"), torch.Generator().manual_seed(1))

    first = module.linears()[0]
    assert 0.9 / 8 < float(first.weight.detach().abs().max()) <= 1 / 8
    assert 0 < float(first.bias.detach().abs().max()) <= 1 / 8


def test_making_a_network_leaves_the_random_numbers_of_the_process_alone() -> None:
    before = torch.random.get_rng_state()

    network(9)

    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("activation", "value"), [("relu", -0.01), ("tanh", 1.01), ("sigmoid", -0.01), ("sigmoid", 1.01), ("gelu", -0.2)]
)
def test_an_output_that_cannot_reach_the_data_is_refused(activation: Activation, value: float) -> None:
    values = np.array([[0.5, 0.5], [0.5, value]], dtype=np.float32)

    complaint = (
        rf"model\.output_activation: {activation} reaches .* 1 of 2 .*feature 'bytes'.*use output_activation: none"
    )
    with pytest.raises(DataError, match=complaint):
        check_reach(values, activation, ["age", "bytes"])


def test_a_column_without_a_name_is_refused_by_its_number() -> None:
    with pytest.raises(DataError, match=r"\(column 0: -1 to -1\)"):
        check_reach(np.array([[-1.0]], dtype=np.float32), "relu")


@pytest.mark.parametrize(
    ("activation", "low", "high"), [("relu", 0, 9), ("tanh", -1, 1), ("sigmoid", 0, 1), ("none", -9, 9)]
)
def test_the_limits_of_an_activation_count_as_reached(activation: Activation, low: float, high: float) -> None:
    check_reach(np.array([[low], [high]], dtype=np.float32), activation)


def test_every_activation_computes_the_same_in_place() -> None:
    x = torch.linspace(-4, 4, 64)

    assert ACTIVATIONS.keys() == IN_PLACE.keys()
    for name, activate in ACTIVATIONS.items():
        copy = x.clone()
        torch.testing.assert_close(IN_PLACE[name](copy), activate(x), rtol=0.0, atol=1e-7, msg=name)
        torch.testing.assert_close(copy, activate(x), rtol=0.0, atol=1e-7, msg=name)


def test_the_hidden_state_of_two_equally_narrow_layers_is_the_first() -> None:
    assert Autoencoder((8, 2, 4, 2, 8), "tanh", "none").latent_layer == 0


def test_the_cpu_is_chosen_by_name() -> None:
    assert choose_device("cpu") == (torch.device("cpu"), "computing on the CPU, as configured")


def test_auto_always_finds_a_device_and_says_why() -> None:
    device, message = choose_device("auto")

    assert message.startswith("computing on the GPU" if device.type == "cuda" else "computing on the CPU: ")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("wanted", ["cuda", "cuda:1"])
def test_a_gpu_that_was_demanded_and_is_missing_is_an_error(wanted: str) -> None:
    with pytest.raises(UnavailableError, match=rf"device {wanted}: .*set device: auto or device: cpu"):
        choose_device(wanted)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_beyond_the_last_is_an_error() -> None:
    with pytest.raises(UnavailableError, match=r"device cuda:99: there are only \d+ GPUs"):
        choose_device("cuda:99")


@pytest.mark.parametrize("wanted", ["gpu", "cuda:", "cuda:-1", "cuda:x", "", "CPU"])
def test_an_unknown_device_is_refused(wanted: str) -> None:
    with pytest.raises(UsageError, match="is not one of auto, cpu, cuda, cuda:N"):
        choose_device(wanted)


def test_the_number_of_threads_is_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)

    with one_thread():
        inside = torch.get_num_threads()

    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert (inside, after) == (1, 2)
