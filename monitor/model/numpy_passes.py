"""The network computed by numpy, in buffers that are kept: for machines too small for torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monitor.core.arrays import F32
from monitor.core.features import Layout
from monitor.core.model_config import Activation
from monitor.model.gelu import gelu_in_place
from monitor.model.network import PlainNetwork
from monitor.model.widening import LANES, padded


class NumpyPasses:
    """Passes of one shape; see ``monitor.model.inference``."""

    def __init__(self, module: PlainNetwork, layout: Layout, rows: int) -> None:
        self._width, self._latent_layer = layout.width, module.latent_layer
        self.stage: F32 = np.zeros((rows, max(LANES, padded(layout.total))), dtype=np.float32)
        self._weights = np.zeros(self.stage.shape[1], dtype=np.float32)
        self._weights[: layout.total] = layout.weights()
        self._layers = module.padded_layers()
        self._activations = [IN_PLACE[name] for name in module.layer_activations()]
        self._outputs = [np.zeros((rows, len(bias)), dtype=np.float32) for _, bias in self._layers]

    def begin(self) -> None:
        """Nobody else computes."""

    def errors(self) -> F32:
        if self._width:
            self.stage[:, : self._width] -= self.output()[:, : self._width]
        return np.abs(self.stage, out=self.stage) @ self._weights

    def output(self) -> F32:
        x = self.stage[:, : padded(self._width)]
        for (weight, bias), activate, output in zip(self._layers, self._activations, self._outputs, strict=True):
            np.matmul(x, weight, out=output)
            output += bias
            x = output
            activate(x)
        return x

    def latent(self) -> F32:
        self.output()
        return self._outputs[self._latent_layer]


def _sigmoid(x: F32) -> None:
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    np.reciprocal(x, out=x)


IN_PLACE: dict[Activation, Callable[[F32], object]] = {
    "tanh": lambda x: np.tanh(x, out=x),
    "relu": lambda x: np.maximum(x, 0, out=x),
    "gelu": gelu_in_place,
    "sigmoid": _sigmoid,
    "none": lambda x: x,
}
