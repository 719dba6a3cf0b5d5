"""``network: gru`` and ``lstm``: reads a window step by step with a memory, and tells it back newest first.

Told in reverse, what the memory holds most freshly is asked for first, which makes learning much easier (Srivastava,
Mansimov and Salakhutdinov 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from monitor.core.model_config import Activation, around_bottleneck
from monitor.model.windowed import Shapes, WindowedAutoencoder, bottleneck_shapes
from monitor.model.windows import Windows

Cell = Literal["gru", "lstm"]

CELLS: dict[Cell, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}

GATES: dict[Cell, int] = {"gru": 3, "lstm": 4}
"""Matrices that a cell has for each one of a plain layer."""


class RecurrentAutoencoder(WindowedAutoencoder):
    """The last memory of the encoder goes through the bottleneck; the decoder is shown it at every step."""

    def __init__(
        self,
        widths: Sequence[int],
        activation: Activation,
        output_activation: Activation,
        windows: Windows,
        cell: Cell,
    ) -> None:
        before, latent, after = around_bottleneck(widths[1:-1])
        super().__init__(widths, activation, output_activation, windows, inner=before[-1])
        self._length, make = windows.steps, CELLS[cell]
        self.reading = nn.ModuleList(make(i, o, batch_first=True) for i, o in pairwise((self.features, *before)))
        self.telling = nn.ModuleList(make(i, o, batch_first=True) for i, o in pairwise((latent, *after)))
        self.step = nn.Linear(after[-1], self.features)

    def encode(self, course: Tensor) -> Tensor:
        told = course.transpose(1, 2)  # [n, steps, features]
        for layer in self.reading:
            told = layer(told)[0]
        return told[:, -1]

    def decode(self, latent: Tensor) -> Tensor:
        told = latent.unsqueeze(1).expand(-1, self._length, -1)
        for layer in self.telling:
            told = layer(told)[0]
        course: Tensor = self.step(told).flip(1).transpose(1, 2)
        return course


def shapes(widths: Sequence[int], windows: Windows, cell: Cell) -> Shapes:
    """The tensors of the network, without building it."""
    before, latent, after = around_bottleneck(widths[1:-1])
    found = bottleneck_shapes(before[-1], latent, len(windows.others(widths[0])))
    found |= {"step.weight": (windows.features, after[-1]), "step.bias": (windows.features,)}
    for part, through in (("reading", (windows.features, *before)), ("telling", (latent, *after))):
        for layer, (i, o) in enumerate(pairwise(through)):
            gates, name = GATES[cell] * o, f"{part}.{layer}"
            found |= {f"{name}.weight_ih_l0": (gates, i), f"{name}.weight_hh_l0": (gates, o)}
            found |= {f"{name}.bias_ih_l0": (gates,), f"{name}.bias_hh_l0": (gates,)}
    return found
