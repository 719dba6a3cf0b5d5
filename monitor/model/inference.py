"""The network applied to encoded records, so that a record's result never depends on the records beside it.

Matrix kernels round differently with the number of rows, the position of a row among the last few, odd widths and the
alignment of memory. So every pass has one shape: the same number of rows (behind a short last slice old rows are
computed again and thrown away) in the same aligned buffers, every layer widened with zero weights to a multiple of 8
columns. The same record then has the same error to the last bit, alone or anywhere in any batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F32, F64
from monitor.core.errors import DataError
from monitor.core.features import Layout
from monitor.core.model_config import Activation
from monitor.model.autoencoder import Autoencoder
from monitor.model.device import one_thread
from monitor.model.stable import LANES, padded, padded_layer, stable

SLICE_ROWS = 1024
"""Rows of one pass: its buffers stay in the second-level cache, and the calls cost little beside the arithmetic."""

SLICE_WORK = 2**24
"""Multiplications of one pass at the most; wide networks take fewer rows, or one lone record would cost 10 ms."""

MIN_SLICE_ROWS = 64
"""Fewer rows than this leave the matrix kernels idle."""

BEYOND = float(np.finfo(np.float32).max)
"""The error of a record whose arithmetic overflowed: finite, and larger than any other."""


class Inference:
    """Runs a network over slices with preallocated buffers and one thread. For one thread of the caller at a time."""

    def __init__(
        self, module: Autoencoder, layout: Layout, device: torch.device | None = None, slice_rows: int = SLICE_ROWS
    ) -> None:
        if module.width != layout.width:
            raise DataError(f"the network reads {module.width} columns, the encoders make {layout.width}")
        self.layout = layout
        self._device = device or torch.device("cpu")
        self._width = layout.width
        self._latent_layer, self._latent_width = module.latent_layer, module.latent_width
        self._rows = _slice_rows(module, slice_rows)
        self._stage = torch.zeros(self._rows, max(LANES, padded(layout.total)))
        self._stage_rows = self._stage.numpy()  # the same memory, for copying numpy rows in
        self._input = self._stage if self._device.type == "cpu" else self._stage.to(self._device)
        self._weights = torch.zeros(self._input.shape[1], device=self._device)
        self._weights[: layout.total] = torch.from_numpy(layout.weights())
        self._errors = torch.zeros(self._rows, device=self._device)
        self._layers = [_on(self._device, padded_layer(layer)) for layer in module.linears()]
        self._activations = [IN_PLACE[name] for name in module.layer_activations()]
        self._outputs = [torch.zeros(self._rows, len(bias), device=self._device) for _, bias in self._layers]
        self._forward: Callable[[], None] = self._dense
        if module.windows is not None:
            self._latent_layer, self._outputs = 0, [torch.empty(0), torch.empty(0)]
            self._forward = partial(self._windowed, stable(module).to(self._device))

    def errors(self, values: F32) -> F32:
        """The weighted L1 error of each record [n] of ``values`` [n, total]; >= 0, finite, larger is more anomalous.

        Sum over network columns of weight * |x - reconstruction|, plus the sum of the novelty columns.
        """
        errors = np.empty(len(values), dtype=np.float32)
        with torch.inference_mode(), one_thread():
            for start, stop in self._slices(values):
                if self._outputs:
                    self._forward()
                    self._input[:, : self._width].sub_(self._outputs[-1][:, : self._width])
                torch.mv(self._input.abs_(), self._weights, out=self._errors)
                errors[start:stop] = self._errors[: stop - start].cpu().numpy()
        return np.nan_to_num(errors, copy=False, nan=BEYOND, posinf=BEYOND)

    def reconstruct(self, values: F32) -> F32:
        """The network's reconstruction of ``values`` [n, total], finite; 0 in novelty columns, which it never sees."""
        reconstruction = np.zeros((len(values), self.layout.total), dtype=np.float32)
        if self._outputs:
            self._collect(values, len(self._outputs) - 1, reconstruction[:, : self._width])
        return np.nan_to_num(reconstruction, copy=False)

    def hidden(self, values: F32) -> F32:
        """What the network makes of each feature while that is hidden from it, [n, total] like ``values``; finite.

        Hidden columns are 0, as in training with ``model.masking``, without which this says little. Novelty columns are
        0. Costs as many passes as there are features.
        """
        expected, columns = np.zeros_like(values), np.arange(self._width)
        owners = np.repeat(np.arange(len(self.layout.blocks)), [b.stop - b.start for b in self.layout.blocks])
        features, of_column = np.unique(owners, return_inverse=True)  # those that have network columns
        shows = np.ones((len(features), self.layout.total), dtype=np.float32)
        shows[of_column, columns] = 0
        step = max(1, self._rows // max(1, len(features)))
        for start in range(0, len(values) if self._width else 0, step):
            shown = values[start : start + step, np.newaxis] * shows  # [rows, features, total]
            made = self.reconstruct(shown.reshape(-1, self.layout.total)).reshape(shown.shape)
            expected[start : start + step, : self._width] = made[:, of_column, columns]
        return expected

    def latent(self, values: F32) -> F32:
        """The hidden state of ``values`` [n, total] at the bottleneck, [n, latent width]."""
        latent = np.zeros((len(values), self._latent_width), dtype=np.float32)
        if self._outputs:
            self._collect(values, self._latent_layer, latent)
        return latent

    def _collect(self, values: F32, layer: int, into: F32) -> None:
        with torch.inference_mode(), one_thread():
            for start, stop in self._slices(values):
                self._forward()
                into[start:stop] = self._outputs[layer][: stop - start, : into.shape[1]].cpu().numpy()

    def _slices(self, values: F32) -> Iterator[tuple[int, int]]:
        """Bring one slice after the other into the input buffer; yields which rows it holds."""
        total = self.layout.total
        if values.shape[1] != total:
            raise DataError(f"records have {values.shape[1]} encoded columns, the model knows {total}")
        for start in range(0, len(values), self._rows):
            stop = min(start + self._rows, len(values))
            self._stage_rows[: stop - start, :total] = values[start:stop]
            if self._input is not self._stage:
                self._input.copy_(self._stage)
            yield start, stop

    def _dense(self) -> None:
        x = self._input[:, : padded(self._width)]
        for (weight, bias), activate, output in zip(self._layers, self._activations, self._outputs, strict=True):
            torch.addmm(bias, x, weight, out=output)
            x = activate(output)

    def _windowed(self, whole: Autoencoder) -> None:
        reconstruction, latent = whole(self._input[:, : self._width])
        self._outputs = [latent, reconstruction]


IN_PLACE: dict[Activation, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh_,
    "relu": torch.relu_,
    "gelu": torch.ops.aten.gelu_,
    "sigmoid": torch.sigmoid_,
    "none": lambda x: x,
}


def field_errors(layout: Layout, values: F32, reconstruction: F32) -> F64:
    """Each feature's part of the weighted L1 error, [n, features]; the parts of a record add up to its error.

    Args:
        layout: which columns belong to which feature.
        values: encoded records, [n, total].
        reconstruction: the same shape, 0 in novelty columns.
    """
    weights = layout.weights().astype(np.float64)
    differences = np.abs(values.astype(np.float64) - reconstruction) * weights  # [n, total]
    errors = np.empty((len(values), len(layout.blocks)))
    for index, block in enumerate(layout.blocks):
        errors[:, index] = differences[:, block.start : block.stop].sum(axis=1)
        errors[:, index] += differences[:, block.novelty_start : block.novelty_stop].sum(axis=1)
    return errors


def _on(device: torch.device, layer: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    weight, bias = layer
    return weight.to(device), bias.to(device)


def _slice_rows(module: Autoencoder, most: int) -> int:
    """Depends on the network alone, so that every record meets the same shape."""
    if module.windows is None:
        work = sum(padded(before) * padded(after) for before, after in pairwise(module.widths))
    else:
        work = module.windows.steps * sum(parameter.numel() for parameter in module.parameters())
    affordable = 1 << (SLICE_WORK // max(1, work)).bit_length() >> 1  # rounded down to a power of two
    return max(1, min(most, max(MIN_SLICE_ROWS, affordable)))
