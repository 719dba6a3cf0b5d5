"""Stochastic gradient descent that never writes a gradient of the weights down.

Plain SGD only ever adds the gradient to the weights, and the gradient of a dense layer is a matrix product: both are
one call, ``W <- (1 - rate * decay) W - rate * delta' x``. Beside autograd, which writes the gradient, reads it again in
the optimiser and allocates every intermediate result, this takes about half the time where batches are small and layers
wide. The weights are the same up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from monitor.core.model_config import Activation, ModelConfig
from monitor.model.autoencoder import Autoencoder
from monitor.model.torch_passes import IN_PLACE
from monitor.training.losses import GRADIENTS, LOSSES

_aten = torch.ops.aten

BACKWARD: dict[Activation, Callable[[Tensor, Tensor], object]] = {
    "tanh": lambda delta, output: _aten.tanh_backward.grad_input(delta, output, grad_input=delta),
    "relu": lambda delta, output: _aten.threshold_backward.grad_input(delta, output, 0, grad_input=delta),
    "sigmoid": lambda delta, output: _aten.sigmoid_backward.grad_input(delta, output, grad_input=delta),
    "none": lambda delta, _output: delta,
}
"""Turns the gradient of an activation's output into that of its input, in place; gelu would need its input."""


def serves(config: ModelConfig) -> bool:
    """Whether a network can be trained this way."""
    return config.optimizer == "sgd" and {config.activation, config.output_activation} <= BACKWARD.keys()


class PlainSgd:
    """Trains the layers of ``module`` where they are."""

    def __init__(self, module: Autoencoder, config: ModelConfig) -> None:
        self._weights = [layer.weight.detach() for layer in module.linears()]  # each [out, in], the module's memory
        self._biases = [layer.bias.detach() for layer in module.linears()]
        self._activate = [IN_PLACE[name] for name in module.layer_activations()]
        self._backward = [BACKWARD[name] for name in module.layer_activations()]
        self._loss, self._gradient = LOSSES[config.loss], GRADIENTS[config.loss]
        self._rate, self._keep = config.learning_rate, 1 - config.learning_rate * config.weight_decay
        self._buffers: dict[int, _Buffers] = {}

    @torch.inference_mode()
    def step(self, x: Tensor, target: Tensor) -> Tensor:
        """See ``Steps``."""
        if len(x) not in self._buffers:  # the last batch of an epoch is shorter
            self._buffers[len(x)] = _Buffers(len(x), self._weights)
        buffers = self._buffers[len(x)]
        difference = torch.sub(self._forward(x, buffers), target, out=buffers.deltas[-1])
        loss = self._loss(difference)
        self._gradient(difference)
        self._descend(x, buffers)
        return loss

    def state(self) -> dict[str, Tensor]:
        """See ``Steps``; the weights are all there is."""
        return {}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """See ``Steps``."""

    def _forward(self, x: Tensor, buffers: _Buffers) -> Tensor:
        for weight, bias, activate, output in zip(
            self._weights, self._biases, self._activate, buffers.outputs, strict=True
        ):
            x = activate(torch.addmm(bias, x, weight.t(), out=output))
        return x

    def _descend(self, x: Tensor, buffers: _Buffers) -> None:
        """From the last layer to the first: the layer before gets its delta, then this one moves."""
        for layer in range(len(self._weights) - 1, -1, -1):
            delta, weight = buffers.deltas[layer], self._weights[layer]
            self._backward[layer](delta, buffers.outputs[layer])
            if layer:
                torch.mm(delta, weight, out=buffers.deltas[layer - 1])
            below = buffers.outputs[layer - 1] if layer else x
            weight.addmm_(delta.t(), below, beta=self._keep, alpha=-self._rate)
            self._biases[layer].addmv_(delta.t(), buffers.ones, beta=self._keep, alpha=-self._rate)


class _Buffers:
    """Room for the outputs [n, out] of every layer and for the gradients of the loss with respect to them."""

    def __init__(self, rows: int, weights: list[Tensor]) -> None:
        self.outputs = [weight.new_empty(rows, len(weight)) for weight in weights]
        self.deltas = [weight.new_empty(rows, len(weight)) for weight in weights]
        self.ones = weights[0].new_ones(rows)
