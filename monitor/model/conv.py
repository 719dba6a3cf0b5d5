"""``network: conv``: reads a window through filters of five steps, each layer half as many times as the one before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from monitor.core.model_config import Activation, around_bottleneck
from monitor.model.autoencoder import ACTIVATIONS
from monitor.model.windowed import Shapes, WindowedAutoencoder, bottleneck_shapes
from monitor.model.windows import Windows

KERNEL, STRIDE = 5, 2
"""Steps that a filter sees, and by how many it moves on."""


class ConvAutoencoder(WindowedAutoencoder):
    """Convolutions down to the bottleneck, transposed ones back up, with as many steps as on the way down."""

    def __init__(
        self, widths: Sequence[int], activation: Activation, output_activation: Activation, windows: Windows
    ) -> None:
        before, latent, after = around_bottleneck(widths[1:-1])
        down, up = halved(windows.steps, len(before)), halved(windows.steps, len(after))[::-1]
        super().__init__(widths, activation, output_activation, windows, inner=before[-1] * down[-1])
        self.down = nn.ModuleList(
            nn.Conv1d(i, o, KERNEL, STRIDE, padding=KERNEL // 2) for i, o in pairwise((self.features, *before))
        )
        self.start = nn.Linear(latent, after[0] * up[0])
        self.up = nn.ModuleList(
            nn.ConvTranspose1d(i, o, KERNEL, STRIDE, padding=KERNEL // 2, output_padding=1 - steps % 2)
            for (i, o), steps in zip(pairwise((*after, self.features)), up[1:], strict=True)
        )

    def encode(self, course: Tensor) -> Tensor:
        activate = ACTIVATIONS[self.activation]
        for layer in self.down:
            course = activate(layer(course))
        return course.flatten(1)

    def decode(self, latent: Tensor) -> Tensor:
        activate = ACTIVATIONS[self.activation]
        course: Tensor = self.start(latent).unflatten(1, (self.up[0].in_channels, -1))
        for layer in self.up:
            course = layer(activate(course))
        return course


def halved(steps: int, times: int) -> list[int]:
    """How many steps each layer leaves, those of the window first.

    >>> halved(10, 3)
    [10, 5, 3, 2]
    """
    return [-(-steps // STRIDE**k) for k in range(times + 1)]


def shapes(widths: Sequence[int], windows: Windows) -> Shapes:
    """The tensors of the network, without building it."""
    before, latent, after = around_bottleneck(widths[1:-1])
    inner = before[-1] * halved(windows.steps, len(before))[-1]
    start = after[0] * halved(windows.steps, len(after))[-1]
    found = bottleneck_shapes(inner, latent, len(windows.others(widths[0])))
    found |= {"start.weight": (start, latent), "start.bias": (start,)}
    for layer, (i, o) in enumerate(pairwise((windows.features, *before))):
        found |= {f"down.{layer}.weight": (o, i, KERNEL), f"down.{layer}.bias": (o,)}
    for layer, (i, o) in enumerate(pairwise((*after, windows.features))):
        found |= {f"up.{layer}.weight": (i, o, KERNEL), f"up.{layer}.bias": (o,)}
    return found
