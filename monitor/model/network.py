"""What every network says of itself, whatever computes it; and a dense one as plain arrays, which needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from monitor.core.arrays import F32
from monitor.core.model_config import Activation
from monitor.model.ops import Kind
from monitor.model.widening import padded
from monitor.model.windows import Windows

Shapes = dict[str, tuple[int, ...]]


class Network:
    """``widths`` runs from input to output; empty means the null network, which reproduces no column perfectly.

    ``windows`` is of a network that reads windows step by step, and None of a dense one.
    """

    kind: Kind
    widths: tuple[int, ...]
    activation: Activation
    output_activation: Activation
    windows: Windows | None

    @property
    def width(self) -> int:
        """Columns it reads and reproduces."""
        return self.widths[0] if self.widths else 0

    @cached_property
    def latent_layer(self) -> int:
        """The index of the layer whose output is the hidden state: the first narrowest one."""
        return min(range(len(self.widths) - 2), key=lambda k: self.widths[k + 1], default=-1)

    @property
    def latent_width(self) -> int:
        """Columns of the hidden state."""
        return self.widths[self.latent_layer + 1] if self.widths else 0

    def layer_activations(self) -> list[Activation]:
        """The activation after each layer of a dense network, in order."""
        hidden: list[Activation] = [self.activation] * (len(self.widths) - 2)
        return [*hidden, self.output_activation] if self.widths else []

    def state_dict(self) -> Mapping[str, Any]:
        """All weights as arrays by name."""
        raise NotImplementedError


class PlainNetwork(Network):
    """A trained dense network; ``weights`` has ``layers.k.weight`` [out, in] and ``layers.k.bias`` [out] of layer k."""

    kind: Kind = "numpy"
    windows = None

    def __init__(
        self,
        widths: Sequence[int],
        activation: Activation,
        output_activation: Activation,
        weights: Mapping[str, F32],
    ) -> None:
        self.widths, self._weights = tuple(widths), dict(weights)
        self.activation: Activation = activation
        self.output_activation: Activation = output_activation

    def state_dict(self) -> Mapping[str, F32]:
        return self._weights

    def padded_layers(self) -> list[tuple[F32, F32]]:
        """Weight [in, out] and bias [out] of each layer, widened with zeros."""
        return [self._padded(layer) for layer in range(max(0, len(self.widths) - 1))]

    def _padded(self, layer: int) -> tuple[F32, F32]:
        before, after = self.widths[layer : layer + 2]
        weight = np.zeros((padded(before), padded(after)), dtype=np.float32)
        weight[:before, :after] = self._weights[f"layers.{layer}.weight"].T
        bias = np.zeros(padded(after), dtype=np.float32)
        bias[:after] = self._weights[f"layers.{layer}.bias"]
        return weight, bias


def dense_shapes(widths: Sequence[int]) -> Shapes:
    """The tensors of a dense network by name."""
    found: Shapes = {}
    for index, (before, after) in enumerate(pairwise(widths)):
        found |= {f"layers.{index}.weight": (after, before), f"layers.{index}.bias": (after,)}
    return found
