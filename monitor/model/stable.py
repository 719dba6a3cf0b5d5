"""A network whose results for a record are the same bits wherever in a slice of fixed size the record stands.

Convolutions and recurrent cells keep this by themselves, since a kernel treats each record of theirs alike. Dense
layers do not: their matrix kernels round the last rows and columns in another way unless all sizes are multiples of 8.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from monitor.model.autoencoder import Autoencoder
from monitor.model.widening import padded


def padded_layer(layer: nn.Linear) -> tuple[Tensor, Tensor]:
    """Weight [in, out] and bias [out] of a layer, widened with zeros."""
    weight = torch.zeros(padded(layer.in_features), padded(layer.out_features), device=layer.weight.device)
    weight[: layer.in_features, : layer.out_features] = layer.weight.detach().t()
    bias = torch.zeros(weight.shape[1], device=weight.device)
    bias[: layer.out_features] = layer.bias.detach()
    return weight, bias


class PaddedLinear(nn.Module):
    """Does what ``layer`` does, in padded matrices: for any leading dimensions, the last being its inputs."""

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight, bias = padded_layer(layer)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self._inputs, self._outputs = layer.in_features, layer.out_features

    def forward(self, x: Tensor) -> Tensor:
        rows = nn.functional.pad(x.reshape(-1, self._inputs), (0, len(self.weight) - self._inputs))
        made = torch.addmm(self.bias, rows, self.weight)[:, : self._outputs]
        return made.reshape(*x.shape[:-1], self._outputs)


def stable(module: Autoencoder) -> Autoencoder:
    """A copy for inference."""
    twin = copy.deepcopy(module)
    dense = [(name, layer) for name, layer in twin.named_modules() if isinstance(layer, nn.Linear)]
    for name, layer in dense:
        twin.set_submodule(name, PaddedLinear(layer))
    return twin.eval()
