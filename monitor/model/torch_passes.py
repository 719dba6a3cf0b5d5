"""The network computed by torch: in aligned buffers that are kept, on the CPU or a GPU, there as a recorded graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F32
from monitor.core.features import Layout
from monitor.core.model_config import Activation
from monitor.model.autoencoder import Autoencoder
from monitor.model.cuda_graph import Recorded
from monitor.model.stable import padded_layer, stable
from monitor.model.widening import LANES, padded


class TorchPasses:
    """Passes of one shape; see ``monitor.model.inference``."""

    def __init__(self, module: Autoencoder, layout: Layout, rows: int, device: torch.device | None) -> None:
        place = device or torch.device("cpu")
        pinned = place.type == "cuda"  # such memory is copied to a GPU, and from it, without waiting
        self._width, self._latent_layer = layout.width, module.latent_layer
        self._stage = torch.zeros(rows, max(LANES, padded(layout.total)), pin_memory=pinned)
        self.stage: F32 = self._stage.numpy()  # the same memory
        self._input = self._stage if place.type == "cpu" else self._stage.to(place)
        self._weights = torch.zeros(self._input.shape[1], device=place)
        self._weights[: layout.total] = torch.from_numpy(layout.weights())
        self._errors = torch.zeros(rows, device=place)
        self._found = torch.zeros(rows, pin_memory=True) if pinned else None
        self._recorded: Recorded | None = None
        self._place = place
        if module.windows is None:
            self._forward = self._dense
            self._layers = [_on(place, padded_layer(layer)) for layer in module.linears()]
            self._activations = [IN_PLACE[name] for name in module.layer_activations()]
            self._outputs = [torch.zeros(rows, len(bias), device=place) for _, bias in self._layers]
        else:
            self._forward, self._whole = self._windowed, stable(module).to(place)

    def begin(self) -> None:
        if self._found is None:
            return
        if self._recorded is None:
            self._recorded = Recorded(partial(self._bring_back, self._found), self._place)
        self._recorded.start()

    def errors(self) -> F32:
        if self._recorded is None or self._found is None:
            self._compute()
            return self._errors.cpu().numpy()
        self._recorded.wait()
        return self._found.numpy()

    def _bring_back(self, found: Tensor) -> None:
        self._compute()
        found.copy_(self._errors, non_blocking=True)

    def _compute(self) -> None:
        if self._width:
            reconstruction, _ = self._pass()
            self._input[:, : self._width].sub_(reconstruction[:, : self._width])
        else:
            self._bring()
        torch.mv(self._input.abs_(), self._weights, out=self._errors)

    def output(self) -> F32:
        return self._pass()[0].cpu().numpy()

    def latent(self) -> F32:
        return self._pass()[1].cpu().numpy()

    def _pass(self) -> tuple[Tensor, Tensor]:
        """Reconstruction and hidden state of the slice."""
        self._bring()
        return self._forward()

    def _bring(self) -> None:
        if self._input is not self._stage:
            self._input.copy_(self._stage, non_blocking=True)

    def _dense(self) -> tuple[Tensor, Tensor]:
        x = self._input[:, : padded(self._width)]
        for (weight, bias), activate, output in zip(self._layers, self._activations, self._outputs, strict=True):
            torch.addmm(bias, x, weight, out=output)
            x = activate(output)
        return x, self._outputs[self._latent_layer]

    def _windowed(self) -> tuple[Tensor, Tensor]:
        made: tuple[Tensor, Tensor] = self._whole(self._input[:, : self._width])
        return made


def _tanh(x: Tensor) -> Tensor:
    """On the CPU as numpy has it: within 6e-8, in a seventh of the time of torch."""
    if x.device.type != "cpu":
        return torch.tanh_(x)
    values = x.numpy()
    np.tanh(values, out=values)
    return x


IN_PLACE: dict[Activation, Callable[[Tensor], Tensor]] = {
    "tanh": _tanh,
    "relu": torch.relu_,
    "gelu": torch.ops.aten.gelu_,
    "sigmoid": torch.sigmoid_,
    "none": lambda x: x,
}


def _on(device: torch.device, layer: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    weight, bias = layer
    return weight.to(device), bias.to(device)
