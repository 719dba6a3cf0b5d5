"""The network: reproduces the network columns of an encoded record through a bottleneck."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from monitor.core.arrays import F32
from monitor.core.errors import DataError
from monitor.core.model_config import Activation, ModelConfig
from monitor.model.layers import layer_widths
from monitor.model.network import Network
from monitor.model.ops import Kind
from monitor.model.windows import Windows

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "sigmoid": torch.sigmoid,
    "none": lambda x: x,
}

REACH: dict[Activation, tuple[float, float]] = {
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "gelu": (-0.1699, math.inf),  # its minimum lies at about -0.75
    "sigmoid": (0.0, 1.0),
    "none": (-math.inf, math.inf),
}
"""Lowest and highest output of each activation; the limits of tanh and sigmoid count as reached."""


class Autoencoder(nn.Module, Network):
    """A dense network over the network columns; uninitialised until ``initialise`` or a bundle sets its weights."""

    kind: Kind = "torch"

    def __init__(self, widths: Sequence[int], activation: Activation, output_activation: Activation) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.activation: Activation = activation
        self.output_activation: Activation = output_activation
        self.windows: Windows | None = None
        self.layers = nn.ModuleList(self._layers())

    def _layers(self) -> list[nn.Linear]:
        return [_blank(before, after) for before, after in pairwise(self.widths)]

    def linears(self) -> list[nn.Linear]:
        """The layers with their type."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction [n, width] and hidden state [n, latent_width] of ``x`` [n, width]."""
        latent = x[:, : self.latent_width]
        for index, (layer, name) in enumerate(zip(self.linears(), self.layer_activations(), strict=True)):
            x = ACTIVATIONS[name](layer(x))
            latent = x if index == self.latent_layer else latent
        return x, latent


def _blank(before: int, after: int) -> nn.Linear:
    """A layer whose weights mean nothing yet; drawing them leaves the process's own random numbers as they were.

    An uninitialised layer by way of the meta device would make torch import a second of symbolic algebra.
    """
    with torch.random.fork_rng(devices=[]):
        return nn.Linear(before, after)


def autoencoder_for(input_width: int, config: ModelConfig) -> Autoencoder:
    """The uninitialised network a configuration asks for over ``input_width`` columns."""
    return Autoencoder(layer_widths(input_width, config), config.activation, config.output_activation)


def initialise(module: Autoencoder, config: ModelConfig, generator: torch.Generator) -> None:
    """Draw the initial weights from ``generator`` (a CPU one), so that a seed gives the same network everywhere."""
    glorot = config.init == "glorot_uniform"  # or else as torch does by itself
    for layer in module.modules():
        for name, values in layer.named_parameters(recurse=False):
            if not glorot:
                _draw_within(values, 1 / math.sqrt(_inputs(layer)), generator)
            elif name.startswith("bias"):
                nn.init.zeros_(values)
            else:
                _draw_glorot(values, layer, generator)


def _draw_glorot(weight: Tensor, layer: nn.Module, generator: torch.Generator) -> None:
    """The gates of a recurrent layer stand one below the other; the bound is that of one of them."""
    for gate in torch.split(weight.detach(), layer.hidden_size) if isinstance(layer, nn.RNNBase) else [weight]:
        nn.init.xavier_uniform_(gate, generator=generator)


def _draw_within(values: Tensor, bound: float, generator: torch.Generator) -> None:
    nn.init.uniform_(values, -bound, bound, generator=generator)


def _inputs(layer: nn.Module) -> int:
    """How many numbers each output of a layer is a sum of, as torch counts them."""
    if isinstance(layer, nn.RNNBase):
        return layer.hidden_size
    weight = layer.weight
    return weight[0].numel() if isinstance(weight, Tensor) else 1


def check_reach(values: F32, activation: Activation, names: Sequence[str] = ()) -> None:
    """Refuse an output activation that cannot produce the values it is to reproduce.

    Such a network trains without complaint and blames the unreachable columns of every record for ever.

    Args:
        values: what the network is to reproduce, [n, width], n > 0.
        activation: the output activation.
        names: the feature of each column, for the message; empty when they have no names.

    Raises:
        DataError: some value lies outside; the message names the option, the range and the cure.
    """
    low, high = REACH[activation]
    below, above = values.min(axis=0, initial=math.inf), values.max(axis=0, initial=-math.inf)  # [width]
    outside = [int(k) for k in ((below < low) | (above > high)).nonzero()[0]]
    if outside:
        where = f"feature {names[outside[0]]!r}" if names else f"column {outside[0]}"
        raise DataError(
            f"model.output_activation: {activation} reaches {low:g} to {high:g}, but {len(outside)} of "
            f"{values.shape[1]} encoded columns lie outside ({where}: {below[outside[0]]:g} to "
            f"{above[outside[0]]:g}); use output_activation: none, or scale the features into that range"
        )
